"""Identifiers: which names both databases can carry, and quoting them for MySQL."""

from __future__ import annotations

from collections.abc import Iterable

from platform_store.errors import SchemaError

OWN_PREFIX = "platform_store_"
"""Tables of the library itself; no logical table may begin with it."""

REVISION = "_rev"
DELETED = "_deleted"
RESERVED_FIELDS = frozenset({"_id", REVISION, DELETED})
"""Names the library uses inside rows and documents."""

FIELD_PREFIX = "_platform_store_"
"""Fields of columns whose own name may be taken in documents; no extra field may begin with it."""

_MAX_MYSQL_IDENTIFIER = 64


def quote(name: str) -> str:
    """``name`` as a MySQL identifier inside a statement that PyMySQL formats with ``%``."""
    return "`" + name.replace("`", "``").replace("%", "%%") + "`"


def quote_list(names: Iterable[str]) -> str:
    return ", ".join(quote(name) for name in names)


def check_table_name(name: object) -> str:
    """``name`` itself, if both a MySQL table and a MongoDB collection can be called that; else SchemaError."""
    if not isinstance(name, str):
        raise SchemaError(f"a table name is a str, not {type(name).__name__}")
    reason = _identifier_fault(name)
    if reason is None and "$" in name:
        reason = "MongoDB collection names cannot hold '$'"
    if reason is None and name.startswith("system."):
        reason = "MongoDB reserves collection names that begin with 'system.'"
    if reason is None and name.lower().startswith(OWN_PREFIX):
        reason = f"names that begin with {OWN_PREFIX!r} are the library's own"
    if reason is not None:
        raise SchemaError(reason, table=name)
    return name


def check_column_names(table: str, names: Iterable[str], *, existing: Iterable[str] = ()) -> None:
    """SchemaError unless every name is a usable, not reserved column name, distinct from the others ignoring case."""
    seen = {name.casefold(): name for name in existing}
    for name in names:
        if not isinstance(name, str):
            raise SchemaError(f"a column name is a str, not {type(name).__name__}", table=table)
        reason = _identifier_fault(name)
        if reason is None and name.casefold() in RESERVED_FIELDS:
            reason = f"{name!r} is reserved: choose another name"
        if reason is None and name.casefold() in seen:
            other = seen[name.casefold()]
            reason = f"MySQL does not tell it from column {other!r}: choose another name"
            if other == name:
                reason = "there is a column of that name already"
        if reason is not None:
            raise SchemaError(reason, table=table, column=name)
        seen[name.casefold()] = name


def check_field_name(table: str, name: str) -> None:
    """SchemaError unless a document can carry ``name`` as a top-level field that every tool can address."""
    if "." in name or name.startswith("$"):
        raise SchemaError(
            "a column in MongoDB cannot have '.' in its name or '$' at its start: rename it or keep it in MySQL",
            table=table,
            column=name,
        )


def _identifier_fault(name: str) -> str | None:
    if not name:
        return "a name cannot be empty"
    if len(name) > _MAX_MYSQL_IDENTIFIER:
        return f"a name has at most {_MAX_MYSQL_IDENTIFIER} characters, this one has {len(name)}"
    if "\0" in name:
        return "a name cannot hold the NUL character"
    if name != name.rstrip():
        return "a name cannot end with a space"
    if any(ord(character) > 0xFFFF or 0xD800 <= ord(character) <= 0xDFFF for character in name):
        return "MySQL identifiers cannot hold characters beyond U+FFFF"
    return None
