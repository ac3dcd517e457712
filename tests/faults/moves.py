"""Columns that move, killed at every step: the rows are whole all the time, and the move is finished or taken back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from platform_store import Platform, SchemaError
from platform_store.records import Placement
from tests.faults.bench import Bench
from tests.faults.operations import COLUMNS, NEW, OLD, State, row

_BATCH = 2  # rows
_UP_TO = "rows.put_association:after:2"  # the other side answers from here on


@dataclass(frozen=True)
class Move:
    """Where the columns of a table of three rows go. ``flag``: where they are before."""

    name: str
    flag: int
    columns: tuple[str, ...]
    to: Placement
    back: bool = False  # it was stopped before the clean-up, and is rolled back

    def prepare(self, bench: Bench, block: int) -> str:
        """Three rows: the document of one is confirmed, of one in the journal, and one was never versioned."""
        table = f"m{block}"
        bench.watcher.create_table(table, COLUMNS, self.flag)
        bench.watcher.write(table, row(1, OLD))
        bench.watcher.recover()
        bench.watcher.write_many(table, [row(2, OLD), row(3, OLD)])
        if self.back:
            bench.watcher.move_column(table, self.columns, self.to, clean_up=False, batch_rows=_BATCH)
        return table

    def work(self, table: str) -> Callable[[Platform], object]:
        if self.back:
            return _RollBack(table)
        return _Moving(table, self.columns, self.to)

    def finish(self, platform: Platform, table: str) -> None:
        """The same call again, as an operator would after a crash."""
        try:
            platform.pause_move(table)  # the dead process seems to be at work for a while
        except SchemaError:
            if self.back:
                return  # it was done
        self.work(table)(platform)


@dataclass(frozen=True)
class _Moving:
    table: str
    columns: tuple[str, ...]
    to: Placement

    def __call__(self, platform: Platform) -> object:
        return platform.move_column(self.table, self.columns, self.to, batch_rows=_BATCH).status


@dataclass(frozen=True)
class _RollBack:
    table: str

    def __call__(self, platform: Platform) -> object:
        return platform.roll_back_move(self.table).status


def moves_killed_everywhere(bench: Bench, move: Move) -> list[str]:
    """Kills the move at each of its steps; what was wrong, and where."""
    (block,) = bench.blocks(1)
    wrong = []
    for stop, _ in bench.kills(move.work(move.prepare(bench, block)), _UP_TO):
        (block,) = bench.blocks(1)
        table = move.prepare(bench, block)
        bench.kill_at(move.work(table), stop)
        wrong += [f"{move.name} killed at {stop}: {one}" for one in _after_kill(bench, move, table)]
        bench.watcher.drop_table(table)
    return wrong


def _after_kill(bench: Bench, move: Move, table: str) -> list[str]:
    state: State = {(table, key): OLD for key in (1, 2, 3)} | {(table, 4): None}
    wrong = bench.wrong("at once", state)
    # Applications go on, whichever side answers.
    bench.watcher.update(table, 1, {"n": NEW, "word": f"v{NEW}"})
    bench.watcher.delete(table, 2)
    bench.watcher.write(table, row(4, NEW))
    state = {(table, 1): NEW, (table, 2): None, (table, 3): OLD, (table, 4): NEW}
    wrong += bench.wrong("after later writes", state)
    bench.recover()
    wrong += bench.wrong("after recover()", state)
    move.finish(bench.watcher, table)
    wrong += bench.wrong("finished", state)
    bench.recover()
    wrong += bench.wrong("finished, after recover()", state)
    placements = {column.name: column.placement for column in bench.watcher.describe(table).columns}
    wanted = placements if move.back else placements | dict.fromkeys(move.columns, move.to)
    if placements != wanted:
        wrong.append(f"the columns are placed {placements}")
    return wrong + _leftovers(bench, table, placements)


def _leftovers(bench: Bench, table: str, placements: dict[str, Placement]) -> list[str]:
    """What there is in one store that belongs into the other."""
    columns = {name for (name, *_) in bench.servers.sql(f"SHOW COLUMNS FROM {table}")}
    wrong = [
        f"MySQL {'has' if name in columns else 'lacks'} {name!r}, which is placed in {placement}"
        for name, placement in placements.items()
        if (name in columns) != (placement != "mongodb")
    ]
    fields = {field for document in bench.servers.mongodb[table].find() for field in document}
    gone = {name for name, placement in placements.items() if placement == "mysql"}
    return wrong + [f"documents have the field {field!r}" for field in fields & gone]


MOVES = (
    Move("mysql to mongodb", 2, ("n", "word"), "mongodb"),
    Move("mongodb to mysql", 1, ("word",), "mysql"),
    Move("one of two to mysql", 0, ("word",), "mysql"),
    Move("mysql to both", 1, ("n",), "both"),
    Move("back from mongodb", 1, ("n",), "mongodb", back=True),
    Move("back from mysql", 0, ("n", "word"), "mysql", back=True),
)
