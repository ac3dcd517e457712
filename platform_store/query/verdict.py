"""What MySQL says of a statement where its tables hold every column: asked of empty tables that are declared like them.

MySQL judges by names and keys, before it reads a row, whether each value of a grouped row is a definite one
(ONLY_FULL_GROUP_BY). Of a derived table it judges otherwise in two cases: under a WHERE that is never true it forgets
what depends on the key, and refuses; and behind SELECT DISTINCT it lets columns pass that the list lacks.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from sqlglot import exp

from platform_store.query.analysis import Analysis
from platform_store.query.rewrite import Copy, copies, rewritten
from platform_store.query.text import fold, identifier
from platform_store.stores.base import RowStore
from platform_store.stores.scratch import QuerySession, Shadow

_ACCEPTED: Final = 256


@dataclass(frozen=True, slots=True)
class _Values:
    """The values of a statement's placeholders: the same ones are equal."""

    digest: bytes
    values: Mapping[str, object] = field(compare=False, repr=False)


class Verdicts:
    """Asks one server, once for each statement that it accepts: an analysis is of one version of its tables."""

    def __init__(self, rows: RowStore):
        self._rows = rows
        self._asked = lru_cache(maxsize=_ACCEPTED)(self._ask)

    def check(self, analysis: Analysis, values: Mapping[str, object]) -> None:
        """Raises the error that MySQL has for the statement, if it has one."""
        self._asked(analysis, _Values(hashlib.sha256(repr(sorted(values.items())).encode()).digest(), values))

    def _ask(self, analysis: Analysis, given: _Values) -> None:
        session = self._rows.query_session()
        try:
            reopens = self._rows.mariadb
            shadows = _shadows(copies(analysis, reopens=reopens))
            parameters = analysis.statement.parameters(lambda name: written(session, given.values[name]))
            text = rewritten(
                analysis,
                lambda copy: identifier(shadows[copy.reference.number, copy.number].name),
                parameters,
                reopens=reopens,
            )
            session.judge(text, list(shadows.values()))
        finally:
            session.close()


def is_doubtful(analysis: Analysis) -> bool:
    """Whether a SELECT DISTINCT may have an ORDER BY that MySQL refuses for a table, and not for a derived table."""
    return bool(analysis.staged) and any(map(_orders_by_others, analysis.tree.find_all(exp.Select)))


def written(session: QuerySession, value: object) -> str:
    """A parameter as SQL; a list stands in parentheses."""
    if isinstance(value, list | tuple):
        return f"({','.join(written(session, item) for item in value)})"
    if isinstance(value, bytes | bytearray):
        return f"X'{value.hex()}'"  # as PyMySQL writes it in a statement; its text for a value alone has a prefix
    return session.literal(value)


def _orders_by_others(select: exp.Select) -> bool:
    """Whether ORDER BY has an expression that is not in the list of a SELECT DISTINCT, with a column that is not."""
    order = select.args.get("order")
    if order is None or not select.args.get("distinct"):
        return False
    items = [item.unalias() for item in select.expressions]
    listed = {fold(item.output_name) for item in select.expressions} | {
        fold(item.name) for item in items if isinstance(item, exp.Column)
    }
    return any(ordered.this not in items and not _names(ordered.this) <= listed for ordered in order.expressions)


def _names(expression: exp.Expr) -> Set[str]:
    return {fold(column.name) for column in expression.find_all(exp.Column)}


def _shadows(wanted: list[Copy]) -> dict[tuple[int, int], Shadow]:
    prefix = f"platform_store_s{os.urandom(4).hex()}_"
    shadows = {}
    for place, copy in enumerate(wanted):
        association, staged = copy.reference.association, copy.reference.columns
        columns = tuple(one for one in association.columns if one.in_mysql or one in staged)
        shadows[copy.reference.number, copy.number] = Shadow(f"{prefix}{place}", association, columns)
    return shadows
