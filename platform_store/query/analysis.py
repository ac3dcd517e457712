"""What a SELECT needs: the logical tables it names, and whether MySQL alone holds every column it uses.

A statement goes to MySQL unchanged only where that is certain. MySQL's table lacks the document columns, so a name that
could mean one of them (unqualified names may resolve to an outer query otherwise), ``*``, or a NATURAL JOIN over such a
table would give an answer, but not the logical table's: those raise NotSupported naming the column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import sqlglot
from sqlglot import exp
from sqlglot.errors import OptimizeError, ParseError, TokenError
from sqlglot.optimizer.scope import Scope, traverse_scope

from platform_store.association import Association
from platform_store.errors import NotSupported
from platform_store.names import REVISION

_REFUSED: dict[type[exp.Expression], str] = {
    exp.Into: "INTO",
    exp.Lock: "a locking clause (FOR UPDATE, FOR SHARE)",
    exp.PropertyEQ: "an assignment to a user variable (:=)",
    exp.Command: "a command",
}


def logical_tables(statement: str, find: Callable[[str], Association | None]) -> dict[str, Association]:
    """The associations that one SELECT names, once it is sure that MySQL's columns are enough for it.

    Args:
        statement: the SQL with placeholders already turned into ``:name``.
        find: gives the association of a table name, None for a table in none.

    Raises:
        NotSupported: naming the construct or the document column.
    """
    tree = _parse(statement)
    tables: dict[str, Association] = {}
    try:
        scopes = traverse_scope(tree)
    except OptimizeError as error:
        raise NotSupported("the statement", f"cannot be analysed: {type(error).__name__}") from None
    for scope in scopes:
        for source in scope.sources.values():
            if isinstance(source, exp.Table) and source.name not in tables:
                association = find(source.name)
                if association is not None:
                    tables[source.name] = association
    for scope in scopes:
        _check_scope(scope, tables)
    return tables


def _parse(statement: str) -> exp.Query:
    for marker in ("/*!", "/*+"):
        if marker in statement:
            raise NotSupported(f"a {marker} ... */ comment")
    try:
        trees = [tree for tree in sqlglot.parse(statement, read="mysql") if tree is not None]
    except (ParseError, TokenError) as error:
        raise NotSupported("the statement", f"cannot be parsed{_position(error)}") from None
    except RecursionError:
        raise NotSupported("a statement nested so deeply") from None
    if len(trees) != 1:
        raise NotSupported(f"{len(trees)} statements in one call")
    (tree,) = trees
    if not isinstance(tree, exp.Select | exp.SetOperation | exp.Subquery):
        raise NotSupported(tree.key.upper(), "is not a SELECT")
    for node in tree.walk():
        for refused, name in _REFUSED.items():
            if isinstance(node, refused):
                raise NotSupported(name)
    return tree


def _position(error: ParseError | TokenError) -> str:
    """Where the parser stopped; its own text quotes the statement."""
    if isinstance(error, ParseError) and error.errors:
        return f" near line {error.errors[0].get('line')}, column {error.errors[0].get('col')}"
    return ""


def _check_scope(scope: Scope, tables: dict[str, Association]) -> None:
    visible = list(_visible(scope, tables))
    own = [found for source in scope.sources.values() if (found := _association(source, tables)) is not None]
    for column in scope.columns:
        _check_column(column, visible)
    _check_stars(scope, tables)
    for join in scope.expression.args.get("joins") or ():
        if join.method == "NATURAL":
            for association in own:
                _refuse_first(association, "a NATURAL JOIN compares every column of the table")


def _visible(scope: Scope, tables: dict[str, Association]) -> Iterator[tuple[str, Association]]:
    """(alias, association) of the logical tables a name in this scope could mean: its own and the enclosing ones."""
    current: Scope | None = scope
    while current is not None:
        for alias, source in current.sources.items():
            association = _association(source, tables)
            if association is not None:
                yield alias, association
        current = current.parent


def _association(source: object, tables: dict[str, Association]) -> Association | None:
    return tables.get(source.name) if isinstance(source, exp.Table) else None


def _check_column(column: exp.Column, visible: list[tuple[str, Association]]) -> None:
    name = column.name.casefold()
    for alias, association in visible:
        if column.table and column.table.casefold() != alias.casefold():
            continue
        if name == REVISION:
            raise NotSupported(f"the hidden column {REVISION!r} of table {association.name!r}")
        for hidden in association.document_only:
            if name == hidden.name.casefold():
                _refuse(association, hidden.name, "the query uses it")


def _check_stars(scope: Scope, tables: dict[str, Association]) -> None:
    select = scope.expression
    if not isinstance(select, exp.Select) or isinstance(select.parent, exp.Exists):
        return
    for expression in select.expressions:
        star = expression.unalias()
        if not star.is_star:
            continue
        for alias, source in scope.sources.items():
            association = _association(source, tables)
            named = not isinstance(star, exp.Column) or star.table.casefold() == alias.casefold()
            if association is not None and named:
                _refuse_first(association, "* means every column")


def _refuse_first(association: Association, why: str) -> None:
    if association.document_only:
        _refuse(association, association.document_only[0].name, why)


def _refuse(association: Association, column: str, why: str) -> None:
    raise NotSupported(
        f"a query over the document column {column!r} of table {association.name!r}",
        f"is not supported yet ({why}): name MySQL columns only, or use read(), read_many() or scan()",
    )
