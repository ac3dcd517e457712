"""Rows in MySQL and MariaDB: locks, ON UPDATE columns, the plans of reads, and documents that were discarded."""

from __future__ import annotations

import contextlib
import datetime
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from platform_store import ColumnAttribute, Conflict, Index, Platform, PlatformStoreError, RowExists, ValueRejected
from platform_store.association import Association, KeyValues
from platform_store.config import MysqlConfig
from platform_store.selection import select
from platform_store.stores import mysql_codes, mysql_session
from platform_store.stores import mysql_sql as sql
from platform_store.stores.mysql_rows import MysqlRowStore
from tests.integration.conftest import Servers
from tests.waiting import wait_until

CARD = [ColumnAttribute("id", "INT"), ColumnAttribute("n", "INT"), ColumnAttribute("doc", "JSON")]


@contextlib.contextmanager
def row_store(servers: Servers) -> Iterator[MysqlRowStore]:
    store = MysqlRowStore(MysqlConfig.from_url(servers.mysql_url))
    try:
        yield store
    finally:
        store.close()


def in_threads(count: int, work: Callable[[int], None]) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# Duplicates


def test_writers_of_one_existing_key_get_row_exists_only(platform: Platform) -> None:
    platform.create_table("card", CARD, flag=1)
    platform.write("card", {"id": 1, "n": 0, "doc": 0})
    errors: list[BaseException] = []

    def write(thread: int) -> None:
        for step in range(100):
            try:
                platform.write("card", {"id": 1, "n": thread, "doc": step})
            except PlatformStoreError as error:
                errors.append(error)

    in_threads(6, write)
    assert {type(error) for error in errors} == {RowExists}
    assert len(errors) == 600
    assert platform.read("card", 1) == {"id": 1, "n": 0, "doc": 0}


def test_batches_of_the_same_keys_in_any_order_wait_for_each_other(platform: Platform) -> None:
    platform.create_table("card", CARD, flag=1)
    errors: list[BaseException] = []
    written: list[int] = []

    def write(thread: int) -> None:
        for step in range(20):
            keys = range(step * 50, step * 50 + 50)
            rows = [{"id": key, "n": key, "doc": key} for key in (keys if thread % 2 else reversed(keys))]
            try:
                platform.write_many("card", rows)
            except PlatformStoreError as error:
                errors.append(error)
            else:
                written.append(step)

    in_threads(6, write)
    assert {type(error) for error in errors} == {RowExists}
    assert sorted(written) == list(range(20))
    assert [row["doc"] for row in platform.scan("card")] == list(range(1000))


def test_keys_come_back_in_the_order_of_the_rows(platform: Platform) -> None:
    columns = [ColumnAttribute("id", "INT", auto_increment=True), ColumnAttribute("doc", "JSON")]
    platform.create_table("card", columns, flag=0)
    platform.write_many("card", [{"id": 9, "doc": 9}, {"doc": "x"}, {"id": 3, "doc": 3}, {"doc": "y"}])
    documents: dict[Any, Any] = {row["doc"]: row["id"] for row in platform.scan("card")}
    assert (documents[9], documents[3]) == (9, 3)
    assert documents["y"] == documents["x"] + 1


@pytest.mark.parametrize("automatic", [False, True])
def test_the_rows_before_a_duplicate_are_no_duplicates(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, automatic: bool
) -> None:
    """Rows that earlier statements of the same call put in are there, and are not what stands in the way."""
    monkeypatch.setattr(mysql_session, "_MAX_STATEMENT", 1)
    columns = [
        ColumnAttribute("id", "INT", auto_increment=True),
        ColumnAttribute("code", "INT"),
        ColumnAttribute("doc", "JSON"),
    ]
    platform.create_table("card", columns, flag=1, indexes=[Index(("code",), unique=True)])
    platform.write("card", {"id": 1, "code": 1, "doc": 1})
    last = {"code": 1, "doc": 3} if automatic else {"id": 3, "code": 1, "doc": 3}
    with pytest.raises(Conflict) as raised:
        platform.write_many("card", [{"id": 2, "code": 2, "doc": 2}, last])
    assert not isinstance(raised.value, RowExists)
    with pytest.raises(RowExists):
        platform.write_many("card", [{"id": 2, "code": 2, "doc": 2}, {"id": 1, "code": 3, "doc": 3}])
    with pytest.raises(RowExists):
        platform.write_many("card", [{"id": 2, "code": 2, "doc": 2}, {"id": 2, "code": 3, "doc": 3}])
    assert [row["id"] for row in platform.scan("card")] == [1]


@pytest.mark.parametrize(("type_text", "highest"), [("TINYINT", 127), ("BIGINT UNSIGNED", 2**64 - 1)])
def test_an_exhausted_auto_increment(platform: Platform, type_text: str, highest: int) -> None:
    columns = [ColumnAttribute("id", type_text, auto_increment=True), ColumnAttribute("doc", "JSON")]
    platform.create_table("card", columns, flag=0)
    platform.write("card", {"id": highest, "doc": "last"})
    with pytest.raises(ValueRejected, match="AUTO_INCREMENT") as raised:
        platform.write("card", {"doc": "more"})
    assert raised.value.table == "card"
    with pytest.raises(ValueRejected, match="AUTO_INCREMENT"):
        platform.write_many("card", [{"doc": "more"}, {"doc": "more"}])
    assert [row["doc"] for row in platform.scan("card")] == ["last"]


# Columns that MySQL sets by itself


@pytest.mark.parametrize("flag", [None, -1])
def test_values_written_to_on_update_columns_stay(
    servers_of_test: Servers, platform: Platform, flag: int | None
) -> None:
    servers_of_test.sql(
        "CREATE TABLE t (id INT PRIMARY KEY, n INT, u DATETIME(3) NULL DEFAULT NULL ON UPDATE CURRENT_TIMESTAMP(3))"
    )
    if flag is None:
        columns = [ColumnAttribute("id", "INT"), ColumnAttribute("n", "INT"), ColumnAttribute("u", "DATETIME(3)")]
        platform.associate("t", columns=[*columns, ColumnAttribute("doc", "JSON")])
    else:
        platform.associate("t", flag=flag)
    first, second = datetime.datetime(2001, 1, 1), datetime.datetime(2002, 1, 1)

    def written() -> list[object]:
        return [row["u"] for row in platform.scan("t")]

    platform.write("t", {"id": 1, "n": 1, "u": first})
    assert written() == [first]
    platform.update("t", 1, {"u": second})
    assert written() == [second]
    platform.write_many("t", [{"id": key, "n": key, "u": first} for key in range(1, 5)], on_conflict="replace")
    assert written() == [first] * 4
    if flag is None:
        platform.update("t", 1, {"doc": "document"})  # nothing of MySQL's own is changed
        assert written() == [first] * 4
    platform.update("t", 1, {"n": 7})  # here MySQL sets it, as it does for other clients
    assert written()[0] > datetime.datetime(2020, 1, 1)  # type: ignore[operator]
    assert platform.recover().remaining == 0


def test_replacing_keeps_a_number_that_mysql_gave(servers_of_test: Servers, platform: Platform) -> None:
    servers_of_test.sql("CREATE TABLE t (id INT PRIMARY KEY, serial INT NOT NULL AUTO_INCREMENT UNIQUE, n INT)")
    columns = [ColumnAttribute("id", "INT"), ColumnAttribute("serial", "INT"), ColumnAttribute("n", "INT")]
    platform.associate("t", columns=[*columns, ColumnAttribute("doc", "JSON")])
    platform.write("t", {"id": 1, "n": 1, "doc": "a"})
    platform.write("t", {"id": 2, "n": 2, "doc": "b"})
    platform.write("t", {"id": 2, "n": 3, "doc": "c"}, on_conflict="replace")
    assert platform.read("t", 2) == {"id": 2, "serial": 2, "n": 3, "doc": "c"}
    platform.write("t", {"id": 2, "serial": 9, "n": 3, "doc": "d"}, on_conflict="replace")
    assert platform.read("t", 2) == {"id": 2, "serial": 9, "n": 3, "doc": "d"}


# Plans

ROWS = 4000
PAGE = 100


def single(servers: Servers, platform: Platform) -> list[KeyValues]:
    platform.create_table("card", CARD, flag=1)
    servers.sql(f"INSERT INTO card (id, n, _rev) SELECT id, 0, id FROM ({_numbers()}) AS x")
    return [(number,) for number in range(ROWS)]


def composite(servers: Servers, platform: Platform) -> list[KeyValues]:
    """Few values of the first key column, so that a page that begins at one of them is no page."""
    columns = [ColumnAttribute("tenant", "INT"), ColumnAttribute("code", "VARCHAR(20)"), *CARD[1:]]
    platform.create_table("card", columns, flag=2, key=["tenant", "code"])
    servers.sql(
        "INSERT INTO card (tenant, code, n, _rev) "
        f"SELECT id DIV {ROWS // 2}, LPAD(id MOD {ROWS // 2}, 5, '0'), 0, id FROM ({_numbers()}) AS x"
    )
    return [(number // (ROWS // 2), f"{number % (ROWS // 2):05}") for number in range(ROWS)]


def _numbers() -> str:
    digits = " UNION ALL ".join(f"SELECT {digit} AS d" for digit in range(10))
    tables = ", ".join(f"({digits}) AS {name}" for name in "abce")
    return f"SELECT a.d + 10 * b.d + 100 * c.d + 1000 * e.d AS id FROM {tables} WHERE e.d < {ROWS // 1000}"


def plan(servers: Servers, statement: str) -> list[dict[str, Any]]:
    with servers.mysql.cursor() as cursor:
        cursor.execute("SELECT VERSION()")
        ((version,),) = cursor.fetchall()
        form = "" if "MariaDB" in version else "FORMAT=TRADITIONAL "
        cursor.execute(f"EXPLAIN {form}{statement}")
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def read_by_index(servers: Servers, statement: str) -> tuple[int, int]:
    """How many rows a statement returns, and how many it steps over in indexes."""
    servers.sql("FLUSH STATUS")
    returned = len(servers.sql(statement))
    status = dict(servers.sql("SHOW SESSION STATUS LIKE 'Handler_read%%'"))
    assert int(status["Handler_read_rnd_next"]) <= 2, "nothing is scanned without an index, or copied"
    return returned, int(status["Handler_read_next"])


@pytest.mark.parametrize("fill", [single, composite])
def test_a_page_of_a_scan_reads_a_page(
    servers_of_test: Servers,
    platform: Platform,
    fill: Callable[[Servers, Platform], list[KeyValues]],
) -> None:
    keys = fill(servers_of_test, platform)
    servers_of_test.sql("ANALYZE TABLE card")
    with row_store(servers_of_test) as store:
        (association,) = store.load_catalog("card")
        for wanted in (association, replace(association, discarded_at=ROWS // 2)):
            for start, stop, after in (
                (None, None, None),
                (None, None, keys[ROWS // 2 - 50]),
                (None, None, keys[ROWS - 500]),
                (keys[10], keys[ROWS - 20], keys[ROWS // 2 + 500]),
                (keys[700], keys[ROWS - 20], None),
                (None, keys[-1], keys[200]),
            ):
                condition, parameters = sql.range_sql(wanted, start, stop, after)
                text = sql.read_page(select(wanted), condition)
                with servers_of_test.mysql.cursor() as cursor:
                    statement = cursor.mogrify(text, [*parameters, wanted.table_id, wanted.epoch, PAGE])
                steps = plan(servers_of_test, statement)
                assert [step["table"] for step in steps] == ["c", "t", "j"], steps
                assert {step["key"] for step in steps} == {"PRIMARY"}, steps
                extra = " ".join(step["Extra"] or "" for step in steps)
                assert "filesort" not in extra, steps
                assert "temporary" not in extra, steps
                returned, stepped = read_by_index(servers_of_test, statement)
                assert returned == PAGE
                assert stepped <= PAGE + 2, (start, stop, after)
                first = next(n for n, key in enumerate(keys) if key >= (start or key) and key > (after or (-1,)))
                found = store.fetch_range(select(wanted), start, stop, after, PAGE)
                assert [row.key for row in found] == keys[first : first + PAGE]


# Documents that were discarded


def test_documents_up_to_a_discard_are_gone(servers_of_test: Servers, platform: Platform) -> None:
    """Rows of a discarded revision have revision 0 and nothing pending, in every kind of read; later ones are whole."""
    platform.create_table("card", CARD, flag=1)
    platform.write_many("card", [{"id": key, "n": key, "doc": key} for key in range(4)])
    revisions = dict(servers_of_test.sql("SELECT id, _rev FROM card"))
    for key, revision in revisions.items():
        servers_of_test.sql(
            "REPLACE INTO platform_store_journal (id, table_id, row_key, epoch, nonce, document) "
            f"SELECT {revision}, id, 'k', epoch, '', 'pending {key}' FROM platform_store_table"
        )
    with row_store(servers_of_test) as store:
        (live,) = store.load_catalog("card")
        association = replace(live, discarded_at=revisions[1])
        expected = [
            (0, 0, None),
            (1, 0, None),
            (2, revisions[2], b"pending 2"),
            (3, revisions[3], b"pending 3"),
        ]
        assert _shown(store, live)[0] == [(key, revision, b"pending %d" % key) for key, revision in revisions.items()]
        for shown in _shown(store, association):
            assert shown == expected
        with store.transaction() as transaction:
            transaction.fence(association)
            assert [row.revision for row in transaction.lock_range(association, None, None, 9)] == [
                revision for _, revision, _ in expected
            ]
            entries = transaction.record(association, [((0,), b"pending"), ((1,), b"pending")])
            transaction.commit()
        assert [row[1] for row in _shown(store, association)[0]][:2] == [entry.revision for entry in entries]


def _shown(store: MysqlRowStore, association: Association) -> list[list[tuple[object, int, bytes | None]]]:
    """Key, revision and pending entry of each row, as the reads of the store show them."""
    selection, keys = select(association), [(key,) for key in range(4)]
    many = [row for row in store.fetch_many(selection, keys) if row is not None]
    ranged = store.fetch_range(selection, None, None, None, 9)
    with store.transaction() as transaction:
        locked = transaction.lock(association, keys)
    shown = [[(row.key[0], row.revision, row.pending) for row in rows] for rows in (many, ranged)]
    shown.append([(row.key[0], row.revision, row.pending) for row in locked.values()])
    assert {type(revision) for rows in shown for _, revision, _ in rows} == {int}
    return shown


def test_a_lock_that_was_waited_for_shows_what_its_holder_has_journalled(
    servers_of_test: Servers, platform: Platform
) -> None:
    """The first row is free: whatever the statement reads of the journal, it begins to read before it waits."""
    platform.create_table("card", CARD, flag=1)
    platform.write_many("card", [{"id": key, "n": 0, "doc": 0} for key in range(2)])
    platform.recover()
    association = platform._catalog.get("card")
    with row_store(servers_of_test) as store, store.transaction() as writer:
        writer.fence(association)
        writer.lock(association, [(1,)])
        found: dict[KeyValues, bytes | None] = {}

        def lock_both(_: int) -> None:
            with store.transaction() as transaction:
                transaction.fence(association)
                locked = transaction.lock(association, [(0,), (1,)])
                found.update((key, row.pending) for key, row in locked.items())

        waiting = threading.Thread(target=lock_both, args=(0,))
        waiting.start()
        wait_until(lambda: bool(servers_of_test.connections("INFO LIKE '%(0, 1)%FOR UPDATE'")), "it locks both")
        time.sleep(0.2)  # now it waits
        writer.record(association, [((1,), b"pending")])
        writer.commit()
        waiting.join()
    assert found == {(0,): None, (1,): b"pending"}


def test_no_number_has_two_kinds() -> None:
    listed = [code for codes in mysql_codes.CODES.values() for code in codes.split()]
    assert len(listed) == len(set(listed)) == len(mysql_codes.KIND_OF)


AFTER_THE_MAIN_THREAD = """
import sys, threading
from platform_store import ColumnAttribute, Platform

def work():
    threading.main_thread().join()
    with Platform.open(mysql=sys.argv[1], mongodb=sys.argv[2]) as platform:
        platform.create_table("visit", [ColumnAttribute("id", "INT"), ColumnAttribute("doc", "JSON")], flag=0)
        rows = [{"id": key, "doc": key} for key in range(20)]
        print(platform.write_many("visit", rows, batch_size=5).inserted)

threading.Thread(target=work).start()
"""


def test_a_list_is_written_once_the_main_thread_has_ended(servers_of_test: Servers) -> None:
    """Then Python's executors take nothing any more."""
    command = [sys.executable, "-c", AFTER_THE_MAIN_THREAD, servers_of_test.mysql_url, servers_of_test.mongodb_url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("20\n", "")
