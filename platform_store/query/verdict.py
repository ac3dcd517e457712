"""What MySQL says of a statement where its tables hold every column: asked of empty tables that are declared like them.

MySQL judges by names and keys, before it reads a row, whether each value of a grouped row is a definite one
(ONLY_FULL_GROUP_BY). Of a merged derived table 9.7 judges otherwise. Under a WHERE that is never true it forgets what
depends on the key, and refuses. And it overlooks columns: of a subquery in HAVING, of one that GROUP BY means by its
position, and behind SELECT DISTINCT.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Mapping, Set
from typing import Final, TypeAlias

from sqlglot import exp

from platform_store.association import Column
from platform_store.errors import PlatformStoreError
from platform_store.query.analysis import Analysis, Reference
from platform_store.query.limits import Alarm, Spending
from platform_store.query.rewrite import Copy, copies, rewritten
from platform_store.query.text import fold, identifier
from platform_store.stores.base import RowStore
from platform_store.stores.scratch import QuerySession, Shadow

_ACCEPTED: Final = 256

_Question: TypeAlias = tuple[Analysis, tuple[tuple[str, object], ...]]


class Verdicts:
    """Asks one server, and remembers which of the latest statements it accepted, by no value of theirs."""

    def __init__(self, rows: RowStore):
        self._rows = rows
        self._accepted: dict[_Question, None] = {}  # the latest come last
        self._changing = threading.Lock()

    def check(self, analysis: Analysis, values: Mapping[str, object], spending: Spending) -> None:
        """Raises the error that MySQL has for the statement, if it has one; StaleAssociation; LimitExceeded.

        Where MySQL accepts it, that holds for all values of the same types. An analysis is of one version of its
        tables.
        """
        question = analysis, tuple((name, _shape(value)) for name, value in values.items())
        if question in self._accepted:
            return
        self._ask(analysis, values, spending)
        with self._changing:
            self._accepted[question] = None
            while len(self._accepted) > _ACCEPTED:
                del self._accepted[next(iter(self._accepted))]

    def _ask(self, analysis: Analysis, values: Mapping[str, object], spending: Spending) -> None:
        reopens = self._rows.mariadb
        with contextlib.closing(self._rows.query_session()) as session:
            alarm = Alarm(spending.seconds_left, session.cancel)
            try:
                shadows = _shadows(analysis, copies(analysis, reopens=reopens))
                parameters = analysis.statement.parameters(lambda name: written(session, values[name]))
                text = rewritten(
                    analysis,
                    lambda copy: identifier(shadows[copy.reference.number, copy.number].name),
                    parameters,
                    reopens=reopens,
                )
                session.judge(text, list(shadows.values()))
            except PlatformStoreError:
                if alarm.rung:
                    raise spending.timed_out() from None
                raise
            finally:
                alarm.stop()


def is_doubtful(analysis: Analysis) -> bool:
    """Whether MySQL may overlook a column of a derived table that it would refuse of a table."""
    return bool(analysis.staged) and any(map(_is_doubtful, analysis.tree.find_all(exp.Select)))


def written(session: QuerySession, value: object) -> str:
    """A parameter as SQL; a list stands in parentheses."""
    if isinstance(value, list | tuple):
        return f"({','.join(written(session, item) for item in value)})"
    if isinstance(value, bytes | bytearray):
        return f"X'{value.hex()}'"  # as PyMySQL writes it in a statement; its text for a value alone has a prefix
    return session.literal(value)


def _shape(value: object) -> object:
    return (len(value), frozenset(map(type, value))) if isinstance(value, list | tuple) else type(value)


def _is_doubtful(select: exp.Select) -> bool:
    having, group = select.args.get("having"), select.args.get("group")
    if having is not None and having.find(exp.Select) is not None:
        return True
    if group is not None and any(isinstance(item, exp.Literal) for item in group.expressions):
        return any(item.find(exp.Select) is not None for item in select.expressions)
    return bool(select.args.get("distinct")) and _orders_by_others(select)


def _orders_by_others(select: exp.Select) -> bool:
    """Whether ORDER BY has an expression that is not in the list, with an aggregate or a column that is not."""
    order = select.args.get("order")
    items = [item.unalias() for item in select.expressions]
    listed = {fold(item.output_name) for item in (*select.expressions, *items)}
    return any(
        one.this not in items and (one.find(exp.AggFunc) is not None or not _names(one) <= listed)
        for one in ([] if order is None else order.expressions)
    )


def _names(expression: exp.Expr) -> Set[str]:
    return {fold(column.name) for column in expression.find_all(exp.Column)}


def _shadows(analysis: Analysis, wanted: list[Copy]) -> dict[tuple[int, int], Shadow]:
    prefix = f"platform_store_s{os.urandom(4).hex()}_"
    return {
        (copy.reference.number, copy.number): Shadow(
            f"{prefix}{place}", copy.reference.association, _columns(analysis, copy.reference)
        )
        for place, copy in enumerate(wanted)
    }


def _columns(analysis: Analysis, reference: Reference) -> tuple[Column, ...]:
    """The key, and what the statement names anywhere: all columns together may be more than a table has room for."""
    names = analysis.statement.names
    return tuple(
        column
        for column in reference.association.columns
        if column in reference.columns
        or column.key
        or (column.in_mysql and (reference.every or fold(column.name) in names))
    )
