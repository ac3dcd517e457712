"""A column moves to and fro while four processes write it and four read it, and movers and writers are killed."""

from __future__ import annotations

import random
from contextlib import ExitStack
from pathlib import Path

import pytest

from platform_store import ColumnAttribute, Config, Platform, SchemaError
from platform_store.association import Association
from platform_store.stores.mysql_transaction import MysqlTransaction
from tests.faults.child import Child
from tests.integration.conftest import Servers
from tests.integration.live import KEYS, MOVED, Log, Mover, Reader, Writer, destination, row_of_t, unfinished_move
from tests.waiting import wait_until

MOVES = 4  # that come to their end, between those that are killed
WRITERS = READERS = 4
READ = 20  # times that each reader has read at least
STILL = 600  # rows that nobody writes
COLUMNS = [
    ColumnAttribute("id", "INT"),
    ColumnAttribute("n", "BIGINT"),
    ColumnAttribute("word", "VARCHAR(40)", nullable=False, default="v0"),
    ColumnAttribute("doc", "JSON"),
]


def acknowledged(logs: list[Log]) -> dict[int, set[int]]:
    """The versions that each key may be at: the last acknowledged one, and whatever was begun after it."""
    allowed: dict[int, set[int]] = {}
    for log in logs:
        for kind, *numbers in log.lines():
            key, version = map(int, numbers)
            if kind == "done":
                allowed[key] = {version}
            elif kind == "begin":
                allowed[key] = allowed.get(key, {0}) | {version}
    return allowed


def finish(platform: Platform) -> None:
    """What the last mover has left."""
    unfinished = unfinished_move(platform)
    if unfinished is None:
        return
    platform.pause_move("t")
    if unfinished.phase.startswith("back"):
        platform.roll_back_move("t")
    else:
        platform.move_column("t", MOVED, destination(unfinished))


def test_no_wrong_read_and_no_lost_write(servers_of_test: Servers, tmp_path: Path) -> None:
    still = [row_of_t(1000 + number, number) for number in range(STILL)]
    hot = [row_of_t(writer * 100 + key, 0) for writer in range(WRITERS) for key in range(KEYS)]
    with servers_of_test.open() as platform:
        platform.create_table("t", COLUMNS, flag=2)
        platform.write_many("t", hot + still)
    config = Config.from_urls(mysql=servers_of_test.mysql_url, mongodb=servers_of_test.mongodb_url)
    choose = random.Random(5)
    writer_logs = [Log(tmp_path / f"writer-{number}") for number in range(WRITERS)]
    reader_logs = [Log(tmp_path / f"reader-{number}") for number in range(READERS)]
    mover_log = Log(tmp_path / "mover")

    with servers_of_test.outlived(), ExitStack() as processes:
        readers = [
            processes.enter_context(Child(config, Reader(number, WRITERS, log)))
            for number, log in enumerate(reader_logs)
        ]
        round_number = 0
        while mover_log.count("moved", "back") < MOVES:
            round_number += 1
            with ExitStack() as killed:
                writers = [
                    killed.enter_context(Child(config, Writer(number, round_number, log)))
                    for number, log in enumerate(writer_logs)
                ]
                for _ in range(2):
                    seed, steps = choose.randrange(10**6), choose.randrange(1, 60)
                    _move_until_killed(config, Mover(seed, mover_log), steps, [*readers, *writers])
        wait_until(lambda: _at_work(readers) and all(log.count() >= READ for log in reader_logs), "all have read")

    with servers_of_test.open() as platform:
        finish(platform)
        platform.recover()
        found = {row["id"]: row for row in platform.scan("t")}
    for key, versions in acknowledged(writer_logs).items():
        row = found.pop(key)
        assert row["n"] in versions, f"{key} is at {row['n']}, not one of {versions}"
        assert row == row_of_t(key, int(str(row["n"])))
    assert [row for row in found.values() if int(str(row["id"])) >= 1000] == still


def _move_until_killed(config: Config, mover: Mover, steps: int, others: list[Child]) -> None:
    """It is killed after so many steps, wherever it is."""
    steps += mover.log.count()
    with Child(config, mover) as process:
        wait_until(lambda: _at_work([*others, process]) and mover.log.count() >= steps, "it moves")


def _at_work(processes: list[Child]) -> bool:
    for process in processes:
        process.check()
    return True


@pytest.mark.parametrize("fenced", [True, False])
def test_without_the_fence_a_write_is_lost(
    servers_of_test: Servers, platform: Platform, monkeypatch: pytest.MonkeyPatch, fenced: bool
) -> None:
    """The control: a writer that does not look at the epoch writes to the side that answers no more."""
    platform.create_table("t", COLUMNS, flag=3)
    platform.write("t", {"id": 1, "n": 1})
    with servers_of_test.open() as other:
        other.update("t", 1, {"n": 2})
        platform.move_column("t", ["n"], "mongodb", clean_up=False)
        if not fenced:
            monkeypatch.setattr(MysqlTransaction, "fence", _no_fence)
        other.update("t", 1, {"n": 3})
    row = platform.read("t", 1)
    assert row is not None
    assert row["n"] == (3 if fenced else 2)


def _no_fence(self: MysqlTransaction, association: Association, *, at_once: bool = False) -> None:
    self._table = association.name


def test_it_can_be_rolled_back_by_another_process(servers_of_test: Servers, platform: Platform) -> None:
    platform.create_table("t", COLUMNS, flag=3)
    platform.write("t", {"id": 1, "n": 1})
    platform.move_column("t", "n", "mongodb", clean_up=False)
    with servers_of_test.open() as other:
        assert other.roll_back_move("t").status == "rolled-back"
        with pytest.raises(SchemaError):
            other.pause_move("t")
    assert platform.describe("t").flag == 3
