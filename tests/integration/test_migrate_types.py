"""Every type of the matrix goes to MongoDB and comes back as it was."""

from __future__ import annotations

from typing import Any

import pytest

from platform_store import Platform
from platform_store.stores.jobs import MIGRATE
from tests.integration.conftest import Servers
from tests.integration.migrating import TO_ROWS, migrate
from tests.integration.test_bulk_types import MODE, stored_values
from tests.integration.type_matrix import CASES, Case


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.type[:40])
def test_there_and_back(platform: Platform, servers_of_test: Servers, case: Case) -> None:
    mariadb = platform._rows.mariadb
    if mariadb and not case.mariadb:
        return  # it has no such type
    binary = " COLLATE utf8mb4_bin" if case.type.startswith(("ENUM", "SET")) else ""
    servers_of_test.sql(MODE)
    servers_of_test.sql(f"CREATE TABLE plain (id INT PRIMARY KEY, v {case.type}{binary}, w {case.type}{binary})")
    with servers_of_test.mysql.cursor() as cursor:
        for key, value in enumerate(stored_values(case)):
            parameter = case.codec.to_sql(value)
            if mariadb and case.type == "JSON":  # it takes none that is deeper than 32 levels
                cursor.execute("SELECT JSON_VALID(%s)", [parameter])
                if cursor.fetchone() != (1,):
                    continue
            cursor.execute("INSERT INTO plain VALUES (%s, %s, %s)", [key, parameter, None if key % 3 else parameter])
    before = _exact(servers_of_test, case)
    assert len(before) > 5
    assert migrate(platform, mode="move", batch_rows=17).settled
    assert _exact(servers_of_test, case) == ()
    assert migrate(platform, direction=TO_ROWS, batch_rows=17).settled
    assert repr(_exact(servers_of_test, case)) == repr(before)
    assert {job.kind for job in platform.jobs()} == {MIGRATE}


def _exact(servers: Servers, case: Case) -> tuple[tuple[Any, ...], ...]:
    v, w = case.codec.exact_sql("t.v"), case.codec.exact_sql("t.w")
    return servers.sql(f"SELECT id, {v}, {w} FROM plain AS t ORDER BY id")
