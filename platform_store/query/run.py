"""Running a query: by MySQL alone where it holds every column that is needed, else over scratch tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from itertools import count
from time import monotonic
from typing import Final

from sqlglot import exp

from platform_store.association import Association
from platform_store.attempts import retried
from platform_store.catalog import Catalog, not_live
from platform_store.config import QueryConfig
from platform_store.errors import SchemaError, TransientError
from platform_store.placeholders import bind
from platform_store.query.analysis import Analysis, analyse, parse, table_names
from platform_store.query.answer import Answering, Report
from platform_store.query.limits import Spending, within
from platform_store.query.names import QueryNames, names_of
from platform_store.query.partial import Ungrouped
from platform_store.query.plan import QueryPlan
from platform_store.query.predicates import StatementConstants
from platform_store.query.restrict import restrictions
from platform_store.query.result import QueryResult
from platform_store.query.stage import Moved
from platform_store.query.text import Statement, fold
from platform_store.query.verdict import Verdicts, is_doubtful
from platform_store.stores.base import Cursor, NotGrouped, Parameters, RowStore, StaleAssociation
from platform_store.stores.documents import DocumentStore

_ATTEMPTS: Final = 5
_PARSED: Final = 256


class Querier:
    """``query`` and ``explain`` over one pair of stores."""

    def __init__(self, rows: RowStore, documents: DocumentStore, catalog: Catalog, limits: QueryConfig):
        self._rows, self._documents, self._catalog, self._limits = rows, documents, catalog, limits
        self._parsed = lru_cache(maxsize=_PARSED)(_parsed)
        self._analysed = lru_cache(maxsize=_PARSED)(self._analysis)
        self._doubtful = lru_cache(maxsize=_PARSED)(is_doubtful)
        self._verdicts = Verdicts(rows)

    def query(self, sql: str, parameters: Parameters | None = None, seconds: float | None = None) -> QueryResult:
        """Runs one SELECT; see :meth:`Platform.query`."""
        cursor, report = self._run(sql, parameters, seconds)
        return QueryResult(cursor, report.plan, report.tables)

    def explain(self, sql: str, parameters: Parameters | None = None) -> QueryPlan:
        """Runs one SELECT and says how; see :meth:`Platform.explain`."""
        with self.query(sql, parameters) as result:
            for _ in result:
                pass
            return result.plan

    def names(self, sql: str, parameters: Parameters | None = None) -> QueryNames:
        """What a SELECT names; see :meth:`Platform.query_names`."""
        source, _ = bind(sql, parameters)
        (statement, tree), names = self._parsed(source)
        associations, database = self._associations(names), fold(self._rows.database)

        def association_of(table: exp.Table) -> Association | None:
            elsewhere = table.catalog or (table.db and fold(table.db) != database)
            return None if elsewhere else associations.get(table.name)

        return names_of(statement, tree, association_of)

    def _run(self, sql: str, parameters: Parameters | None, seconds: float | None) -> tuple[Cursor, Report]:
        report = Report(sql)
        limits = self._limits if seconds is None else replace(self._limits, timeout=seconds)
        source, values = bind(sql, parameters)
        (_, names) = self._parsed(source)
        for _ in range(_ATTEMPTS):
            associations = self._associations(names)
            report.tables = tuple(associations)
            if not self._rows.stages:
                cursor: Cursor = self._rows.query(sql, _plain(parameters), associations)
                return (cursor if seconds is None else within(seconds, cursor)), report
            analysis = self._analysed(source, tuple(associations.items()))
            report.step("analysis")
            report.in_mysql = tuple(one.alias for one in analysis.references if not one.staged)
            try:
                return self._answer(analysis, values, report, limits, whole=seconds is not None), report
            except StaleAssociation as stale:
                if not sum(self._reloaded(one) for one in analysis.associations.values()):
                    raise SchemaError(f"a table or column of the query is not there: {stale}") from None
                retried()
        raise TransientError(self._rows.name, "the tables of the query keep changing")

    def _answer(
        self, analysis: Analysis, values: Mapping[str, object], report: Report, limits: QueryConfig, *, whole: bool
    ) -> Cursor:
        for reference in analysis.staged:
            if reference.association.state != "live":
                raise not_live(reference.association)
        known = (
            restrictions(analysis, StatementConstants(analysis.statement.markers, values)) if analysis.staged else {}
        )
        report.step("restrictions")
        began, asks = monotonic(), not self._rows.mariadb and self._doubtful(analysis)
        for attempt in count(1):
            try:
                if asks:
                    self._verdicts.check(analysis, values, Spending(limits, began))
                answering = Answering(
                    self._rows, self._documents, analysis, known, values, limits, report,
                    began=began, hopeful=attempt == 1, loosely=asks,
                )  # fmt: skip
                return answering.run(whole=whole)
            except Ungrouped as ungrouped:
                report.ungrouped = str(ungrouped)
                continue
            except NotGrouped:
                if asks or not analysis.staged:
                    raise
                asks = True
                continue
            except Moved as moved:
                if attempt >= _ATTEMPTS:
                    raise moved.diverged() from None
            except TransientError:  # a table was altered, or a collection made anew, since the moment of the snapshot
                if attempt >= _ATTEMPTS:
                    raise
            retried()
        raise AssertionError("count() does not end")

    def _associations(self, names: frozenset[str]) -> dict[str, Association]:
        """As they were last known: where a table is of another epoch by now, the snapshot says so."""
        found = {name: self._find(name) for name in sorted(names)}
        return {name: association for name, association in found.items() if association is not None}

    def _find(self, name: str) -> Association | None:
        """None for a table in no association, whose name may be one that none can have."""
        try:
            return self._catalog.find(name.lower() if self._rows.folds_names else name)
        except SchemaError:
            return None

    def _analysis(self, source: str, associations: tuple[tuple[str, Association], ...]) -> Analysis:
        (statement, tree), _ = self._parsed(source)
        database = fold(self._rows.database)
        return analyse(statement, tree, dict(associations), lambda name: fold(name) == database)

    def _reloaded(self, association: Association) -> bool:
        fresh = self._catalog.reload(association.name)
        return fresh is None or (fresh.table_id, fresh.epoch) != (association.table_id, association.epoch)


def _parsed(source: str) -> tuple[tuple[Statement, exp.Query], frozenset[str]]:
    statement = Statement.read(source)
    tree = parse(statement)
    return (statement, tree), frozenset(table_names(tree))


def _plain(parameters: Parameters | None) -> Parameters | None:
    """As a tuple or a dict: PyMySQL takes any other sequence or mapping for a single value."""
    if parameters is None:
        return None
    return dict(parameters) if isinstance(parameters, Mapping) else tuple(parameters)
