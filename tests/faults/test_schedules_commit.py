"""Schedules in which a connection to MySQL is lost at the wrong moment, by a proxy that cuts it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import pytest

from platform_store import Conflict, Index, OutcomeUnknown, Platform, Unavailable
from platform_store.config import Config
from platform_store.errors import PlatformStoreError
from platform_store.stores.mongodb_target import MongoDocumentTarget
from platform_store.stores.mysql_journal import MysqlJournal
from tests.faults import weakened
from tests.faults.conftest import Proxied
from tests.faults.schedules import (
    COLUMNS,
    Expected,
    Schedule,
    before_call,
    by_key,
    differences,
    judge,
    kind_of,
    on_both,
    rows,
    settled,
)
from tests.faults.weakened import Weakness
from tests.waiting import PATIENCE

Loss: TypeAlias = Literal["drop_reply", "drop_request"]

MANY = 60  # rows: enough for their documents to be placed before the commit
LOSSES: tuple[Loss, Loss] = ("drop_reply", "drop_request")


@dataclass(frozen=True)
class Work:
    """A write of some kind, and what rows it makes of what; ``do`` takes the platform and the first of its keys."""

    do: Callable[[Platform, int], object]
    after: Callable[[int], Expected]


def in_a_transaction(platform: Platform, first: int) -> None:
    with platform.transaction() as tx:
        tx.write("card", rows(first)[0])
        tx.update("card", first + 1, {"doc": "changed"})
        tx.delete("card", first + 2)


def changed(key: int) -> dict[str, object]:
    return {**rows(key, doc="old")[0], "doc": "changed"}


WORKS = {
    "write": Work(lambda platform, first: platform.write("card", rows(first)[0]), lambda first: by_key(rows(first))),
    "update": Work(
        lambda platform, first: platform.update("card", first + 1, {"doc": "changed"}),
        lambda first: {first + 1: changed(first + 1)},
    ),
    "delete": Work(lambda platform, first: platform.delete("card", first + 2), lambda first: {first + 2: None}),
    "delete_range": Work(
        lambda platform, first: platform.delete_range("card", first, first + 5),
        lambda first: {first + 1: None, first + 2: None},
    ),
    "placed": Work(
        lambda platform, first: platform.write_many("card", rows(*range(first + 10, first + 10 + MANY))),
        lambda first: by_key(rows(first + 10, first + 9 + MANY)),
    ),
    "transaction": Work(
        in_a_transaction,
        lambda first: {**by_key(rows(first)), first + 1: changed(first + 1), first + 2: None},
    ),
}


def before(first: int) -> Expected:
    """What each work finds, and what is left of one that did not happen."""
    last = first + 9 + MANY
    return {**dict.fromkeys((first, first + 10, last)), **by_key(rows(first + 1, first + 2, doc="old"))}


def with_outcome(config: Config, seconds: float) -> Config:
    """The configuration without a reaper, and with so long for the outcome of a COMMIT."""
    assert config.mysql is not None
    return replace(
        config,
        mysql=replace(config.mysql, outcome_timeout=seconds),
        journal=replace(config.journal, reaper=False),
    )


def prepare(platform: Platform) -> None:
    """A table, rows for every work, and connections enough for a bulk write in the pool."""
    platform.create_table("card", COLUMNS, flag=1)
    for case in each():
        platform.write_many("card", rows(case.first + 1, case.first + 2, doc="old"))
    fill_pool(platform, 5000)
    platform.recover()


def fill_pool(platform: Platform, first: int) -> None:
    """A bulk write takes two connections at once."""
    platform.write_many("card", rows(*range(first, first + MANY)))


@dataclass(frozen=True)
class Case:
    """A write whose COMMIT, or the reply to it, is lost; its keys begin at ``first``."""

    name: str
    work: Work
    loss: Loss
    first: int

    @property
    def done(self) -> bool:
        return self.loss == "drop_reply"

    def ended(self, platform: Platform) -> tuple[str, str]:
        """How the write ended: the error's class or "success"; and the operation id of an OutcomeUnknown."""
        try:
            self.work.do(platform, self.first)
        except OutcomeUnknown as unknown:
            return "OutcomeUnknown", unknown.operation_id
        except PlatformStoreError as error:
            return type(error).__name__, ""
        return "success", ""

    def expected(self) -> Expected:
        """What is there afterwards."""
        return {**before(self.first), **(self.work.after(self.first) if self.done else {})}

    def __str__(self) -> str:
        return f"{self.name} at {self.loss}"


def each() -> list[Case]:
    return [
        Case(name, work, loss, 200 * number + 100 * (loss == "drop_request"))
        for number, (name, work) in enumerate(WORKS.items())
        for loss in LOSSES
    ]


def answer_lost(proxied: Proxied) -> list[str]:
    """The connection dies after or before MySQL gets COMMIT; MySQL answers again at once."""
    found: list[str] = []
    everything: Expected = {}
    with Platform.open(with_outcome(proxied.config(), PATIENCE)) as platform:
        prepare(platform)
        for case in each():
            armed = proxied.mysql.arm(case.loss, b"COMMIT")
            kind, _ = case.ended(platform)
            armed.wait(0)
            if kind != ("success" if case.done else "Unavailable"):
                found.append(f"{case} ended with {kind}")
            everything |= case.expected()
            found += differences(platform, case.expected(), f"{case}:")
        return found + settled(platform, everything)


def answer_lost_and_mysql_away(proxied: Proxied) -> list[str]:
    """The connection dies at COMMIT, and MySQL is not reached until nobody looks for the outcome any more."""
    found: list[str] = []
    everything: Expected = {}
    with Platform.open(with_outcome(proxied.config(), 0.1)) as platform:
        prepare(platform)
        for case in each():
            armed = proxied.mysql.arm(case.loss, b"COMMIT")
            proxied.mysql.refuse()
            kind, operation = case.ended(platform)
            proxied.mysql.accept()
            armed.wait(0)
            if kind != "OutcomeUnknown":
                found.append(f"{case} ended with {kind}")
            elif (committed := platform.recover(operation).committed) is not case.done:
                found.append(f"{case}: committed is {committed}")
            everything |= case.expected()
            found += differences(platform, case.expected(), f"{case}:")
            fill_pool(platform, 10_000 + 100 * case.first)
        return found + settled(platform, everything)


def entry_removed_before_the_question(proxied: Proxied) -> list[str]:
    """A COMMIT was not answered, and its entry is confirmed and removed before anybody asks for the outcome."""
    found: list[str] = []
    everything: Expected = {}
    with Platform.open(with_outcome(proxied.config(), PATIENCE)) as platform, proxied.direct.open() as other:
        prepare(platform)
        for case in each():
            armed = proxied.mysql.arm(case.loss, b"COMMIT")
            with before_call(MysqlJournal, "outcome", other.recover):
                kind, operation = case.ended(platform)
            armed.wait(0)
            if kind not in ("success" if case.done else "Unavailable", "OutcomeUnknown"):
                found.append(f"{case} ended with {kind}")
            if operation and platform.recover(operation).committed not in (case.done, None):
                found.append(f"{case}: recover() says the opposite")
            everything |= case.expected()
        return found + settled(platform, everything)


def cut_within_a_transaction(proxied: Proxied) -> list[str]:
    """The connection is cut before the first packet of a transaction, before the second, and so on to the last."""
    found: list[str] = []
    with Platform.open(with_outcome(proxied.config(), PATIENCE)) as platform:
        platform.create_table("card", COLUMNS, flag=1)
        platform.write_many("card", rows(1, 2))
        platform.recover()
        state: Expected = by_key(rows(1, 2))
        position, cut = 0, True
        while cut:
            armed = proxied.mysql.arm("drop_request", lambda text: wanted, skip=position)  # noqa: B023
            wanted = True
            raised = kind_of(lambda: set_both(platform, position))  # noqa: B023
            wanted, cut = False, armed.happened
            if not raised:
                state = {key: {"id": key, "n": position, "doc": position} for key in (1, 2)}
            if raised not in ("Unavailable", ""):
                found.append(f"cut at packet {position} it ended with {raised}")
            found += settled(platform, state)
            position += 1
        if position < 6:  # two locks, two changes, COMMIT, and once to the end
            found.append(f"only {position - 1} packets were met")
    return found


def set_both(platform: Platform, value: int) -> None:
    with platform.transaction() as tx:
        tx.update("card", 1, {"n": value, "doc": value})
        tx.update("card", 2, {"n": value, "doc": value})


def commit_after_a_failed_change(proxied: Proxied) -> list[str]:
    """What a transaction journalled first was undone with a change that failed; then the reply to COMMIT is lost."""
    with Platform.open(with_outcome(proxied.config(), PATIENCE)) as platform:
        platform.create_table("card", [*COLUMNS], flag=1, indexes=[Index(["n"], unique=True)])
        platform.write_many("card", rows(1, 2))
        platform.recover()
        armed = proxied.mysql.arm("drop_reply", b"COMMIT")
        raised = kind_of(lambda: go_on_after_a_conflict(platform))
        armed.wait(0)
        found = [f"it ended with {raised}"] if raised else []
        return found + settled(platform, by_key(rows(1, 2, 4)))


def go_on_after_a_conflict(platform: Platform) -> None:
    with platform.transaction() as tx:
        with pytest.raises(Conflict):
            tx.write_many("card", [rows(3)[0], {"id": 1, "n": 2}], on_conflict="replace")
        tx.write("card", rows(4)[0])


def commit_after_placing_in_vain(proxied: Proxied) -> list[str]:
    """MongoDB does not take a bulk's documents, so they are journalled; then the reply to COMMIT is lost."""
    with Platform.open(with_outcome(proxied.config(), PATIENCE)) as platform:
        platform.create_table("card", COLUMNS, flag=1)
        fill_pool(platform, 5000)
        armed = proxied.mysql.arm("drop_reply", b"COMMIT")
        with before_call(MongoDocumentTarget, "place", mongodb_fails):
            raised = kind_of(lambda: fill_pool(platform, 0))
        armed.wait(0)
        found = [f"it ended with {raised}"] if raised else []
        return found + settled(platform, by_key(rows(0, MANY - 1)))


def mongodb_fails() -> None:
    raise Unavailable("mongodb", "says the test")


def commit_of_what_is_not_journalled(proxied: Proxied) -> list[str]:
    """Only columns in MySQL change, so no document is journalled; then the reply to COMMIT is lost."""
    with Platform.open(with_outcome(proxied.config(), PATIENCE)) as platform:
        platform.create_table("card", COLUMNS, flag=1)
        platform.write("card", rows(1)[0])
        platform.recover()
        armed = proxied.mysql.arm("drop_reply", b"COMMIT")
        raised = kind_of(lambda: platform.update("card", 1, {"n": 9}))
        armed.wait(0)
        found = [f"it ended with {raised}"] if raised else []
        return found + settled(platform, {1: {**rows(1)[0], "n": 9}})


SCHEDULES = [
    Schedule(
        "DBUtils replaying after a lost connection in a transaction",
        "its replay is off, and what a transaction has lost is lost",
        cut_within_a_transaction,
        (weakened.statements_replayed,),
    ),
    Schedule(
        "the reply to COMMIT dropped",
        "the outcome is looked up by entry and nonce",
        answer_lost,
        (weakened.lost_commits_forgotten,),
    ),
    Schedule(
        "the reply to COMMIT dropped",
        "OutcomeUnknown where nobody can tell, and recover() tells later",
        answer_lost_and_mysql_away,
        (weakened.lost_commits_forgotten,),
    ),
    Schedule(
        "the reply to COMMIT dropped",
        "how far entries were ever removed says what absence proves",
        entry_removed_before_the_question,
        (weakened.absence_proves_all,),
    ),
    Schedule(
        "the reply to COMMIT dropped",
        "what was undone does not name a transaction",
        commit_after_a_failed_change,
        (weakened.undone_revisions_kept,),
    ),
    Schedule(
        "the reply to COMMIT dropped",
        "what was undone does not name a transaction",
        commit_after_placing_in_vain,
        (weakened.undone_revisions_kept,),
    ),
    Schedule(
        "the reply to COMMIT dropped",
        "a mark is journalled where nothing else was",
        commit_of_what_is_not_journalled,
        (weakened.no_mark,),
    ),
]


@pytest.mark.parametrize(("schedule", "control", "servers_of_test"), on_both(SCHEDULES), indirect=["servers_of_test"])
def test_schedule(schedule: Schedule, control: Weakness | None, proxied: Proxied) -> None:
    judge(schedule, control, proxied)
