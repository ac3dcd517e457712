"""Columns that move between the stores: every row and every later write, from every placement to every other."""

from __future__ import annotations

import threading
from itertools import permutations

import pytest

from platform_store import ColumnAttribute, Conflict, Index, Platform, Progress, SchemaError, ValueRejected
from platform_store.records import Placement
from tests.contract.conftest import Backend

COLUMNS = [
    ColumnAttribute("id", "BIGINT", auto_increment=True),
    ColumnAttribute("name", "VARCHAR(40)", nullable=False),
    ColumnAttribute("level", "INT", nullable=False, default=1),
    ColumnAttribute("note", "TEXT"),
    ColumnAttribute("profile", "JSON"),
]
FLAGS: dict[Placement, int] = {"mysql": 4, "both": -1, "mongodb": 0}
MOVED = ["name", "level", "note", "profile"]


def rows_to_write() -> list[dict[str, object]]:
    return [
        {"name": "张伟", "level": 3, "note": "", "profile": {"hobbies": ["茶", "棋"], "a": 1.0}},
        {"name": "李娜", "note": None, "profile": None},
        {"name": "x" * 40, "level": -5, "note": "𠮷 " * 50, "profile": [1, None, "1", True]},
        *({"name": f"客户{number}", "level": number} for number in range(20)),
    ]


def placements(platform: Platform, table: str = "t") -> dict[str, Placement]:
    return {column.name: column.placement for column in platform.describe(table).columns if not column.key}


def everything(platform: Platform, table: str = "t") -> list[dict[str, object]]:
    return list(platform.scan(table))


@pytest.mark.parametrize(("origin", "to"), list(permutations(FLAGS, 2)))
def test_rows_stay_as_they_are(backend: Backend, platform: Platform, origin: Placement, to: Placement) -> None:
    platform.create_table("t", COLUMNS, FLAGS[origin])
    platform.write_many("t", rows_to_write())
    platform.update("t", 2, {"level": 9})
    platform.delete("t", 5)
    before = everything(platform)
    with backend.open() as other:
        assert other.read("t", 1) == before[0]  # it knows the old placement
        moved = platform.move_column("t", MOVED, to, batch_rows=7)
        assert (moved.status, moved.phase, moved.to) == ("done", "", to)
        assert placements(platform) == dict.fromkeys(MOVED, to)
        assert everything(platform) == everything(other) == before
        other.update("t", 1, {"name": "王芳", "note": "neu"})
        key = other.write("t", {"name": "新"})
        other.delete("t", 3)
        other.write("t", {"id": 3, "name": "wieder"})
    changed = {1: {**before[0], "name": "王芳", "note": "neu"}}
    blank = {"level": 1, "note": None, "profile": None}
    assert platform.read("t", 1) == changed[1]
    assert platform.read("t", key) == {"id": key, "name": "新", **blank}
    assert platform.read("t", 3) == {"id": 3, "name": "wieder", **blank}
    again = platform.move_column("t", MOVED, to)  # once it is done it can be called again
    assert (again.status, again.rewritten) == ("done", 0)


@pytest.mark.parametrize("to", ["mysql", "both", "mongodb"])
def test_a_query_sees_the_same(platform: Platform, to: Placement) -> None:
    platform.create_table("t", COLUMNS, 2, indexes=[Index(["level"])])
    platform.write_many("t", rows_to_write())
    statement = "SELECT * FROM t WHERE level >= 3 ORDER BY id"
    with platform.query(statement) as result:
        before = (result.columns, result.all())
    platform.move_column("t", ["level", "note"], to, batch_rows=5)
    with platform.query(statement) as result:
        assert (result.columns, result.all()) == before


def test_there_and_back(platform: Platform) -> None:
    platform.create_table("t", COLUMNS, 4, extra=True)
    platform.write_many("t", rows_to_write())
    platform.update("t", 1, {"wunsch": "frei"})
    for to in ("mongodb", "mysql", "both", "mongodb", "both", "mysql"):
        platform.update("t", 2, {"note": to})
        platform.move_column("t", ["note", "level"], to)
        assert platform.read("t", 1)["wunsch"] == "frei"  # type: ignore[index]
        assert platform.read("t", 2) == {"id": 2, "name": "李娜", "level": 1, "note": to, "profile": None}
    platform.drop_column("t", "note")
    assert set(platform.read("t", 1) or {}) == {"id", "name", "level", "profile", "wunsch"}  # and no leftover field


def test_an_application_that_creates_its_tables_goes_on(platform: Platform) -> None:
    platform.create_table("t", COLUMNS, 4)
    platform.move_column("t", ["note", "profile"], "mongodb")
    platform.create_table("t", COLUMNS, 4, if_not_exists=True)  # as it was written before the move
    platform.create_table("t", COLUMNS, 2, if_not_exists=True)  # and after it
    for flag in (0, -1):
        with pytest.raises(SchemaError, match="different definition"):
            platform.create_table("t", COLUMNS, flag, if_not_exists=True)


def test_several_at_once_from_different_places(platform: Platform) -> None:
    platform.create_table("t", COLUMNS, 2)
    platform.write_many("t", rows_to_write())
    before = everything(platform)
    platform.move_column("t", MOVED, "both")
    assert platform.describe("t").flag == -1
    assert everything(platform) == before


def test_it_stops_and_goes_on(platform: Platform) -> None:
    platform.create_table("t", COLUMNS, 4)
    platform.write_many("t", rows_to_write())
    before = everything(platform)
    halt = threading.Event()
    seen: list[Progress] = []

    def after_a_batch(progress: Progress) -> None:
        seen.append(progress)
        if progress.phase == "fill" and progress.rows:
            halt.set()

    paused = platform.move_column("t", "note", "mongodb", batch_rows=4, halt=halt, progress=after_a_batch)
    assert (paused.status, paused.phase, paused.rows) == ("paused", "fill", 8)
    assert seen[-1].total == len(before)
    assert everything(platform) == before
    with pytest.raises(SchemaError, match="on its way to mongodb"):
        platform.drop_column("t", "note")
    with pytest.raises(SchemaError, match="on its way to mongodb"):
        platform.rename_column("t", "note", "remark")
    with pytest.raises(SchemaError, match="on its way to mongodb"):
        platform.move_column("t", "level", "mongodb")
    platform.rename_column("t", "level", "grade")  # any other column may change meanwhile
    done = platform.move_column("t", "note", "mongodb", batch_rows=4)
    assert (done.status, done.job, done.rows) == ("done", paused.job, len(before))
    assert [row["note"] for row in everything(platform)] == [row["note"] for row in before]


def test_another_process_lets_it_stop(backend: Backend, platform: Platform) -> None:
    platform.create_table("t", COLUMNS, 4)
    platform.write_many("t", rows_to_write())
    with backend.open() as other:

        def pause(progress: Progress) -> None:
            if progress.phase == "fill" and progress.rows:
                other.pause_move("t")

        stopped = platform.move_column("t", "note", "mongodb", batch_rows=4, progress=pause)
        assert (stopped.status, stopped.phase) == ("paused", "fill")
        assert other.move_column("t", "note", "mongodb").status == "done"


def test_one_that_was_long_away_switches_nothing(backend: Backend, platform: Platform) -> None:
    """It seemed dead just before the switch: meanwhile its move was rolled back, and another one has begun."""
    platform.create_table("t", COLUMNS, 4)
    platform.write_many("t", rows_to_write())
    before = everything(platform)
    with backend.open() as other:

        def meanwhile(progress: Progress) -> None:
            if progress.phase != "switch":
                return
            other.pause_move("t")
            other.roll_back_move("t")
            halt = threading.Event()
            other.move_column(
                "t",
                "note",
                "mongodb",
                batch_rows=1,
                halt=halt,
                progress=lambda its: halt.set() if its.phase == "fill" else None,
            )
            assert other.jobs()[0].phase == "fill"

        assert platform.move_column("t", "note", "mongodb", progress=meanwhile).status == "rolled-back"
        assert placements(platform)["note"] == "both"
        assert everything(platform) == everything(other) == before
        assert other.move_column("t", "note", "mongodb").status == "done"
        assert everything(platform) == before


@pytest.mark.parametrize(("origin", "to"), list(permutations(FLAGS, 2)))
@pytest.mark.parametrize("late", [False, True])
def test_it_is_taken_back(platform: Platform, origin: Placement, to: Placement, late: bool) -> None:
    """``late``: the other side answers already, and was written to."""
    platform.create_table("t", COLUMNS, FLAGS[origin])
    platform.write_many("t", rows_to_write())
    halt = threading.Event()
    if not late:
        halt.set()
    paused = platform.move_column("t", MOVED, to, clean_up=False, halt=halt)
    assert paused.status == "paused"
    assert paused.phase == ("clean" if late else "prepare")
    platform.update("t", 1, {"name": "geändert", "note": None, "profile": {"b": 2}})
    key = platform.write("t", {"name": "neu", "level": 7})
    before = everything(platform)
    back = platform.roll_back_move("t")
    assert (back.status, back.phase) == ("rolled-back", "")
    assert placements(platform) == dict.fromkeys(MOVED, origin)
    assert everything(platform) == before
    assert platform.read("t", key) == {"id": key, "name": "neu", "level": 7, "note": None, "profile": None}
    with pytest.raises(SchemaError, match="no column of it is being moved"):
        platform.roll_back_move("t")
    platform.move_column("t", MOVED, to)
    assert everything(platform) == before


def test_what_cannot_move(platform: Platform) -> None:
    platform.create_table("t", COLUMNS, 4, indexes=[Index(["name"], unique=True), Index(["level"])])
    with pytest.raises(SchemaError, match="key column"):
        platform.move_column("t", "id", "mongodb")
    with pytest.raises(SchemaError, match="no such column"):
        platform.move_column("t", "nichts", "mongodb")
    with pytest.raises(SchemaError, match="unique"):
        platform.move_column("t", "name", "mongodb")
    with pytest.raises(SchemaError, match="to= is one of"):
        platform.move_column("t", "name", "irgendwo")  # type: ignore[arg-type]
    with pytest.raises(SchemaError, match="no such table"):
        platform.move_column("nirgends", "name", "mongodb")
    with pytest.raises(SchemaError, match="at least one column"):
        platform.move_column("t", [], "mongodb")
    platform.move_column("t", "name", "both")  # its uniqueness stays in MySQL
    platform.write("t", {"name": "eins"})
    with pytest.raises(Conflict, match="unique"):
        platform.write("t", {"name": "eins"})


def test_a_pace_at_which_nothing_would_ever_move_is_refused(platform: Platform) -> None:
    platform.create_table("t", COLUMNS, FLAGS["mysql"])
    for pace in ({"batch_rows": 0}, {"batch_rows": -1}, {"max_rows_per_second": 0.0}, {"max_rows_per_second": -1.0}):
        with pytest.raises(ValueRejected, match=next(iter(pace))):
            platform.move_column("t", "note", "mongodb", **pace)
    assert platform.jobs() == []
