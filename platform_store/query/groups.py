"""Which references MongoDB may group: those of which a SELECT needs no rows, only how many of each kind. Pure.

Where a reference is all that a SELECT reads from, and everything there is grouped, most of it cannot tell one row from
many equal ones: WHERE, GROUP BY, MIN, MAX, COUNT(DISTINCT)... The columns that it names are *keys*: MongoDB counts the
documents by their values. What does count rows are a few functions: COUNT, and SUM over a plain column of an exact
type, whose partial sums MongoDB makes (such a column is *measured*, and so is one of which only MIN or MAX is asked).
They are written anew over the partial groups, which MySQL groups again by its own rules, so 'a' and 'A' may still be
one group.

Only what is known to be of one of these kinds is taken for it: a SELECT with anything else in it takes the other way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from sqlglot import exp

from platform_store.association import INTEGER_TYPES, Column
from platform_store.query.analysis import Analysis, Reference
from platform_store.query.headings import items_are_known
from platform_store.query.text import Edit, after_parentheses, fold, identifier
from platform_store.records import ColumnAttribute

Kind: TypeAlias = Literal["rows", "count", "sum", "min", "max"]

_DIGITS: Final = 34
"""Of a Decimal128."""
_MOST_DIGITS: Final = 28
"""Of a DECIMAL that is summed: less than a million of them are surely added up exactly. Of more digits, too few are."""
_KEY_TYPES: Final = INTEGER_TYPES | {"DECIMAL", "CHAR", "VARCHAR", "TINYTEXT", "TEXT", "ENUM", "SET", "DATE", "YEAR"}
"""Of which two values are one to MongoDB only where they are the same. It takes -0.0 for 0.0, and 1 for 1.0 in JSON."""
_CLAUSES: Final = frozenset(
    {"expressions", "from_", "where", "group", "having", "order", "limit", "offset", "distinct"}
)
_INSENSITIVE: Final = frozenset({
    exp.Select, exp.From, exp.Table, exp.TableAlias, exp.Identifier, exp.Column, exp.Alias, exp.Literal,
    exp.Placeholder, exp.Null, exp.Boolean, exp.Paren, exp.Tuple, exp.Distinct, exp.Where, exp.Group, exp.Rollup,
    exp.Having, exp.Order, exp.Ordered, exp.Limit, exp.Offset, exp.And, exp.Or, exp.Not, exp.EQ, exp.NEQ, exp.GT,
    exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.Is, exp.In, exp.Between, exp.Like, exp.Add, exp.Sub, exp.Mul,
    exp.Div, exp.Mod, exp.IntDiv, exp.Neg, exp.Case, exp.If, exp.Coalesce, exp.Nullif, exp.Cast, exp.DataType,
    exp.DataTypeParam, exp.Round, exp.Abs, exp.Floor, exp.Ceil, exp.Lower, exp.Upper, exp.Concat, exp.ConcatWs,
    exp.Substring, exp.Left, exp.Right, exp.Length, exp.Trim, exp.Year, exp.Month, exp.Day, exp.Quarter,
    exp.TimeToStr, exp.TsOrDsToTimestamp, exp.TsOrDsToDate, exp.Date, exp.Greatest, exp.Least, exp.Grouping,
    exp.Count, exp.Sum, exp.Min, exp.Max, exp.Star,
})  # fmt: skip
"""What a SELECT may hold. Of the functions each gives one value for the same arguments, however often it is called."""
_COUNTING: Final = ("count", "sum")
_CALL: Final = re.compile(r"(?:count|sum|min|max)\(", re.IGNORECASE)
"""As MySQL has it: it takes a quoted name, or one with a space after it, for that of a stored function."""


@dataclass(frozen=True, slots=True)
class Aggregate:
    """A function that counts rows, or asks for the ends of a measured column. ``start``, ``end``: in the source."""

    kind: Kind
    column: Column | None  # None: rows
    start: int
    end: int


@dataclass(frozen=True, slots=True, eq=False)
class Grouping:
    """How MongoDB may group one reference. ``aggregates``: what is written anew over the partial groups."""

    reference: Reference
    keys: tuple[Column, ...]
    measured: tuple[Column, ...]
    aggregates: tuple[Aggregate, ...]

    @property
    def wanted(self) -> tuple[tuple[Kind, Column | None], ...]:
        """What a partial group has beside its keys: the number of its rows first."""
        others = {(one.kind, one.column) for one in self.aggregates if one.column is not None}
        return (("rows", None), *sorted(others, key=lambda one: (one[0], one[1].name if one[1] else "")))

    def columns(self, prefix: str) -> tuple[Column, ...]:
        """Those of the table of partial groups."""
        return (*self.keys, *(_column(f"{prefix}_{place}", *one) for place, one in enumerate(self.wanted)))

    def edits(self, prefix: str) -> Iterator[Edit]:
        """What is written in place of the aggregates."""
        names = {one: identifier(f"{prefix}_{place}") for place, one in enumerate(self.wanted)}
        for one in self.aggregates:
            yield Edit(one.start, one.end, _OVER_PARTS[one.kind].format(names[one.kind, one.column]))


_OVER_PARTS: Final[dict[Kind, str]] = {
    "rows": "CAST(COALESCE(SUM({}), 0) AS SIGNED)",
    "count": "CAST(COALESCE(SUM({}), 0) AS SIGNED)",
    "sum": "SUM({})",
    "min": "MIN({})",
    "max": "MAX({})",
}


def _column(name: str, kind: Kind, of: Column | None) -> Column:
    """A partial sum is as wide as any can be that MongoDB adds exactly, so that SUM has the scale that it should."""
    if of is None or kind == "count":
        text = "BIGINT"
    elif kind == "sum":
        text = "BIGINT" if of.type.base in INTEGER_TYPES else f"DECIMAL({_DIGITS},{of.type.scale})"
    else:
        text = of.attribute.type
    return Column(ColumnAttribute(name, text), "mongodb", name)


def grouped_references(analysis: Analysis) -> dict[int, Grouping]:
    """By the reference's number, of the references that MongoDB may group."""
    found = {one.number: grouping for one in analysis.staged if (grouping := _Reader(analysis, one).grouping())}
    if not found or _names_an_item(analysis):
        return {}
    return found if _all_found(analysis) and items_are_known(analysis) else {}


def _names_an_item(analysis: Analysis) -> bool:
    """Whether a name may be the text of an item, as in HAVING `COUNT(*)` > 1: written anew, it has another."""
    return any(word.quoted and "(" in word.name and word.after != "as" for word in analysis.statement.words)


def _all_found(analysis: Analysis) -> bool:
    """Whether each word that may be one of the functions that count rows is one to the parser, and the reverse."""
    nodes = {node.meta.get("start") for node in analysis.tree.find_all(exp.Count, exp.Sum)}
    return nodes == {one.start for one in analysis.statement.words if one.name in _COUNTING and one.before_parenthesis}


class _Reader:
    """Looks at the SELECT of one reference."""

    def __init__(self, analysis: Analysis, reference: Reference):
        self._analysis, self._reference, self._select = analysis, reference, reference.select
        self._columns = {fold(column.name): column for column in reference.association.columns}
        self._aliases = {fold(item.alias) for item in self._select.expressions if isinstance(item, exp.Alias)}

    def grouping(self) -> Grouping | None:
        """None where MongoDB may not."""
        if not self._is_of_a_kind():
            return None
        counted: list[tuple[exp.AggFunc, Kind, Column | None]] = []
        keys: dict[str, Column] = {}
        for node in self._select.find_all(exp.Count, exp.Sum, exp.Min, exp.Max):
            if (found := self._counted(node)) is not None:
                counted.append((node, *found))
            elif isinstance(node, exp.Sum) or not self._is_insensitive(node):
                return None
        grouped = bool(self._select.args.get("group") or self._select.args.get("distinct"))
        if not grouped and not any(True for _ in self._select.find_all(exp.AggFunc)):
            return None
        inside = {id(column) for node, _, _ in counted for column in node.find_all(exp.Column)}
        for column in self._outside(inside):
            known = self._columns.get(fold(column.name))
            if known is None or (column.table and fold(column.table) != fold(self._reference.alias)):
                continue
            if known.in_mysql:
                return None
            keys[known.name] = known
        for name in self._analysis.loose_names & self._columns.keys():
            known = self._columns[name]
            keys |= {} if known.in_mysql else {known.name: known}
        return self._made(counted, keys)

    def _made(
        self, counted: Sequence[tuple[exp.AggFunc, Kind, Column | None]], keys: dict[str, Column]
    ) -> Grouping | None:
        for _, _, column in counted:
            if column is not None and not is_exact(column):
                keys[column.name] = column
        if any(column.type.base not in _KEY_TYPES or not _is_whole(column) for column in keys.values()):
            return None
        aggregates = []
        for node, kind, column in counted:
            if column is not None and kind in ("min", "max") and column.name in keys:
                continue
            if kind == "sum" and column is not None and not is_exact(column):
                return None
            start = self._analysis.statement.place(node.meta["start"])
            if not _CALL.match(self._analysis.statement.source, start):
                return None
            end = after_parentheses(self._analysis.statement.text, node.meta["end"] + 1)
            aggregates.append(Aggregate(kind, column, start, self._analysis.statement.place(end - 1) + 1))
        measured = {one.column.name for one in aggregates if one.column and one.column.name not in keys}
        if self._is_named_by_text(aggregates):
            return None
        ordered = self._reference.association.columns
        return Grouping(
            self._reference,
            tuple(column for column in ordered if column.name in keys),
            tuple(column for column in ordered if column.name in measured),
            tuple(aggregates),
        )

    def _is_of_a_kind(self) -> bool:
        """Whether the SELECT reads from the reference alone, and all that it holds is known."""
        select, reference = self._select, self._reference
        if reference.every or {name for name, value in select.args.items() if value} - _CLAUSES:
            return False
        source = select.args.get("from_")
        if source is None or source.this is not reference.table or reference.table.args.get("joins"):
            return False
        around = select.parent
        while isinstance(around, exp.Subquery | exp.SetOperation):
            if isinstance(around, exp.Subquery) and any(around.args.get(name) for name in ("order", "limit", "offset")):
                return False
            around = around.parent
        return all(
            type(node) in _INSENSITIVE
            and (node is select or not isinstance(node, exp.Select))
            and (not isinstance(node, exp.Star) or isinstance(node.parent, exp.Count))
            and (not isinstance(node, exp.Group | exp.Distinct) or _is_plain(node))
            for node in select.walk()
        )

    def _counted(self, node: exp.AggFunc) -> tuple[Kind, Column | None] | None:
        """What a function counts, where it is of a kind that is written anew."""
        argument = node.this
        never_null = isinstance(argument, exp.Star) or (isinstance(argument, exp.Literal) and not argument.is_string)
        if isinstance(node, exp.Count) and never_null and not node.expressions:
            return "rows", None
        column = self._plain_column(node, argument)
        if column is None or node.expressions:
            return None
        kinds: dict[type[exp.AggFunc], Kind] = {exp.Count: "count", exp.Sum: "sum", exp.Min: "min", exp.Max: "max"}
        return kinds[type(node)], column

    def _plain_column(self, node: exp.AggFunc, argument: exp.Expr | None) -> Column | None:
        """The document column that an argument certainly is: an alias of that name could be meant outside the list."""
        if not isinstance(argument, exp.Column) or not self._is_ours(argument):
            return None
        column = self._columns[fold(argument.name)]
        shadowed = fold(argument.name) in self._aliases and node.find_ancestor(exp.Having, exp.Order) is not None
        return None if column.in_mysql or (shadowed and not argument.table) else column

    def _is_insensitive(self, node: exp.AggFunc) -> bool:
        """MIN, MAX and COUNT(DISTINCT) over columns of the reference; of another query's they would be that one's."""
        distinct = isinstance(node, exp.Min | exp.Max) or isinstance(node.this, exp.Distinct)
        columns = list(node.find_all(exp.Column))
        nested = sum(1 for _ in node.find_all(exp.AggFunc)) > 1
        return distinct and not nested and bool(columns) and all(map(self._is_ours, columns))

    def _is_ours(self, column: exp.Column) -> bool:
        if column.args.get("db") or not isinstance(column.this, exp.Identifier):
            return False
        if column.table and fold(column.table) != fold(self._reference.alias):
            return False
        return fold(column.name) in self._columns

    def _outside(self, inside: set[int]) -> Iterator[exp.Column]:
        """The names of columns in the SELECT that are not counted, and in ORDER BY of set operations around it."""
        yield from (one for one in self._select.find_all(exp.Column) if id(one) not in inside)
        around = self._select.parent
        while isinstance(around, exp.Subquery | exp.SetOperation):
            if (order := around.args.get("order")) is not None:
                yield from order.find_all(exp.Column)
            around = around.parent

    def _is_named_by_text(self, aggregates: Iterable[Aggregate]) -> bool:
        """Whether the text of an item that is written anew names a column of a derived table."""
        around = self._select.parent
        while isinstance(around, exp.SetOperation) or (
            isinstance(around, exp.Subquery) and isinstance(around.parent, exp.Subquery | exp.SetOperation)
        ):
            around = around.parent
        if not isinstance(around, exp.CTE | exp.Subquery) or (
            isinstance(around, exp.Subquery) and not isinstance(around.parent, exp.From | exp.Join | exp.Table)
        ):
            return False
        starts = {one.start for one in aggregates}
        place = self._analysis.statement.place
        return any(
            not isinstance(item, exp.Alias)
            and any(place(node.meta["start"]) in starts for node in item.find_all(exp.AggFunc))
            for item in self._select.expressions
        )


def _is_plain(node: exp.Expr) -> bool:
    """Whether a GROUP BY or DISTINCT has nothing but what is grouped, and WITH ROLLUP."""
    return not {name for name, value in node.args.items() if value} - {"expressions", "rollup"}


def is_exact(column: Column) -> bool:
    """Whether MongoDB can add up values of the column exactly, unless there are too many."""
    if column.type.base == "DECIMAL":
        return (column.type.precision or 0) <= _MOST_DIGITS
    return column.type.base in INTEGER_TYPES


def _is_whole(column: Column) -> bool:
    """Whether a value is one value of BSON: DECIMAL of more digits is a document of two."""
    return column.type.base != "DECIMAL" or (column.type.precision or 0) <= _DIGITS
