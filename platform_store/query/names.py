"""What a statement names, for who wants to restrict what may be asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from sqlglot import exp

from platform_store.association import Association
from platform_store.query.analysis import named_tables
from platform_store.query.text import Statement, outside_names

_WITHOUT_PARENTHESES: Final = frozenset({
    "current_date", "current_role", "current_time", "current_timestamp", "current_user", "localtime", "localtimestamp",
    "utc_date", "utc_time", "utc_timestamp",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class QueryNames:
    """What a SELECT names, as ``query_names`` finds it. Where it is in doubt a word is named rather than left out.

    Attributes:
        tables: the logical tables.
        others: the other tables and views, with their database where the statement gives one; names of common table
            expressions only where they stand for a table, which is outside their scope.
        functions: each word that stands before a parenthesis, and the functions that need none, in lower case. So
            keywords such as IN and AND are among them, and types such as DECIMAL.
        variables: whether it has an @ outside of literals and names: a variable of the user, the session or the server.
    """

    tables: tuple[str, ...]
    others: tuple[str, ...]
    functions: tuple[str, ...]
    variables: bool


def names_of(
    statement: Statement, tree: exp.Query, association_of: Callable[[exp.Table], Association | None]
) -> QueryNames:
    """``association_of``: that of a table in FROM, None where it has none, or is another database's."""
    found = [(table, association_of(table)) for table in named_tables(tree)]
    return QueryNames(
        _sorted(one.name for _, one in found if one is not None),
        _sorted(".".join(part.name for part in table.parts) for table, one in found if one is None),
        _sorted(_functions(statement, tree)),
        "@" in outside_names(statement.text),
    )


def _functions(statement: Statement, tree: exp.Query) -> Iterator[str]:
    defined = {
        identifier.meta.get("start")
        for identifier in tree.find_all(exp.Identifier)
        if isinstance(identifier.parent, exp.TableAlias | exp.Window)
    }
    for word in statement.words:
        if (word.before_parenthesis and word.start not in defined) or (
            word.keyword and word.name in _WITHOUT_PARENTHESES
        ):
            yield word.name


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))
