"""Every value of every type is the same in a scratch table as in MySQL's own column, however it was sent there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest

from platform_store.association import Association
from platform_store.records import ColumnAttribute
from platform_store.stores.mysql_rows import MysqlRowStore
from platform_store.stores.mysql_scratch import MysqlQuerySession
from tests.integration.scratch import opened, read_back, row_store, scratch, table
from tests.integration.test_type_matrix import NO_CAST, given_values
from tests.integration.type_matrix import CASES, Case
from tests.servers.databases import fresh_sql_database

WAYS: Final[dict[str, dict[str, str]]] = {"mysql-upload": {}, "mysql-insert": {"local_infile": "false"}, "mariadb": {}}
BATCH: Final = 100


@dataclass(frozen=True)
class Store:
    rows: MysqlRowStore
    uploads: bool


@pytest.fixture(scope="module", params=WAYS)
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    server = request.getfixturevalue(f"{request.param.partition('-')[0]}_url")
    with fresh_sql_database(server) as url, row_store(url, **WAYS[request.param]) as rows:
        yield Store(rows, _uploads(rows, request.param))


def _uploads(rows: MysqlRowStore, way: str) -> bool:
    if way == "mariadb":  # by either way, as the server is set
        with rows._connections.lease() as session:
            return session.rows("SELECT @@local_infile") == ((1,),)
    return way == "mysql-upload"


def with_column(store: MysqlRowStore, case: Case, name: str) -> Association:
    """A table that has the column in MySQL, so that the server says what it should be."""
    labels = case.codec.sql_type.base in ("ENUM", "SET")  # of which some differ in case alone
    column = ColumnAttribute("v", case.type, collation=store.key_collation if labels else None)
    return table(store, name, [ColumnAttribute("id", "INT"), column], 1)


def contents(case: Case, source: str) -> str:
    cast = "NULL" if case.codec.sql_type.base in NO_CAST else "CAST(v AS CHAR)"
    return f"SELECT id, v, HEX(v), {cast}, {case.codec.exact_sql('v')} FROM {source} ORDER BY id"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.type[:40])
def test_staged_is_what_mysql_holds(store: Store, case: Case) -> None:
    if not case.mariadb and store.rows.mariadb:
        return  # it has no such type
    codec = case.codec
    stored = [codec.check(value) for value in given_values(case, mariadb=store.rows.mariadb)]
    name = f"t{CASES.index(case)}"
    direct = with_column(store.rows, case, name)
    documents = [read_back({"_id": number, "_rev": 7, "v": codec.to_bson(v)}) for number, v in enumerate(stored)]
    documents += [{"_id": len(stored), "v": None}, {"_id": len(stored) + 1}]
    with store.rows._connections.lease() as session:
        rows = [(number, codec.to_sql(value)) for number, value in enumerate(stored)]
        rows += [(len(stored), None), (len(stored) + 1, None)]
        session.insert_rows(f"INSERT INTO {name} (id, v) VALUES ", [("(%s, %s)", row) for row in rows])
    with opened(store.rows) as query:
        staged = scratch(direct, "v")
        query.create([staged])
        query.begin([direct])
        for first in range(0, len(documents), BATCH):
            query.load(staged, query.prepare(staged, documents[first : first + BATCH]))
        assert query._session.uploads == store.uploads
        expected, found = query.rows(contents(case, name)), query.rows(contents(case, "staged"))
        assert repr(found) == repr(expected)
        same = f"SELECT COUNT(*) FROM {name} AS t JOIN staged AS s ON s.id = t.id WHERE s.v <=> t.v"
        assert query.rows(same) == ((len(documents),),)
        assert query.rows(f"SELECT DISTINCT _rev FROM staged WHERE id < {len(stored)}") == ((7,),)
        assert query.rows(f"SELECT DISTINCT _rev FROM staged WHERE id >= {len(stored)}") == ((0,),)
        assert described(query, "staged") == described(query, name)


def described(query: MysqlQuerySession, source: str) -> list[tuple[Any, ...]]:
    """What a client is told of the column, and of a value made of it: type, flags, length, scale, character set."""
    cursor: Any = query._session.stream(f"SELECT v, COALESCE(v) FROM {source} LIMIT 0", None)
    fields = cursor._result.fields
    cursor.close()
    return [(one.name, one.type_code, one.flags, one.length, one.scale, one.charsetnr) for one in fields]
