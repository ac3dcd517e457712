"""Values as they are written into statements and read from answers: every one of them comes back as it was."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal

import pytest

from platform_store import ValueRejected
from platform_store.config import MysqlConfig
from platform_store.stores.base import StaleAssociation
from platform_store.stores.mysql import MysqlConnections
from platform_store.stores.mysql_session import MysqlSession, Statement
from tests.integration.conftest import Servers

TEXTS = ["", "'", "\\", "\\'", "''", '"', "a'b\\", "%s %% %", "\0\b\t\n\r\x1a", "-- ; /* */", "张伟", "\U0001f375'"]
EVERY_BYTE = bytes(range(256))
LARGE = [EVERY_BYTE * 300, b"\\'" * 40_000]
BYTES = [b"", EVERY_BYTE, EVERY_BYTE[::-1], b"\\'" * 9, b"\xe5'", b"\xf0\x9f'\\", b"%s", *LARGE]
OTHERS = [0, -(2**63), 2**64 - 1, True, None, Decimal("-0.10"), Decimal("1E+3"), 1.5e300, -0.1]


@pytest.fixture
def session(servers_of_test: Servers) -> Iterator[MysqlSession]:
    connections = MysqlConnections(MysqlConfig.from_url(servers_of_test.mysql_url))
    with connections.lease() as session:
        yield session
    connections.close()


def test_every_value_comes_back(session: MysqlSession) -> None:
    values = [*TEXTS, *BYTES, *OTHERS]
    (found,) = session.rows("SELECT " + ", ".join(["%s"] * len(values)), values)
    assert list(found) == values


def test_every_value_can_be_inserted_with_others(session: MysqlSession) -> None:
    session.execute("CREATE TEMPORARY TABLE v (id INT AUTO_INCREMENT PRIMARY KEY, t LONGTEXT, b LONGBLOB)")
    rows = [*((text, None) for text in TEXTS), *((None, data) for data in BYTES)]
    assert session.insert_rows("INSERT INTO v (t, b) VALUES ", [("(%s, %s)", row) for row in rows]) == [
        *range(1, len(rows) + 1)
    ]
    assert list(session.rows("SELECT t, b FROM v ORDER BY id")) == rows


def test_what_fits_into_a_packet_can_be_inserted_with_others(session: MysqlSession) -> None:
    ((allowed,),) = session.rows("SELECT @@max_allowed_packet")
    session.execute("CREATE TEMPORARY TABLE v (id INT AUTO_INCREMENT PRIMARY KEY, b LONGBLOB)")
    sizes = [*[1000] * 200, allowed - 64 * 1024, 1000]
    rows = [("(%s)", [bytes(size)]) for size in sizes]
    assert session.insert_rows("INSERT INTO v (b) VALUES ", rows) == [*range(1, len(rows) + 1)]
    assert [size for (size,) in session.rows("SELECT LENGTH(b) FROM v ORDER BY id")] == sizes


def test_moments_and_days_are_written_as_the_server_writes_them(session: MysqlSession) -> None:
    values = [date(1, 2, 3), datetime(99, 1, 2, 3, 4, 5), datetime(9999, 12, 31, 23, 59, 59, 999_990)]
    casts = "SELECT CAST(%s AS DATE), CAST(%s AS DATETIME(6)), CAST(%s AS DATETIME(6))"
    assert session.rows(casts, values) == (tuple(values),)


def test_a_lone_surrogate_is_refused(session: MysqlSession) -> None:
    with pytest.raises(ValueRejected, match="surrogate"):
        session.rows("SELECT %s", ["\ud800"])
    with pytest.raises(ValueRejected, match="surrogate"):
        session.insert_rows("INSERT INTO v VALUES ", [("(%s)", ["\ud800"])])


@pytest.mark.parametrize("size", [70_000, 17 * 1024 * 1024])
def test_values_longer_than_what_arrives_at_once(session: MysqlSession, size: int) -> None:
    ((allowed,),) = session.rows("SELECT @@max_allowed_packet")
    size = min(size, allowed - 1000)
    session.later(Statement("SELECT 1, NULL UNION SELECT 2, 'b'"))
    (answer,) = session.run(Statement("SELECT REPEAT('x', %s), 'y' UNION ALL SELECT NULL, 'z'", [size]))
    assert answer.rows == (("x" * size, "y"), (None, "z"))
    assert session.rows("SELECT 3") == ((3,),)


def test_answers_may_be_taken_later(session: MysqlSession) -> None:
    session.later(Statement("SELECT 1"))
    session.later(Statement("SELECT 2"))
    session.send()
    assert session.rows("SELECT 3") == ((3,),)


def test_an_error_left_for_later_is_raised_by_what_is_done_next(session: MysqlSession) -> None:
    session.later(Statement("SELECT 1"))
    session.later(Statement("SELECT nothing"))
    session.send()
    with pytest.raises(StaleAssociation):
        session.rows("SELECT 3")
    assert session.rows("SELECT 4") == ((4,),)


def test_what_is_left_can_be_drained(session: MysqlSession) -> None:
    session.later(Statement("SELECT nothing", judge=lambda _: pytest.fail("it is not asked")))
    session.send()
    session.drain()
    assert session.rows("SELECT 1") == ((1,),)


def test_a_statement_with_bytes_is_text_to_whoever_watches(session: MysqlSession) -> None:
    """MySQL 9.7 refuses to show the list of its processes while one runs a statement that is no text."""
    found = session.rows("SELECT INFO, %s FROM information_schema.PROCESSLIST WHERE ID = CONNECTION_ID()", [EVERY_BYTE])
    assert EVERY_BYTE.hex() in found[0][0].lower()
