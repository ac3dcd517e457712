"""Random queries over logical tables, made so that MySQL's answer to each is the only one possible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

from tests.fuzz.answers import Compared
from tests.fuzz.families import Column, Server
from tests.fuzz.grouping import TOTAL, grouped, order_kind
from tests.fuzz.nodes import Node, Style, fixed, node, nothing
from tests.fuzz.predicates import predicate
from tests.fuzz.reports import report
from tests.fuzz.scalars import KINDS, scalar, sharp, shown
from tests.fuzz.scenario import Table
from tests.fuzz.scope import CONNECTION, Context, Field, Scope, Source, drawn_field, qualified, renamed
from tests.fuzz.sources import From, Query
from tests.fuzz.windows import windowed

REPORTS = 0.15
ALIASES = ("a", "b", "name", "v", "n", "doc", "id", "total", "x", "order", "数", "Kind", "note", "day", "x1")


@dataclass(frozen=True)
class Generated:
    """A statement, how its parameters are given, and how answers to it are compared."""

    tree: Node
    style: Style
    compared: tuple[Compared, ...] = ()


def generate(chance: Random, server: Server, tables: Mapping[str, tuple[Table, tuple[Column, ...]]]) -> Generated:
    """A random query."""
    style: Style = chance.choice(["none", "none", "positional", "named"])
    context = Context(chance, server, style, tables, subquery, single, predicate)
    query = statement(context)
    return Generated(query.tree, style, tuple(one.compared for one in query.fields))


def is_ordered(tree: Node) -> bool:
    """Whether the statement's own ORDER BY leaves no two rows tied."""
    return any(isinstance(part, Node) and (part.kind == TOTAL or is_ordered(part)) for part in tree.parts)


def statement(context: Context) -> Query:
    """A whole statement."""
    if context.odds(0.18):
        return with_common(context)
    if context.odds(0.12):
        return set_operation(context, ())
    return select(context, (), top=True)


def subquery(context: Context, scope: Scope, kind: str, group: str) -> Node:
    """One column, any number of rows; may look at ``scope``."""
    context.depth += 1
    from_, inner = From(context, scope.inside(), derive).build(context.pick([1, 1, 2]))
    value = scalar(context, inner, kind, 1, group)
    found = drawn_field(context, inner, lambda one: one.kind == kind and one.group == group, local=True)
    if found is not None and context.odds(0.6):
        value = found[0]
    tree = node("", "SELECT ", context.pick(["", "", "DISTINCT "]), value, from_, where(context, inner, share=0.75))
    context.depth -= 1
    return tree


def single(context: Context, scope: Scope, kind: str, group: str) -> Node:
    """One column of one row, or none."""
    context.depth += 1
    from_, inner = From(context, scope.inside(), derive).build(1)
    value = scalar(context, inner, kind, 1, group)
    keys = total_order(context, inner.sources)
    condition = where(context, inner, share=0.75)
    context.depth -= 1
    if keys is not None and (kind not in ("int", "dec") or context.odds(0.4)):
        return node("", "SELECT ", value, from_, condition, fixed(node("", " ORDER BY ", keys)), " LIMIT 1")
    if kind == "int":
        return node("", f"SELECT {context.pick(['COUNT', 'MAX', 'MIN', 'BIT_OR'])}(", value, ")", from_, condition)
    if kind in ("dec", "date", "dt", "time"):
        return node("", f"SELECT {context.pick(['MAX', 'MIN'])}(", value, ")", from_, condition)
    return node("", "SELECT ", scalar(context, Scope((), scope.inside()), kind, 0, group))


def derive(context: Context, visible: tuple[Source, ...]) -> Query:
    """A query whose columns have names, all different: for FROM and WITH."""
    context.depth += 1
    query = set_operation(context, visible) if context.odds(0.15) else select(context, visible, top=False)
    context.depth -= 1
    return query


def where(context: Context, scope: Scope, share: float = 0.5) -> Node:
    if not context.odds(share):
        return nothing()
    return node("", context.word(" WHERE "), predicate(context, scope, 2), optional=True)


def comment(context: Context) -> str:
    """Something that a parser must not take for a part of the statement."""
    if not context.odds(0.04):
        return ""
    return context.pick([" /* SELECT 'doc */", " -- it's doc\n", " # `doc\n", "\n\t", " /* ; */ ", "/**/"])


def select(context: Context, outer: tuple[Source, ...], *, top: bool) -> Query:
    """A SELECT without WITH or set operations."""
    if context.odds(REPORTS):
        return report(context, From(context, outer, derive), top=top)
    count = context.pick([1, 1, 1, 2, 2, 2, 3] if context.depth == 0 else [1, 1, 2])
    from_, scope = From(context, outer, derive).build(count)
    condition = where(context, scope)
    body = node("", comment(context), from_, comment(context), condition)
    choice = context.chance.random()
    if choice < 0.25:
        return _named(grouped(context, scope, body, top), top)
    if choice < 0.37:
        return distinct(context, scope, body, top)
    if choice < 0.5:
        return _plain(context, scope, body, top, windows=True)
    if top and choice < 0.62 and count < 3:
        return stars(context, scope, body)
    return _plain(context, scope, body, top, windows=False)


def _named(query: Query, top: bool) -> Query:
    assert top or all(one.name for one in query.fields)
    return query


def _plain(context: Context, scope: Scope, body: Node, top: bool, *, windows: bool) -> Query:
    items = [shown(context, scope, 3) for _ in range(context.chance.randint(1, 4))]
    clause = nothing()
    if windows:
        made, clause = windowed(context, scope, total_order(context, scope.sources))
        items += made
    unique = None
    if not top:
        keys = [(source, name) for source in scope.sources for name in source.keys or ()]
        if all(source.keys for source in scope.sources) and context.odds(0.6):
            kept = len(items)
            for source, name in keys:
                one = next(one for one in source.fields if one.name == name)
                items.append((qualified(context, source, name), one))
            items = _aliased(context, items, force=True)
            unique = tuple(one.name for _, one in items[kept:])
        else:
            items = _aliased(context, items, force=True)
    else:
        items = _aliased(context, items, force=False)
    order, ordered = ordering(context, scope, top)
    tree = node("query", context.word("SELECT "), items_of(items), body, clause, order)
    return Query(tree, tuple(one for _, one in items), unique, ordered)


def items_of(items: Sequence[tuple[Node, Field]]) -> Node:
    return Node("", tuple(item for item, _ in items), listing=", ")


def _aliased(context: Context, items: Sequence[tuple[Node, Field]], *, force: bool) -> list[tuple[Node, Field]]:
    """The items with aliases; with ``force`` every one has a name that no other has."""
    taken: set[str] = set()
    done = []
    for item, one in items:
        if not force and context.odds(0.6):
            done.append((item, one))
            continue
        free = [name for name in ALIASES if name.casefold() not in taken]
        name = context.pick(free) if free and context.odds(0.8) else context.number("c")
        if force and one.name and one.name.casefold() not in taken and context.odds(0.5) and item.kind == one.kind:
            name = one.name
        taken.add(name.casefold())
        written = context.name(name)
        word = " AS " if force or context.odds(0.8) else " "
        done.append((node("", item, word, written), renamed(one, name)))
    return done


def stars(context: Context, scope: Scope, body: Node) -> Query:
    """``*`` and ``t.*``: every column, of every kind."""
    item = "*"
    if context.odds(0.5):
        item = f"{context.name(context.pick(scope.sources).alias)}.*"
        if context.odds(0.3):
            extra, _ = shown(context, scope, 2)
            order, ordered = ordering(context, scope, True)
            return Query(node("query", "SELECT ", item, ", ", extra, body, order), (), None, ordered)
    order, ordered = ordering(context, scope, True)
    return Query(node("query", "SELECT ", item, body, order), (), None, ordered)


def total_order(context: Context, sources: Sequence[Source]) -> Node | None:
    """The keys of all sources; None where those of one are not known."""
    if not all(source.keys for source in sources):
        return None
    names = [qualified(context, source, name) for source in sources for name in source.keys or ()]
    parts: list[Node | str] = []
    for name in names:
        parts += [", ", name, context.pick(["", "", " DESC"])]
    return node("", *parts[1:])


def ordering(context: Context, scope: Scope, top: bool) -> tuple[Node, bool]:
    """An ORDER BY, with LIMIT only where no rows are tied; and whether none are."""
    keys = total_order(context, scope.sources)
    if not context.odds(0.5 if top else 0.15):
        return nothing(), False
    leading = []
    for _ in range(context.pick([0, 1, 1, 2])):
        found = drawn_field(context, scope, lambda one: one.kind not in ("json", "point"))
        if found is not None:
            kind = context.pick(KINDS[:-1])
            value = found[0] if context.odds(0.7) else scalar(context, scope, kind, 1)
            value = value if not _is_number(str(value)) else found[0]
            leading.append(node("", value, context.pick(["", " DESC", " ASC"])))
    if keys is None:
        if not leading:
            return nothing(), False
        return node("", " ORDER BY ", Node("", tuple(leading), listing=", "), optional=True), False
    before = [part for one in leading for part in (one, node("", ", "))]
    order = fixed(node("", *before, keys))
    limit = node("", limits(context), optional=True) if context.odds(0.5) else nothing()
    return Node(order_kind(context), (" ORDER BY ", order, limit), optional=not limit.parts), True


def _is_number(text: str) -> bool:
    """Whether ORDER BY would take an item for a position, or for a constant."""
    return text.lstrip("-").isdigit() or text[:1] in "'\"%" or text.upper() in ("NULL", "TRUE", "FALSE")


def limits(context: Context) -> str:
    count, offset = context.pick([0, 1, 2, 3, 5, 10, 100]), context.pick([0, 0, 1, 2])
    return context.pick([f" LIMIT {count}", f" LIMIT {count} OFFSET {offset}", f" LIMIT {offset}, {count}"])


def distinct(context: Context, scope: Scope, body: Node, top: bool) -> Query:
    """SELECT DISTINCT over what has one value for equal ones."""
    items = [sharp(context, scope, 2) for _ in range(context.chance.randint(1, 3))]
    named = _aliased(context, items, force=not top)
    order, ordered = positions(context, len(items))
    frozen = [(fixed(item), one) for item, one in named]
    other = drawn_field(context, scope, lambda one: one.kind not in ("json", "point"), local=True)
    if other is not None and context.odds(0.06):  # which is not in the list, as a rule: MySQL refuses it then
        order, ordered = node("", " ORDER BY ", other[0], optional=True), False
    tree = node("query", "SELECT DISTINCT ", items_of(frozen) if not ordered else fixed(items_of(frozen)), body, order)
    return Query(
        tree, tuple(one for _, one in named), tuple(one.name for _, one in named) if not top else None, ordered
    )


def positions(context: Context, count: int) -> tuple[Node, bool]:
    """ORDER BY over every column of an answer without duplicates, by position."""
    if not context.odds(0.4):
        return nothing(), False
    numbers = [f"{number}{context.pick(['', ' DESC'])}" for number in context.chance.sample(range(1, count + 1), count)]
    limit = limits(context) if context.odds(0.5) else ""
    return Node(order_kind(context), (" ORDER BY " + ", ".join(numbers) + limit,)), True


def set_operation(context: Context, outer: tuple[Source, ...]) -> Query:
    """UNION and the like, of two or three SELECTs with columns of the same kinds."""
    kinds = [context.pick(["int", "dec", "date", "time", "hex", "str"]) for _ in range(context.chance.randint(1, 3))]
    duplicates = context.odds(0.35) and "str" in kinds
    kinds = kinds if duplicates else ["hex" if kind == "str" else kind for kind in kinds]
    names = [context.number("u") for _ in kinds]
    sides = [_side(context, outer, kinds, names) for _ in range(context.pick([2, 2, 3]))]
    words = ["UNION ALL"] if duplicates else ["UNION", "UNION DISTINCT", "UNION ALL"]
    if not duplicates and not context.defining:  # MySQL 9.7 gives rows of nowhere where it reads such a CTE again
        words += ["INTERSECT", "EXCEPT"]
    parts: list[Node | str] = [sides[0]]
    for side in sides[1:]:
        wrapped = node("", "(", side, ")") if context.odds(0.2) else side
        parts += [f" {context.pick(words)} ", wrapped]
    order, ordered = (nothing(), False) if duplicates else positions(context, len(kinds))
    fields = tuple(
        Field(name, "str", CONNECTION if kind == "hex" else "mixed", kind == "hex")
        if kind in ("hex", "str")
        else Field(name, kind, sharp=True)
        for name, kind in zip(names, kinds, strict=True)
    )
    return Query(node("query", *parts, order), fields, None, ordered)


def _side(context: Context, outer: tuple[Source, ...], kinds: Sequence[str], names: Sequence[str]) -> Node:
    from_, scope = From(context, outer, derive).build(context.pick([1, 1, 2]))
    items = []
    for kind, name in zip(kinds, names, strict=True):
        found = drawn_field(context, scope, lambda one, kind=kind: one.kind == kind, local=True)  # type: ignore[misc]
        if kind == "hex":
            value = node("", "HEX(", scalar(context, scope, "str", 1), ")")
        elif found is not None and context.odds(0.7):
            value = found[0]
        else:
            value = scalar(context, scope, kind, 1)
        items.append(node("", value, f" AS {name}"))
    return node("query", "SELECT ", fixed(Node("", tuple(items), listing=", ")), from_, where(context, scope))


def with_common(context: Context) -> Query:
    """WITH one or two common table expressions, which may be named several times, and after a table."""
    parts: list[Node] = []
    recursive = context.odds(0.3)
    context.defining = True
    for _ in range(context.pick([1, 1, 2])):
        name, listed = context.number("cte"), ""
        if recursive and not parts:
            query = _recursive(context, name)
        else:
            query = derive(context, ())
            if context.odds(0.15):  # as a table is called
                taken = {one.alias for one in context.common}
                name = context.pick([table for table in context.tables if table not in taken])
            if context.odds(0.3):
                query, listed = _relabelled(context, query)
        parts.append(node("", f"{context.name(name)}{listed} AS (", query.tree, ")"))
        context.common.append(Source(name, query.fields, query.unique))
    context.defining = False
    query = select(context, (), top=True) if context.odds(0.85) else set_operation(context, ())
    word = "WITH RECURSIVE " if recursive else "WITH "
    clause = node("", word, Node("", tuple(parts), listing=", "), " ", optional=True)
    return replace(query, tree=node("query", clause, query.tree))


def _relabelled(context: Context, query: Query) -> tuple[Query, str]:
    """The query under a list of column names of its own."""
    names = {one.name: context.number("k") for one in query.fields}
    fields = tuple(renamed(one, names[one.name]) for one in query.fields)
    unique = query.unique and tuple(names[old] for old in query.unique)
    return replace(query, fields=fields, unique=unique), f" ({', '.join(names.values())})"


def _recursive(context: Context, name: str) -> Query:
    """Numbers counted up from a column, or a walk from row to row."""
    from_, scope = From(context, (), derive).build(1)
    seed = number_of(context, scope)
    start = node("", "SELECT CAST(MOD(", seed, ", 100) AS SIGNED) AS num, 1 AS lvl", from_, where(context, scope))
    if context.odds(0.5):
        step = node("", f"SELECT num + 1, lvl + 1 FROM {name} WHERE lvl < {context.pick([2, 3])}")
    else:
        table = From(context, (), derive)
        text, source = table.table()
        inner = Scope((source,))
        value = node("", "CAST(MOD(", number_of(context, inner), ", 100) AS SIGNED)")
        found = drawn_field(context, inner, lambda one: one.kind == "int", local=True)
        tie = node("", found[0], f" = {name}.num") if found else predicate(context, inner, 0)
        step = node("", "SELECT ", value, f", lvl + 1 FROM {name} JOIN ", text, " ON ", tie, " WHERE lvl < 3")
    word = " UNION ALL " if context.odds(0.5) else " UNION "
    fields = (Field("num", "int", sharp=True), Field("lvl", "int", sharp=True))
    return Query(node("", start, word, step), fields, None)


def number_of(context: Context, scope: Scope) -> Node:
    """An integer column: a recursive query is strict, and a conversion that goes wrong is an error in it."""
    found = drawn_field(context, scope, lambda one: one.kind == "int", local=True)
    return found[0] if found else node("", "1")
