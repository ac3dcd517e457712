"""The statement that MySQL executes: the user's own text, with a derived table in place of each staged reference.

MySQL opens a TEMPORARY table once in a statement, and it reads the text of a common table expression anew for each
reference to it. So a common table expression that is referenced several times, and has staged references inside, is
written once for each of them under a name of its own, each with scratch tables of its own. (MariaDB needs none of
that.) All else of the text stays as it was.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from sqlglot import exp

from platform_store.errors import NotSupported
from platform_store.query.analysis import Analysis, Reference, common_table
from platform_store.query.text import Edit, Statement, after_parentheses, fold, identifier

_MOST_COPIES: Final = 60
"""Scratch tables of one statement: MySQL joins no more than 61 tables."""


class Copy(NamedTuple):
    """One scratch table of a reference: ``number`` counts those of the same reference."""

    reference: Reference
    number: int


def copies(analysis: Analysis, *, reopens: bool) -> list[Copy]:
    """The scratch tables that a statement needs. ``reopens``: a TEMPORARY table may be named twice. NotSupported."""
    return _Writer(analysis, lambda _: "", reopens=reopens).copies()


def rewritten(analysis: Analysis, source: Callable[[Copy], str], parameters: Iterable[Edit], *, reopens: bool) -> str:
    """The statement with ``source(copy)``, a derived table, in place of each staged reference."""
    return _Writer(analysis, source, parameters, reopens=reopens).text()


class _Definition(NamedTuple):
    """Where a common table expression is defined in the source, its name included."""

    start: int
    end: int
    name: Edit  # the name's place; its text is the name


class _Writer:
    def __init__(
        self,
        analysis: Analysis,
        source: Callable[[Copy], str],
        parameters: Iterable[Edit] = (),
        *,
        reopens: bool,
    ):
        self._analysis, self._statement, self._source = analysis, analysis.statement, source
        self._parameters, self._reopens = list(parameters), reopens
        self._count = 0
        self._numbers: dict[int, int] = defaultdict(int)  # copies so far, by the reference's number
        self._copies: list[Copy] = []
        self._pending: dict[int, list[str]] = defaultdict(list)  # names of a CTE still to be defined, by its id()
        self._tables: dict[int, list[exp.Table]] = defaultdict(list)  # by id() of the repeated CTE around them
        self._repeated = {id(one): one for one in self._with_staged()}
        for table in analysis.tree.find_all(exp.Table):
            self._tables[id(self._around(table))].append(table)

    def copies(self) -> list[Copy]:
        self.text()
        return self._copies

    def text(self) -> str:
        return self._written(None, 0, len(self._statement.source))

    def _with_staged(self) -> Iterator[exp.Expr]:
        """The common table expressions that hold a staged reference, in themselves or in one that they name."""
        if self._reopens:
            return
        holding: set[int] = set()
        ctes = list(self._analysis.tree.find_all(exp.CTE))
        tables = [(table, common_table(table)) for table in self._analysis.tree.find_all(exp.Table)]
        growing = True
        while growing:
            growing = False
            for cte in ctes:
                if id(cte) not in holding and any(
                    self._is_staged(table) or id(named) in holding for table, named in tables if _inside(table, cte)
                ):
                    holding.add(id(cte))
                    growing = True
        yield from (cte for cte in ctes if id(cte) in holding)

    def _is_staged(self, table: exp.Table) -> bool:
        reference = self._analysis.by_table.get(id(table))
        return reference is not None and reference.staged

    def _around(self, node: exp.Expr) -> exp.Expr | None:
        """The innermost CTE around a node that may be written several times."""
        while node.parent is not None:
            node = node.parent
            if id(node) in self._repeated:
                return self._repeated[id(node)]
        return None

    def _written(self, owner: exp.Expr | None, start: int, end: int, name: str = "") -> str:
        """A part of the source: the whole, or the definition of ``owner`` under this name."""
        edits = [edit for edit in self._parameters if start <= edit.start < end]
        for table in self._tables[id(owner)]:
            edits += self._replaced(table, owner, name)
        # The definitions come last, and of these the last one first: only then it is known how many are needed.
        for cte in reversed([one for one in self._repeated.values() if self._around(one) is owner]):
            place = _definition(self._statement, cte)
            names = self._pending.pop(id(cte), None) or [place.name.text]
            texts = [self._written(cte, place.start, place.end, one) for one in names]
            # The one that keeps the name comes last: in the others it must still mean a table, as in the first.
            edits.append(Edit(place.start, place.end, ", ".join(reversed(texts))))
        if owner is not None:
            place = _definition(self._statement, owner)
            if name != place.name.text:
                edits.append(place.name._replace(text=name))
        return self._statement.written(edits, start, end)

    def _replaced(self, table: exp.Table, owner: exp.Expr | None, name: str) -> list[Edit]:
        reference = self._analysis.by_table.get(id(table))
        if reference is not None and reference.staged:
            return [_instead(table, reference.start, reference.end, self._source(self._copy(reference)))]
        cte = common_table(table)
        if cte is None or id(cte) not in self._repeated:
            return []
        edit = _name_edit(self._statement, table)
        chosen = name if cte is owner else self._instance(cte, edit.text)
        return [] if chosen == edit.text else [_instead(table, edit.start, edit.end, chosen)]

    def _copy(self, reference: Reference) -> Copy:
        number = self._numbers[reference.number]
        self._numbers[reference.number] += 1
        copy = Copy(reference, number)
        self._copies.append(copy)
        if len(self._copies) > _MOST_COPIES:
            raise NotSupported(f"a query with more than {_MOST_COPIES} uses of tables with document columns")
        return copy

    def _instance(self, cte: exp.Expr, name: str) -> str:
        """The name of one more definition of a CTE; the first keeps its own."""
        names = self._pending[id(cte)]
        if names:
            name = self._new_name(cte.alias)
        names.append(name)
        return name

    def _new_name(self, name: str) -> str:
        while True:
            self._count += 1
            new = f"{name[:50]}_{self._count}"
            if fold(new) not in self._statement.names:
                return identifier(new)


def _instead(table: exp.Table, start: int, end: int, text: str) -> Edit:
    """``text`` in place of a table's name, which stays the alias where the statement gives none."""
    alias = "" if table.args.get("alias") else f" AS {identifier(table.name)}"
    return Edit(start, end, f"{text}{alias}")


def _name_edit(statement: Statement, table: exp.Table | exp.TableAlias) -> Edit:
    start, end = statement.place(table.this.meta["start"]), statement.place(table.this.meta["end"]) + 1
    return Edit(start, end, statement.source[start:end])


def _definition(statement: Statement, cte: exp.Expr) -> _Definition:
    """From the name to the parenthesis that ends it: ``name [(columns)] AS (...)``."""
    alias = cte.args["alias"]
    name = _name_edit(statement, alias)
    end = alias.this.meta["end"] + 1
    for _ in range(2 if alias.columns else 1):
        end = after_parentheses(statement.text, end)
    return _Definition(name.start, statement.place(end - 1) + 1, name)


def _inside(node: exp.Expr, around: exp.Expr) -> bool:
    while node.parent is not None:
        node = node.parent
        if node is around:
            return True
    return False
