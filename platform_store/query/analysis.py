"""What a SELECT needs: the logical tables it names, and whether MySQL alone holds every column it uses.

A statement goes to MySQL unchanged only where that is certain. MySQL's table lacks the document columns, and a name
that is not there may quietly mean something else: an alias of the SELECT list, or a column of an enclosing query. So
every name that could be a document column, ``*``, USING and NATURAL JOIN over such a table raise NotSupported naming
the column. In doubt a statement is refused: a name counts wherever it stands, but for two places. An alias after AS is
a name of its own, and a bare ``ORDER BY alias`` means that alias in MySQL too, before any column.

The parser never sees a comment or the text of a literal, which it splits by other rules than MySQL; and no more names
may stand in the statement than it has found.

Out of sight: MySQL's *views* and stored functions over a logical table are in no association. They are made of
MySQL's columns, and a query over them answers with those.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import sqlglot
from sqlglot import exp
from sqlglot.dialects.mysql import MySQL
from sqlglot.errors import ParseError, TokenError

from platform_store.association import Association
from platform_store.errors import NotSupported
from platform_store.names import REVISION
from platform_store.placeholders import segments

_REFUSED: dict[type[exp.Expression], str] = {
    exp.Into: "INTO",
    exp.Lock: "a locking clause (FOR UPDATE, FOR SHARE)",
    exp.PropertyEQ: "an assignment to a user variable (:=)",
    exp.Command: "a command",
}
_REFUSED_WORDS: Final = frozenset(
    {"into", "procedure", "get_lock", "release_lock", "release_all_locks", "last_insert_id"}
)
"""What would write somewhere, or leave a state behind in a session that others use after this statement."""
_REFUSED_MARKS: Final = {":=": "an assignment to a user variable (:=)", "{": "an ODBC escape { ... }"}
_EXECUTED_COMMENT: Final = re.compile(r"/\*(?:M?!|\+)", re.IGNORECASE)

_TOKEN: Final = re.compile(r"`(?P<quoted>(?:[^`]|``)*)`|(?<![\w$@:])(?P<word>[\w$]+)")
_NAMES_NO_COLUMN: Final = re.compile(r"\s*\(|\s+AS\s*\(", re.IGNORECASE)
"""What follows the name of a function, or of a common table expression."""
_RESERVED: Final[frozenset[str]] = frozenset(MySQL.Generator.RESERVED_KEYWORDS)


@dataclass(frozen=True, slots=True)
class _Word:
    """A word or a quoted name of the statement, with the pieces of syntax around it that say what it can be."""

    name: str  # casefolded
    quoted: bool
    after: str  # "as", "." or ""
    before_parenthesis: bool

    @property
    def keyword(self) -> bool:
        """Whether it may be a keyword: a quoted name is none, and after a point MySQL reads a name."""
        return not self.quoted and self.after != "."

    @property
    def may_be_column(self) -> bool:
        if self.after == "as" or (self.before_parenthesis and not self.quoted):
            return False
        return not (self.keyword and self.name in _RESERVED)


@dataclass(frozen=True, slots=True)
class _Source:
    """A logical table under the name that one SELECT gives it."""

    alias: str  # casefolded
    association: Association


def logical_tables(statement: str, find: Callable[[str], Association | None]) -> dict[str, Association]:
    """The associations that one SELECT names, once it is sure that MySQL's columns are enough for it.

    Args:
        statement: the SQL with placeholders already turned into ``:name``.
        find: gives the association of a table name, None for a table in none.

    Raises:
        NotSupported: naming the construct or the document column.
    """
    text = _for_parser(statement)
    words = list(_words(text))
    _check_words(words, text)
    tree = _parse(text)
    analysis = _Analysis(tree, find)
    analysis.check(words)
    return analysis.tables


def _for_parser(statement: str) -> str:
    """The statement without comments, and with one neutral text for every string literal."""
    pieces: list[str] = []
    for segment in segments(statement):
        if segment.kind == "comment":
            if executed := _EXECUTED_COMMENT.match(segment.text):
                raise NotSupported(f"a {executed[0]} ... */ comment")
            pieces.append(" ")
        elif segment.kind == "string":
            hexadecimal = pieces and pieces[-1][-1:] in tuple("xXbB")
            pieces.append("'0' " if hexadecimal else "'$' ")
        elif segment.kind == "identifier":
            pieces.append(segment.text)
        else:
            pieces.append(re.sub("-(?=-)", "- ", segment.text))  # to the parser alone it would begin a comment
    return "".join(pieces)


def _words(text: str) -> Iterator[_Word]:
    end, previous = 0, ""
    for match in _TOKEN.finditer(text):
        between = text[end : match.start()].strip()
        after = "." if between.endswith(".") else previous if previous == "as" and not between else ""
        quoted = match["word"] is None
        name = match["quoted"].replace("``", "`") if quoted else match["word"]
        end, previous = match.end(), "" if quoted else name.casefold()
        yield _Word(name.casefold(), quoted, after, _NAMES_NO_COLUMN.match(text, end) is not None)


def _check_words(words: list[_Word], text: str) -> None:
    for word in words:
        if word.name in _REFUSED_WORDS and (word.keyword or word.before_parenthesis):
            raise NotSupported(word.name.upper())
    code = _TOKEN.sub("", text)
    for mark, name in _REFUSED_MARKS.items():
        if mark in code:
            raise NotSupported(name)


def _parse(text: str) -> exp.Query:
    try:
        trees = [tree for tree in sqlglot.parse(text, read="mysql") if tree is not None]
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


class _Analysis:
    """The names of one statement. Scopes are widened rather than resolved: a name may mean what it can never mean."""

    def __init__(self, tree: exp.Query, find: Callable[[str], Association | None]):
        self._tree = tree
        self._owned: dict[int, list[_Source]] = defaultdict(list)  # by id() of the SELECT whose FROM names them
        self.tables: dict[str, Association] = {}
        tables = [table for table in tree.find_all(exp.Table) if isinstance(table.this, exp.Identifier)]
        tables = [table for table in tables if not _is_common_table(table)]
        found = {name: find(name) for name in sorted({spelling for table in tables for spelling in _spellings(table)})}
        for table in tables:
            associations = [found[spelling] for spelling in _spellings(table)]
            for association in {one.name: one for one in associations if one is not None}.values():
                source = _Source(table.alias_or_name.casefold(), association)
                self._owned[id(table.find_ancestor(exp.Select))].append(source)
            if (exact := found[table.name]) is not None:
                self.tables[table.name] = exact
        self._associations = {
            source.association.name: source.association for one in self._owned.values() for source in one
        }

    def check(self, words: list[_Word]) -> None:
        """Raises NotSupported unless no name of the statement can be one that MySQL's tables lack."""
        for column in self._tree.find_all(exp.Column):
            self._check_column(column)
        for star in self._tree.find_all(exp.Star):
            self._check_star(star)
        for join in self._tree.find_all(exp.Join):
            for name in join.args.get("using") or ():
                self._check_using(name.name)
        if any(word.name == "natural" and word.keyword for word in words):
            for association in self._associations.values():
                _refuse_first(association, "a NATURAL JOIN compares every column of the table")
        self._check_complete(words)

    def _check_column(self, column: exp.Column) -> None:
        name, table = column.name.casefold(), column.table.casefold()
        for source in self._visible(column):
            if table and table != source.alias:
                continue
            hidden = _hidden(source.association).get(name)
            if hidden is not None and (name == REVISION or not _is_ordering_alias(column)):
                _refuse(source.association, hidden, "the query uses it")

    def _visible(self, node: exp.Expression) -> Iterator[_Source]:
        """The logical tables of every SELECT around a name; of a set operation, those of all its SELECTs."""
        outside = True
        parent = node.parent
        while parent is not None:
            if isinstance(parent, exp.Select):
                yield from self._owned.get(id(parent), ())
                outside = False
            elif outside and isinstance(parent, exp.SetOperation | exp.Subquery):
                for select in parent.find_all(exp.Select):
                    yield from self._owned.get(id(select), ())
            parent = parent.parent

    def _check_star(self, star: exp.Star) -> None:
        if isinstance(star.parent, exp.Count):
            return
        select = star.find_ancestor(exp.Select)
        if select is not None and isinstance(select.parent, exp.Exists):
            return
        table = star.parent.table.casefold() if isinstance(star.parent, exp.Column) else ""
        for source in self._owned.get(id(select), ()):
            if not table or table == source.alias:
                _refuse_first(source.association, "* means every column")

    def _check_using(self, name: str) -> None:
        for association in self._associations.values():
            hidden = _hidden(association).get(name.casefold())
            if hidden is not None:
                _refuse(association, hidden, "USING compares it")

    def _check_complete(self, words: list[_Word]) -> None:
        """Refuses a statement with a name of a hidden column that the parser has taken for something else.

        It reads ``SELECT ALL v`` as a column ALL with the alias v, for one. An alias that follows no AS is therefore
        refused as well, where it has the name of such a column.
        """
        written = Counter(word.name for word in words if word.may_be_column)
        found = Counter(
            identifier.name.casefold()
            for identifier in self._tree.find_all(exp.Identifier)
            if not _is_alias(identifier)
        )
        for association in self._associations.values():
            for name, hidden in _hidden(association).items():
                if written[name] > found[name]:
                    _refuse(association, hidden, "the name stands where it may mean it; an alias needs AS")


def _spellings(table: exp.Table) -> tuple[str, str]:
    """A table's name as written, and as a server that ignores the case of table names keeps it."""
    return table.name, table.name.lower()


def _is_common_table(table: exp.Table) -> bool:
    """Whether a name in FROM is that of a common table expression in whose scope it stands.

    Without RECURSIVE a CTE does not see itself, and none sees a later one: there the name is a table's. The case of the
    name counts, as it does for tables; where a server ignores it, the statement is checked more strictly than need be.
    """
    if table.args.get("db"):
        return False
    node: exp.Expr = table
    while node.parent is not None:
        clause = node.parent if isinstance(node.parent, exp.With) else node.parent.args.get("with_")
        if isinstance(clause, exp.With) and clause is not node and table.name in _names_seen(clause, node):
            return True
        node = node.parent
    return False


def _names_seen(clause: exp.With, node: exp.Expr) -> Iterator[str]:
    """The names of a WITH that are known inside ``node``: one of its expressions, or a part of the query after it."""
    for expression in clause.expressions:
        if expression is node:
            if clause.args.get("recursive"):
                yield expression.alias
            return
        yield expression.alias


def _is_alias(identifier: exp.Identifier) -> bool:
    """Whether an identifier only names an output or a table; the name of a CTE is not among the words either way."""
    parent = identifier.parent
    if isinstance(parent, exp.TableAlias):
        return parent.this is identifier
    return isinstance(parent, exp.Alias) and parent.args.get("alias") is identifier


def _is_ordering_alias(column: exp.Column) -> bool:
    """Whether a column is the whole of one item of a query's own ORDER BY, and names an alias of its SELECT list."""
    ordered = column.parent
    if column.table or not isinstance(ordered, exp.Ordered) or ordered.this is not column:
        return False
    order = ordered.parent
    query = order.parent if isinstance(order, exp.Order) else None
    if not isinstance(query, exp.Query) or query.args.get("order") is not order:
        return False
    first: object = query
    while isinstance(first, exp.SetOperation | exp.Subquery):
        first = first.this
    aliases = first.expressions if isinstance(first, exp.Select) else ()
    name = column.name.casefold()
    return any(isinstance(item, exp.Alias) and item.alias.casefold() == name for item in aliases)


def _hidden(association: Association) -> dict[str, str]:
    """The names that a query may not use of a table, casefolded, each with its spelling."""
    return {REVISION: REVISION} | {column.name.casefold(): column.name for column in association.document_only}


def _refuse_first(association: Association, why: str) -> None:
    if association.document_only:
        _refuse(association, association.document_only[0].name, why)


def _refuse(association: Association, column: str, why: str) -> None:
    if column == REVISION:
        raise NotSupported(f"the hidden column {REVISION!r} of table {association.name!r}")
    raise NotSupported(
        f"a query over the document column {column!r} of table {association.name!r}",
        f"is not supported yet ({why}): name MySQL columns only, or use read(), read_many() or scan()",
    )
