"""The query session on real servers: what it shows, what it refuses, and what it leaves behind."""

from __future__ import annotations

import datetime
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import bson
import pytest
from bson import Decimal128, Int64, ObjectId

from platform_store.association import Association, KeyValues
from platform_store.errors import NotSupported, PlatformStoreError, SchemaError, Unavailable, ValueRejected
from platform_store.records import ColumnAttribute
from platform_store.rows import NewRow
from platform_store.stores import mysql_scratch, mysql_sql
from platform_store.stores.base import DuplicateKey, StaleAssociation
from platform_store.stores.mysql_driver import Connection
from platform_store.stores.mysql_rows import MysqlRowStore
from platform_store.stores.mysql_scratch import MysqlQuerySession
from tests.integration.scratch import opened, read_back, row_store, scratch, table
from tests.servers.databases import process_list
from tests.waiting import wait_until

COLUMNS = [
    ColumnAttribute("id", "BIGINT"),
    ColumnAttribute("name", "VARCHAR(40)"),
    ColumnAttribute("level", "TINYINT"),
    ColumnAttribute("price", "DECIMAL(8,2)"),
    ColumnAttribute("profile", "JSON"),
    ColumnAttribute("picture", "VARBINARY(100)"),
]
SLOW = "SELECT COUNT(*) FROM information_schema.COLLATIONS AS a, information_schema.COLLATIONS AS b, " + ", ".join(
    f"information_schema.COLLATIONS AS c{number}" for number in range(4)
)
WAYS = {"mysql-upload": {}, "mysql-insert": {"local_infile": "false"}, "mariadb": {}}


@pytest.fixture(params=WAYS)
def store(request: pytest.FixtureRequest) -> Iterator[MysqlRowStore]:
    url = request.getfixturevalue(f"{request.param.partition('-')[0]}_database")
    with row_store(url, pool_size=2, connect_timeout=2, **WAYS[request.param]) as opened_store:
        yield opened_store


@pytest.fixture
def card(store: MysqlRowStore) -> Association:
    return table(store, "card", COLUMNS, 1)


def execute(store: MysqlRowStore, statement: str, *parameters: object) -> Sequence[tuple[Any, ...]]:
    with store._connections.dedicated() as session:
        return session.rows(statement, parameters)


def fill(store: MysqlRowStore, count: int, revision: int = 0) -> None:
    for number in range(count):
        execute(store, "INSERT INTO card (id, name, _rev) VALUES (%s, %s, %s)", number, f"n{number}", revision)


def write(
    store: MysqlRowStore, card: Association, key: int, document: Mapping[str, Any] | None, *, deleted: bool = False
) -> int:
    """A row, or a deletion, with its journal entry; its revision."""
    image = None if deleted else bson.encode({"_id": key, **(document or {})})
    keys: list[KeyValues] = [(key,)]
    with store.transaction() as transaction:
        transaction.fence(card)
        if deleted:
            transaction.delete(card, keys)
        else:
            transaction.insert(card, [NewRow((key,), {"id": key, "name": f"n{key}"}, {})])
        (entry,) = transaction.record(card, [((key,), image)])
        transaction.commit()
    return entry.revision


def staged(query: MysqlQuerySession, card: Association, documents: Sequence[Mapping[str, Any]], *names: str) -> None:
    one = scratch(card, *names)
    query.create([one])
    query.begin([card])
    query.load(one, query.prepare(one, [read_back(document) for document in documents]))


class TestTheQuery:
    def test_sees_the_documents_beside_the_rows(self, store: MysqlRowStore, card: Association) -> None:
        fill(store, 3, revision=5)
        documents = [
            {"_id": number, "_rev": Int64(5), "level": number, "profile": {"n": [number]}} for number in (0, 1)
        ]
        joined = "(SELECT t.id, t.name, s.level, s.profile FROM card AS t LEFT JOIN staged AS s ON s.id = t.id)"
        with opened(store) as query:
            staged(query, card, documents, "level", "profile")
            cursor = query.stream(f"SELECT card.name, level % 2, '%s', profile FROM {joined} AS card ORDER BY id")
            assert cursor.columns == ("name", "level % 2", "%s", "profile")
            assert list(cursor) == [
                ("n0", 0, "%s", '{"n": [0]}'),
                ("n1", 1, "%s", '{"n": [1]}'),
                ("n2", None, "%s", None),
            ]

    def test_runs_under_the_servers_own_sql_mode(self, store: MysqlRowStore, card: Association) -> None:
        ((own,),) = execute(store, "SELECT @@global.sql_mode")
        with opened(store) as query:
            staged(query, card, [{"_id": 1, "level": 1}], "level")
            assert query.rows("SELECT @@sql_mode") == ((own,),)
            query.load(scratch(card, "level"), query.prepare(scratch(card, "level"), [{"_id": 2, "level": 2}]))
            assert list(query.stream("SELECT @@sql_mode")) == [(own,)]

    @pytest.mark.parametrize("mode", ["ANSI", "ANSI,ONLY_FULL_GROUP_BY,STRICT_ALL_TABLES"])
    def test_lets_any_group_be_where_it_is_told_to(self, store: MysqlRowStore, card: Association, mode: str) -> None:
        execute(store, "INSERT INTO card (id, name, _rev) VALUES (1, 'n1', 0)")
        with opened(store) as query:
            query._session.verbatim(f"SET sql_mode = '{mode}'")
            ((listed,),) = query.rows("SELECT @@sql_mode")
            query._theirs = query._mode = listed
            ((name, left, number),) = query.stream(
                "SELECT name, @@sql_mode, COUNT(*) FROM card GROUP BY _rev", loosely=True
            )
            assert (name, number) == ("n1", 1)
            assert set(str(left).split(",")) == set(listed.split(",")) - {"ANSI", "ONLY_FULL_GROUP_BY"}

    @pytest.mark.parametrize("mode", ["ANSI_QUOTES,NO_BACKSLASH_ESCAPES", "", "PAD_CHAR_TO_FULL_LENGTH"])
    def test_is_loaded_the_same_under_any_sql_mode(self, store: MysqlRowStore, card: Association, mode: str) -> None:
        if "PAD" in mode and not store.mariadb:
            mode = "PIPES_AS_CONCAT,HIGH_NOT_PRECEDENCE"
        name = "a\\b'c\"d\x1b\x1e\x1f\n\t\0%s é张😀 "
        with opened(store) as query:
            query._session.verbatim(f"SET sql_mode = '{mode}'")
            query._theirs = query._mode = mode
            staged(query, card, [{"_id": 0, "name": name, "picture": bytes(range(100))}], "name", "picture")
            literal = query.literal(name)
            assert query.rows(f"SELECT name, picture, {literal} = name, @@sql_mode FROM staged") == (
                (name, bytes(range(100)), 1, mode),
            )

    def test_shows_one_moment(self, store: MysqlRowStore, card: Association) -> None:
        fill(store, 1)
        with opened(store) as query:
            staged(query, card, [], "level")
            execute(store, "UPDATE card SET name = 'later'")
            assert query.rows("SELECT name FROM card") == (("n0",),)
            query.begin([card])
            assert query.rows("SELECT name FROM card") == (("later",),)

    def test_changes_nothing(self, store: MysqlRowStore, card: Association) -> None:
        with opened(store) as query:
            staged(query, card, [], "level")
            with pytest.raises(PlatformStoreError):
                query.rows("INSERT INTO card (id) VALUES (1)")

    def test_begins_only_under_the_epoch_it_was_planned_for(self, store: MysqlRowStore, card: Association) -> None:
        store.put_association(card)
        with opened(store) as query, pytest.raises(StaleAssociation, match="card"):
            query.begin([card])

    def test_leaves_no_value_in_a_variable(self, store: MysqlRowStore, card: Association) -> None:
        with opened(store) as query:
            staged(query, card, [{"_id": 0, "picture": b"secret"}], "picture")
            numbers = range(6)
            shown = ", ".join(f"@platform_store_{number}" for number in numbers)
            assert list(query.stream(f"SELECT {shown}")) == [(None,) * len(numbers)]


class TestLoading:
    def test_takes_a_missing_field_for_null_and_a_missing_revision_for_none(
        self, store: MysqlRowStore, card: Association
    ) -> None:
        defaults = [*COLUMNS[:2], ColumnAttribute("level", "TINYINT", nullable=False, default=3)]
        other = table(store, "other", defaults, 1)
        with opened(store) as query:
            staged(query, other, [{"_id": 0}, {"_id": 1, "level": None, "_rev": 2**63 - 1}], "level")
            assert query.rows("SELECT id, _rev, level FROM staged") == ((0, 0, None), (1, 2**63 - 1, None))

    def test_goes_on_in_batches_and_can_be_copied(self, store: MysqlRowStore, card: Association) -> None:
        first, second = scratch(card, "level"), scratch(card, "level", name="copy of 100%")
        with opened(store) as query:
            query.create([first, second])
            query.begin([card])
            assert query.load(first, query.prepare(first, [])) == 0
            sent = [
                query.load(first, query.prepare(first, [{"_id": n, "level": n % 100} for n in range(s, s + 500)]))
                for s in (0, 500)
            ]
            assert min(sent) > 500
            query.copy(second, first)
            both = "SELECT COUNT(*), SUM(a.level) FROM staged AS a JOIN `copy of 100%` AS b ON b.id = a.id"
            assert query.rows(both) == ((1000, 49_500),)

    def test_of_large_values_takes_several_statements(self, store: MysqlRowStore) -> None:
        large = table(store, "large", [ColumnAttribute("id", "INT"), ColumnAttribute("text", "LONGTEXT")])
        with opened(store) as query:
            staged(query, large, [{"_id": n, "text": "é'\\\n" * 100_000} for n in range(5)], "text")
            assert query.rows("SELECT COUNT(*), MIN(LENGTH(text)), MAX(LENGTH(text)) FROM staged") == (
                (5, 500_000, 500_000),
            )

    def test_leaves_out_documents_that_no_row_can_have(self, store: MysqlRowStore, card: Association) -> None:
        strange = [ObjectId(), "1", Decimal128("9223372036854775808"), {"a": 1}, True, 1.0, None]
        with opened(store) as query:
            staged(query, card, [*({"_id": one, "level": 9} for one in strange), {"_id": 1, "level": 1}], "level")
            assert query.rows("SELECT id, level FROM staged") == ((1, 1),)

    def test_of_composite_keys(self, store: MysqlRowStore) -> None:
        columns = [ColumnAttribute("day", "DATE"), ColumnAttribute("name", "VARCHAR(5)"), ColumnAttribute("n", "INT")]
        visit = table(store, "visit", columns, 1, key=["day", "name"])
        days = [datetime.datetime(2024, 1, number) for number in (1, 2, 3)]
        documents: list[dict[str, Any]] = [{"_id": {"day": day, "name": "é "}, "n": day.day} for day in days]
        documents += [
            {"_id": {"name": "x", "day": days[0]}, "n": 0},
            {"_id": {"day": days[0], "name": "123456"}, "n": 0},
        ]
        with opened(store) as query:
            staged(query, visit, documents[:3], "n")
            query.load(
                scratch(visit, "n"),
                query.prepare(scratch(visit, "n"), [read_back(document) for document in documents[3:]]),
            )
            expected = tuple((day.date(), "é ", day.day) for day in days)
            assert query.rows("SELECT day, name, n FROM staged ORDER BY day") == expected

    def test_keeps_keys_apart_that_the_tables_collation_equates(self, store: MysqlRowStore) -> None:
        columns = [ColumnAttribute("id", "VARCHAR(20)", collation="utf8mb4_general_ci"), ColumnAttribute("n", "INT")]
        loose = table(store, "loose", columns)
        execute(store, "INSERT INTO loose (id) VALUES ('abc')")
        with opened(store) as query:
            staged(query, loose, [{"_id": one, "n": len(one)} for one in ("ABC", "ab", "abc ", "abc", "ábc")], "n")
            assert len(query.rows("SELECT id FROM staged")) == 5
            joined = "SELECT t.id, s.n FROM loose AS t LEFT JOIN staged AS s ON s.id = t.id AND s._rev = t._rev"
            assert query.rows(joined) == (("abc", 3),)

    def test_refuses_a_key_that_is_there(self, store: MysqlRowStore, card: Association) -> None:
        with opened(store) as query:
            staged(query, card, [{"_id": 1, "level": 1}], "level")
            with pytest.raises(DuplicateKey):
                query.load(
                    scratch(card, "level"),
                    query.prepare(scratch(card, "level"), [{"_id": 0, "level": 1}, {"_id": 1, "level": 1}]),
                )

    @pytest.mark.parametrize(
        ("column", "value"),
        [
            ("name", "x" * 41),
            ("name", 5),
            ("level", 128),
            ("level", "5"),
            ("level", True),
            ("price", Decimal128("1.005")),
            ("price", Decimal128("1000000.00")),
            ("price", Decimal128("NaN")),
            ("picture", b"x" * 101),
            ("profile", {"a": ObjectId()}),
            ("profile", {"a": float("nan")}),
        ],
    )
    def test_refuses_what_the_column_does_not_hold(
        self, store: MysqlRowStore, card: Association, column: str, value: object
    ) -> None:
        good = {"name": "x", "level": 1, "price": Decimal128(Decimal("1.00")), "profile": {}, "picture": b""}
        with opened(store) as query:
            staged(query, card, [{"_id": 0, **good}], *good)
            with pytest.raises(ValueRejected) as refused:
                query.load(
                    scratch(card, *good),
                    query.prepare(scratch(card, *good), [{"_id": 1, **good}, {"_id": 2, **good, column: value}]),
                )
            assert (refused.value.table, refused.value.column, refused.value.key) == ("card", column, 2)
            assert "xxx" not in str(refused.value)

    @pytest.mark.parametrize("server", ["mysql", "mariadb"])
    def test_goes_on_by_inserts_where_the_server_takes_no_files_any_more(
        self, server: str, request: pytest.FixtureRequest
    ) -> None:
        with row_store(request.getfixturevalue(f"{server}_database"), local_infile="false") as store:
            card = table(store, "card", COLUMNS, 1)
            with opened(store) as query:
                query._session._raw.uploads = True  # as it was when it connected
                staged(query, card, [{"_id": 1, "level": 1}], "level")
                assert not query._session.uploads
                assert query.rows("SELECT id, level FROM staged") == ((1, 1),)

    def test_takes_more_columns_than_innodb(self, store: MysqlRowStore) -> None:
        columns = [ColumnAttribute(f"c{number}", "TEXT") for number in range(300)]
        wide = table(store, "wide", [ColumnAttribute("id", "INT"), *columns])
        with opened(store) as query:
            staged(query, wide, [{"_id": 1, "c0": "first", "c299": "last"}], *(column.name for column in columns))
            assert query.rows("SELECT c0, c1, c299 FROM staged") == (("first", None, "last"),)

    def test_writes_nothing_into_the_binary_log(self, store: MysqlRowStore, card: Association) -> None:
        with opened(store) as query:
            staged(query, card, [{"_id": 1, "level": 1}], "level")
            assert query.rows("SELECT @@binlog_format") == (("ROW",),)  # which has no temporary tables

    def test_says_where_no_table_has_room(self, store: MysqlRowStore) -> None:
        columns = [ColumnAttribute(f"c{number}", "VARCHAR(10000)") for number in range(2)]
        wide = table(store, "wide", [ColumnAttribute("id", "INT"), *columns])
        with opened(store) as query, pytest.raises(NotSupported, match=r"'wide' together \(c0, c1\)"):
            query.create([scratch(wide, "c0", "c1")])
        with opened(store) as query:
            staged(query, wide, [{"_id": 1, "c1": "x" * 10_000}], "c1")


class TestTheJournal:
    def test_gives_keys_with_pending_documents(self, store: MysqlRowStore, card: Association) -> None:
        fill(store, 2)
        revision = write(store, card, 5, {"level": 3})
        gone = write(store, card, 6, {"level": 4})
        execute(store, f"DELETE FROM {mysql_sql.JOURNAL} WHERE id = %s", gone)
        with opened(store) as query:
            query.begin([card])
            source = (
                "FROM card AS `p%q` JOIN (SELECT 1 AS j UNION ALL SELECT 2) AS j WHERE `p%q`.name <> '%s' ORDER BY id"
            )
            found = query.keys(card, "p%q", source, limit=7)
            assert [row.key for row in found] == [(0,), (0,), (1,), (1,), (5,), (5,), (6,)]
            assert found[4] == ((5,), revision, bson.encode({"_id": 5, "level": 3}))
            assert found[6] == ((6,), gone, None)

    def test_has_no_documents_of_before_they_were_discarded(self, store: MysqlRowStore, card: Association) -> None:
        revision = write(store, card, 5, {"level": 3})
        discarded = replace(card, discarded_at=revision)
        with opened(store) as query:
            query.begin([card])
            assert query.keys(discarded, "t", "FROM card AS t", limit=10) == [((5,), 0, None)]
            assert list(query.pending(discarded)) == []

    def test_gives_every_pending_document_page_by_page(
        self, store: MysqlRowStore, card: Association, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(mysql_scratch, "_ENTRIES_PER_PAGE", 3)
        monkeypatch.setattr(mysql_scratch, "_PAGE_BYTES", 2000)
        other = table(store, "other", COLUMNS, 1)
        write(store, card, 100, {})
        images = {key: {"name": "x" * (900 if key % 3 else 5000)} for key in range(10)}
        revisions = {key: write(store, card, key, image) for key, image in images.items()}
        write(store, card, 3, None, deleted=True)
        execute(store, f"UPDATE {mysql_sql.JOURNAL} SET state = {mysql_sql.SET_ASIDE} WHERE id = %s", revisions[4])
        execute(store, f"UPDATE {mysql_sql.JOURNAL} SET state = {mysql_sql.DONE_INTENT} WHERE id = %s", revisions[5])
        execute(store, f"UPDATE {mysql_sql.JOURNAL} SET state = {mysql_sql.OPEN_INTENT} WHERE id = %s", revisions[6])
        with opened(store) as query:
            query.begin([card, other])
            write(store, card, 200, {})  # after the snapshot
            found = list(query.pending(card))
            assert [identifier for identifier, _, _ in found] == [100, 0, 1, 2, 3, 4, 7, 8, 9, 3]
            assert [revision for _, revision, _ in found] == sorted(revision for _, revision, _ in found)
            assert found[-1][2] is None
            assert all(document is not None for _, _, document in found[:-1])
            assert list(query.pending(other)) == []
            assert query.done_intents(card) == {revisions[5]}
            assert query.done_intents(other) == set()

    def test_counts_removals(self, store: MysqlRowStore) -> None:
        with opened(store) as query:
            before = query.removals()
            execute(store, f"UPDATE {mysql_sql.STATE} SET removals = removals + 3")
            assert query.removals() == before + 3
            query.begin([])
            execute(store, f"UPDATE {mysql_sql.STATE} SET removals = removals + 3")
            assert query.removals() == before + 3


class TestTheEnd:
    def test_gives_the_connection_back_as_it_was(self, store: MysqlRowStore, card: Association) -> None:
        numbers = set()
        for _ in range(3):
            with opened(store) as query:
                staged(query, card, [{"_id": 1, "level": 1}], "level")
                numbers.add(query.rows("SELECT CONNECTION_ID()"))
                cursor = query.stream("SELECT level FROM staged")
                assert list(cursor) == [(1,)]
                cursor.close()
                cursor.close()
        assert len(numbers) == 1
        with store._connections.lease(query=True) as session:
            assert session.rows("SELECT CONNECTION_ID()") in numbers
            assert session.rows("SELECT @@sql_mode") == session.rows("SELECT @@global.sql_mode")
            with pytest.raises(StaleAssociation):
                session.rows("SELECT * FROM staged")
            session.rows("INSERT INTO card (id) VALUES (7)")  # no longer read-only

    def test_gives_up_a_connection_with_an_unread_result(self, store: MysqlRowStore, card: Association) -> None:
        with opened(store) as query:
            staged(query, card, [{"_id": number} for number in range(3)], "level")
            cursor = query.stream("SELECT id FROM staged")
            assert next(iter(cursor)) is not None
            cursor.close()
            with pytest.raises(Unavailable, match="over"):
                query.rows("SELECT 1")
        every_place_is_free(store)

    def test_is_one_even_after_a_refusal(self, store: MysqlRowStore, card: Association) -> None:
        with opened(store) as query:
            staged(query, card, [], "level")
            with pytest.raises(SchemaError):
                query.stream("SELECT nonsense(FROM")
            assert query.rows("SELECT COUNT(*) FROM staged") == ((0,),)
        every_place_is_free(store)

    def test_of_an_interrupt_anywhere_leaves_nothing(
        self, store: MysqlRowStore, card: Association, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """While a packet is being sent, and before its answer is read."""
        fill(store, 3)
        for method in ("_write_bytes", "_read_packet"):
            for skipped in range(0, 30, 3):
                with monkeypatch.context() as patched:
                    patched.setattr(Connection, method, interrupted(getattr(Connection, method), skipped))
                    with pytest.raises(KeyboardInterrupt):
                        whole_query(store, card, skipped)
                assert alone(store) == [(1,)]
        every_place_is_free(store)


def interrupted(method: Any, skipped: int) -> Any:
    """In this thread: others may have connections of their own."""
    calls, thread = iter([False] * skipped + [True]), threading.get_ident()

    def call(*arguments: Any, **options: Any) -> Any:
        if threading.get_ident() == thread and next(calls, False):
            raise KeyboardInterrupt
        return method(*arguments, **options)

    return call


def whole_query(store: MysqlRowStore, card: Association, statements: int) -> None:
    with opened(store) as query:
        staged(query, card, [{"_id": 1, "level": 1}], "level")
        for _ in range(statements):
            query.rows("SELECT 1")
        list(query.stream("SELECT t.name, s.level FROM card AS t LEFT JOIN staged AS s ON s.id = t.id"))


def alone(store: MysqlRowStore) -> list[tuple[Any, ...]]:
    """What a session after that answers."""
    with opened(store) as query:
        with pytest.raises(StaleAssociation):
            query.rows("SELECT * FROM staged")
        return list(query.stream("SELECT 1"))


def every_place_is_free(store: MysqlRowStore) -> None:
    with opened(store) as first, opened(store) as second:
        assert first.rows("SELECT 1") == second.rows("SELECT 1") == ((1,),)


class TestCancelling:
    def test_ends_the_statement_under_way(self, store: MysqlRowStore, card: Association) -> None:
        with opened(store) as query:
            staged(query, card, [{"_id": 1}], "level")
            ((number,),) = query.rows("SELECT CONNECTION_ID()")
            canceller = threading.Thread(target=cancel_at_work, args=(store, query, number))
            canceller.start()
            with pytest.raises(Unavailable, match="cancelled"):
                list(query.stream(SLOW))
            canceller.join()
            with pytest.raises(Unavailable, match="cancelled"):
                query.rows("SELECT 1")
        wait_until_gone(store, number)
        every_place_is_free(store)

    def test_ends_a_result_under_way(self, store: MysqlRowStore, card: Association) -> None:
        endless = (
            "SELECT REPEAT('x', 10000) FROM information_schema.COLLATIONS AS a, information_schema.COLLATIONS AS b"
        )
        with opened(store) as query:
            ((number,),) = query.rows("SELECT CONNECTION_ID()")
            cursor = query.stream(endless)
            rows = iter(cursor)
            assert next(rows)
            query.cancel()
            with pytest.raises(Unavailable, match="cancelled"):
                list(rows)
            cursor.close()
        wait_until_gone(store, number)
        every_place_is_free(store)

    def test_comes_late(self, store: MysqlRowStore, card: Association) -> None:
        query = store.query_session()
        numbers = query.rows("SELECT CONNECTION_ID()")
        query.close()
        query.cancel()
        with opened(store) as other:
            assert other.rows("SELECT CONNECTION_ID()") == numbers

    def test_before_anything_was_done(self, store: MysqlRowStore, card: Association) -> None:
        with opened(store) as query:
            query.cancel()
            with pytest.raises(Unavailable, match="cancelled"):
                query.create([scratch(card, "level")])
        every_place_is_free(store)

    def test_works_where_the_server_takes_no_more_connections(
        self, store: MysqlRowStore, card: Association, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(thread: int) -> None:
            raise Unavailable("mysql", f"no connection to kill {thread}")

        with opened(store) as query:
            ((number,),) = query.rows("SELECT CONNECTION_ID()")
            monkeypatch.setattr(store._connections, "kill", refuse)
            canceller = threading.Thread(target=cancel_at_work, args=(store, query, number))
            canceller.start()
            with pytest.raises(Unavailable, match="cancelled"):
                list(query.stream("SELECT SLEEP(10)"))
            canceller.join()


def cancel_at_work(store: MysqlRowStore, query: MysqlQuerySession, number: int) -> None:
    wait_for_work(store, number)
    query.cancel()


def wait_for_work(store: MysqlRowStore, number: int) -> None:
    at_work = f"SELECT 1 FROM {process_list(mariadb=store.mariadb)} WHERE ID = {number} AND COMMAND = 'Query'"
    wait_until(lambda: bool(execute(store, at_work)), "the statement is under way")


def wait_until_gone(store: MysqlRowStore, number: int) -> None:
    there = f"SELECT 1 FROM {process_list(mariadb=store.mariadb)} WHERE ID = {number}"
    wait_until(lambda: not execute(store, there), "the connection is gone")


CHILD = """
import sys
from tests.integration import scratch
from tests.integration.test_scratch import staged
with scratch.row_store(sys.argv[1]) as store, scratch.opened(store) as query:
    (card,) = store.load_catalog("card")
    names = [column.name for column in card.columns[2:]]
    staged(query, card, [{"_id": number} for number in range(1000)], *names)
    rows = iter(query.stream(sys.argv[2])) if sys.argv[2] else iter([None])
    next(rows)
    print(query._thread, flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize(
    ("statement", "more"), [("", 83), ("SELECT REPEAT('x', 1000), a.* FROM staged AS a JOIN card AS b", 84)]
)
def test_a_killed_process_leaves_no_scratch_table(mysql_database: str, statement: str, more: int) -> None:
    columns = [*COLUMNS, *(ColumnAttribute(f"c{number}", "TINYINT") for number in range(more))]
    with row_store(mysql_database) as store:
        table(store, "card", columns, 1)
        fill(store, 50)
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, mysql_database, statement],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": os.getcwd()},
        )  # fmt: skip
        assert child.stdin is not None
        assert child.stdout is not None
        number = int(child.stdout.readline())
        assert temporary_tables(store, columns)
        child.send_signal(signal.SIGKILL)
        child.wait()
        wait_until_gone(store, number)
        assert not temporary_tables(store, columns)
        child.stdin.close()
        child.stdout.close()


def temporary_tables(store: MysqlRowStore, columns: Sequence[ColumnAttribute]) -> Sequence[tuple[Any, ...]]:
    """Those of the whole server with as many columns as the child's has: no other test's are as wide."""
    width = 2 + len(columns[2:]) + 3  # the key, _rev, the columns in documents, and InnoDB's own three
    return execute(store, f"SELECT TABLE_ID FROM information_schema.INNODB_TEMP_TABLE_INFO WHERE N_COLS = {width}")
