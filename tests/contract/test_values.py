"""A value is taken, refused and given back the same way wherever its column lives, for every type."""

from __future__ import annotations

import pytest

from platform_store import ColumnAttribute, Platform, SchemaError, ValueRejected
from tests.contract.conftest import Backend
from tests.integration.type_matrix import CASES, Case

MARIADB_JSON_LEVELS = 31


def _small(value: object) -> bool:
    return not isinstance(value, str | bytes | bytearray | memoryview) or len(value) < 100_000


def _values(case: Case, backend: Backend) -> list[object]:
    values = [value for value in (case.example, *case.edges) if _small(value)]
    if backend.name != "mariadb":
        return values
    # MariaDB drops the sign of zero and takes no JSON of more than 31 levels.
    stored = [(value, repr(case.codec.check(value))) for value in values]
    return [value for value, text in stored if text != "-0.0" and "[" * MARIADB_JSON_LEVELS not in text]


def _identical(one: object, other: object) -> bool:
    return type(one) is type(other) and repr(one) == repr(other)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.type[:40])
def test_placement_changes_nothing(platform: Platform, backend: Backend, case: Case) -> None:
    if backend.name == "mariadb" and not case.mariadb:
        with pytest.raises(SchemaError):
            platform.create_table("typed", [ColumnAttribute("id", "INT"), ColumnAttribute("m", case.type)], flag=1)
        return
    collation = None
    if case.codec.sql_type.members:  # the labels differ in case only
        collation = "utf8mb4_nopad_bin" if backend.name == "mariadb" else "utf8mb4_0900_bin"
    columns = [
        ColumnAttribute("id", "INT"),
        ColumnAttribute("m", case.type, collation=collation),
        ColumnAttribute("d", case.type, collation=collation),
    ]
    platform.create_table("typed", columns, flag=1)
    values = _values(case, backend)
    platform.write_many("typed", [{"id": number, "m": value, "d": value} for number, value in enumerate(values)])
    rows = list(platform.scan("typed"))
    assert len(rows) == len(values)
    for row, value in zip(rows, values, strict=True):
        assert _identical(row["m"], case.codec.public(case.codec.check(value)))
        assert _identical(row["d"], row["m"])
    # What was read can be written: nothing changes in a second round.
    platform.write_many(
        "typed", [{"id": row["id"], "m": row["d"], "d": row["m"]} for row in rows], on_conflict="replace"
    )
    assert repr(list(platform.scan("typed"))) == repr(rows)
    for value in (*case.rejected, *case.refused):
        for column in ("m", "d"):
            with pytest.raises(ValueRejected) as caught:
                platform.write("typed", {"id": -1, column: value})
            assert (caught.value.table, caught.value.column, caught.value.key) == ("typed", column, -1)
    assert platform.read("typed", -1) is None
