"""How often what handles whole tables, and what the CRM's services do, asks a server."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from crm_model import Crm, install
from crm_model.entities import Customer, Operator
from tests.faults.bench import Bench, bench
from tests.faults.child import Call, call
from tests.faults.drivers import sent
from tests.faults.expected import ROUND_TRIPS
from tests.faults.operations import COLUMNS, OLD, ROWS_READ, row
from tests.servers.databases import fresh_mongodb_database, fresh_sql_database

NOW = datetime(2025, 6, 1, 9)
TIMES = 3
"""How often each is counted."""


@pytest.fixture(scope="module")
def made(mysql_url: str, mongodb_url: str) -> Iterator[Bench]:
    """On databases of their own. On a busy machine an ALTER TABLE may wait for more than a second, and try again."""
    with (
        fresh_sql_database(mysql_url) as sql,
        fresh_mongodb_database(mongodb_url) as mongodb,
        bench(sql, mongodb, lock_wait=60) as found,
    ):
        yield found


@pytest.fixture(scope="module")
def crm(made: Bench) -> Crm:
    install(made.watcher)
    crm = Crm(made.watcher, 1, clock=lambda: NOW)
    crm.add(Operator(login="one", name="一", role="客户经理", region="北京", status="在职"))
    return crm


WHOLE: Mapping[str, Callable[[str], Call]] = {
    "read_collection": lambda name: call("read_collection", name),
    "verify": lambda name: call("verify", name),
}
MOVES: Mapping[str, Call] = {
    "move_column to MongoDB, 2,000 rows more": call("move_column", "moved", "n", "mongodb"),
    "move_column to MySQL, 2,000 rows more": call("move_column", "moved", "word", "mysql"),
}


@contextlib.contextmanager
def a_table(made: Bench, name: str, rows: int) -> Iterator[None]:
    made.watcher.create_table(name, COLUMNS, flag=1)
    made.watcher.write_many(name, [row(number, OLD) for number in range(1, rows + 1)])
    made.watcher.recover()
    try:
        yield
    finally:
        made.watcher.drop_table(name)


@pytest.mark.parametrize("name", WHOLE)
def test_of_a_whole_table(made: Bench, name: str) -> None:
    with a_table(made, "first", ROWS_READ), a_table(made, "second", ROWS_READ):
        WHOLE[name]("first")(made.watcher)
        assert (
            fewest(round_trips(lambda: WHOLE[name]("second")(made.watcher)) for _ in range(TIMES)) == ROUND_TRIPS[name]
        )


@pytest.mark.parametrize("name", MOVES)
def test_of_a_move(made: Bench, name: str) -> None:
    """What four pages more cost: beginning and ending a move is the same for any table."""
    few, many = (fewest(_of_a_move(made, name, rows) for _ in range(TIMES)) for rows in (100, 2100))
    assert (many[0] - few[0], many[1] - few[1]) == ROUND_TRIPS[name]


def _of_a_move(made: Bench, name: str, rows: int) -> tuple[int, int]:
    with a_table(made, "moved", rows):
        return round_trips(lambda: MOVES[name](made.watcher))


SERVICES: Mapping[str, Callable[[Crm, Any], object]] = {
    "CRM: log_visit": lambda crm, customer: crm.log_visit(customer, summary="谈了续约", outcome={"intent": "高"}),
    "CRM: timeline": lambda crm, customer: crm.timeline(customer, limit=50),
    "CRM: customer_360": lambda crm, customer: crm.customer_360(customer),
}


def _customer(cust_no: str) -> Customer:
    return Customer(
        cust_no=cust_no,
        name="远景",
        kind="企业",
        status="正常",
        stage="稳定",
        source="转介绍",
        owner_id=1,
        credit_limit=Decimal(9),
    )


@pytest.mark.parametrize("name", SERVICES)
def test_of_a_service(made: Bench, crm: Crm, name: str) -> None:
    customers = [crm.add(_customer(f"{name}-{number}")).id for number in range(1 + TIMES)]
    for customer in customers:
        for number in range(3):
            crm.log_visit(customer, summary=f"第{number}次")
    made.recover()
    SERVICES[name](crm, customers[0])
    assert fewest(round_trips(partial(SERVICES[name], crm, one)) for one in customers[1:]) == ROUND_TRIPS[name]


def fewest(counts: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """Of several times: now and then a connection is opened, or the witness's ceiling raised, for many operations."""
    mysql, mongodb = zip(*counts, strict=True)
    return min(mysql), min(mongodb)


def round_trips(work: Callable[[], object]) -> tuple[int, int]:
    with sent(all_threads=True) as counted:
        work()
    print(*counted.sql, *counted.mongodb, sep="\n")  # shown where the number is another
    # A connection that was idle for a second is asked whether it is alive.
    return len([one for one in counted.sql if one != "PING"]), len(counted.mongodb)
