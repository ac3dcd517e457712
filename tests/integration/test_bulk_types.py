"""Every type of the matrix, in bulk: documents are byte for byte what the codecs make, and load as what they were."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

import bson
import pytest

from platform_store.errors import ValueRejected
from platform_store.halves import CODEC_OPTIONS
from platform_store.stores.bulk import Layout
from tests.integration.bulk import Bulk, bulk_stores, decoded
from tests.integration.conftest import Servers
from tests.integration.type_matrix import CASES, Case

DRAWN = 60
MODE = "SET sql_mode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO', time_zone = '+00:00'"


@pytest.fixture
def bulk(servers_of_test: Servers) -> Iterator[Bulk]:
    with bulk_stores(servers_of_test) as stores:
        stores.servers.sql(MODE)
        yield stores


def stored_values(case: Case) -> list[object]:
    random = Random(case.type)
    given = [*case.edges, *(case.draw(random) for _ in range(DRAWN))]
    found = []
    for value in given:
        try:
            found.append(case.codec.check(value))
        except ValueRejected:  # a value that only the far edge of another type's draw has
            continue
    return found


def by_codecs(bulk: Bulk, layout: Layout) -> list[bytes]:
    """The documents of every row, one value after the other, by PyMySQL's text protocol and the codecs alone."""
    association = layout.association
    expressions = ", ".join(column.codec.exact_sql(f"t.`{column.name}`") for column in association.columns)
    documents = []
    for row in bulk.servers.sql(f"SELECT {expressions} FROM `{association.name}` AS t ORDER BY t.id"):
        values = {
            column.name: column.codec.from_exact(value)
            for column, value in zip(association.columns, row, strict=True)
            if value is not None
        }
        document = {"_id": association.encode_id(tuple(values[name] for name in association.key_names))}
        for column in association.document_columns:
            if column.name in values:
                document[column.field] = column.codec.to_bson(values[column.name])
        documents.append(bson.encode(document, codec_options=CODEC_OPTIONS))
    return documents


def insert(bulk: Bulk, rows: Sequence[Sequence[object]]) -> None:
    with bulk.servers.mysql.cursor() as cursor:
        for number, row in enumerate(rows):
            cursor.execute(f"INSERT INTO t VALUES (%s{', %s' * len(row)})", (number, *row))


def valid(bulk: Bulk, text: object) -> bool:
    """Whether it is JSON to MariaDB, which takes none that is deeper than 32 levels."""
    with bulk.servers.mysql.cursor() as cursor:
        cursor.execute("SELECT JSON_VALID(%s)", [text])
        return cursor.fetchone() == (1,)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.type[:40])
def test_a_type_there_and_back(bulk: Bulk, case: Case) -> None:
    if bulk.mariadb and not case.mariadb:
        return  # it has no such type
    binary = " COLLATE utf8mb4_bin" if case.type.startswith(("ENUM", "SET")) else ""
    bulk.servers.sql(f"CREATE TABLE t (id INT PRIMARY KEY, v {case.type}{binary}, w {case.type}{binary})")
    codec = case.codec
    stored = stored_values(case)
    parameters = [codec.to_sql(value) for value in stored]
    if bulk.mariadb and case.type == "JSON":
        parameters = [one for one in parameters if valid(bulk, one)]
    insert(bulk, [(one, None if number % 3 else one) for number, one in enumerate(parameters)])
    layout = bulk.tables.layout("t")
    documents = bulk.rows(layout, 17)
    assert documents == by_codecs(bulk, layout)
    bulk.servers.sql("DELETE FROM t")
    bulk.tables.load(layout, [decoded(one) for one in documents], clear=(None, None))
    assert bulk.rows(layout) == documents


def test_what_only_foreign_writers_store(bulk: Bulk) -> None:
    """Values that a lax sql_mode lets in."""
    bulk.servers.sql(
        "CREATE TABLE t (id INT PRIMARY KEY, d DATE, m DATETIME(2), s DATETIME(5), t TIMESTAMP, e ENUM('a'))"
    )
    bulk.servers.sql("SET sql_mode = 'ALLOW_INVALID_DATES'")
    bulk.servers.sql("INSERT INTO t VALUES (1, '0000-00-00', '2024-05-00', '0000-00-00', 0, 'a'), "
                     "(2, '2024-02-03', '2024-05-06 00:00:00.01', '2024-02-00', 0, 'a')")  # fmt: skip
    layout = bulk.tables.layout("t")
    assert bulk.rows(layout) == by_codecs(bulk, layout)


def test_many_columns_with_many_nulls(bulk: Bulk) -> None:
    random = Random(5)
    types = ["INT", "VARCHAR(20)", "BIGINT", "DOUBLE", "DATE", "TINYINT UNSIGNED", "BLOB"]
    columns = [types[number % len(types)] for number in range(60)]
    declared = ", ".join(f"c{number} {one}" for number, one in enumerate(columns))
    bulk.servers.sql(f"CREATE TABLE t (id INT PRIMARY KEY, {declared})")
    samples: dict[str, object] = {"VARCHAR(20)": "é", "DATE": "2024-05-06", "BLOB": b"\0"}
    rows = [[None if random.random() < 0.4 else samples.get(one, 7) for one in columns] for _ in range(300)]
    rows += [[None] * len(columns), [samples.get(one, 7) for one in columns]]
    insert(bulk, rows)
    layout = bulk.tables.layout("t")
    assert bulk.rows(layout, 50) == by_codecs(bulk, layout)


@pytest.mark.parametrize("size", [250, 251, 252, 65_535, 65_536, 2**24 - 30, 2**24 - 1, 2**24, 2**24 + 300_000])
def test_values_around_the_widths_of_lengths_and_packets(bulk: Bulk, size: int) -> None:
    bulk.servers.sql("CREATE TABLE t (id INT PRIMARY KEY, v LONGBLOB, w VARCHAR(10))")
    ((most,),) = bulk.servers.sql("SELECT @@max_allowed_packet")
    size = min(size, most - 40)  # MariaDB's is smaller
    bulk.servers.sql(f"INSERT INTO t VALUES (1, CONCAT(REPEAT('a', {size - 1}), 'b'), 'x'), (2, 'y', 'z')")
    layout = bulk.tables.layout("t")
    assert [len(decoded(one)["v"]) for one in bulk.rows(layout)] == [size, 1]
    assert bulk.rows(layout) == by_codecs(bulk, layout)
