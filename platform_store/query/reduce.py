"""The SQL of a query's own statements: which rows of a reference matter, and the derived table that stands for it.

A reducer is ``FROM table AS tN WHERE ...`` over MySQL's columns: the conjuncts over the reference itself, and for each
reference that it is joined to, ``EXISTS`` over that one's remaining rows, in turn reduced in the same way. Where those
rows are known more narrowly, because documents decided about them, their scratch table takes part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from platform_store.association import Association
from platform_store.names import REVISION
from platform_store.query.analysis import Reference
from platform_store.query.predicate_types import Predicate, Ref
from platform_store.query.predicates import sql
from platform_store.query.restrict import Restriction
from platform_store.query.text import fold, identifier
from platform_store.stores.scratch import Scratch

_ALL_ROWS: Final = " LIMIT 18446744073709551615"
_DEEPEST: Final = 3
"""How many references away a condition still counts."""


@dataclass(frozen=True, slots=True)
class Reducer:
    """``source``: from FROM on. ``by``: the other references that take part."""

    source: str
    alias: str
    restricted: bool
    by: tuple[int, ...]


class Reducers:
    """Makes reducers from what is known so far. ``narrow``: scratch tables that hold only the rows that matter."""

    def __init__(
        self, restrictions: Mapping[int, Restriction], literal: Callable[[object], str], narrow: Mapping[int, Scratch]
    ):
        self._restrictions, self._literal, self._narrow = restrictions, literal, narrow

    def reducer(self, reference: Reference) -> Reducer:
        used = {reference.number}
        conditions = self._conditions(reference.number, used, 0)
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        restricted = bool(conditions)
        limit = self._restrictions[reference.number].limit
        if limit is not None and limit.order:
            order = (f"{self._name(ref)}{' DESC' if descending else ''}" for ref, descending in limit.order)
            where += f" ORDER BY {', '.join(order)}"
        source = f"FROM {_table(reference)}{where}"
        return Reducer(
            source, _alias(reference.number), restricted or limit is not None, tuple(used - {reference.number})
        )

    def shown(self, reference: Reference) -> str:
        """The conditions on the reference's own MySQL columns, for people."""
        own = [one for one in self._restrictions[reference.number].own if _in_mysql(one)]
        return " AND ".join(sql(one, lambda ref: f"{reference.alias}.{ref.column.name}", self._literal) for one in own)

    def _conditions(self, number: int, used: set[int], depth: int) -> list[str]:
        restriction = self._restrictions[number]
        conditions = [sql(one, self._name, self._literal) for one in restriction.own if _in_mysql(one)]
        if depth == _DEEPEST:
            return conditions
        for other in dict.fromkeys(other for other, _ in restriction.edges):
            edges = [one for its, one in restriction.edges if its == other and self._usable(one, number)]
            if other in used or not edges:
                continue
            used.add(other)
            inner = self._conditions(other, used, depth + 1)
            if not inner and other not in self._narrow:
                used.discard(other)
                continue
            joined = [*(sql(one, self._name, self._literal) for one in edges), *inner]
            conditions.append(f"EXISTS (SELECT 1 FROM {self._narrowed(other)} WHERE {' AND '.join(joined)})")
        return conditions

    def _usable(self, edge: Predicate, number: int) -> bool:
        """Whether all columns of an edge are at hand; of the reference itself only MySQL's are."""
        return all(ref.column.in_mysql or (ref.source != number and self._in_scratch(ref)) for ref in edge.refs)

    def _in_scratch(self, ref: Ref) -> bool:
        scratch = self._narrow.get(ref.source)
        return scratch is not None and ref.column in scratch.columns

    def _narrowed(self, number: int) -> str:
        table = _table(self._restrictions[number].reference)
        scratch = self._narrow.get(number)
        if scratch is None:
            return table
        return (
            f"{table} JOIN {identifier(scratch.name)} AS s{number} ON {matching(scratch, f's{number}', _alias(number))}"
        )

    def _name(self, ref: Ref) -> str:
        alias = _alias(ref.source) if ref.column.in_mysql else f"s{ref.source}"
        return f"{alias}.{identifier(ref.column.name)}"


def derived(reference: Reference, scratch: Scratch, *, names: frozenset[str], apart: bool) -> str:
    """What stands for a reference: the table's columns that the statement may mean, whichever store they are in.

    An inner join: every row that matters is in the scratch table, with NULLs where it has no document. (Both servers
    make an outer join an inner one where they believe that WHERE rejects NULLs, and of ``NOT ((a, b) IN (...))`` they
    believe it wrongly.)

    Args:
        names: the folded words of the statement.
        apart: the server is not to merge it into the query.
    """
    # Under names that no statement holds: of a derived table that it has merged, MySQL finds them in ORDER BY.
    row, document = f"{scratch.name}_row", f"{scratch.name}_document"
    columns = [
        f"{row if column.in_mysql else document}.{identifier(column.name)}"
        for column in reference.association.columns
        if reference.every or column in scratch.columns or (column.in_mysql and fold(column.name) in names)
    ] or [f"{row}.{identifier(reference.association.key_names[0])}"]
    return (
        f"(SELECT {', '.join(columns)} FROM {identifier(reference.association.name)} AS {row} "
        f"JOIN {identifier(scratch.name)} AS {document} "
        f"ON {matching(scratch, document, row)}{_ALL_ROWS if apart else ''})"
    )


def matching(scratch: Scratch, its: str, table: str) -> str:
    """That a row of the scratch table belongs to this very version of a row."""
    keys = [f"{its}.{identifier(name)} = {table}.{identifier(name)}" for name in scratch.association.key_names]
    return " AND ".join([*keys, f"{its}.{identifier(REVISION)} = {revision(scratch.association, table)}"])


def revision(association: Association, table: str) -> str:
    """A row's revision to its readers: 0 where the documents of that time were discarded."""
    column = f"{table}.{identifier(REVISION)}"
    if not association.discarded_at:
        return column
    return f"IF({column} <= {association.discarded_at:d}, 0, {column})"


def mismatches(scratch: Scratch) -> str:
    """A statement that finds a staged row that is of another version than its row in MySQL."""
    association = scratch.association
    row, found = revision(association, "t"), f"s.{identifier(REVISION)}"
    return (
        f"SELECT {_keys(association, 't')} FROM {identifier(scratch.name)} AS s "
        f"JOIN {identifier(association.name)} AS t ON {_same_key(association)} "
        f"WHERE {row} <> {found} AND {row} <> 0 LIMIT 1"
    )


def missing(scratch: Scratch, limit: int) -> str:
    """A statement that finds rows of MySQL whose version is not staged.

    Their keys, their revision, and whether a document of another revision is staged for them.
    """
    association = scratch.association
    row, found = revision(association, "t"), f"s.{identifier(REVISION)}"
    return (
        f"SELECT {_keys(association, 't')}, {row}, {found} IS NOT NULL FROM {identifier(association.name)} AS t "
        f"LEFT JOIN {identifier(scratch.name)} AS s ON {_same_key(association)} WHERE NOT ({found} <=> {row}) "
        f"LIMIT {limit:d}"
    )


def totals(association: Association, factors: Iterable[str | None], prime: int) -> str:
    """A statement for the lowest revision of all rows, their number, the sum of their revisions, and fingerprints.

    Of each factor, a column or None for the revision itself: the sum of its products with the revision, all modulo
    ``prime``.
    """
    revision = f"CAST({identifier(REVISION)} AS SIGNED)"
    names = [revision if name is None else identifier(name) for name in factors]
    sums = [f"SUM({revision} % {prime:d} * ({name} % {prime:d}))" for name in names]
    return f"SELECT MIN({revision}), COUNT(*), SUM({revision}), {', '.join(sums)} FROM {identifier(association.name)}"


def removal(scratch: Scratch, keys: Iterable[Sequence[object]], literal: Callable[[object], str]) -> str:
    """A statement that takes rows out of a scratch table."""
    columns = ", ".join(identifier(name) for name in scratch.association.key_names)
    rows = ", ".join(f"({', '.join(map(literal, key))})" for key in keys)
    return f"DELETE FROM {identifier(scratch.name)} WHERE ({columns}) IN ({rows})"


def _keys(association: Association, alias: str) -> str:
    return ", ".join(f"{alias}.{identifier(name)}" for name in association.key_names)


def _same_key(association: Association) -> str:
    return " AND ".join(f"s.{identifier(name)} = t.{identifier(name)}" for name in association.key_names)


def _table(reference: Reference) -> str:
    return f"{identifier(reference.association.name)} AS {_alias(reference.number)}"


def _alias(number: int) -> str:
    return f"t{number}"


def _in_mysql(predicate: Predicate) -> bool:
    return all(ref.column.in_mysql for ref in predicate.refs)
