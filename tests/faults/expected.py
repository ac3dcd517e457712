"""What each operation does, step by step, and how often it asks a server: the one place to change with the protocol.

Abbreviated: ``begin`` is the step ``rows.transaction``, ``.x`` is ``rows.transaction.x``, ``journal.x`` is
``rows.journal.x`` and ``target.x`` is ``documents.target.x``.
"""

from __future__ import annotations

from collections.abc import Sequence

_ADMITTED = "target.witness journal.position"  # once in each process
_RAISED = "target.witness journal.position journal.note_ceiling target.raise_ceiling"
_RECORDED = ".record target.refused .commit .exit target.apply"

STEPS = {
    "write": f"begin .fence .insert {_ADMITTED} {_RECORDED}",
    "replace": f"begin .fence .lock .reset {_ADMITTED} {_RECORDED}",
    "update": f"begin .fence .lock .update documents.fetch {_ADMITTED} {_RECORDED}",
    "delete": f"begin .fence .lock .delete {_ADMITTED} {_RECORDED}",
    "write_many, placed": (
        f"begin .fence .insert {_ADMITTED} .announce .savepoint .claim target.place .savepoint.exit .commit .exit"
    ),
    "write_many, journalled": f"begin .fence .insert {_ADMITTED} {_RECORDED}",
    "delete_range": (
        f"begin .fence .lock_range .delete {_ADMITTED} .record target.refused .lock_range .commit .exit target.apply"
    ),
    "transaction": (
        f"begin .fence .savepoint .lock .update documents.fetch {_ADMITTED} .record target.refused .savepoint.exit "
        ".fence .savepoint .insert .record target.refused .savepoint.exit .commit .exit target.apply"
    ),
    "write, first_of_all": (
        f"begin .fence .insert {_ADMITTED} target.testify {_ADMITTED} journal.note_accepted "
        f".record target.refused .commit .exit {_RAISED} target.apply"
    ),
    "write, above_the_ceiling": (
        f"begin .fence .insert {_ADMITTED} .record target.refused .commit .exit {_RAISED} target.apply"
    ),
    "write, after_a_restart": (
        f"begin .fence .insert {_ADMITTED} journal.raise_revisions target.testify {_ADMITTED} journal.note_accepted "
        f".record target.refused .commit .exit {_RAISED} target.apply"
    ),
    "drop_table": (
        "rows.schema_lock rows.load_catalog rows.put_association rows.load_catalog documents.collection_exists "
        "documents.drop_collection rows.table_exists rows.drop_table rows.remove_association rows.schema_lock.exit"
    ),
    "recover, pending_entries": (
        f"journal.server {_ADMITTED} target.witness journal.server journal.intents journal.intents "
        "journal.end_lapsed_hold journal.strays journal.due target.confirm journal.load "
        "target.apply target.confirm target.note_confirmed journal.remove "
        "journal.due journal.due journal.backlog"
    ),
    "recover, an_abandoned_intent": (
        f"journal.server {_ADMITTED} target.witness journal.server journal.intents journal.withdraw target.clear "
        "journal.intents journal.remove journal.end_lapsed_hold journal.strays journal.due journal.due journal.backlog"
    ),
}
"""Of a process that has done nothing before."""

ROUND_TRIPS = {
    "write": (2, 1),
    "replace": (3, 1),
    "update": (3, 2),
    "delete": (3, 1),
    "write_many, placed": (5, 1),
    "write_many, journalled": (3, 1),
    "delete_range": (4, 1),
    "transaction": (6, 3),
    "read": (1, 1),
    "read, from the journal": (1, 0),
    "read, MySQL's columns": (1, 0),
    "read_many": (1, 1),
    "scan": (1, 1),
    "scan, two pages": (4, 2),  # the page after the last row, and whether the table is still this one
    "find": (1, 1),
    "find, MySQL's columns": (1, 0),
    "query, MySQL's columns": (4, 0),
    "query": (13, 1),
    "query, on MariaDB": (14, 1),  # which logs temporary tables unless it is told not to
    "drop_table": (18, 3),  # 7 of them to connect
    "read_collection": (1, 1),
    "verify": (13, 6),
    "move_column to MongoDB, 2,000 rows more": (60, 8),
    "move_column to MySQL, 2,000 rows more": (60, 8),
    "CRM: log_visit": (12, 3),
    "CRM: timeline": (2, 1),
    "CRM: customer_360": (16, 2),
    "recover, pending_entries": (13, 5),
    "recover, an_abandoned_intent": (15, 2),
}
"""To MySQL and to MongoDB, in a process that has written before."""


def abbreviated(names: Sequence[str]) -> str:
    """Steps as :data:`STEPS` writes them."""
    return " ".join(_abbreviated(name) for name in names)


def _abbreviated(name: str) -> str:
    if name == "rows.transaction":
        return "begin"
    for prefix, short in (("rows.transaction", ""), ("rows.journal", "journal"), ("documents.target", "target")):
        if name.startswith(f"{prefix}."):
            return f"{short}{name.removeprefix(prefix)}"
    return name
