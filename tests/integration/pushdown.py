"""Tables full of awkward values, in MySQL or MariaDB and as documents, and random predicates over them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from random import Random
from typing import Any, Final

import sqlglot
from hypothesis import strategies as st
from pymysql.connections import Connection
from pymysql.cursors import Cursor
from sqlglot import exp

from platform_store.association import TEXT_TYPES, Column
from platform_store.codecs import JsonText
from platform_store.placeholders import segments, string_value
from platform_store.query.predicate_types import Predicate, Ref
from platform_store.query.predicates import StatementConstants, read
from platform_store.records import ColumnAttribute
from tests.integration.type_matrix import CASES, ZERO_DATES

ROWS: Final = 90
NO_ROW: Final = 0
"""The row that has no document: all document columns are NULL."""

LABELS: Final = "('b','a','B','c d','x\\\\\\\\y','茶','%')"
PAD: Final = "utf8mb4_bin"
LOOSE: Final = "utf8mb4_general_ci"
TEXTS: Final = (
    "a",
    "A",
    "a ",
    "a\t",
    "ab",
    "a%b",
    "a_b",
    "a\\b",
    "",
    " ",
    "é",
    "e",
    "茶",
    "茶 ",
    "😀",
    "a\nb",
    "a\0b",
    "1",
)
TEXTS_TOO: Final = (
    "0",
    "1.0",
    "1e0",
    "2024-05-06",
    "b",
    "B",
    "b,a",
    "a,b",
    "c d",
    "x\\y",
    "%",
    "[a].*",
    "\uffff",
    "a'b",
)

_COLUMNS: Final = (
    *((name, None) for name in ("TINYINT", "INT", "INT UNSIGNED", "BIGINT", "BIGINT UNSIGNED", "FLOAT", "DOUBLE")),
    *((name, None) for name in ("DECIMAL(10,2)", "DECIMAL(34,30)", "DECIMAL(65,30)", "DECIMAL(35,0)")),
    *((name, collation) for name in ("CHAR(20)", "VARCHAR(80)", "TEXT") for collation in ("", PAD, LOOSE)),
    *((f"{name}{LABELS}", collation) for name in ("ENUM", "SET") for collation in ("", PAD)),
    ("ENUM('b','a','É')", LOOSE),
    ("SET('b','a','É')", LOOSE),
    *((name, None) for name in ("BINARY(3)", "VARBINARY(80)", "BLOB", "BIT(9)", "YEAR", "DATE")),
    *((f"{name}{fsp}", None) for name in ("DATETIME", "TIMESTAMP", "TIME") for fsp in ("", "(3)", "(6)")),
)


_SUFFIXES: Final = {None: "_", "": "_", PAD: "_pad", LOOSE: "_loose"}


def columns(*, mariadb: bool) -> list[Column]:
    """One document column of each kind, and two columns of MySQL's rows."""
    exact = "utf8mb4_nopad_bin" if mariadb else "utf8mb4_0900_bin"
    found = []
    for number, (sql_type, collation) in enumerate(_COLUMNS):
        name = re.sub("[^A-Z0-9]+", "_", sql_type.partition("('")[0]).lower() + _SUFFIXES[collation]
        attribute = ColumnAttribute(name, sql_type, collation=exact if collation == "" else collation)
        found.append(Column(attribute, "mongodb", f"f{number}"))
    found.append(Column(ColumnAttribute("m0", "INT"), "mysql", "m0"))
    found.append(Column(ColumnAttribute("m1", "VARCHAR(20)", collation=exact), "both", "m1"))
    return found


def json_columns() -> list[Column]:
    return [Column(ColumnAttribute(name, "JSON"), "mongodb", f"f{name}") for name in ("tags", "list", "tree", "wild")]


# Values


def values(column: Column, random: Random) -> list[object]:
    """Stored values of a column, many of them equal to each other or nearly so."""
    case = next((case for case in CASES if case.type == column.type.ddl), None)
    given: list[object] = [*_near(column)]
    if case is not None:
        given += [*case.edges, *(case.draw(random) for _ in range(20))]
    return [column.codec.check(value) for value in given if not isinstance(value, str) or len(value) < 300]


def _near(column: Column) -> Sequence[object]:
    base = column.type.base
    if base in ("ENUM", "SET"):
        return column.type.members
    if base in TEXT_TYPES:
        return [*TEXTS, *TEXTS_TOO]
    if base == "DATE":
        return [date(2024, 5, 5), date(2024, 5, 6), date(2024, 5, 7), *ZERO_DATES[:4]]
    if base == "DATETIME":
        moments = [datetime(2024, 5, 6, 7, 8, second, part) for second in (9, 10) for part in (0, 123_456, 500_000)]
        return [*moments, datetime(2024, 5, 6), *(f"{zero} 00:00:00" for zero in ZERO_DATES)]
    if base == "TIMESTAMP":
        return [datetime(2024, 5, 6, 7, 8, second, part) for second in (9, 10) for part in (0, 123_456, 500_000)]
    if base == "TIME":
        return [timedelta(hours=sign * 7, milliseconds=part) for sign in (-1, 0, 1, 100) for part in (0, 1, 500, 999)]
    if base == "YEAR":
        return [0, 1901, 1999, 2000, 2024, 2069, 2155]
    if base in ("BINARY", "VARBINARY", "BLOB"):
        return [b"", b"a", b"a\0\0", b"ab", b"abc", b"\xff", "茶".encode()]
    return [0, 1, 2, 10, 12, 100, 127]


def json_values(name: str, random: Random) -> object:
    if name == "tags":
        return random.choices(JSON_LEAVES, k=random.randint(0, 3))
    if name == "list":
        return [
            {"code": random.choice(JSON_LEAVES), "n": random.choice(JSON_LEAVES)} for _ in range(random.randint(0, 3))
        ]
    if name == "tree":
        return {"a": random.choice(JSON_LEAVES), "b": _tree(random, 1), "价格": random.choice(JSON_LEAVES), "k k": 1}
    return random.choice([_tree(random, 0), _tree(random, 0), *JSON_SPECIAL])


JSON_LEAVES: Final = (
    *("x", "X", "x ", "xy", "é", "e", "高", "", " ", "1", "true", "null", "[1]", '{"a": 1}'),
    *('q"q', "b\\s", "n\nl", "a%b"),
    *(0, 1, 1.0, -1, 0.1, 1e20, 10**15, 2**53 + 1, 2**63 + 5, 5e-324, -0.5, True, False, None, 12),
)  # fmt: skip
JSON_SPECIAL: Final = (
    JsonText("null"),
    {"_json": "x"},
    [[{"a": "x"}], "x"],
    {"$x": "x", "a": "x"},
    {"a": {"b\0": 1, "a": "x"}},
)
JSON_KEYS: Final = ("a", "b", "code", "0", "价格", "k k", "x.y", "", "_json")
JSON_PATHS: Final = (
    *("$", "$.a", "$.b", "$.b.a", "$.b.b", "$[0]", "$[1]", "$[last]", "$[*]", "$[*].code", "$.a[0]", "$.b[0].a"),
    *("$[0].code", "$[0][0]", "$.b[*].a", '$."价格"', "$.价格", '$."k k"', '$."x.y"', "$**.a", "$.*", "$.b.*"),
    *("$[0 to 1]", '$."0"', "$.b[0][0]", "$.b.a[1]", '$.""', "$.missing", "$[last-1].n"),
)  # fmt: skip


def _tree(random: Random, depth: int) -> object:
    kind = random.randrange(5) if depth < 4 else 0
    if kind < 2:
        leaf = random.choice(JSON_LEAVES)
        return leaf if depth or leaf is not None else JsonText("null")
    if kind == 2:
        return [_tree(random, depth + 1) for _ in range(random.randint(0, 3))]
    if kind == 3:
        return [[random.choice(JSON_LEAVES)], [[random.choice(JSON_LEAVES)]]]
    return {key: _tree(random, depth + 1) for key in random.sample(JSON_KEYS, k=random.randint(0, 3))}


# Predicates, as text with ``:pN`` for parameters


@dataclass(frozen=True)
class Constant:
    """A value in a statement: as a literal, or as a parameter."""

    value: object
    parameter: bool = False


Text = list["str | Constant"]


def literal(value: object) -> str | None:
    """A literal of SQL, None where there is none that is read."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return f"{value!r}e0" if "e" not in repr(value) else repr(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal):
        return f"{value:f}" if "." in f"{value:f}" else f"{value:f}."
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace("'", "''").replace("\0", "\\0").replace("\n", "\\n")
        return f"'{escaped}'"
    return None


def constants(column: Column, stored: Sequence[object]) -> st.SearchStrategy[Constant]:
    """Constants that a user compares a column with: its values, values near them, and other things."""
    pool: list[object] = []
    for value in stored:
        pool += _spellings(value)
    near = st.sampled_from(pool)
    other = st.sampled_from([*_ODD, None])
    return st.builds(Constant, st.one_of(near, near, near, near, other), st.booleans())


_ODD: Final[tuple[object, ...]] = (
    *("12abc", "1e1", "", " ", "abc", "0", "1", "1.5", " 1", "-1", "99", "2024", "2024-05-06 07:08:09.5", "2024-05-06"),
    *("2024-5-6", "20240506", "2024-05-06T07:08:09", "0000-00-00", "2024-05-00", "2024-02-30", "07:00:00.5", "7:00:00"),
    *("2024-05-06 07:08:09+08:00", "-07:00:00", "9" * 40, "1e400", "b,a", "B"),
    *(0, 1, -1, 1.5, 0.1, 1e-300, 1e300, 2**63, 2**64, 9007199254740993, 9007199254740992.0, 99, 24, 20240506, True),
    *(Decimal("0.10"), Decimal("1.005"), Decimal("9007199254740992.5"), Decimal("0." + "1" * 40), Decimal("12.")),
    *(date(2024, 5, 6), datetime(2024, 5, 6, 7, 8, 9, 500_001), time(7, 0, 0, 1000), timedelta(hours=7), b"a", b"1"),
)


def _spellings(value: object) -> list[object]:
    if isinstance(value, str):
        return [value, value + " ", value.rstrip(" "), value[:3], value.swapcase()]
    if isinstance(value, bytes):
        return [value, value.rstrip(b"\0"), int.from_bytes(value[:4], "big"), value[:2].decode("latin-1")]
    if isinstance(value, datetime):
        return [value, str(value), str(value.date()), value.date(), str(value.replace(microsecond=600_000))]
    if isinstance(value, date):
        return [value, str(value), f"{value} 00:00:00", f"{value} 10:00:00.5"]
    if isinstance(value, timedelta):
        seconds, fraction = divmod(abs(value) // timedelta(microseconds=1), 1_000_000)
        text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        return [text, f"-{text}", f"{text}.{fraction:06}", f"{text}.4", abs(value)]
    if isinstance(value, float):
        return [value, repr(value), Decimal(repr(value)), f"{value:.6g}", float(f"{value:.6g}")]
    if isinstance(value, Decimal):
        return [value, str(value), float(value), value.quantize(Decimal(1)) if abs(value) < 10**20 else value]
    assert isinstance(value, int)
    return [value, value + 1, str(value), float(value), Decimal(value), Decimal(value) + Decimal("0.5"), f"{value}.0"]


def _atom(column: Column, constant: st.SearchStrategy[Constant], others: list[Column]) -> st.SearchStrategy[Text]:
    name = column.name
    comparator = st.sampled_from(["=", "=", "=", "<=>", "<>", "<", "<=", ">", ">="])
    negation = st.sampled_from(["", "", "NOT "])
    listed = st.lists(constant, min_size=1, max_size=4)
    choices: list[st.SearchStrategy[Text]] = [
        st.tuples(comparator, constant).map(lambda p: [f"{name} {p[0]} ", p[1]]),
        st.tuples(comparator, constant).map(lambda p: [p[1], f" {p[0]} {name}"]),
        st.tuples(negation, constant, constant).map(lambda p: [f"{name} {p[0]}BETWEEN ", p[1], " AND ", p[2]]),
        st.tuples(negation, listed).map(lambda p: [f"{name} {p[0]}IN (", *_separated(p[1]), ")"]),
        st.sampled_from(["NULL", "NOT NULL"]).map(lambda p: [f"{name} IS {p}"]),
        st.tuples(comparator, st.sampled_from(others)).map(lambda p: [f"{name} {p[0]} {p[1].name}"]),
        st.tuples(comparator, constant).map(lambda p: [f"COALESCE({name}, NULL) {p[0]} ", p[1]]),
    ]
    if column.type.base in TEXT_TYPES:
        patterns = like_patterns()
        choices += [st.tuples(negation, patterns).map(lambda p: [f"{name} {p[0]}LIKE ", p[1]])] * 2
        choices.append(patterns.map(lambda p: [f"{name} LIKE ", p, " ESCAPE '|'"]))
        choices.append(st.tuples(comparator, constant).map(lambda p: [f"LOWER({name}) {p[0]} ", p[1]]))
    return st.one_of(choices)


def like_patterns() -> st.SearchStrategy[Constant]:
    pieces = st.sampled_from(
        ["%", "_", "a", "b", "A", "é", "茶", "\\", "\\%", "\\_", "|%", "|", " ", "x", "1", "\n", "\0", "😀", "[", "."]
    )
    return st.builds(Constant, st.lists(pieces, max_size=5).map("".join), st.booleans())


def _separated(items: list[Constant]) -> Text:
    found: Text = []
    for item in items:
        found += [", ", item] if found else [item]
    return found


def predicates(atoms: st.SearchStrategy[Text]) -> st.SearchStrategy[Text]:
    """Atoms under AND, OR and NOT."""
    return st.recursive(
        atoms,
        lambda inner: st.one_of(
            inner.map(lambda p: ["NOT (", *p, ")"]),
            st.tuples(st.sampled_from([" AND ", " OR "]), inner, inner).map(
                lambda p: ["(", *p[1], ")", p[0], "(", *p[2], ")"]
            ),
        ),
        max_leaves=4,
    )


def column_predicates(declared: list[Column], stored: dict[str, list[object]]) -> st.SearchStrategy[Text]:
    atoms = [_atom(column, constants(column, stored[column.name]), declared) for column in declared]
    return predicates(st.sampled_from(range(len(atoms))).flatmap(lambda number: atoms[number]))


def json_predicates(declared: list[Column]) -> st.SearchStrategy[Text]:
    name = st.sampled_from([column.name for column in declared])
    path = st.builds(Constant, st.sampled_from(JSON_PATHS), st.booleans())
    simple = st.builds(Constant, st.sampled_from(JSON_PATHS))
    leaf = st.builds(
        Constant, st.sampled_from([*JSON_LEAVES, "x  ", "高 ", "1.0", "0.10", '["x"]', Decimal("0.10")]), st.booleans()
    )
    candidate = st.builds(Constant, st.sampled_from(JSON_CANDIDATES), st.booleans())
    comparator = st.sampled_from(["=", "=", "=", "<>", "<", ">=", "<=>"])
    value = st.one_of(
        st.tuples(name, simple).map(lambda p: [f"JSON_VALUE({p[0]}, ", p[1], ")"]),
        st.tuples(name, path).map(lambda p: [f"JSON_EXTRACT({p[0]}, ", p[1], ")"]),
        st.tuples(name, path).map(lambda p: [f"JSON_UNQUOTE(JSON_EXTRACT({p[0]}, ", p[1], "))"]),
        st.tuples(name, simple).map(lambda p: [f"{p[0]}->", p[1]]),
        st.tuples(name, simple).map(lambda p: [f"{p[0]}->>", p[1]]),
    )
    mode = st.builds(Constant, st.sampled_from(["one", "all"]))
    sought = st.one_of(leaf.filter(lambda one: isinstance(one.value, str)), json_patterns())
    negation = st.sampled_from(["", "NOT "])
    return predicates(
        st.one_of(
            st.tuples(value, comparator, leaf).map(lambda p: [*p[0], f" {p[1]} ", p[2]]),
            st.tuples(value, comparator, leaf).map(lambda p: [*p[0], f" {p[1]} ", p[2]]),
            st.tuples(value, st.lists(leaf, min_size=1, max_size=3)).map(
                lambda p: [*p[0], " IN (", *_separated(p[1]), ")"]
            ),
            st.tuples(value, negation).map(lambda p: [*p[0], f" IS {p[1]}NULL"]),
            st.tuples(value, negation, json_patterns()).map(lambda p: [*p[0], f" {p[1]}LIKE ", p[2]]),
            st.tuples(name, candidate).map(lambda p: [f"JSON_CONTAINS({p[0]}, ", p[1], ")"]),
            st.tuples(name, candidate, path).map(lambda p: [f"JSON_CONTAINS({p[0]}, ", p[1], ", ", p[2], ")"]),
            st.tuples(name, mode, path, path).map(
                lambda p: [f"JSON_CONTAINS_PATH({p[0]}, ", p[1], ", ", p[2], ", ", p[3], ")"]
            ),
            st.tuples(name, mode, sought, negation).map(
                lambda p: [f"JSON_SEARCH({p[0]}, ", p[1], ", ", p[2], f") IS {p[3]}NULL"]
            ),
            st.tuples(name, mode, sought, path).map(
                lambda p: [f"JSON_SEARCH({p[0]}, ", p[1], ", ", p[2], ", NULL, ", p[3], ") IS NOT NULL"]
            ),
            st.tuples(leaf, name).map(lambda p: [p[0], f" MEMBER OF ({p[1]})"]),
            st.tuples(leaf, name, simple).map(lambda p: [p[0], f" MEMBER OF ({p[1]}->", p[2], ")"]),
            st.tuples(name, candidate).map(lambda p: [f"JSON_OVERLAPS({p[0]}, ", p[1], ")"]),
        )
    )


def json_patterns() -> st.SearchStrategy[Constant]:
    pieces = st.sampled_from(["%", "%", "_", "x", "X", "é", "高", "1", " ", "\\", '"', "\n", "e"])
    return st.builds(Constant, st.lists(pieces, max_size=4).map("".join), st.booleans())


JSON_CANDIDATES: Final = (
    *(json.dumps(leaf, ensure_ascii=False) for leaf in JSON_LEAVES),
    *('["x"]', '["x", 1]', "[]", "{}", '[["x"]]', '{"code": "x"}', '{"a": "x"}', '[{"code": 1}]', '{"a": {"b": 1}}'),
    *("1.00", "1e0", "0.10", "-0", '{"b": []}', '{"code": ["x"]}', '{"0": "x"}', "[null]", "18446744073709551615", "x"),
    *('"\\u9ad8"', '{"x.y": "x", "a": "x"}', '{"价格": "高"}', '[{}]', "[[]]", "1e20"),
)  # fmt: skip


# Running them


def written(text: Text, escape: Callable[[object], str]) -> tuple[str, str, dict[str, str], dict[str, object]]:
    """A predicate as users write it, and as the parser sees it: with its markers and parameters."""
    full, masked = [], []
    parameters: dict[str, object] = {}
    for piece in text:
        if isinstance(piece, str):
            full.append(piece)
            masked.append(piece)
            continue
        plain = None if piece.parameter else literal(piece.value)
        if plain is None:
            masked.append(f":p{len(parameters)}")
            parameters[f"p{len(parameters)}"] = piece.value
        else:
            masked.append(plain)
        full.append(escape(piece.value) if plain is None else plain)
    markers: dict[str, str] = {}
    seen = []
    for segment in segments("".join(masked)):
        if segment.kind == "string":
            marker = f"$.l{len(markers)}"
            markers[marker] = string_value(segment.text)
            seen.append(f"'{marker}'")
        else:
            seen.append(segment.text)
    return "".join(full), "".join(seen), markers, parameters


def read_predicate(
    masked: str, markers: dict[str, str], parameters: dict[str, object], declared: list[Column]
) -> Predicate | None:
    tree = sqlglot.parse_one(f"SELECT 1 FROM t WHERE {masked}", read="mysql")
    by_name = {column.name: Ref(0, column) for column in declared}

    def resolve(node: exp.Column) -> Ref | None:
        return by_name.get(node.name)

    return read(tree.args["where"].this, resolve, StatementConstants(markers, parameters))


def fill(
    connection: Connection[Cursor], declared: list[Column], stored: dict[str, list[object]], random: Random
) -> list[dict[str, Any]]:
    """Makes the table ``t``; gives the documents of its rows but the one that has none."""
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS t")
        definitions = [_definition(column) for column in declared]
        cursor.execute(f"CREATE TABLE t (id INT PRIMARY KEY, {', '.join(definitions)}) ROW_FORMAT=DYNAMIC")
        documents = []
        insert = f"INSERT INTO t VALUES (%s{', %s' * len(declared)})"
        cursor.execute(
            insert, [NO_ROW, *(1 if not column.in_mongodb or column.in_mysql else None for column in declared)]
        )
        spread = {column: _spread(stored[column.name], random) for column in declared}
        for key in range(1, ROWS + 1):
            row = {column: spread[column][key - 1] for column in declared}
            cursor.execute(insert, [key, *(None if v is None else c.codec.to_sql(v) for c, v in row.items())])
            fields = {c.field: c.codec.to_bson(v) for c, v in row.items() if v is not None and c.in_mongodb}
            documents.append({"_id": key, **fields})
        cursor.execute("SET sql_mode = DEFAULT")  # queries run under the server's own
    return documents


def _spread(stored: list[object], random: Random) -> list[object]:
    """A value for each row, in no order, each value once where there are enough rows."""
    several = [None, *random.sample(stored, k=len(stored))]
    several += random.choices(several, k=max(0, ROWS - len(several)))
    return random.sample(several[:ROWS], k=ROWS)


def _definition(column: Column) -> str:
    collation = column.attribute.collation
    suffix = f" CHARACTER SET utf8mb4 COLLATE {collation}" if collation else ""
    return f"{column.name} {column.type.ddl}{suffix} NULL"


def held_by_mariadb(stored: object) -> bool:
    return repr(stored) != "-0.0"
