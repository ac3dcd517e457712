"""Which derived tables the server is to make by themselves, and not to merge into the query.

Of a merged column, MIN and MAX keep the value but not the type where the result goes to a temporary table. On MySQL a
FLOAT becomes a DOUBLE (1.1 is 1.100000023841858 then), BIT and YEAR become integers, BINARY loses its length, and a set
operation makes a DECIMAL of unsigned integers; on both servers ENUM and SET become texts without their number. A
derived table that was not merged has columns like any table. And FIND_IN_SET gives a flag for a SET column, the
position for a merged one.

For a subquery in ON of an outer join MySQL 9.7 makes a semijoin that is wrong where a side of it is a merged derived
table, which is two tables: it repeats rows, or takes those that the subquery rejects. And it takes a negated comparison
of rows for one that rejects NULLs, and the outer join for an inner one, if all of its columns are of one table.

MariaDB besides: where a query has window functions, 10.11 does not count the columns of merged joins, and crashes; WITH
ROLLUP gives wrong rows over them.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from functools import lru_cache
from typing import Final

from sqlglot import exp

from platform_store.association import Association, Column
from platform_store.query.analysis import Analysis
from platform_store.query.text import fold

_CHANGED: Final = frozenset({"ENUM", "SET"})
_CHANGED_BY_MYSQL: Final = _CHANGED | {"BINARY", "BIT", "FLOAT", "YEAR"}


@lru_cache(maxsize=256)
def kept_apart(analysis: Analysis, *, mariadb: bool) -> Set[int]:
    """The numbers of the references of which that is so."""
    if {"over", "rollup"} & analysis.statement.names if mariadb else _misleads_outer_join(analysis.tree):
        return frozenset(one.number for one in analysis.staged)
    compared = {(fold(column.name), inner) for column, inner in _compared(analysis.tree)}
    return frozenset(
        one.number
        for one in analysis.staged
        if any(_changes(column, compared, mariadb) for column in one.association.columns)
        or ("find_in_set" in analysis.statement.names and _has_set(one.association))
    )


def _has_set(association: Association) -> bool:
    return any(column.type.base == "SET" for column in association.columns)


def _misleads_outer_join(tree: exp.Query) -> bool:
    outer = [join for join in tree.find_all(exp.Join) if join.args.get("side")]
    asks = any(on.find(exp.Select) is not None for join in outer if (on := join.args.get("on")) is not None)
    return asks or (bool(outer) and tree.find(exp.Tuple) is not None)


def _compared(tree: exp.Query) -> Iterator[tuple[exp.Column, bool]]:
    """The columns inside MIN and MAX, each with whether more is made of the result."""
    for function in tree.find_all(exp.Min, exp.Max):
        inner = function.find_ancestor(exp.Select) is not tree
        yield from ((column, inner) for column in function.find_all(exp.Column))


def _changes(column: Column, compared: Set[tuple[str, bool]], mariadb: bool) -> bool:
    name = fold(column.name)
    if column.type.base in (_CHANGED if mariadb else _CHANGED_BY_MYSQL):
        return not compared.isdisjoint({(name, False), (name, True)})
    return not mariadb and column.type.unsigned and (name, True) in compared
