"""What processes do that are killed in the middle of it: each writes into a log of its own what it begins and has done.

They are run by :class:`tests.faults.child.Child`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Never

from platform_store import Platform, RowNotFound, SchemaError, TransientError

SHARED = range(1000, 1003)  # rows of ``hot`` that every writer changes
KEYS = 6  # of ``t`` that each writer has
MOVED = ["n", "word"]  # columns of ``t``


@dataclass(frozen=True)
class Log:
    """Lines of words; the last one may be cut off."""

    path: Path

    def say(self, *words: object) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(" ".join(map(str, words)) + "\n")

    def lines(self) -> list[list[str]]:
        """What was said, in whole lines."""
        text = self.path.read_text("utf-8") if self.path.exists() else ""
        return [line.split() for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def count(self, *kinds: str) -> int:
        """Of lines that begin with one of these words; of all, where none is given."""
        return sum(not kinds or line[0] in kinds for line in self.lines())


@dataclass(frozen=True)
class HotWriter:
    """Writes, replaces, updates and deletes rows of ``hot``, its own and shared ones."""

    number: int
    seed: int
    log: Log

    def __call__(self, platform: Platform) -> Never:
        choose = random.Random(self.seed)
        version = self.seed * 1000
        while True:
            version += 1
            key = self.number * 10 + choose.randrange(5)
            document = {"version": version, "pad": "长" * choose.randrange(2000)}
            self.log.say("begin", key, version)
            left = self._change(platform, {"id": key, "version": version, "document": document}, choose.randrange(5))
            self.log.say("done", key, left)
            shared = {"id": choose.choice(SHARED), "version": version, "document": {"version": version}}
            platform.write("hot", shared, on_conflict="replace")

    def _change(self, platform: Platform, row: dict[str, Any], kind: int) -> object:
        """The version that is there then; 0: no row."""
        if kind == 0:
            platform.delete("hot", row["id"])
            return 0
        if kind == 1:
            platform.write_many("hot", [row], on_conflict="replace")
            return row["version"]
        try:
            platform.update("hot", row["id"], {"version": row["version"], "document": row["document"]})
        except RowNotFound:
            platform.write("hot", row)
        return row["version"]


def row_of_t(key: int, version: int) -> dict[str, Any]:
    return {"id": key, "n": version, "word": f"v{version}", "doc": {"n": version}}


@dataclass(frozen=True)
class Writer:
    """Writes rows of ``t``, and reads each at once."""

    number: int
    seed: int
    log: Log

    def __call__(self, platform: Platform) -> Never:
        choose = random.Random(self.seed)
        version = self.seed * 1_000_000
        while True:
            version += 1
            key = self.number * 100 + choose.randrange(KEYS)
            new = row_of_t(key, version)
            self.log.say("begin", key, version)
            try:
                self._write(platform, new, choose.randrange(6))
            except TransientError:
                self.log.say("nothing", key, version)
                continue
            self.log.say("done", key, version)
            found = platform.read("t", key)
            assert found == new, f"written {new}, read {found}"

    def _write(self, platform: Platform, new: dict[str, Any], kind: int) -> None:
        if kind == 0:
            platform.write_many("t", [new], on_conflict="replace")
        elif kind == 1:
            with platform.transaction() as tx:
                tx.delete("t", new["id"])
                tx.write("t", new)
        else:
            platform.update("t", new["id"], {name: new[name] for name in ("n", "word", "doc")})


@dataclass(frozen=True)
class Reader:
    """Reads rows of ``t`` in every way: none is torn, and none goes back."""

    number: int
    writers: int
    log: Log

    def __call__(self, platform: Platform) -> Never:
        choose = random.Random(self.number)
        seen: dict[Any, Any] = {}
        while True:
            keys = [writer * 100 + choose.randrange(KEYS) for writer in range(self.writers)]
            kind = choose.randrange(4)
            try:
                for found in self._read(platform, kind, keys):
                    assert found == row_of_t(found["id"], found["n"]), f"torn in read {kind}: {found}"
                    key = found["id"]
                    assert found["n"] >= seen.get(key, 0), f"read {kind} went back from {seen[key]}: {found}"
                    seen[key] = found["n"]
            except TransientError:
                continue
            self.log.say("read", kind)

    def _read(self, platform: Platform, kind: int, keys: list[int]) -> list[Any]:
        if kind == 0:
            return [platform.read("t", keys[0])]
        if kind == 1:
            return platform.read_many("t", keys)
        if kind == 2:
            return list(platform.scan("t", keys[0], keys[0] + 50))
        between = f"id BETWEEN {min(keys)} AND {max(keys)}"
        sql = f"SELECT id, n, word, doc FROM t WHERE {between} AND n > 0 AND word <> 'x'"
        with platform.query(sql) as result:
            return [found | {"doc": {"n": found["n"]}} for found in result.dicts()]


@dataclass(frozen=True)
class Mover:
    """Moves columns of ``t`` to and fro, and goes on with what a killed one has begun, or takes it back."""

    seed: int
    log: Log

    def __call__(self, platform: Platform) -> Never:
        choose = random.Random(self.seed)
        while True:
            try:
                self._turn(platform, choose)
            except TransientError as error:
                self.log.say("again", error)

    def _turn(self, platform: Platform, choose: random.Random) -> None:
        unfinished = unfinished_move(platform)
        if unfinished is not None:
            platform.pause_move("t")  # its process was killed
            if unfinished.phase.startswith("back") or choose.randrange(3) == 0:
                try:
                    self.log.say("back", platform.roll_back_move("t", progress=self._tell).status)
                    return
                except SchemaError:  # its clean-up has begun
                    pass
        to: Any = choose.choice(["mongodb", "both", "mysql"]) if unfinished is None else destination(unfinished)
        self.log.say("moved", platform.move_column("t", MOVED, to, batch_rows=50, progress=self._tell).rewritten)

    def _tell(self, progress: Any) -> None:
        self.log.say("step", progress.phase, progress.rows)


def unfinished_move(platform: Platform) -> Any:
    """The job that somebody has begun, if any."""
    return next((job for job in platform.jobs() if job.status in ("running", "paused", "failed")), None)


def destination(job: Any) -> Any:
    """Where a job moves columns to."""
    return job.detail.split(": ")[0].split()[-1]
