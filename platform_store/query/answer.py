"""Answering one query: the stores at one moment, scratch tables where documents are needed, and the statement."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final

from platform_store.association import Association
from platform_store.config import QueryConfig
from platform_store.errors import PlatformStoreError, TransientError, Unavailable
from platform_store.query.analysis import Analysis, Reference
from platform_store.query.apart import kept_apart
from platform_store.query.filters import document_condition
from platform_store.query.groups import Grouping, grouped_references
from platform_store.query.headings import groupings, headings, hints, spellings, table_arguments
from platform_store.query.limits import Alarm, AlarmedCursor, Spending
from platform_store.query.partial import Ungrouped, is_worth, stage_groups
from platform_store.query.plan import QueryPlan, SourcePlan
from platform_store.query.reduce import derived
from platform_store.query.restrict import Restriction
from platform_store.query.rewrite import Copy, copies, rewritten
from platform_store.query.stage import Sources, Stager, TooMuch
from platform_store.query.text import Edit, identifier
from platform_store.query.verdict import written
from platform_store.stores.base import Cursor, RowStore
from platform_store.stores.documents import DocumentStore
from platform_store.stores.scratch import DocumentSnapshot, QuerySession, Scratch

_MOMENTS: Final = 50
"""Attempts to find a moment at which nothing was removed from the journal; each takes some milliseconds."""


class Report:
    """What is told of a query. The clock runs from one step to the next."""

    def __init__(self, statement: str):
        self.statement = statement
        self.tables: tuple[str, ...] = ()  # in association, of those that it names
        self.unchanged = True
        self.sources: tuple[SourcePlan, ...] = ()
        self.in_mysql: tuple[str, ...] = ()
        self.ungrouped = ""  # why MongoDB was not to group a reference, though the statement would have allowed it
        self.steps: dict[str, float] = {}
        self._began = self._last = time.perf_counter()

    def step(self, name: str) -> None:
        self.steps[name] = self.steps.get(name, 0.0) + self.lap()

    def lap(self) -> float:
        now = time.perf_counter()
        lap, self._last = now - self._last, now
        return lap

    def plan(self, rows: int) -> QueryPlan:
        """As of now, when so many rows were read."""
        now = time.perf_counter()
        steps = {**self.steps, "rows": now - self._last, "all": now - self._began}
        return QueryPlan(self.statement, self.unchanged, self.sources, self.in_mysql, steps, rows)


class Answering:
    """One attempt at one query."""

    def __init__(
        self,
        rows: RowStore,
        documents: DocumentStore,
        analysis: Analysis,
        known: Mapping[int, Restriction],
        values: Mapping[str, object],
        limits: QueryConfig,
        report: Report,
        *,
        began: float,
        hopeful: bool,
        loosely: bool,
    ):
        """``began``: see :class:`Spending`. ``hopeful``: this is the first attempt; nothing is likely to have moved.

        ``loosely``: it is known that MySQL accepts the groups of the statement. Where the report says why nothing is
        grouped, nothing is.
        """
        self._rows, self._documents, self._analysis, self._known = rows, documents, analysis, known
        self._values, self._report = values, report
        self._mariadb, self._hopeful, self._loosely = rows.mariadb, hopeful, loosely
        self._spending = Spending(limits, began)
        self._scratches: dict[tuple[int, int], Scratch] = {}
        self._groupings: Mapping[int, Grouping] = {}
        self._sizes: dict[int, int] = {}  # about how many documents each has that is grouped

    def run(self, *, whole: bool = False) -> Cursor:
        """``whole``: the time allowed is for reading the rows, too, not only for getting the first one."""
        with contextlib.ExitStack() as undo:
            session = self._rows.query_session()
            undo.callback(session.close)
            alarm = Alarm(self._spending.seconds_left, session.cancel)
            undo.callback(alarm.stop)
            try:
                cursor = self._answer(session)
            except (PlatformStoreError, Ungrouped):
                if alarm.rung:
                    raise self._spending.timed_out() from None
                raise
            undo.pop_all()
        if whole:
            return AlarmedCursor(cursor, alarm, self._spending.timed_out)
        alarm.stop()
        return cursor

    def _answer(self, session: QuerySession) -> Cursor:
        if self._analysis.staged:
            self._stage(session)
        else:
            session.begin(self._tables(self._analysis.references))
        parameters = list(self._analysis.statement.parameters(lambda name: written(session, self._values[name])))
        statement = self._statement(parameters)
        cursor = session.stream(statement, loosely=self._loosely)
        if self._analysis.staged:
            cursor.columns = headings(self._analysis, cursor.columns, parameters, self._regrouped())
        self._report.step("first row")
        if self._analysis.staged:
            self._report.statement, self._report.unchanged = statement, False
        return cursor

    def _stage(self, session: QuerySession) -> None:
        """Fills the scratch tables."""
        wanted = _copies(self._analysis, self._mariadb)
        prefix = f"platform_store_q{os.urandom(4).hex()}_"
        self._groupings = self._chosen(wanted)
        for place, copy in enumerate(wanted):
            reference, name = copy.reference, f"{prefix}{place}"
            grouping = self._groupings.get(reference.number)
            columns = reference.columns if grouping is None else grouping.columns(name)
            scratch = Scratch(name, reference.association, columns, grouped=grouping is not None)
            self._scratches[reference.number, copy.number] = scratch
        session.create(list(self._scratches.values()))
        self._report.step("scratch tables")
        first = {number: scratch for (number, place), scratch in self._scratches.items() if place == 0}
        if not (self._hopeful and self._looked_up(session, first)):
            with self._moment(session) as sources:
                self._report.step("moment")
                self._fill(sources, first)
        for (number, place), scratch in self._scratches.items():
            if place:
                session.copy(scratch, first[number])
        self._report.step("staging")

    def _fill(self, sources: Sources, scratches: Mapping[int, Scratch]) -> None:
        groups = [  # first: where one of them is none, all is done anew
            stage_groups(sources, grouping, scratches[number], self._spending, self._sizes[number])
            for number, grouping in self._groupings.items()
        ]
        stager = Stager(sources, self._known, self._spending, mariadb=self._mariadb)
        stager.run([one for one in self._analysis.staged if one.number not in self._groupings], scratches)
        ungrouped = f"; not by groups: {self._report.ungrouped}" if self._report.ungrouped else ""
        others = [replace(plan, why=f"{plan.why}{ungrouped}") for plan in stager.plans.values()]
        self._report.sources = (*others, *groups)

    def _chosen(self, wanted: Sequence[Copy]) -> Mapping[int, Grouping]:
        """The references that MongoDB is to group."""
        if self._report.ungrouped:
            return {}
        copied = {copy.reference.number for copy in wanted if copy.number}
        chosen: dict[int, Grouping] = {}
        for number, grouping in _groupings(self._analysis).items():
            if number in copied or self._known[number].in_mysql:
                continue
            condition, _ = document_condition(self._known[number], mariadb=self._mariadb)
            try:
                with self._documents.latest() as documents:
                    size = self._sizes[number] = documents.size(grouping.reference.association)
                    reason = is_worth(documents, grouping, condition, size)
            except Unavailable:
                return {}  # rows that need no document of MongoDB's are answered all the same
            if reason:
                self._report.ungrouped = reason
            else:
                chosen[number] = grouping
        return chosen

    def _regrouped(self) -> list[Edit]:
        """The aggregates over groups of MongoDB's."""
        return [
            edit
            for number, grouping in self._groupings.items()
            for edit in grouping.edits(self._scratches[number, 0].name)
        ]

    def _looked_up(self, session: QuerySession, scratches: Mapping[int, Scratch]) -> bool:
        """Whether all the documents are had by one look-up, for which MongoDB need not fix a moment."""
        known = [self._known[number] for number in scratches]
        if len(known) > 1 or not known[0].in_mysql or document_condition(known[0], mariadb=self._mariadb)[0]:
            return False
        with self._documents.latest() as documents, contextlib.suppress(TooMuch):
            session.begin(self._tables(self._analysis.references))
            self._fill(Sources(session, documents, self._documents, latest=True), scratches)
            return True
        return False

    @contextlib.contextmanager
    def _moment(self, session: QuerySession) -> Iterator[Sources]:
        """Both stores at moments between which no entry left the journal, and no bulk write became visible."""
        tables, staged = self._tables(self._analysis.references), self._tables(self._analysis.staged)
        before = _removed(session, staged)
        for _ in range(_MOMENTS):
            with contextlib.ExitStack() as stack:
                snapshot: DocumentSnapshot | None = None
                unreachable: Unavailable | None = None
                try:
                    snapshot = stack.enter_context(self._documents.snapshot())
                except Unavailable as error:
                    unreachable = error  # rows that need no document of MongoDB's are answered all the same
                session.begin(tables)
                after = _removed(session, staged)
                if after == before or snapshot is None:
                    yield Sources(session, snapshot, self._documents, unreachable)
                    return
                before = after
        raise TransientError(self._rows.name, "the journal is never at rest")

    def _tables(self, references: Sequence[Reference]) -> list[Association]:
        return list({one.association.name: one.association for one in references}.values())

    def _statement(self, parameters: Sequence[Edit]) -> str:
        names = self._analysis.statement.names
        apart = kept_apart(self._analysis, mariadb=self._mariadb)

        def source(copy: Copy) -> str:
            scratch = self._scratches[copy.reference.number, copy.number]
            if scratch.grouped:
                return identifier(scratch.name)
            return derived(copy.reference, scratch, names=names, apart=copy.reference.number in apart)

        edits = [*parameters, *_edits(self._analysis, self._mariadb), *self._regrouped()]
        if not self._analysis.staged:
            return self._analysis.statement.written(edits)
        return rewritten(self._analysis, source, edits, reopens=self._mariadb)


@lru_cache(maxsize=256)
def _edits(analysis: Analysis, mariadb: bool) -> Sequence[Edit]:
    """What is changed in a statement whatever its parameters are."""
    if mariadb:
        return tuple(spellings(analysis))
    return (*spellings(analysis), *groupings(analysis), *table_arguments(analysis), *hints(analysis))


@lru_cache(maxsize=256)
def _groupings(analysis: Analysis) -> Mapping[int, Grouping]:
    return grouped_references(analysis)


@lru_cache(maxsize=256)
def _copies(analysis: Analysis, mariadb: bool) -> Sequence[Copy]:
    return copies(analysis, reopens=mariadb)


def _removed(session: QuerySession, tables: Sequence[Association]) -> tuple[int, list[set[int]]]:
    return session.removals(), [session.done_intents(table) for table in tables]
