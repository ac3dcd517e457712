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
        f"target.witness journal.server {_ADMITTED} journal.intents journal.intents journal.strays "
        "journal.due target.confirm journal.load target.apply target.confirm target.note_confirmed journal.remove "
        "journal.due journal.due journal.backlog"
    ),
    "recover, an_abandoned_intent": (
        f"target.witness journal.server {_ADMITTED} journal.intents journal.withdraw target.clear journal.intents "
        "journal.remove journal.strays journal.due journal.due journal.backlog"
    ),
}
"""Of a process that has done nothing before."""

ROUND_TRIPS = {
    "write": (2, 1),
    "replace": (3, 1),
    "update": (3, 2),
    "delete": (3, 1),
    "write_many, placed": (5, 1),
    "write_many, journalled": (4, 1),
    "delete_range": (5, 1),
    "transaction": (6, 3),
    "drop_table": (18, 3),  # 7 of them to connect
    "recover, pending_entries": (12, 5),
    "recover, an_abandoned_intent": (14, 2),
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
