"""What the tests of faults rest on does what it says, on real servers."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pymongo
import pymysql
import pytest
from pymongo import WriteConcern
from pymongo.errors import PyMongoError

from platform_store import ColumnAttribute, Config, OutcomeUnknown, Platform, Unavailable
from tests.faults import servers, steps
from tests.faults.child import Child, ChildFailed, call, run, transaction
from tests.faults.conftest import Proxied
from tests.faults.drivers import head, sent
from tests.faults.replica_set import ELECTION_TIMEOUT, ReplicaSet
from tests.faults.servers import Disposable, stores
from tests.integration.conftest import Servers
from tests.servers.databases import connect_sql
from tests.waiting import PATIENCE, wait_until

COLUMNS = [ColumnAttribute("id", "INT"), ColumnAttribute("n", "INT"), ColumnAttribute("doc", "JSON")]
ROW = {"id": 1, "n": 1, "doc": "一"}
HANGING = 3.0  # seconds after which a server that hangs is given up
COMMIT = "rows.transaction.commit"


def numbers(url: str) -> list[int]:
    """What table t of the test's database holds."""
    with connect_sql(url, database=url.rpartition("/")[2]) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT id FROM t ORDER BY id")
        return [row[0] for row in cursor.fetchall()]


def execute(url: str, *statements: str) -> None:
    with connect_sql(url, database=url.rpartition("/")[2]) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def seconds(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


class TestSqlServers:
    def test_killed_and_started_again(self, own_sql: Disposable, own_sql_url: str) -> None:
        execute(own_sql_url, "CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1)")
        before = (own_sql.pid, own_sql.url)
        own_sql.kill()
        assert own_sql.pid is None
        with pytest.raises(pymysql.OperationalError):
            numbers(own_sql_url)
        own_sql.start()
        assert own_sql.url == before[1]
        assert own_sql.pid != before[0]
        assert numbers(own_sql_url) == [1]

    def test_frozen(self, own_sql: Disposable, own_sql_url: str) -> None:
        execute(own_sql_url, "CREATE TABLE t (id INT PRIMARY KEY)")
        own_sql.freeze()
        assert own_sql.frozen
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(numbers, own_sql_url)
            with pytest.raises(TimeoutError):
                answer.result(0.3)
            own_sql.thaw()
            assert answer.result(PATIENCE) == []
        assert not own_sql.frozen

    def test_rolled_back_under_a_platform(self, own_sql: Disposable, own_sql_url: str, mongodb_database: str) -> None:
        with Platform.open(mysql=own_sql_url, mongodb=mongodb_database) as platform:
            platform.create_table("card", COLUMNS, flag=1)
            platform.write("card", ROW)
            own_sql.snapshot("older")
            assert platform.read("card", 1) == ROW  # over a connection that outlived the snapshot
            platform.write("card", {"id": 2, "n": 2})
            platform.update("card", 1, {"n": 9})
            identity = server_uuid(own_sql_url)
            own_sql.roll_back("older")
            with connect_sql(own_sql_url, database=own_sql_url.rpartition("/")[2]) as connection:
                cursor = connection.cursor()
                cursor.execute("SELECT id, n FROM card")
                assert cursor.fetchall() == ((1, 1),)
        assert server_uuid(own_sql_url) == identity

    def test_rolled_back_as_another_server(self, own_mysql: Disposable, own_mysql_url: str) -> None:
        own_mysql.snapshot("other")
        identity = server_uuid(own_mysql_url)
        own_mysql.roll_back("other", new_identity=True)
        assert server_uuid(own_mysql_url) != identity

    def test_each_is_a_server_of_its_own(self, own_sql: Disposable, own_mysql: Disposable, mysql_url: str) -> None:
        identities = [server_uuid(url) for url in (own_sql.url, own_mysql.url, mysql_url)]
        assert len(set(identities)) == 3

    def test_removed_even_where_the_test_fails(self, own_directory: Path) -> None:
        server = servers.sql("mariadb", own_directory / "failing")
        with contextlib.suppress(ZeroDivisionError), server:
            pid = server.pid
            server.freeze()
            raise ZeroDivisionError
        assert pid is not None
        assert not Path(f"/proc/{pid}").exists()
        assert not server.data.exists()

    def test_what_a_killed_session_left_is_ended(self, own_directory: Path) -> None:
        with servers.sql("mariadb", own_directory / "left") as server:
            servers.end_everything_below(own_directory / "lef")  # a directory whose name is a part of it
            assert server.pid is not None
            servers.end_everything_below(own_directory / "left")
            wait_until(lambda: server.pid is None, "the server is gone")


def server_uuid(url: str) -> object:
    with connect_sql(url) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW GLOBAL VARIABLES WHERE Variable_name IN ('server_uuid', 'server_uid')")
        (row,) = cursor.fetchall()
        return row[1]


class TestMongodbServers:
    def test_killed_frozen_and_rolled_back(self, own_mongodb: Disposable, own_mongodb_url: str) -> None:
        with pymongo.MongoClient[dict[str, Any]](own_mongodb_url) as client:
            documents = client.get_default_database().get_collection("t", write_concern=WriteConcern(1, j=True))
            documents.insert_one({"_id": 1})
            own_mongodb.snapshot("older")
            documents.insert_one({"_id": 2})
            own_mongodb.freeze()
            with pytest.raises(PyMongoError), pymongo.timeout(0.5):
                documents.count_documents({})
            own_mongodb.thaw()
            own_mongodb.kill()
            own_mongodb.start()
            assert documents.count_documents({}) == 2
            own_mongodb.roll_back("older")
            assert documents.count_documents({}) == 1


class TestReplicaSet:
    def test_writes_at_w_1_are_lost_and_rolled_back(self, replica_set: ReplicaSet, replica_set_url: str) -> None:
        with pymongo.MongoClient[dict[str, Any]](replica_set_url) as client:
            documents = client.get_default_database().get_collection("t", write_concern=WriteConcern("majority"))
            lossy = documents.with_options(write_concern=WriteConcern(1, j=True))
            documents.insert_one({"_id": "kept"})
            with replica_set.losing_writes() as old:
                lossy.insert_one({"_id": "lost"})
                time.sleep(1.5 * ELECTION_TIMEOUT)  # the primary stays primary
                assert replica_set.primary() == old
                assert documents.count_documents({}) == 2
            assert replica_set.primary() != old
            assert [document["_id"] for document in documents.find()] == ["kept"]
            with replica_set.client(old) as alone:
                database = alone[documents.database.name]
                assert [document["_id"] for document in database["t"].find()] == ["kept"]
            assert {"_id": "lost"} in replica_set.rolled_back(old)

    def test_another_primary_after_a_kill_and_after_stepping_down(self, replica_set: ReplicaSet) -> None:
        old = replica_set.kill_primary()
        assert replica_set.replace_primary(old) != old
        replica_set.start(old)
        replica_set.wait_until_healthy()
        old = replica_set.step_down()
        assert replica_set.primary() != old

    def test_a_primary_without_a_majority_steps_down(self, replica_set: ReplicaSet) -> None:
        frozen = replica_set.secondaries()
        replica_set.freeze(*frozen)
        with replica_set.client(replica_set.primary()) as client:
            wait_until(lambda: not client.admin.command("hello")["isWritablePrimary"], "it has stepped down")
        with pytest.raises(TimeoutError):
            replica_set.wait_for_primary(seconds=0)
        replica_set.thaw(*frozen)
        replica_set.wait_until_healthy()

    def test_a_member_known_by_its_proxy(
        self, proxied_replica_set: ReplicaSet, proxied_replica_set_url: str, mysql_database: str
    ) -> None:
        (proxy,) = proxied_replica_set.proxies
        with Platform.open(stores(mysql_database, proxied_replica_set_url)) as platform:
            platform.create_table("card", COLUMNS, flag=1)
            platform.write("card", ROW)
            platform.recover()
        with Platform.open(stores(mysql_database, proxied_replica_set_url, selection=1.0)) as platform:
            with pymongo.MongoClient[dict[str, Any]](proxied_replica_set_url) as client:
                client.admin.command("ping")
                assert client.nodes == {("127.0.0.1", proxy.port)}
            proxy.refuse()
            proxy.cut_all()
            with pytest.raises(Unavailable):
                platform.read("card", 1, columns=["doc"])
            proxied_replica_set.revive()
            wait_until(lambda: recovered(platform), "MongoDB is there again")
            assert platform.read("card", 1) == ROW


class TestMysqlProxy:
    @pytest.fixture
    def platform(self, proxied: Proxied) -> Any:
        with proxied.direct.open() as direct:
            direct.create_table("card", COLUMNS, flag=1)
        with proxied.open() as opened:
            assert opened.read("card", 1) is None
            yield opened

    def rows(self, proxied: Proxied) -> int:
        return len(proxied.direct.sql("SELECT * FROM card"))

    def test_drop_reply(self, proxied: Proxied, platform: Platform) -> None:
        armed = proxied.mysql.arm("drop_reply", b"COMMIT")
        with contextlib.suppress(OutcomeUnknown):  # unless the library finds out by itself
            platform.write("card", ROW)
        armed.wait(0)
        assert self.rows(proxied) == 1
        assert platform.read("card", 1) == ROW

    def test_drop_request(self, proxied: Proxied, platform: Platform) -> None:
        armed = proxied.mysql.arm("drop_request", b"COMMIT")
        with pytest.raises((OutcomeUnknown, Unavailable)):
            platform.write("card", ROW)
        armed.wait(0)
        wait_until(lambda: proxied.direct.sql("SELECT 1 FROM card FOR UPDATE") == (), "the server rolled back")
        platform.write("card", ROW)
        assert self.rows(proxied) == 1

    def test_hold_the_second_match(self, proxied: Proxied, platform: Platform) -> None:
        armed = proxied.mysql.arm("hold", lambda text: text.startswith(b"COMMIT"), skip=1)
        platform.write("card", ROW)
        with ThreadPoolExecutor(1) as pool:
            written = pool.submit(platform.write, "card", {"id": 2})
            armed.wait()
            assert not written.done()
            assert self.rows(proxied) == 2  # the server has committed, and the writer does not know
            armed.release()
            assert written.result(PATIENCE) == 2
        platform.write("card", {"id": 3})  # it happens once

    def test_cut_and_refuse(self, proxied: Proxied, platform: Platform) -> None:
        assert proxied.mysql.connections > 0
        proxied.mysql.refuse()
        proxied.mysql.cut_all()
        wait_until(lambda: proxied.mysql.connections == 0, "every connection is closed")
        with pytest.raises(Unavailable):
            platform.write("card", ROW)
        with pytest.raises(Unavailable):
            platform.read("card", 1)
        proxied.mysql.accept()
        platform.write("card", ROW)
        assert platform.read("card", 1) == ROW

    def test_latency(self, proxied: Proxied, platform: Platform) -> None:
        proxied.mysql.latency = 0.2
        assert seconds(lambda: platform.read("card", 1, columns=["n"])) >= 0.2

    def test_hanging(self, proxied: Proxied, platform: Platform) -> None:
        with proxied.open(answer=HANGING) as impatient:
            proxied.mysql.hang()
            with pytest.raises(Unavailable):
                impatient.read("card", 1)
            proxied.mysql.resume()
        assert platform.read("card", 1) is None

    def test_large_packets_pass_whole(self, proxied: Proxied, platform: Platform) -> None:
        proxied.mysql.arm("hold", b"never")
        large = {"id": 1, "n": None, "doc": "长" * 1_000_000}
        platform.write("card", large)
        assert platform.read("card", 1) == large


@pytest.mark.parametrize("servers_of_test", ["mysql"], indirect=True)
class TestMongodbProxy:
    def test_slow_and_hanging(self, proxied: Proxied) -> None:
        with proxied.open() as platform:
            platform.create_table("card", COLUMNS, flag=1)
            platform.write("card", ROW)
            platform.recover()
        with proxied.open(operation=HANGING, selection=HANGING) as platform:
            proxied.mongodb.latency = 0.3
            assert seconds(lambda: platform.read_collection("card").__next__()) >= 0.3
            proxied.mongodb.latency = 0
            proxied.mongodb.hang()
            assert seconds(lambda: platform.write("card", {"id": 2, "doc": "二"})) < PATIENCE
            proxied.mongodb.resume()
            assert proxied.direct.sql("SELECT id FROM card") == ((1,), (2,))
            wait_until(lambda: recovered(platform), "MongoDB has everything")

    def test_drop_the_answer_of_a_command(self, proxied: Proxied) -> None:
        url = f"mongodb://127.0.0.1:{proxied.mongodb.port}/?directConnection=true&retryWrites=false"
        with pymongo.MongoClient[dict[str, Any]](url) as client:
            documents = client[proxied.direct.mongodb.name]["t"]
            armed = proxied.mongodb.arm("drop_reply", b"insert t")
            with pytest.raises(pymongo.errors.AutoReconnect):
                documents.insert_one({"_id": 1})
            armed.wait(0)
            assert documents.count_documents({}) == 1


def recovered(platform: Platform) -> bool:
    try:
        return platform.recover().remaining == 0
    except Unavailable:
        return False


class TestSteps:
    def test_of_a_write_in_order(self, servers_of_test: Servers) -> None:
        recorder = steps.Recorder()
        with steps.install(steps.OwnThread(recorder)), servers_of_test.open() as platform:
            platform.create_table("card", COLUMNS, flag=1)
            recorder.moments.clear()
            platform.write("card", ROW)
            names = recorder.names
            wanted = ["", ".fence", ".insert", ".record", ".commit", ".exit"]
            transaction_steps = [f"rows.transaction{step}" for step in wanted]
            assert [name for name in names if name in transaction_steps] == transaction_steps
            applied = next(number for number, name in enumerate(names) if name.endswith(".apply"))
            assert applied > names.index(COMMIT)
            assert recorder.moments[0] == ("rows.transaction", "before")
            assert f"{COMMIT}:after:1" in recorder.stops()
            recorder.moments.clear()
            with contextlib.suppress(ZeroDivisionError), platform.transaction() as tx:
                tx.update("card", 1, {"n": 5})
                assert tx.read("card", 1, columns=["n"]) == {"n": 5}
                raise ZeroDivisionError
            assert recorder.names.count("rows.transaction.savepoint") == 2
            assert recorder.names.count("rows.transaction.savepoint.exit") == 2
            assert recorder.moments[-1] == ("rows.transaction.exit", "after")
            assert COMMIT not in recorder.names
            assert platform.read("card", 1) == ROW
        with servers_of_test.open() as platform:
            recorder.moments.clear()
            platform.read("card", 1)
        assert recorder.moments == []

    def test_a_step_without_a_name_is_an_error(self, servers_of_test: Servers) -> None:
        known = steps.KNOWN - {"rows.transaction.record"}
        with steps.install(lambda name, moment: None, known), servers_of_test.open() as platform:
            platform.create_table("card", COLUMNS, flag=1)
            with pytest.raises(steps.UnnamedStep, match=r"rows\.transaction\.record"):
                platform.write("card", ROW)
            assert platform.read("card", 1) is None
        with pytest.raises(steps.UnnamedStep):
            steps.Stop.parse("rows.transaction.comit:after")

    def test_an_error_raised_by_a_hook(self, servers_of_test: Servers) -> None:
        def fail() -> None:
            raise Unavailable("mysql", "says the test")

        hook = steps.At("rows.transaction.record:after:2", fail)
        with steps.install(hook), servers_of_test.open() as platform:
            platform.create_table("card", COLUMNS, flag=1)
            platform.write("card", ROW)
            with pytest.raises(Unavailable, match="says the test"):
                platform.write("card", {"id": 2})
            assert platform.read_many("card", [1, 2]) == [ROW, None]


class TestChildren:
    @pytest.fixture
    def config(self, mysql_database: str, mongodb_database: str) -> Config:
        config = stores(mysql_database, mongodb_database)
        with Platform.open(config) as platform:
            platform.create_table("card", COLUMNS, flag=1)
        return config

    @pytest.mark.parametrize(("stop_at", "there"), [(f"{COMMIT}:before", False), (f"{COMMIT}:after:1", True)])
    def test_killed_at_a_step(self, config: Config, stop_at: str, there: bool) -> None:
        with Child(config, call("write", "card", ROW), stop_at=stop_at) as child:
            child.wait_until_stopped()
        with Platform.open(config) as platform:
            assert platform.read("card", 1) == (ROW if there else None)

    def test_frozen_at_a_step_and_resumed(self, config: Config) -> None:
        work = transaction(call("write", "card", ROW), call("update", "card", 1, {"n": 2}), call("read", "card", 1))
        with Child(config, work, stop_at=f"{COMMIT}:before", how="freeze") as child:
            child.wait_until_stopped()
            with Platform.open(config) as platform:
                assert platform.read("card", 1) is None
                child.resume()
                assert child.result() == [1, None, {**ROW, "n": 2}]
                assert platform.read("card", 1) == {**ROW, "n": 2}

    def test_waiting_at_a_step(self, config: Config) -> None:
        with Child(config, call("write", "card", ROW), stop_at=f"{COMMIT}:after", how="wait") as child:
            child.wait_until_stopped()
            with Platform.open(config) as platform:
                assert platform.read("card", 1) == ROW
            child.resume()
            assert child.result() == 1

    def test_what_comes_of_the_work(self, config: Config) -> None:
        assert run(config, write_two) == 2
        assert run(config, call("scan", "card", columns=["id"])) == [{"id": 1}, {"id": 2}]
        with pytest.raises(ChildFailed, match="already") as caught:
            run(config, call("write", "card", ROW))
        assert caught.value.kind == "RowExists"
        with (
            Child(config, call("tables"), stop_at=f"{COMMIT}:after") as child,
            pytest.raises(AssertionError, match="without reaching"),
        ):
            child.wait_until_stopped()
        with Child(config, call("tables"), stop_at="rows.load_catalog:before", from_opening=True) as child:
            child.wait_until_stopped()


def write_two(platform: Platform) -> int:
    return platform.write_many("card", [{"id": 1}, {"id": 2}]).inserted


class TestDrivers:
    def test_what_a_write_sends(self, servers_of_test: Servers) -> None:
        with servers_of_test.open() as platform:
            platform.create_table("card", COLUMNS, flag=1)
            platform.write("card", {"id": 2})
            with sent() as counted:
                platform.write("card", ROW)
            changes, commit = counted.sql
            assert changes.split("; ") == [
                "START TRANSACTION",
                "SELECT FROM platform_store_table LOCK IN SHARE MODE",
                "INSERT INTO card",
                "INSERT INTO platform_store_journal",
                "UPDATE card",
            ]
            assert commit == "COMMIT"
            assert counted.mongodb == ["insert card"]
            others = ThreadPoolExecutor(1)
            with sent() as own, sent(all_threads=True) as everyone, others:
                others.submit(platform.read, "card", 1, columns=["n"]).result()
            assert own.sql == []
            assert len(everyone.sql) == 1

    def test_heads(self) -> None:
        packet = b"SELECT a, '; FROM x' FROM `db`.`card` AS t\n WHERE id = 1 LOCK IN SHARE MODE; DELETE FROM j; COMMIT"
        assert head(packet) == "SELECT FROM db.card LOCK IN SHARE MODE; DELETE FROM j; COMMIT"
        assert (
            head("SELECT (SELECT j.x FROM j) FROM `card` t JOIN card u FOR UPDATE") == "SELECT FROM j, card FOR UPDATE"
        )
        assert head("update `card` AS t SET t.n = 'it''s'") == "UPDATE card"
        assert head("SAVEPOINT one_change") == "SAVEPOINT one_change"
