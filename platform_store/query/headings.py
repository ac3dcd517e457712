"""What a derived table in place of a table would change beside the rows, and is put right.

The names of a result's columns: an item of the SELECT list without an alias is called by its text, and a bare column
by its name as it is written. A derived table changes both: the text of a subquery, and the spelling of a name. And what
a bare name in GROUP BY means, and what JSON_TABLE takes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from sqlglot import exp

from platform_store.placeholders import segments
from platform_store.query.analysis import Analysis, common_table
from platform_store.query.text import Edit, Statement, fold, identifier

_TOKEN: Final = re.compile(r"`(?:[^`]|``)*`|'[^']*'|(?<![\w$@:.])(?P<word>[A-Za-z_]+)\b|(?P<mark>[(),])")
_LONGEST: Final = 255  # bytes
_MODIFIERS: Final = frozenset({
    "all", "distinct", "distinctrow", "high_priority", "straight_join", "sql_small_result", "sql_big_result",
    "sql_buffer_result", "sql_no_cache", "sql_cache", "sql_calc_found_rows",
})  # fmt: skip
_ENDS: Final = frozenset({
    "from", "where", "group", "having", "window", "order", "limit", "union", "intersect", "except", "for", "into",
})  # fmt: skip


def spellings(analysis: Analysis) -> Iterator[Edit]:
    """An alias for each bare column of a SELECT list that is not written as it is declared."""
    declared: dict[str, set[str]] = {}
    for reference in analysis.staged:
        for column in reference.association.columns:
            declared.setdefault(fold(column.name), set()).add(column.name)
    for select in analysis.tree.find_all(exp.Select):
        for item in select.expressions:
            if isinstance(item, exp.Column) and isinstance(item.this, exp.Identifier):
                known = declared.get(fold(item.name))
                if known and known != {item.name}:
                    end = analysis.statement.place(item.this.meta["end"]) + 1
                    yield Edit(end, end, f" AS {identifier(item.name)}")


def groupings(analysis: Analysis) -> Iterator[Edit]:
    """The table's name before each bare column of GROUP BY, or of a window, that is an alias as well.

    Of a table MySQL then takes the column, of a derived table the alias (seen on 9.7; MariaDB always the column). Of a
    column that NATURAL or USING makes one of two, MySQL always takes the alias; of a name that the SELECT list has
    twice, neither: error 1052.
    """
    for select in analysis.tree.find_all(exp.Select):
        aliases = {fold(item.alias) for item in select.expressions if isinstance(item, exp.Alias)}
        names = Counter(fold(item.output_name) for item in select.expressions)
        for item in _grouping(select):
            if (
                item.table
                or names[fold(item.name)] > 1
                or fold(item.name) not in aliases
                or _is_joined(select, item.name)
            ):
                continue
            sources = [one for one in analysis.references if one.select is select and one.has(item.name)]
            if len(sources) == 1 and sources[0].staged:
                start = analysis.statement.place(item.this.meta["start"])
                yield Edit(start, start, f"{identifier(sources[0].alias)}.")


def _is_joined(select: exp.Select, name: str) -> bool:
    """Whether a column of the name is one of two tables'."""
    return any(
        join.args.get("method") == "NATURAL"
        or any(fold(one.name) == fold(name) for one in join.args.get("using") or ())
        for join in select.find_all(exp.Join)
        if join.find_ancestor(exp.Select) is select
    )


def table_arguments(analysis: Analysis) -> Iterator[Edit]:
    """COALESCE around each bare column of ours of which a JSON_TABLE is made, which changes nothing.

    MySQL 9.7 has no such column where a derived table has been merged: error 1210. (MariaDB has.) Of the statement's
    own derived tables it says so, too.
    """
    for table in analysis.tree.find_all(exp.JSONTable):
        column = table.this
        if isinstance(column, exp.Column) and isinstance(column.this, exp.Identifier) and _is_ours(analysis, column):
            first = column.args.get("table") or column.this
            start = analysis.statement.place(first.meta["start"])
            end = analysis.statement.place(column.this.meta["end"]) + 1
            yield from (Edit(start, start, "COALESCE("), Edit(end, end, ")"))


def _is_ours(analysis: Analysis, column: exp.Column) -> bool:
    """Whether a column may be that of a staged reference."""
    select = column.find_ancestor(exp.Select)
    while select is not None:
        sources = {fold(one.alias_or_name) for one in select.find_all(exp.Table, exp.Subquery, exp.Lateral)}
        for one in analysis.staged:
            if one.select is select and one.has(column.name) and fold(column.table) in ("", fold(one.alias)):
                return True
        if fold(column.table) in sources:
            return False
        select = select.find_ancestor(exp.Select)
    return False


def hints(analysis: Analysis) -> Iterator[Edit]:
    """A hint for statements with a JSON_TABLE.

    MySQL 9.7 repeats rows where it weeds out the duplicates of a semijoin by row numbers of a JSON_TABLE, which it
    makes anew for each row. Between tables it mostly takes another way.
    """
    if "json_table" in analysis.statement.names:
        place = analysis.statement.place(_first_select(analysis.statement) - 1) + 1
        yield Edit(place, place, " /*+ SET_VAR(optimizer_switch='duplicateweedout=off') */")


def _grouping(select: exp.Select) -> Iterator[exp.Column]:
    group = select.args.get("group")
    items = [] if group is None else [*group.expressions]
    for window in select.find_all(exp.Window):
        if window.find_ancestor(exp.Select) is select:
            items += window.args.get("partition_by") or ()
            items += (one.this for one in (window.args["order"].expressions if window.args.get("order") else ()))
    return (item for item in items if isinstance(item, exp.Column))


def headings(
    analysis: Analysis, found: Sequence[str], parameters: Sequence[Edit], others: Iterable[Edit] = ()
) -> tuple[str, ...]:
    """The names that the user's own text gives.

    ``found``: those of the result; ``parameters`` fill placeholders; ``others``: what else was changed.
    """
    names = list(found)
    for place, text in _texts(analysis, parameters, others).items():
        if -len(names) <= place < len(names):
            names[place] = text
    return tuple(names)


def items_are_known(analysis: Analysis) -> bool:
    """Whether the names can be given at all."""
    first = _first(analysis)
    return first is not None and len(first.expressions) == len(list(_items(analysis.statement)))


def _first(analysis: Analysis) -> exp.Select | None:
    first: exp.Expr = analysis.tree
    while isinstance(first, exp.SetOperation | exp.Subquery):
        first = first.this
    return first if isinstance(first, exp.Select) else None


def _texts(analysis: Analysis, parameters: Sequence[Edit], others: Iterable[Edit]) -> Mapping[int, str]:
    """The text of items in which something was changed, by their place from the left, or from the right."""
    first = _first(analysis)
    if first is None or not items_are_known(analysis):
        return {}
    items, spans = first.expressions, list(_items(analysis.statement))
    changed = {edit.start for edit in (*groupings(analysis), *table_arguments(analysis), *others)}
    changed |= {one.start for one in analysis.staged}
    stars = [place for place, item in enumerate(items) if item.is_star and not isinstance(item, exp.Count)]
    texts = {}
    for place, (item, (start, end)) in enumerate(zip(items, spans, strict=True)):
        if isinstance(item, exp.Alias) or (stars and stars[0] < place < stars[-1]):
            continue
        if any(start <= one < end for one in changed) or any(map(common_table, item.find_all(exp.Table))):
            number = place - len(items) if stars and stars[0] < place else place
            texts[number] = _as_heading(analysis.statement.written(parameters, start, end))
    return texts


def _as_heading(text: str) -> str:
    """As MySQL makes a name of the text of an item."""
    pieces = [(one.kind, one.text) for one in segments(text)]
    while pieces and (pieces[-1][0] == "comment" or not pieces[-1][1].strip()):
        pieces.pop()
    text = "".join("?" if character > "\uffff" else character for _, piece in pieces for character in piece).strip()
    return text.encode()[:_LONGEST].decode(errors="ignore")


def _first_select(statement: Statement) -> int:
    """Where the keyword of the first SELECT outside common table expressions ends."""
    words = (match for match in _TOKEN.finditer(statement.text) if (match["word"] or "").lower() == "select")
    return next(match.end() for match in words if not _in_definition(statement.text, match.start()))


def _items(statement: Statement) -> Iterator[tuple[int, int]]:
    """Where the items of the first SELECT list are in the source; common table expressions come in parentheses."""
    start, depth = _first_select(statement), 0
    for match in _TOKEN.finditer(statement.text, start):
        word, mark = (match["word"] or "").lower(), match["mark"]
        depth += (mark == "(") - (mark == ")")
        if depth < 0 or (depth == 0 and word in _ENDS):
            yield statement.place(start), statement.place(match.start())
            return
        elif depth == 0 and word in _MODIFIERS and not statement.text[start : match.start()].strip():
            start = match.end()
        elif depth == 0 and mark == ",":
            yield statement.place(start), statement.place(match.start())
            start = match.end()
    yield statement.place(start), len(statement.source)


def _in_definition(text: str, position: int) -> bool:
    """Whether it is inside a common table expression: in parentheses that follow AS."""
    depth = 0
    for match in reversed(list(_TOKEN.finditer(text, 0, position))):
        depth += (match["mark"] == ")") - (match["mark"] == "(")
        if depth < 0:
            if text[: match.start()].rstrip()[-2:].lower() == "as":
                return True
            depth = 0
    return False
