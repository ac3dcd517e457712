"""Queries over both stores: which rows they see, how they come by the documents, and what they leave behind."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from platform_store import (
    ColumnAttribute,
    Config,
    Diverged,
    Index,
    JsonText,
    LimitExceeded,
    Platform,
    PlatformStoreError,
    QueryPlan,
    Unavailable,
)
from platform_store.config import JournalConfig, QueryConfig
from tests.integration.conftest import Servers, plain
from tests.integration.test_mongodb_down import without_mongodb
from tests.servers.databases import fresh_mongodb_database, fresh_sql_database
from tests.waiting import PATIENCE, wait_until

COLUMNS = [
    ColumnAttribute("id", "INT"),
    ColumnAttribute("city", "VARCHAR(20)"),
    ColumnAttribute("n", "INT"),
    ColumnAttribute("tags", "JSON"),
    ColumnAttribute("note", "VARCHAR(50)"),
]
ROWS = 5000
QUERIES, BULKS = 60, 25  # so often it is asked while others write


def fill(platform: Platform) -> None:
    platform.create_table("card", COLUMNS, flag=2, indexes=[Index(["city"])])
    rows = [
        {"id": key, "city": f"c{key % 500}", "n": key % 7, "tags": [f"t{key % 50}", key], "note": f"备注{key}"}
        for key in range(ROWS)
    ]
    platform.write_many("card", rows)
    assert platform.recover().remaining == 0


@dataclass(frozen=True)
class Loaded:
    """A table ``card`` of many rows, and a platform."""

    servers: Servers
    platform: Platform


@pytest.fixture(scope="module", params=["mysql", "mariadb"])
def loaded(request: pytest.FixtureRequest, mongodb_url: str) -> Iterator[Loaded]:
    """Filled once: a test leaves the table as it is. There is a table ``visit`` with two rows for each card as well."""
    with (
        fresh_sql_database(request.getfixturevalue(f"{request.param}_url")) as mysql,
        fresh_mongodb_database(mongodb_url) as mongodb,
        plain(mysql, mongodb) as servers,
        servers.open() as platform,
    ):
        fill(platform)
        columns = [*COLUMNS[:1], ColumnAttribute("card_id", "INT"), ColumnAttribute("text", "TEXT")]
        platform.create_table("visit", columns, flag=1)
        visits = [{"id": key, "card_id": key % ROWS, "text": f"v{key}"} for key in range(2 * ROWS)]
        platform.write_many("visit", visits)
        yield Loaded(servers, platform)


@pytest.fixture
def table(platform: Platform) -> str:
    """Filled for one test alone, which changes it."""
    fill(platform)
    return "card"


def source(plan: QueryPlan, alias: str) -> tuple[str, int]:
    (found,) = [one for one in plan.sources if one.alias == alias]
    return found.way, found.staged_rows


# Which way


def test_keys_of_a_narrow_condition_are_looked_up(loaded: Loaded) -> None:
    plan = loaded.platform.explain("SELECT note FROM card WHERE city = 'c3'")
    assert (source(plan, "card"), plan.rows) == (("keys", 10), 10)
    assert "city" in plan.sources[0].pushed_to_mysql
    assert plan.sources[0].from_mongodb == ("note",)


def test_a_condition_on_documents_is_sent_to_mongodb(loaded: Loaded) -> None:
    plan = loaded.platform.explain("SELECT id FROM card WHERE JSON_CONTAINS(tags, '\"t7\"') AND note IS NOT NULL")
    assert (source(plan, "card"), plan.rows) == (("scan", 100), 100)
    assert "t7" in plan.sources[0].pushed_to_mongodb


def test_a_table_joined_to_a_narrow_one_is_narrow(loaded: Loaded) -> None:
    join = "SELECT v.text FROM card c JOIN visit v ON v.card_id = c.id WHERE "
    plan = loaded.platform.explain(join + "c.city = 'c3'")
    assert (source(plan, "v"), plan.rows, plan.in_mysql) == (("keys", 20), 20, ("c",))
    assert plan.sources[0].narrowed_by == ("c",)
    plan = loaded.platform.explain(join + "JSON_CONTAINS(c.tags, '[4998]')")
    assert (source(plan, "c"), source(plan, "v"), plan.rows) == (("scan", 1), ("keys", 2), 2)
    plan = loaded.platform.explain(
        "SELECT c.id FROM card c WHERE c.city = 'c3' AND EXISTS (SELECT 1 FROM visit v WHERE v.card_id = c.id "
        "AND v.text LIKE 'v%')"
    )
    assert (source(plan, "v")[1], plan.rows) == (20, 10)


def test_the_first_rows_are_enough(loaded: Loaded) -> None:
    sql = "SELECT id, note FROM card WHERE n = 3 ORDER BY id DESC LIMIT 5 OFFSET 5"
    plan = loaded.platform.explain(sql)
    assert (source(plan, "card"), plan.rows) == (("keys", 10), 5)
    expected = [key for key in range(ROWS) if key % 7 == 3][-6:-11:-1]
    assert loaded.platform.query(sql).all() == [(key, f"备注{key}") for key in expected]
    for other in (
        "SELECT id, note FROM card WHERE n = 3 ORDER BY note DESC LIMIT 5",
        "SELECT n, MAX(note) FROM card WHERE n = 3 GROUP BY n ORDER BY n LIMIT 5",
        "SELECT JSON_ARRAYAGG(note) FROM card WHERE n = 3 LIMIT 1",
        "SELECT DISTINCT note FROM card WHERE n = 3 LIMIT 5",
        "SELECT -id AS id, note FROM card WHERE n = 3 ORDER BY id LIMIT 5",
    ):
        assert source(loaded.platform.explain(other), "card")[1] > 500, other


def test_what_needs_no_document_is_left_to_mysql(loaded: Loaded) -> None:
    plan = loaded.platform.explain("SELECT n, COUNT(*) FROM card GROUP BY n")
    assert (plan.unchanged, plan.sources, plan.in_mysql, plan.rows) == (True, (), ("card",), 7)
    assert "one store" in str(plan)


def test_a_plan_for_people(loaded: Loaded) -> None:
    text = str(loaded.platform.explain("SELECT c.note FROM card c WHERE c.city = %s AND c.note <> ''", ["c1"]))
    for part in ("c (table card): note from MongoDB", "asked of MySQL:   (", "10 rows", "staging", "executed: SELECT"):
        assert part in text, text


# What a query sees


def test_rows_without_a_document(servers_of_test: Servers, platform: Platform, table: str) -> None:
    servers_of_test.sql("INSERT INTO card (id, city, n) VALUES (90001, 'c3', 1), (90002, 'none', 1)")
    assert platform.query("SELECT id, note FROM card WHERE id > 90000 ORDER BY id").all() == [
        (90001, None),
        (90002, None),
    ]
    assert platform.query("SELECT COUNT(*) FROM card WHERE note IS NULL").scalar() == 2
    assert platform.query("SELECT id FROM card WHERE city = 'none' AND tags IS NULL").all() == [(90002,)]
    assert platform.query("SELECT COUNT(*) FROM card WHERE note LIKE '备注9%' AND n >= 0").scalar() == 111


def test_what_is_pending_is_seen(servers_of_test: Servers, platform: Platform, table: str) -> None:
    with without_mongodb(servers_of_test, "queue") as cut_off:
        for key, note in ((1, "pending"), (2, "older"), (2, "newer")):
            row = {"id": key, "city": "new", "n": 0, "tags": [], "note": note}
            cut_off.write(table, row, on_conflict="replace")
        cut_off.write(table, {"id": 7000, "city": "new", "n": 0, "tags": ["t7"], "note": "neu"})
        cut_off.delete(table, 3)
        assert cut_off.query("SELECT note FROM card WHERE id IN (1, 2, 3, 7000) ORDER BY id").all() == [
            ("pending",), ("newer",), ("neu",)
        ]  # fmt: skip
        with pytest.raises(Unavailable) as caught:
            cut_off.query("SELECT note FROM card WHERE id = 4")
        assert caught.value.store == "mongodb"
    for sql in (
        "SELECT id FROM card WHERE note IN ('pending', 'newer', 'neu')",
        "SELECT id FROM card WHERE note = 'older'",
    ):
        expected = [(1,), (2,), (7000,)] if "neu" in sql else []
        assert sorted(platform.query(sql).all()) == expected
    assert platform.query("SELECT COUNT(*), COUNT(note) FROM card").one() == (ROWS, ROWS)
    assert platform.query("SELECT COUNT(*) FROM card WHERE JSON_CONTAINS(tags, '\"t7\"')").scalar() == 101


SUMS = "SELECT COUNT(*), SUM(here), SUM(there), MIN(here + there), MAX(here + there) FROM account"
PAIRS = "SELECT COUNT(*) FROM account a JOIN account b ON a.id = b.id AND a.there = b.there AND a.there > -10000"


def test_a_query_is_of_one_moment(servers_of_test: Servers, platform: Platform) -> None:
    """Writers that move an amount between two rows, in both stores at once: the sums never change."""
    platform.create_table(
        "account",
        [ColumnAttribute("id", "INT"), ColumnAttribute("here", "INT"), ColumnAttribute("there", "INT")],
        flag=1,
    )
    platform.write_many("account", [{"id": key, "here": 100, "there": 100} for key in range(40)])
    stopped = threading.Event()
    failures: list[PlatformStoreError] = []
    moves = [0, 0]

    def move(seed: int) -> None:
        chance = random.Random(seed)
        try:
            with servers_of_test.open() as mover:
                while not stopped.is_set():
                    one, other = sorted(chance.sample(range(40), 2))
                    amount = chance.randint(1, 9)

                    def moved(tx, one=one, other=other, amount=amount):  # type: ignore[no-untyped-def]
                        first = tx.read("account", one, for_update=True)
                        second = tx.read("account", other, for_update=True)
                        tx.update("account", one, {"here": first["here"] - amount, "there": first["there"] + amount})
                        tx.update(
                            "account", other, {"here": second["here"] + amount, "there": second["there"] - amount}
                        )

                    mover.run_transaction(moved)
                    moves[seed] += 1
        except PlatformStoreError as error:
            failures.append(error)

    movers = [threading.Thread(target=move, args=(seed,)) for seed in range(2)]
    for mover in movers:
        mover.start()
    try:
        wait_until(lambda: min(moves) > 0 or bool(failures), "both are at work")
        for _ in range(QUERIES):
            assert platform.query(SUMS).one() == (
                40, 4000, 4000, 200, 200
            )  # fmt: skip
            assert platform.query(PAIRS).scalar() == 40
        wait_until(lambda: min(moves) > QUERIES or bool(failures), "both have moved something again and again")
    finally:
        stopped.set()
        for mover in movers:
            mover.join()
    assert not failures


def test_bulk_writes_are_seen_whole(servers_of_test: Servers, platform: Platform) -> None:
    platform.create_table(
        "bulk", [ColumnAttribute("id", "INT"), ColumnAttribute("batch", "INT"), ColumnAttribute("doc", "INT")], flag=1
    )
    more, batches = threading.Semaphore(0), 2 * BULKS
    failures: list[PlatformStoreError] = []

    def write() -> None:
        try:
            with servers_of_test.open() as writer:
                for batch in range(batches):
                    more.acquire()
                    writer.write_many(
                        "bulk", [{"id": batch * 100 + place, "batch": batch, "doc": batch} for place in range(100)]
                    )
        except PlatformStoreError as error:
            failures.append(error)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(BULKS):
            more.release(2)  # they are written while it is asked
            for where in ("", " WHERE doc >= 0"):
                rows = platform.query(
                    f"SELECT batch, COUNT(doc), MIN(doc), MAX(doc) FROM bulk{where} GROUP BY batch"
                ).all()
                assert all(row[1:] == (100, row[0], row[0]) for row in rows), where
    finally:
        more.release(batches)
        thread.join()
    assert not failures
    assert platform.query("SELECT COUNT(DISTINCT doc) FROM bulk").scalar() == batches


def test_deleted_and_left_over_documents_are_not_seen(servers_of_test: Servers, platform: Platform, table: str) -> None:
    platform.delete(table, 1)
    servers_of_test.mongodb[table].insert_one({"_id": 99999, "note": "orphan", "tags": ["t7"], "_rev": 1})
    assert platform.query("SELECT COUNT(*) FROM card WHERE note IN ('orphan', '备注1')").scalar() == 0
    servers_of_test.sql("INSERT INTO card (id, city, n) VALUES (1, 'again', 0), (99999, 'again', 0)")
    assert platform.query("SELECT id, note FROM card WHERE city = 'again' ORDER BY id").all() == [
        (1, None),
        (99999, None),
    ]
    assert platform.query("SELECT COUNT(*) FROM card WHERE note IS NULL").scalar() == 2


@pytest.mark.parametrize("sql", ["SELECT note FROM card WHERE id = 5", "SELECT COUNT(note) FROM card"])
def test_a_lost_document_is_an_error(servers_of_test: Servers, platform: Platform, table: str, sql: str) -> None:
    servers_of_test.mongodb[table].delete_one({"_id": 5})
    with pytest.raises(Diverged) as caught:
        platform.query(sql)
    assert (caught.value.table, caught.value.key) == ("card", 5)


def test_a_document_of_another_revision_is_an_error(servers_of_test: Servers, platform: Platform, table: str) -> None:
    servers_of_test.mongodb[table].update_one({"_id": 5}, {"$inc": {"_rev": -1}})
    for sql in ("SELECT note FROM card WHERE id = 5", "SELECT COUNT(*) FROM card WHERE note = '备注5'"):
        with pytest.raises(Diverged) as caught:
            platform.query(sql)
        assert caught.value.key == 5


# Limits


def limited(servers: Servers, **limits: float) -> Platform:
    config = Config.from_urls(mysql=servers.mysql_url, mongodb=servers.mongodb_url)
    return Platform.open(replace(config, query=QueryConfig(**limits)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("limits", "key"),
    [
        ({"max_rows": 1000}, "query.max_rows"),
        ({"max_bytes": 10_000}, "query.max_bytes"),
        ({"timeout": 0.001}, "query.timeout"),
    ],
)
def test_a_query_that_is_too_much(loaded: Loaded, limits: dict[str, float], key: str) -> None:
    with limited(loaded.servers, **limits) as bounded:
        with pytest.raises(LimitExceeded) as caught:
            bounded.query("SELECT COUNT(*) FROM card WHERE note <> '' OR n > 3")
        assert caught.value.limit == key
        if key != "query.timeout":
            assert "city" in str(caught.value)
            assert bounded.query("SELECT note FROM card WHERE city = 'c3' AND n < 9 LIMIT 1").one() != (None,)
        wait_until(loaded.servers.at_rest, "MySQL has nothing left of the query")


def test_a_query_that_takes_too_long(loaded: Loaded) -> None:
    with limited(loaded.servers, timeout=1.0) as bounded:
        began = time.monotonic()
        with pytest.raises(LimitExceeded) as caught:
            bounded.query("SELECT SUM(a.note < b.note) FROM card a, card b, card c, card d")
        assert caught.value.limit == "query.timeout"
        assert time.monotonic() - began < PATIENCE

        def goes_on() -> bool:
            with contextlib.suppress(LimitExceeded):  # a busy machine may need longer for any query
                return bounded.query("SELECT COUNT(note) FROM card").scalar() == ROWS
            return False

        wait_until(goes_on, "a query takes less than a second")
        wait_until(loaded.servers.at_rest, "MySQL has nothing left of the query")


def test_a_result_that_is_not_read_to_its_end(loaded: Loaded) -> None:
    with loaded.platform.query("SELECT a.note, b.note FROM card a JOIN card b ON a.n = b.n") as result:
        assert next(iter(result))
    wait_until(loaded.servers.at_rest, "MySQL has nothing left of the query")
    assert loaded.platform.query("SELECT COUNT(note) FROM card").scalar() == ROWS


def test_an_error_of_mysql_leaves_nothing(loaded: Loaded) -> None:
    for sql in (
        "SELECT note, nowhere FROM card",
        "SELECT (SELECT note FROM card)",
    ):
        with pytest.raises(PlatformStoreError):
            loaded.platform.query(sql).all()
    wait_until(loaded.servers.at_rest, "MySQL has nothing left of the query")
    assert loaded.platform.query("SELECT COUNT(note) FROM card").scalar() == ROWS


CHILD = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job begins with it ignored
from platform_store import Platform
with Platform.open(mysql=sys.argv[1], mongodb=sys.argv[2]) as platform:
    result = platform.query("SELECT a.note, b.note, SLEEP(0.001) FROM card a JOIN card b ON a.n = b.n")
    next(iter(result))
    print("staged", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_client_leaves_nothing(loaded: Loaded, how: signal.Signals) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, loaded.servers.mysql_url, loaded.servers.mongodb_url],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**os.environ},
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == "staged\n"
    os.kill(child.pid, how)
    child.wait(60)
    child.stdout.close()
    wait_until(loaded.servers.at_rest, "MySQL has nothing left of the query")


# Statements


@pytest.mark.parametrize(
    "value",
    [
        "x' OR '1'='1",
        "'; DROP TABLE card; -- ",
        "\\",
        "\\' OR 1=1 -- ",
        "%s",
        "%(a)s",
        "`",
        "/*",
        "-- ",
        "$.l0",
        ":p0",
        "备注3'",
        "\x00",
    ],
)
def test_no_parameter_is_taken_for_sql(loaded: Loaded, value: str) -> None:
    row = {"id": 6000, "city": value.replace("\x00", "0")[:20], "n": 1, "tags": [value], "note": value}
    statements: list[tuple[str, Any]] = [
        ("SELECT id FROM card WHERE note = %s", [value]),
        ("SELECT id FROM card WHERE JSON_CONTAINS(tags, JSON_QUOTE(%s))", [value]),
        ("SELECT id FROM card WHERE note IN %s AND n = 1", [[value, "none"]]),
    ]
    if value != ":p0":
        statements.append(("SELECT id FROM card WHERE note = %(v)s AND note <> ':p0'", {"v": value}))
    loaded.platform.write("card", row)
    try:
        for sql, parameters in statements:
            assert loaded.platform.query(sql, parameters).all() == [(6000,)], sql
    finally:
        loaded.platform.delete("card", 6000)


def test_types_come_as_from_mysql(servers_of_test: Servers, platform: Platform, table: str) -> None:
    platform.write(
        table,
        {
            "id": 6001,
            "city": "x",
            "n": 1,
            "tags": JsonText('{"b": 1.0, "aa": [null, true, 1e300], "客": "😀"}'),
            "note": "a ",
        },
    )
    found = platform.query(
        "SELECT tags, note, JSON_TYPE(JSON_EXTRACT(tags, '$.b')), CHAR_LENGTH(note) FROM card WHERE id = 6001"
    ).one()
    expected = servers_of_test.sql(
        """SELECT CAST('{"b": 1.0, "aa": [null, true, 1e300], "客": "😀"}' AS CHAR), 'a ', 'DOUBLE', 2"""
    )[0]
    assert found[1:] == expected[1:]


@pytest.fixture
def quick(servers_of_test: Servers) -> Iterator[Platform]:
    """Its journal is swept all the time, and keeps nothing."""
    config = Config.from_urls(mysql=servers_of_test.mysql_url, mongodb=servers_of_test.mongodb_url)
    with Platform.open(replace(config, journal=JournalConfig(retention=0.001, interval=0.001))) as opened:
        yield opened


def test_entries_that_leave_the_journal_meanwhile(servers_of_test: Servers, quick: Platform) -> None:
    """A row that is about to lose its entry is in the answer all the same, filtered by MongoDB or not."""
    quick.create_table(
        "hot", [ColumnAttribute("id", "INT"), ColumnAttribute("n", "INT"), ColumnAttribute("doc", "INT")], flag=1
    )
    quick.write_many("hot", [{"id": key, "n": 0, "doc": 0} for key in range(10)])
    stopped = threading.Event()
    number = 0

    def write() -> None:
        nonlocal number
        while not stopped.is_set():
            number += 1
            quick.update("hot", number % 10, {"n": number, "doc": number})

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for turn in range(2 * QUERIES):
            wait_until(lambda turn=turn: number >= turn or not thread.is_alive(), "more was written")  # type: ignore[misc]
            assert quick.query("SELECT COUNT(*) FROM hot WHERE n = doc AND doc >= 0").scalar() == 10
            assert quick.query("SELECT COUNT(*) FROM hot WHERE n = doc AND id >= 0").scalar() == 10
    finally:
        stopped.set()
        thread.join()


@pytest.mark.parametrize("collation", ["utf8mb4_bin", "utf8mb4_general_ci", "utf8mb4_unicode_ci"])
def test_text_keys_of_any_collation(servers_of_test: Servers, platform: Platform, collation: str) -> None:
    servers_of_test.sql(f"CREATE TABLE named (k VARCHAR(20) COLLATE {collation} PRIMARY KEY, n INT)")
    servers_of_test.sql("INSERT INTO named VALUES ('Ä b', 1), ('客户', 2)")
    columns = [ColumnAttribute("k", "VARCHAR(20)", collation=collation), ColumnAttribute("n", "INT"), COLUMNS[-1]]
    platform.associate("named", columns=columns, flag=1)
    platform.update("named", "客户", {"note": "有"})
    servers_of_test.mongodb["named"].insert_one({"_id": "ä B", "note": "another row's", "_rev": 7})
    assert platform.query("SELECT k, n, note FROM named ORDER BY n").all() == [("Ä b", 1, None), ("客户", 2, "有")]
    assert platform.query("SELECT a.note FROM named a JOIN named b ON a.k = b.k WHERE b.n = 2").all() == [("有",)]
