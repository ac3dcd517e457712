"""What a SELECT needs of the logical tables that it names: which document columns, of which table reference.

MySQL's table lacks the document columns, and a name that is not there may quietly mean something else: an alias of the
SELECT list, or a column of an enclosing query. So nothing here decides what a name means. A reference gets every
document column whose name could mean it, and MySQL resolves the names: over the columns that a statement mentions, the
reference is then the whole table. In doubt a column is fetched; what is fetched in vain costs time only.

What the parser has found must be all there is: a statement in which the name of a table stands where the parser has
found none is refused; one in which that of a column does gets the column for every reference.

Out of sight: MySQL's *views* and stored functions over a logical table are in no association. They are made of
MySQL's columns, and a query over them answers with those.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

from platform_store.association import Association, Column
from platform_store.errors import NotSupported
from platform_store.names import REVISION
from platform_store.query.text import Statement, fold

_REFUSED: Final[dict[type[exp.Expr], str]] = {
    exp.Into: "INTO",
    exp.Lock: "a locking clause (FOR UPDATE, FOR SHARE)",
    exp.PropertyEQ: "an assignment to a user variable (:=)",
    exp.Command: "a command",
}
_REFUSED_WITH_DOCUMENTS: Final = {
    "default": "DEFAULT",
    "found_rows": "FOUND_ROWS",
    "row_count": "ROW_COUNT",
}
"""Functions that would see how a document column came into the statement."""


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """One place of a statement where a logical table is named as a source of rows.

    ``columns``: the document columns that may be meant; where there are none, MySQL's table is enough. ``every``: the
    statement may mean all columns, in their order.
    """

    number: int
    association: Association
    table: exp.Table
    select: exp.Select
    start: int  # of the table's name in the source
    end: int
    columns: tuple[Column, ...]
    every: bool

    @property
    def alias(self) -> str:
        return self.table.alias_or_name

    @property
    def staged(self) -> bool:
        return bool(self.columns)

    def has(self, name: str) -> bool:
        """Whether the logical table has a column of that name."""
        return any(fold(column.name) == fold(name) for column in self.association.columns)


@dataclass(frozen=True, eq=False)
class Analysis:
    """One statement, taken apart. ``references``: all references to logical tables, in the order of the text."""

    statement: Statement
    tree: exp.Query
    references: tuple[Reference, ...]
    associations: Mapping[str, Association] = field(repr=False)
    loose_names: frozenset[str] = frozenset()
    """Words, folded, that may be columns, and that the parser has not found to be any."""

    @cached_property
    def staged(self) -> tuple[Reference, ...]:
        return tuple(reference for reference in self.references if reference.staged)

    @cached_property
    def by_table(self) -> Mapping[int, Reference]:
        """References by ``id()`` of the node that names the table."""
        return {id(reference.table): reference for reference in self.references}


def parse(statement: Statement) -> exp.Query:
    """The tree of exactly one SELECT. Raises NotSupported."""
    try:
        trees = [tree for tree in sqlglot.parse(statement.text, read="mysql") if tree is not None]
        if len(trees) != 1:
            raise NotSupported(f"{len(trees)} statements in one call")
        (tree,) = trees
        if not isinstance(tree, exp.Select | exp.SetOperation | exp.Subquery):
            raise NotSupported(tree.key.upper(), "is not a SELECT")
        for node in tree.walk():
            for refused, name in _REFUSED.items():
                if isinstance(node, refused):
                    raise NotSupported(name)
    except (ParseError, TokenError) as error:
        raise NotSupported("the statement", f"cannot be parsed{_position(error)}") from None
    except RecursionError:
        raise NotSupported("a statement nested so deeply") from None
    return tree


def table_names(tree: exp.Query) -> set[str]:
    """Every name that may be a logical table's, as it is written."""
    return {table.name for table in named_tables(tree)}


def analyse(
    statement: Statement, tree: exp.Query, associations: Mapping[str, Association], is_ours: Callable[[str], bool]
) -> Analysis:
    """Which document columns each reference needs.

    Args:
        associations: by table name, for those of :func:`table_names` that have one.
        is_ours: whether a database's name is that of the associations.

    Raises:
        NotSupported: naming the construct.
    """
    return _Analyser(statement, tree, associations, is_ours).analysis()


def _position(error: ParseError | TokenError) -> str:
    """Where the parser stopped; its own text quotes the statement."""
    if isinstance(error, ParseError) and error.errors:
        return f" near line {error.errors[0].get('line')}, column {error.errors[0].get('col')}"
    return ""


class _Analyser:
    def __init__(
        self,
        statement: Statement,
        tree: exp.Query,
        associations: Mapping[str, Association],
        is_ours: Callable[[str], bool],
    ):
        self._statement, self._tree, self._associations, self._is_ours = statement, tree, associations, is_ours
        written = {word.start: word.name for word in statement.words if word.may_be_name}
        identifiers = list(tree.find_all(exp.Identifier))
        self._may_be_columns = set(_left(written, (one for one in identifiers if _is_accounted_for(one))))
        self._may_be_tables = set(_left(written, (one for one in identifiers if _is_accounted_for(one, alias=True))))

    def analysis(self) -> Analysis:
        tables = [(table, association) for table in named_tables(self._tree) if (association := self._logical(table))]
        references = [self._reference(number, *named) for number, named in enumerate(tables)]
        ordered = tuple(sorted(references, key=lambda reference: reference.start))
        analysis = Analysis(self._statement, self._tree, ordered, self._associations, frozenset(self._may_be_columns))
        self._check(analysis)
        return analysis

    def _logical(self, table: exp.Table) -> Association | None:
        """The association of a table that stands in FROM; None for one that is in no association, or not here."""
        if table.catalog or (table.db and not self._is_ours(table.db)):
            return None
        found = self._associations.get(table.name)
        if found and any(fold(one.alias) == fold(table.name) for one in common_tables_seen(table)):
            raise NotSupported(
                f"the table {table.name!r} beside a common table expression of that name", "is not supported: rename it"
            )
        return found

    def _reference(self, number: int, table: exp.Table, association: Association) -> Reference:
        select = table.find_ancestor(exp.Select)
        identifier = table.args.get("db") or table.this
        if select is None or "start" not in identifier.meta or "end" not in table.this.meta:
            raise NotSupported(f"the table {association.name!r} where it stands")
        start = self._statement.place(identifier.meta["start"])
        end = self._statement.place(table.this.meta["end"]) + 1
        every = self._means_every_column(select, fold(table.alias_or_name))
        names = self._names_meaning(select, fold(table.alias_or_name))
        columns = tuple(column for column in association.document_only if every or fold(column.name) in names)
        return Reference(number, association, table, select, start, end, columns, every)

    def _names_meaning(self, select: exp.Select, alias: str) -> set[str]:
        """Folded names that may mean a column of a table which ``select`` calls ``alias``."""
        names = {fold(name.name) for join in self._tree.find_all(exp.Join) for name in join.args.get("using") or ()}
        names |= self._may_be_columns
        for column in self._columns_seen_from(select):
            if not column.table or fold(column.table) == alias:
                names.add(fold(column.name))
        return names

    def _columns_seen_from(self, select: exp.Select) -> Iterator[exp.Column]:
        """The column names inside a SELECT, and those around the set operation that it is a part of."""
        widest: exp.Expr = select
        while isinstance(widest.parent, exp.SetOperation | exp.Subquery):
            widest = widest.parent
        return widest.find_all(exp.Column)

    def _means_every_column(self, select: exp.Select, alias: str) -> bool:
        if any(word.name == "natural" and word.keyword for word in self._statement.words):
            return True
        for star in select.find_all(exp.Star):
            if isinstance(star.parent, exp.Count) or star.find_ancestor(exp.Select) is not select:
                continue
            qualifier = fold(star.parent.table) if isinstance(star.parent, exp.Column) else ""
            if (not qualifier or qualifier == alias) and not isinstance(select.parent, exp.Exists):
                return True
        return False

    # What cannot be answered

    def _check(self, analysis: Analysis) -> None:
        for name, association in self._associations.items():
            self._check_tables_found(name, association)
        for reference in analysis.references:
            self._check_hidden(reference)
            if reference.staged:
                self._check_reference(reference)
                self._check_having(reference)
        if analysis.staged:
            self._check_functions()

    def _check_tables_found(self, name: str, association: Association) -> None:
        if association.document_only and fold(name) in self._may_be_tables:
            raise NotSupported(f"the name {name!r} where it stands", "may mean the table: an alias needs AS")

    def _check_hidden(self, reference: Reference) -> None:
        """MySQL's table has the column, and the logical table has not."""
        if REVISION in self._statement.names and REVISION in self._names_meaning(
            reference.select, fold(reference.alias)
        ):
            raise NotSupported(f"the hidden column {REVISION!r} of table {reference.association.name!r}")

    def _check_reference(self, reference: Reference) -> None:
        table, name = reference.table, reference.association.name
        for argument, value in table.args.items():
            if value and argument not in ("this", "db", "alias", "joins"):
                what = {"hints": "an index hint", "partition": "PARTITION"}.get(argument, argument.upper())
                raise NotSupported(f"{what} on table {name!r}", "stands in the way of its document columns")
        if any(column.args.get("db") for column in self._columns_seen_from(reference.select)):
            raise NotSupported("a column name with a database", f"(table {name!r} has document columns): leave it out")

    def _check_having(self, reference: Reference) -> None:
        """Which of two aliases of one name HAVING means, MariaDB decides otherwise for a derived table."""
        having = reference.select.args.get("having")
        aliases = Counter(fold(item.alias) for item in reference.select.expressions if isinstance(item, exp.Alias))
        for column in [] if having is None else having.find_all(exp.Column):
            if not column.table and aliases[fold(column.name)] > 1:
                raise NotSupported(f"HAVING over {column.name!r}, an alias that is there twice,")

    def _check_functions(self) -> None:
        for word in self._statement.words:
            if word.name in _REFUSED_WITH_DOCUMENTS and word.before_parenthesis:
                raise NotSupported(f"{_REFUSED_WITH_DOCUMENTS[word.name]}() in a query over document columns")
            if word.name == "table" and word.keyword:
                raise NotSupported("TABLE in a query over document columns", "is not supported: write SELECT * FROM")


def named_tables(tree: exp.Query) -> Iterator[exp.Table]:
    """Where a name in FROM stands for a table or a view, not for a common table expression in its scope."""
    for table in tree.find_all(exp.Table):
        if isinstance(table.this, exp.Identifier) and common_table(table) is None:
            yield table


def common_table(table: exp.Table) -> exp.Expr | None:
    """The common table expression that a name in FROM means, if it means one; the case of the name counts."""
    return next((one for one in common_tables_seen(table) if one.alias == table.name), None)


def common_tables_seen(table: exp.Table) -> Iterator[exp.Expr]:
    """The common table expressions in whose scope a name in FROM stands, innermost first.

    Without RECURSIVE a CTE does not see itself, and none sees a later one: there its name is a table's.
    """
    if table.args.get("db"):
        return
    node: exp.Expr = table
    while node.parent is not None:
        clause = node.parent if isinstance(node.parent, exp.With) else node.parent.args.get("with_")
        if isinstance(clause, exp.With) and clause is not node:
            yield from _seen(clause, node)
        node = node.parent


def _seen(clause: exp.With, node: exp.Expr) -> Iterator[exp.Expr]:
    """Those of a WITH that are known inside ``node``: one of its expressions, or a part of the query after it."""
    for expression in clause.expressions:
        if expression is node:
            if clause.args.get("recursive"):
                yield expression
            return
        yield expression


def _left(written: Mapping[int, str], found: Iterable[exp.Expr]) -> Iterator[str]:
    """The words that the parser has not found to be names; where each begins says which."""
    starts = {identifier.meta.get("start") for identifier in found}
    return (name for start, name in written.items() if start not in starts)


def _is_accounted_for(identifier: exp.Expr, *, alias: bool = False) -> bool:
    """Whether it is clear what an identifier names: a column, a table, a list of columns.

    An alias without AS may be a column all the same (the parser takes ``SELECT ALL v`` for a column ALL called v), but
    it is no table.
    """
    parent = identifier.parent
    if isinstance(parent, exp.TableAlias):
        return alias or parent.this is not identifier
    if isinstance(parent, exp.Alias | exp.Window):
        return alias
    return isinstance(parent, exp.Column | exp.Table | exp.Join | exp.JSONColumnDef)
