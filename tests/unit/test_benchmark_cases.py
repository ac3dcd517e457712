"""The benchmarks' cases and their data: what is called with what. No server, and no time is judged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.by_hand import batches
from benchmarks.cases import Options
from benchmarks.cli import main
from benchmarks.data import COLUMNS, DOCUMENT_COLUMNS, FLAG, MYSQL_COLUMNS, customer, customers, sizes
from benchmarks.harness import LEAST_REPETITIONS, Unequal, run
from benchmarks.live import AFTER, BEFORE, longest, phases
from benchmarks.registry import worlds
from benchmarks.scenarios import FOUR, OPERATIONS, SIX, SIZES, Operation
from benchmarks.sides import BY_HAND, EMBEDDED, LIBRARY, Address, Side, opened
from benchmarks.table import Table
from benchmarks.workers import ClientFailed, alone, crew

ROWS = 300


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Side]]:
    """The embedded pair twice: no server is needed to see what operations do."""
    folder = tmp_path_factory.mktemp("sides")
    with (
        opened(EMBEDDED, Address("", "", folder / "one.db")) as one,
        opened(EMBEDDED, Address("", "", folder / "other.db")) as other,
    ):
        for side in (one, other):
            side.create()
        yield {"one": one, "other": other}


@pytest.fixture(scope="module")
def table(sides: dict[str, Side]) -> Table:
    made = Table(Address("", "", Path()), sides, ROWS)
    blocks = made.fill(list(sides), 1, ROWS)
    assert {name: [block.rows for block in own] for name, own in blocks.items()} == {"one": [ROWS], "other": [ROWS]}
    return made


def keys(side: Side) -> list[int]:
    return [row["id"] for row in side.scan(100)]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_an_operation_leaves_the_table_as_large_as_it_was(operation: Operation, table: Table) -> None:
    small = replace(operation, names=list(table.sides)[: len(operation.names)])
    size = operation.size(ROWS)
    size = replace(size, repetitions=2, calls=4, rows_per_call=min(size.rows_per_call, 20))
    outcome = run(replace(small.at(ROWS), targets=()), table, size)
    assert [variant.name for variant in outcome.variants] == list(small.names)
    for side in table.sides.values():
        assert keys(side) == list(range(1, ROWS + 1))


def test_what_differs_between_the_sides_is_noticed(table: Table) -> None:
    row = customer(7)
    table.sides["other"].update(7, row["vip_level"], {})
    try:
        with pytest.raises(Unequal, match="rows of one and other"):
            table.compare(["one", "other"], range(1, ROWS + 1))
        with pytest.raises(Unequal, match="scan of one and other: number 6 differs"):
            table.compare_answers(["one", "other"], "scan", [(100,)])
        with pytest.raises(Unequal, match="read of one and other: number 0 differs"):
            table.compare_answers(["one", "other"], "read", [(1,), (7,)])
    finally:
        for side in table.sides.values():
            side.update(7, row["vip_level"], row["profile"])


def test_new_keys_are_nobody_elses(table: Table) -> None:
    first, second = table.reserve(10), table.reserve(5)
    assert first > ROWS
    assert second == first + 10


def test_documents_are_those_of_the_rows(table: Table) -> None:
    found = next(iter(table.sides["one"].documents()))
    assert found == {"_id": 1, **{name: customer(1)[name] for name in DOCUMENT_COLUMNS}}


def test_found_rows_are_of_the_level(table: Table) -> None:
    found = table.sides["one"].find(10, 0, 5)
    assert len(found) == 5
    assert all(row["vip_level"] == 0 and row["id"] > 10 for row in found)


def test_batches_are_the_whole() -> None:
    rows = customers(1, 2500)
    assert [len(batch) for batch in batches(rows)] == [1000, 1000, 500]
    assert [row for batch in batches(rows) for row in batch] == rows


def test_a_customer_is_always_the_same_one_and_about_1_kb() -> None:
    rows = customers(1, 200)
    assert rows == [customer(number) for number in range(1, 201)]
    assert len({row["notes"] for row in rows}) == len(rows)
    names = [column.name for column in COLUMNS]
    assert list(rows[0]) == names == [*MYSQL_COLUMNS, *DOCUMENT_COLUMNS]
    assert names[FLAG] == MYSQL_COLUMNS[-1]
    assert 900 < sum(sizes(rows)) < 1400


# Clients in processes of their own


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Table]:
    where = Address("", "", tmp_path / "small.db")
    with opened(EMBEDDED, where) as side:
        side.create()
        made = Table(where, {EMBEDDED: side}, 30)
        made.fill([EMBEDDED], 1, 30)
        yield made


def test_several_clients_share_the_calls(small: Table) -> None:
    with crew(small.address, [EMBEDDED], 2) as clients:
        block, found = clients.block(EMBEDDED, "read", [[(1,), (2,), (3,)], [(4,)]])
        assert (block.rows, len(block.times), len(found)) == (4, 4, 2)
        assert block.wall is not None
        assert block.wall >= max(block.times)
        assert all(peak.most >= peak.opened > 0 for peak in found)
        assert not clients.broken


def test_a_client_that_fails_says_why(small: Table) -> None:
    with crew(small.address, [EMBEDDED], 1) as clients, pytest.raises(ClientFailed, match=r"RowNotFound.*key 99"):
        clients.block(EMBEDDED, "update", [[(99, 1, {})]])
    assert clients.broken


def test_memory_is_of_a_process_that_does_one_block(small: Table) -> None:
    (scan,) = (one for one in OPERATIONS if one.name == "scan")
    found = alone(replace(scan, names=(EMBEDDED,)), small, scan.size(30))
    assert list(found) == [EMBEDDED]
    block, peak = found[EMBEDDED]
    assert (block.rows, len(block.times)) == (30, 1)
    assert peak.most >= peak.opened


# Something happens meanwhile


def test_calls_are_of_the_phase_in_which_they_begin() -> None:
    blocks = phases([(1.0, 9.0), (2.0, 1.0), (3.0, 2.0)], {BEFORE: 1.5, AFTER: float("inf")})
    assert {name: block.times for name, block in blocks.items()} == {BEFORE: (9.0,), AFTER: (1.0, 2.0)}
    with pytest.raises(Unequal, match=BEFORE):
        phases([(2.0, 1.0)], {BEFORE: 1.5, AFTER: float("inf")})


def test_the_longest_call_may_have_begun_before() -> None:
    calls = [(0.0, 0.5), (1.0, 3.0), (4.0, 0.1), (9.0, 7.0)]
    assert longest(calls, 2.0, 5.0) == 3.0
    assert longest(calls, 4.05, 5.0) == pytest.approx(0.1)


# The registry and the command line


@pytest.mark.parametrize("options", [Options(), Options(quick=True), Options(sizes=(500, 2_000_000), clients=(2,))])
def test_cases_have_names_of_their_own(options: Options) -> None:
    names = [case.name for world in worlds(options) for case in world.cases]
    assert len(set(names)) == len(names)
    assert {"import", "timeline", "query-1", "to-mongodb", "steady", "outage", "move-column-read"} <= set(names)


def test_large_tables_are_not_made_on_every_side() -> None:
    every = {one.name: one for one in OPERATIONS}
    assert every["write"].sides(100_000) == SIX
    assert every["write"].sides(1_000_000) == list(FOUR)
    assert every["scan"].sides(2_000_000) == [BY_HAND, LIBRARY]


def test_what_takes_long_is_asked_for_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    assert "steady" not in capsys.readouterr().out.split()
    assert main(["--list", "--only", "large"]) == 0
    assert capsys.readouterr().out.split() == ["large-scan", "large-collection", "large-verify", "steady"]


def test_every_size_and_number_of_clients_is_measured() -> None:
    names = {case.name for world in worlds(Options()) for case in world.cases}
    assert {f"read@{rows}" for rows in SIZES} <= names
    assert {"load@100000", "load@1000000", "write-many@10000", "write-many@1000000"} <= names
    assert {f"{name}@10000x{clients}" for name in ("read", "write", "update") for clients in (1, 4, 16)} <= names
    asked = {case.name for world in worlds(Options(sizes=(2_000_000,), clients=(2,))) for case in world.cases}
    assert {"scan@2000000", "read@2000000x2"} <= asked


def test_there_are_enough_repetitions() -> None:
    for operation in OPERATIONS:
        for rows in SIZES:
            size = operation.at(rows).size
            assert size.repetitions >= size.quick().repetitions == LEAST_REPETITIONS
            assert size.quick().rows_per_call == size.rows_per_call


@pytest.mark.parametrize(
    "arguments",
    [["--repetitions", "4"], ["--repetitions", "many"], ["--sizes", "0"], ["--peer", "dlt=/no/such"], ["compare", "a"]],
)
def test_the_command_refuses_what_it_cannot_measure(
    arguments: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert "usage" in capsys.readouterr().err


def test_cases_are_chosen_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    def listed(*arguments: Any) -> list[str]:
        assert main(["--list", *arguments]) == 0
        return capsys.readouterr().out.split()

    assert listed("--only", "read@1000") == ["read@1000"]
    assert listed("--only", "crm") == ["timeline", "customer-360", "log-visit", "import"]
    assert listed("--only", "outage", "--only", "read-many") == [
        *(f"read-many@{rows}" for rows in SIZES[:3]),
        "outage",
        f"read-many@{SIZES[3]}",
    ]
    assert main(["--only", "no such case"]) == 2
