"""What MySQL executes in place of a statement over document columns, and what is known of the rows it needs."""

from __future__ import annotations

import pytest

from platform_store import ColumnAttribute, NotSupported
from platform_store.association import Association, Column
from platform_store.query.analysis import Analysis, analyse, parse, table_names
from platform_store.query.apart import kept_apart
from platform_store.query.headings import groupings, headings, hints, spellings, table_arguments
from platform_store.query.predicates import StatementConstants, sql
from platform_store.query.restrict import Restriction, restrictions
from platform_store.query.rewrite import Copy, copies, rewritten
from platform_store.query.text import Statement, fold
from platform_store.query.verdict import is_doubtful


def table(name: str, mysql: str, documents: str) -> Association:
    own = [Column(ColumnAttribute(one, "INT"), "mysql", one, key=not place) for place, one in enumerate(mysql.split())]
    others = [Column(ColumnAttribute(one, "JSON"), "mongodb", one) for one in documents.split()]
    return Association(name, 1, 1, tuple(own + others))


TABLES = {"card": table("card", "id n city", "doc tags"), "m": table("m", "id a card_id", "v w")}


def analysed(statement: str) -> Analysis:
    read = Statement.read(statement)
    tree = parse(read)
    known = {name: association for name, association in TABLES.items() if name in table_names(tree)}
    return analyse(read, tree, known, lambda database: fold(database) == "own")


def shown(copy: Copy) -> str:
    names = ",".join(column.name for column in copy.reference.columns)
    return f"<{copy.number}:{names}{'*' if copy.reference.every else ''}>"


def executed(statement: str, *, reopens: bool = False) -> str:
    analysis = analysed(statement)
    edits = [*spellings(analysis), *groupings(analysis), *table_arguments(analysis), *hints(analysis)]
    return rewritten(analysis, shown, edits, reopens=reopens)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("SELECT id FROM card", "SELECT id FROM card"),
        ("SELECT doc FROM card", "SELECT doc FROM <0:doc> AS `card`"),
        ("SELECT c.doc FROM card c", "SELECT c.doc FROM <0:doc> c"),
        ("SELECT * FROM `card` AS x", "SELECT * FROM <0:doc,tags*> AS x"),
        ("SELECT 'doc', \"card\" FROM card -- doc\n", "SELECT 'doc', \"card\" FROM card -- doc\n"),
        ("SELECT a.doc, b.tags FROM card a, card b", "SELECT a.doc, b.tags FROM <0:doc> a, <0:tags> b"),
        ("SELECT COUNT(*) FROM card", "SELECT COUNT(*) FROM card"),
        ("SELECT EXISTS (SELECT * FROM card)", "SELECT EXISTS (SELECT * FROM card)"),
        ("SELECT n FROM card NATURAL JOIN m", "SELECT n FROM <0:doc,tags*> AS `card` NATURAL JOIN <0:v,w*> AS `m`"),
        ("SELECT n FROM card JOIN m USING (doc)", "SELECT n FROM <0:doc> AS `card` JOIN m USING (doc)"),
        ("SELECT doc FROM own.card", "SELECT doc FROM <0:doc> AS `card`"),
        ("SELECT doc FROM other.card", "SELECT doc FROM other.card"),
        ("SELECT Doc FROM card", "SELECT Doc AS `Doc` FROM <0:doc> AS `card`"),
        ("SELECT n doc FROM card GROUP BY doc", "SELECT n doc FROM <0:doc> AS `card` GROUP BY `card`.doc"),
        (
            "SELECT 1 FROM card c, JSON_TABLE(c.tags, '$' COLUMNS (x INT PATH '$' NULL ON EMPTY)) j",
            "SELECT /*+ SET_VAR(optimizer_switch='duplicateweedout=off') */ 1 "
            "FROM <0:tags> c, JSON_TABLE(COALESCE(c.tags), '$' COLUMNS (x INT PATH '$' NULL ON EMPTY)) j",
        ),
        (
            "WITH x AS (SELECT doc FROM card) SELECT * FROM x a, x b",
            "WITH `x_1` AS (SELECT doc FROM <1:doc> AS `card`), x AS (SELECT doc FROM <0:doc> AS `card`) "
            "SELECT * FROM x a, `x_1` b",
        ),
        (
            "WITH x AS (SELECT doc FROM card), y (p) AS (SELECT 1 FROM x, x z) SELECT * FROM y",
            "WITH `x_1` AS (SELECT doc FROM <1:doc> AS `card`), x AS (SELECT doc FROM <0:doc> AS `card`), "
            "y (p) AS (SELECT 1 FROM x, `x_1` z) SELECT * FROM y",
        ),
    ],
)
def test_only_names_of_tables_are_replaced(statement: str, expected: str) -> None:
    assert executed(statement) == expected


def test_mariadb_may_open_a_scratch_table_twice() -> None:
    statement = "WITH x AS (SELECT doc FROM card) SELECT * FROM x a, x b"
    assert executed(statement, reopens=True).count("<") == 1
    assert len(copies(analysed(statement), reopens=False)) == 2


@pytest.mark.parametrize(
    ("statement", "construct"),
    [
        ("TABLE card", "TABLE"),
        ("SELECT DEFAULT(doc) FROM card", "DEFAULT"),
        ("SELECT own.card.doc FROM card", "a column name with a database"),
        ("SELECT doc FROM card FORCE INDEX (x)", "an index hint"),
        ("SELECT doc, _rev FROM card", "the hidden column"),
        ("SELECT doc FROM card FOR SHARE", "a locking clause"),
        ("SELECT doc FROM card; SELECT 1", "2 statements"),
        (f"SELECT {', '.join(['(SELECT doc FROM card)'] * 61)}", "more than 60 uses"),
    ],
)
def test_what_is_refused(statement: str, construct: str) -> None:
    with pytest.raises(NotSupported, match=construct):
        executed(statement)


@pytest.mark.parametrize(
    ("statement", "found", "expected"),
    [
        ("SELECT ABS( doc ), n FROM card", ["ABS( doc )", "n"], ("ABS( doc )", "n")),
        ("SELECT (SELECT MAX(doc) FROM card) /* x */, 2", ["?", "2"], ("(SELECT MAX(doc) FROM card)", "2")),
        ("SELECT *, (SELECT doc FROM card) FROM m", ["id", "a", "?"], ("id", "a", "(SELECT doc FROM card)")),
        ("SELECT (SELECT doc FROM card) x FROM m", ["x"], ("x",)),
        ("SELECT (SELECT '🍵' FROM card WHERE doc)", ["?"], ("(SELECT '?' FROM card WHERE doc)",)),
    ],
)
def test_headings_are_those_of_the_text(statement: str, found: list[str], expected: tuple[str, ...]) -> None:
    assert headings(analysed(statement), found, []) == expected


def known(statement: str) -> dict[str, Restriction]:
    analysis = analysed(statement)
    found = restrictions(analysis, StatementConstants(analysis.statement.markers, {}))
    return {one.reference.alias: one for one in found.values()}


def own(restriction: Restriction) -> list[str]:
    return sorted(sql(one, lambda ref: ref.column.name, repr) for one in restriction.own)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("SELECT doc FROM card c WHERE n = 1 AND (city > 2 AND id < 3)", ["(city > 2)", "(id < 3)", "(n = 1)"]),
        ("SELECT doc FROM card c WHERE n = 1 OR id = 2", ["((n = 1) OR (id = 2))"]),
        ("SELECT doc FROM card c WHERE n = 1 XOR id = 2 AND city = 3", []),
        ("SELECT doc FROM card c WHERE n = 1 || id = 2", []),
        ("SELECT doc FROM card c WHERE n = 1 AND RAND() < 1", ["(n = 1)"]),
        ("SELECT c.doc FROM m LEFT JOIN card c ON c.id = m.a AND c.n = 1 WHERE c.city = 2", ["(city = 2)", "(n = 1)"]),
        ("SELECT c.doc FROM m LEFT JOIN card c ON c.id = m.a WHERE c.n IS NULL", []),
        ("SELECT c.doc FROM card c LEFT JOIN m ON c.n = 1", []),
        ("SELECT c.doc FROM card c JOIN m ON c.n = 1 AND m.id = c.id", ["(n = 1)"]),
        ("SELECT c.doc FROM card c RIGHT JOIN m ON c.n = 1 WHERE c.id = 5", ["(id = 5)"]),
        ("SELECT c.doc FROM card c RIGHT JOIN m ON c.n = 1 WHERE c.id <=> NULL", []),
        ("SELECT n AS city, doc FROM card c HAVING city = 1", []),
        ("SELECT doc FROM card c JOIN plain ON TRUE WHERE n = 1", ["(n = 1)"]),
        ("SELECT (SELECT c.doc FROM card c WHERE c.id = m.a) FROM m WHERE m.id = 1", []),
    ],
)
def test_conditions_of_a_reference(statement: str, expected: list[str]) -> None:
    assert own(known(statement)["c"]) == expected


@pytest.mark.parametrize(
    ("statement", "edges"),
    [
        ("SELECT doc FROM card c JOIN m ON m.card_id = c.id WHERE m.a = 1", {"c": 1, "m": 1}),
        ("SELECT doc FROM card c, m WHERE m.card_id = c.id AND m.a = 1", {"c": 1, "m": 1}),
        ("SELECT v FROM card c LEFT JOIN m ON m.card_id = c.id", {"c": 0, "m": 1}),
        ("SELECT v FROM card c LEFT JOIN m ON m.card_id <=> c.id", {"c": 0, "m": 1}),
        ("SELECT 1 FROM card c WHERE EXISTS (SELECT 1 FROM m WHERE m.card_id = c.id AND m.v)", {"c": 0, "m": 1}),
        ("SELECT 1 FROM card c JOIN (SELECT v, card_id FROM m) x ON x.card_id = c.id", {"c": 0, "m": 0}),
    ],
)
def test_what_a_join_says(statement: str, edges: dict[str, int]) -> None:
    assert {alias: len(one.edges) for alias, one in known(statement).items()} == edges


@pytest.mark.parametrize(
    ("statement", "count"),
    [
        ("SELECT doc FROM card c WHERE n = 1 ORDER BY city DESC LIMIT 5", 5),
        ("SELECT doc FROM card c ORDER BY id LIMIT 5 OFFSET 10", 15),
        ("SELECT doc FROM card c LIMIT 5", 5),
        ("SELECT doc FROM card c WHERE doc = 1 LIMIT 5", None),
        ("SELECT doc FROM card c ORDER BY doc LIMIT 5", None),
        ("SELECT DISTINCT doc FROM card c LIMIT 5", None),
        ("SELECT COUNT(doc) FROM card c LIMIT 5", None),
        ("SELECT doc FROM card c GROUP BY id LIMIT 5", None),
        ("SELECT -id AS id, doc FROM card c ORDER BY id LIMIT 5", None),
        ("SELECT ROW_NUMBER() OVER (), doc FROM card c LIMIT 5", None),
        ("SELECT c.doc FROM card c JOIN m USING (id) LIMIT 5", None),
        ("SELECT doc FROM card c", None),
    ],
)
def test_when_the_first_rows_are_enough(statement: str, count: int | None) -> None:
    limit = known(statement)["c"].limit
    assert (None if limit is None else limit.count) == count


@pytest.mark.parametrize(
    ("statement", "doubtful"),
    [
        ("SELECT doc FROM card GROUP BY doc HAVING EXISTS (SELECT 1 FROM m WHERE m.id = n)", True),
        ("SELECT COUNT(*) FROM card GROUP BY n HAVING EXISTS (SELECT 1 FROM m WHERE m.id = n)", False),  # all in MySQL
        ("SELECT doc FROM card GROUP BY doc HAVING COUNT(*) > 1", False),
        ("SELECT (SELECT doc), COUNT(*) FROM card GROUP BY 1", True),
        ("SELECT doc, COUNT(*) FROM card GROUP BY 1", False),
        ("SELECT DISTINCT doc FROM card ORDER BY n", True),
        ("SELECT DISTINCT doc FROM card ORDER BY COUNT(*)", True),
        ("SELECT DISTINCT doc, n + 1 AS k FROM card ORDER BY k, n + 1, Doc, 1", False),
        ("SELECT doc FROM card ORDER BY n", False),
        ("SELECT n FROM (SELECT DISTINCT doc FROM card ORDER BY n) AS x", True),
    ],
)
def test_what_mysql_is_asked_about_before(statement: str, doubtful: bool) -> None:
    assert is_doubtful(analysed(statement)) is doubtful


def test_what_is_kept_apart_for_the_types_of_its_columns() -> None:
    columns = [
        Column(ColumnAttribute("id", "INT"), "mysql", "id", key=True),
        Column(ColumnAttribute("price", "FLOAT"), "mysql", "price"),
        Column(ColumnAttribute("kind", "ENUM('a','b')"), "mongodb", "kind"),
        Column(ColumnAttribute("pieces", "INT UNSIGNED"), "mongodb", "pieces"),
        Column(ColumnAttribute("doc", "JSON"), "mongodb", "doc"),
    ]
    tables = {**TABLES, "item": Association("item", 3, 1, tuple(columns))}

    def kept(statement: str, *, mariadb: bool = False) -> list[str]:
        read = Statement.read(statement)
        analysis = analyse(read, parse(read), tables, lambda _: False)
        numbers = kept_apart(analysis, mariadb=mariadb)
        return [one.alias for one in analysis.staged if one.number in numbers]

    both = "FROM item AS i JOIN card AS c ON c.doc = i.doc"
    assert kept(f"SELECT MAX(IF(i.id > 1, i.price, 0)) {both}") == ["i"]
    assert kept(f"SELECT MAX(price) {both}", mariadb=True) == []
    assert kept(f"SELECT MIN(kind) {both}") == kept(f"SELECT MIN(kind) {both}", mariadb=True) == ["i"]
    assert kept(f"SELECT MAX(pieces) {both}") == []
    assert kept(f"SELECT x.k FROM (SELECT MAX(pieces) AS k {both}) AS x") == ["i"]
    assert kept(f"SELECT price, kind, SUM(price), MAX(i.id) {both} GROUP BY price, kind") == []
    assert kept(f"SELECT 1 {both} LEFT JOIN m ON m.v IN (SELECT tags FROM card AS x)") == ["i", "c", "m", "x"]
    assert kept(f"SELECT 1 {both} AND i.doc IN (SELECT tags FROM card AS x)") == []
    assert kept(f"SELECT RANK() OVER (ORDER BY i.id) {both}") == []
    assert kept(f"SELECT RANK() OVER (ORDER BY i.id) {both}", mariadb=True) == ["i", "c"]
