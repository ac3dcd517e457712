"""The SQL text of the MySQL store: statements for a table in association, built once for each epoch. Pure.

Every identifier is quoted by :func:`platform_store.names.quote`, every value is a ``%s`` parameter. In each statement
``c`` is the table's catalog row, ``t`` the table, ``j`` the journal. ``LOCK IN SHARE MODE`` is MySQL's and MariaDB's
common spelling of ``FOR SHARE``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from platform_store.association import Association, Column, KeyValues
from platform_store.names import OWN_PREFIX, REVISION, quote, quote_list
from platform_store.search import Search
from platform_store.selection import Selection

CATALOG = OWN_PREFIX + "table"
JOURNAL = OWN_PREFIX + "journal"
STATE = OWN_PREFIX + "state"
JOB = OWN_PREFIX + "job"
JOB_PART = OWN_PREFIX + "job_part"

PENDING, OPEN_INTENT, DONE_INTENT, SET_ASIDE, KEPT = 0, 1, 2, 3, 4
"""States of a journal row. An intent announces the documents of many new rows and holds none itself; a kept entry is
confirmed in MongoDB, and stays for a backup alone. It still is the document of its revision."""

HELD_BY = f"SELECT held_by FROM {STATE} WHERE id = 1"
REMOVALS = f"SELECT removals FROM {STATE} WHERE id = 1"
NOTE_REMOVAL = f"UPDATE {STATE} SET removed_to = GREATEST(removed_to, %s), removals = removals + 1 WHERE id = 1"

UPDATE_PART = f"UPDATE {JOB_PART} SET state = %s, done = %s WHERE job = %s AND number = %s"

LOAD_CATALOG = f"SELECT name, id, epoch, state, storage_format, definition FROM {CATALOG}"
FENCE = f"SELECT epoch FROM {CATALOG} WHERE id = %s LOCK IN SHARE MODE"
EPOCH = f"SELECT epoch FROM {CATALOG} WHERE id = %s"
LOCK_CATALOG_ROW = f"SELECT epoch FROM {CATALOG} WHERE id = %s FOR UPDATE"
INSERT_CATALOG_ROW = f"INSERT INTO {CATALOG} (name, epoch, state, storage_format, definition) VALUES "
UPDATE_CATALOG_ROW = f"UPDATE {CATALOG} SET epoch = epoch + 1, state = %s, definition = %s WHERE id = %s"
DELETE_CATALOG_ROW = f"DELETE FROM {CATALOG} WHERE id = %s"

INSERT_ENTRIES = f"INSERT INTO {JOURNAL} (table_id, epoch, row_key, nonce, size, document) VALUES "
INSERT_INTENT = f"INSERT INTO {JOURNAL} (table_id, row_key, epoch, nonce, state) VALUES "
INTENT = f"(%s, %s, %s, %s, {OPEN_INTENT})"
CLAIM_INTENT = f"UPDATE {JOURNAL} SET state = {DONE_INTENT} WHERE id = %s AND nonce = %s AND state = {OPEN_INTENT}"
INSERT_MARK = f"INSERT INTO {JOURNAL} (table_id, row_key, epoch, nonce, state) VALUES (0, '', 0, %s, {DONE_INTENT})"
TABLE_ENTRIES = f"SELECT id FROM {JOURNAL} WHERE table_id = %s"

DONE_INTENTS = f"SELECT id FROM {JOURNAL} WHERE table_id = %s AND state = {DONE_INTENT}"
_WITH_DOCUMENT = f"FROM {JOURNAL} WHERE table_id = %s AND state IN ({PENDING}, {SET_ASIDE})"
PENDING_SIZES = f"SELECT id, size {_WITH_DOCUMENT} AND id > %s ORDER BY id LIMIT %s"
PENDING_DOCUMENTS = f"SELECT id, row_key, document {_WITH_DOCUMENT} AND id BETWEEN %s AND %s ORDER BY id"
BEGIN_SNAPSHOT = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"  # where REPEATABLE READ is the session's

_DATE_CASTS = {"DATE": "DATE", "DATETIME": "DATETIME"}

KEYS_OF_ENTRIES = (
    f"SELECT row_key FROM {JOURNAL} WHERE table_id = %s AND state IN ({PENDING}, {SET_ASIDE}, {KEPT}) AND row_key IN "
)
KEYS_OF_INTENTS = f"SELECT row_key FROM {JOURNAL} WHERE table_id = %s AND state = {OPEN_INTENT}"


_ALLOCATED = "LAST_INSERT_ID()"  # the first number of the INSERT that was the connection's last to get any


def entries_by_id(count: int) -> str:
    """``count`` rows of the journal as ``j``, found one by one and in no other way.

    For an IN list MySQL reads a small table whole, and would wait for every row that some writer has locked.
    """
    ids = " UNION ALL ".join(["SELECT %s AS id", *["SELECT %s"] * (count - 1)])
    return f"({ids}) AS v STRAIGHT_JOIN {JOURNAL} AS j ON j.id = v.id"


def entry(association: Association, nonce: bytes) -> str:
    """A row of :data:`INSERT_ENTRIES`; the parameters are the key, the document's size, and the document."""
    return f"({association.table_id:d}, {association.epoch:d}, %s, X'{nonce.hex()}', %s, %s)"


def placeholders(count: int) -> str:
    return ", ".join(["%s"] * count)


def key_sql(association: Association, keys: Sequence[KeyValues]) -> tuple[str, list[Any]]:
    """``(condition, parameters)`` that is true for exactly these keys of ``t``."""
    columns = [f"t.{quote(name)}" for name in association.key_names]
    if len(columns) == 1:
        to_sql = association.key_columns[0].codec.to_sql
        parameters = [to_sql(part) for (part,) in keys]
    else:
        parameters = [part for key in keys for part in key_parameters(association, key)]
    if len(keys) == 1:
        return " AND ".join(f"{column} = %s" for column in columns), parameters
    if len(columns) == 1:
        return f"{columns[0]} IN ({placeholders(len(keys))})", parameters
    one = f"({placeholders(len(columns))})"
    return f"({', '.join(columns)}) IN ({', '.join([one] * len(keys))})", parameters


def key_parameters(association: Association, key: KeyValues) -> list[Any]:
    if len(key) == 1:
        return [association.key_columns[0].codec.to_sql(key[0])]
    return [column.codec.to_sql(part) for column, part in zip(association.key_columns, key, strict=True)]


def range_sql(
    association: Association, start: KeyValues | None, stop: KeyValues | None, after: KeyValues | None = None
) -> tuple[str, list[Any]]:
    """``(condition, parameters)`` of a key range of ``t``: both ends included, strictly after ``after``."""
    conditions, parameters = [], []
    lower = start if after is None else None
    for bound, comparison, inclusive in ((lower, ">", True), (stop, "<", True), (after, ">", False)):
        if bound is None:
            continue
        columns = [_Compared(f"t.{quote(name)}", comparison) for name in association.key_names]
        condition, values = _bound_sql(columns, key_parameters(association, bound), inclusive=inclusive)
        conditions.append(condition)
        parameters.extend(values)
    return " AND ".join(conditions) or "TRUE", parameters


class _Compared(NamedTuple):
    """A column in a lexicographic comparison; ``comparison``: what comes after is more (">") or less ("<") of it."""

    column: str
    comparison: str


def _bound_sql(columns: Sequence[_Compared], values: Sequence[Any], *, inclusive: bool) -> tuple[str, list[Any]]:
    """A lexicographic comparison, in the form of which MySQL makes index ranges over every column.

    It makes none of ``(a, b) > (1, 2)``, and of ``a >= 1 AND (a > 1 OR b > 2)`` one that begins at ``a = 1`` each time.
    """
    (column, comparison), value = columns[0], values[0]
    if len(values) == 1:
        return f"{column} {comparison}{'=' if inclusive else ''} %s", [value]
    rest, parameters = _bound_sql(columns[1:], values[1:], inclusive=inclusive)
    return f"({column} {comparison} %s OR ({column} = %s AND {rest}))", [value, value, *parameters]


def search_sql(search: Search) -> tuple[str, list[Any]]:
    """``(condition, parameters)`` of the rows of ``t`` that are looked for."""
    conditions, parameters = ["TRUE"], []
    for one in search.conditions:
        name = f"t.{quote(one.column.name)}"
        if one.comparison == "IS NULL":
            conditions.append(f"{name} IS NULL")
        elif one.comparison == "IN":
            conditions.append(f"{name} IN ({placeholders(len(one.values))})" if one.values else "FALSE")
        else:
            conditions.append(f"{name} {one.comparison} %s")
        parameters += [one.column.codec.to_sql(value) for value in one.values]
    if search.after is not None:
        columns = [_Compared(f"t.{quote(one.column.name)}", "<" if one.descending else ">") for one in search.order]
        values = [one.column.codec.to_sql(value) for one, value in zip(search.order, search.after, strict=True)]
        condition, bounds = _bound_sql(columns, values, inclusive=False)
        conditions.append(condition)
        parameters += bounds
    return " AND ".join(conditions), parameters


def search_order(search: Search) -> str:
    """Comes after the condition."""
    order = ", ".join(f"t.{quote(one.column.name)}{' DESC' if one.descending else ''}" for one in search.order)
    return f" ORDER BY {order}" + (f" LIMIT {search.limit:d}" if search.limit is not None else "")


@lru_cache(maxsize=1024)
def key_order(association: Association) -> str:
    return ", ".join(f"t.{quote(name)}" for name in association.key_names)


def read_rows(selection: Selection, condition: str, index: str | None = None) -> str:
    """A read of the rows that ``condition`` on ``t`` names: revision, pending document, columns.

    One statement, so that the row, its revision and the journal entry of that revision are of one moment. The
    parameters after the condition's are the table's id and the epoch; under another epoch there are no rows.
    ``index``: the one in whose order rows are read.
    """
    head, tail = _around_condition(selection, index)
    return f"{head}{condition}{tail}"


def read_page(selection: Selection, condition: str) -> str:
    """As :func:`read_rows`, the first rows in key order; the limit is the last parameter."""
    return f"{read_rows(selection, condition)} ORDER BY {key_order(selection.association)} LIMIT %s"


@lru_cache(maxsize=1024)
def _around_condition(selection: Selection, index: str | None) -> tuple[str, str]:
    association = selection.association
    pending, table = "NULL", f"{quote(association.name)} AS t{_in_order_of(index)}"
    if selection.needs_document:
        pending, table = "j.document", f"{table} LEFT JOIN {JOURNAL} AS j ON {_is_pending(association)}"
    columns = ", ".join([_revision(association), pending, *(f"t.{quote(column.name)}" for column in selection.mysql)])
    return f"SELECT {columns} FROM {CATALOG} AS c JOIN {table} WHERE ", " AND c.id = %s AND c.epoch = %s"


def _in_order_of(index: str | None) -> str:
    return "" if index is None else f" FORCE INDEX FOR ORDER BY ({quote(index)})"


def _revision(association: Association, alias: str = "t") -> str:
    """A row's revision to its readers: 0 where the documents of that time were discarded."""
    revision = f"{alias}.{quote(REVISION)}"
    if not association.discarded_at:
        return revision
    return f"CAST(IF({revision} <= {association.discarded_at:d}, 0, {revision}) AS UNSIGNED)"


def _is_pending(association: Association, alias: str = "t", entry: str = "j") -> str:
    """Whether ``entry`` is the entry of the revision that ``alias`` shows, with its document."""
    revision = f"{alias}.{quote(REVISION)}"
    discarded = f" AND {revision} > {association.discarded_at:d}" if association.discarded_at else ""
    return f"{entry}.id = {revision} AND {entry}.state IN ({PENDING}, {SET_ASIDE}, {KEPT}){discarded}"


def select_key_rows(association: Association, alias: str) -> str:
    """The head of a query for keys, revisions and pending documents of a table that its FROM clause calls ``alias``."""
    row, entry = quote(alias), f"{OWN_PREFIX}entry"  # a name that the clause does not have
    keys = ", ".join(f"{row}.{quote(name)}" for name in association.key_names)
    pending = f"SELECT {entry}.document FROM {JOURNAL} AS {entry} WHERE {_is_pending(association, row, entry)}"
    return f"SELECT {keys}, {_revision(association, row)}, ({pending})"


@lru_cache(maxsize=1024)
def insert_head(association: Association, names: tuple[str, ...]) -> str:
    return f"INSERT INTO {quote(association.name)} ({quote_list(names)}) VALUES "


def update_rows(
    association: Association, assignments: Sequence[str], keys: Sequence[KeyValues]
) -> tuple[str, list[Any]]:
    condition, parameters = key_sql(association, keys)
    return f"UPDATE {quote(association.name)} AS t SET {', '.join(assignments)} WHERE {condition}", parameters


def lock_rows(association: Association, condition: str, *, pending: bool = True, limit: bool = False) -> str:
    """Locks rows. ``pending``: the pending document of each row's revision comes along."""
    keys = key_order(association)
    document = f"(SELECT j.document FROM {JOURNAL} AS j WHERE {_is_pending(association)})"
    order = f" ORDER BY {keys} LIMIT %s" if limit else ""
    return (
        f"SELECT {keys}, {_revision(association)}, {document if pending else 'NULL'} "
        f"FROM {quote(association.name)} AS t WHERE {condition}{order} FOR UPDATE"
    )


def lock_found(association: Association, condition: str, order: str, index: str | None) -> str:
    """Locks rows, in an order that may have a limit; their keys. ``index``: the one in whose order they are read."""
    table = f"{quote(association.name)} AS t{_in_order_of(index)}"
    return f"SELECT {key_order(association)} FROM {table} WHERE {condition}{order} FOR UPDATE"


def select_keys(association: Association, condition: str) -> str:
    return f"SELECT {key_order(association)} FROM {quote(association.name)} AS t WHERE {condition}"


def delete_rows(association: Association, condition: str) -> str:
    return f"DELETE t FROM {quote(association.name)} AS t WHERE {condition}"


def stamp_one(association: Association) -> str:
    """Stamps one row; the parameters are its place in the INSERT that allocated revisions last, and its key."""
    condition = " AND ".join(f"t.{quote(name)} = %s" for name in association.key_names)
    return f"UPDATE {quote(association.name)} AS t SET {_stamp(association, f'{_ALLOCATED} + %s')} WHERE {condition}"


def stamp_many(association: Association, count: int) -> str:
    """As :func:`stamp_one`, of ``count`` rows; the parameters are place and key parts, row after row."""
    casts = [_derived(column) for column in association.key_columns]
    first = ", ".join(["%s AS r", *(f"{cast} AS k{number}" for number, cast in enumerate(casts))])
    rest = ", ".join(["%s", *casts])
    derived = " UNION ALL ".join([f"SELECT {first}", *[f"SELECT {rest}"] * (count - 1)])
    on = " AND ".join(f"t.{quote(name)} = v.k{number}" for number, name in enumerate(association.key_names))
    revision = _stamp(association, f"{_ALLOCATED} + v.r")
    return f"UPDATE {quote(association.name)} AS t JOIN ({derived}) AS v ON {on} SET {revision}"


def stamp_run(association: Association) -> str:
    """Stamps rows of consecutive keys; the parameters are the first one's place, its key twice, and the last key."""
    key = f"t.{quote(association.key_names[0])}"
    revision = _stamp(association, f"{_ALLOCATED} + %s + ({key} - %s)")
    return f"UPDATE {quote(association.name)} AS t SET {revision} WHERE {key} BETWEEN %s AND %s"


def stamp_alike(association: Association, condition: str) -> str:
    """Stamps the rows of a condition with one revision, its first parameter."""
    return f"UPDATE {quote(association.name)} AS t SET {_stamp(association, '%s')} WHERE {condition}"


def _stamp(association: Association, revision: str) -> str:
    """The revision, and each ON UPDATE column as it is: the stamp is part of the write that has just set them."""
    kept = [f"t.{quote(column.name)}" for column in association.mysql_columns if column.on_update]
    return ", ".join([f"t.{quote(REVISION)} = {revision}", *(f"{column} = {column}" for column in kept)])


def _derived(column: Column) -> str:
    if column.type.base in _DATE_CASTS:
        return f"CAST(%s AS {column.type.ddl})"
    if column.type.base in ("CHAR", "VARCHAR"):
        return f"CAST(%s AS CHAR CHARACTER SET utf8mb4) COLLATE {column.attribute.collation}"
    return "%s"


@lru_cache(maxsize=256)
def _exact_head(association: Association, columns: tuple[Column, ...]) -> str:
    expressions = [column.codec.exact_sql(f"t.{quote(column.name)}") for column in columns]
    selected = ", ".join(
        [_revision(association), *(f"t.{quote(name)}" for name in association.key_names), *expressions]
    )
    return f"SELECT {selected} FROM {CATALOG} AS c JOIN {quote(association.name)} AS t WHERE "


def read_exact(association: Association, columns: tuple[Column, ...], condition: str) -> str:
    """Revision, key and columns without loss; the parameters after the condition's are the table's id and the epoch."""
    return f"{_exact_head(association, columns)}{condition} AND c.id = %s AND c.epoch = %s"


def exact_columns(association: Association, columns: Sequence[Column]) -> str:
    expressions = [column.codec.exact_sql(f"t.{quote(column.name)}") for column in columns]
    condition = " AND ".join(f"t.{quote(name)} = %s" for name in association.key_names)
    return f"SELECT {', '.join(expressions)} FROM {quote(association.name)} AS t WHERE {condition}"
