"""The page for operators: what ``status()`` and ``recover()`` tell, and every message of the log with its meaning."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple, cast

from griffe import Class, Module

from tools.reference.python import Reader, members
from tools.reference.text import Anchors, Writer, page, table

NAME: Final = "operation.md"

_RECORDS: Final = ("Status", "Recovered", "Finding")
_LEVELS: Final = ("error", "warning", "info")

MEANINGS: Final = {
    "MySQL has lost writes of %d rows of table %r: they are as before": (
        "`recover()` after MySQL was restored: documents of these rows were of writes that are gone, and the rows are "
        "those of the older copy. Compare with what your application knows to have written."
    ),
    "%d documents of table %r are of writes that MySQL has lost": (
        "`recover()` after MySQL was restored: nothing reads these documents any more. `verify` shows them as extra; "
        "look what can be saved from them before `--repair` removes them."
    ),
    "MySQL is back at revision %d: it was restored, or lost its last writes": (
        "Nothing is written until `recover()` was called. Read docs/consistency.md first."
    ),
    "MongoDB refuses %d documents (code %s): they are set aside, and served to readers": (
        "A validator or a limit of MongoDB refuses what MySQL has committed. No reader of the library notices. Mend "
        "the cause, then `recover()` tries again."
    ),
    "%s; writes are kept in the journal, or fail, as configured": (
        "MongoDB does not answer as a platform is opened. Nothing to do but to bring it back."
    ),
    "MongoDB does not answer; documents are kept in the journal: %s": (
        "MongoDB does not answer, or not in time. Said once; watch `pending_entries`, since writes fail where it comes "
        "to `journal.max_entries` or `journal.max_bytes`."
    ),
    "MongoDB answers again": "The end of the message above; what waits is brought to it now.",
    "documents are kept in the journal: %s": (
        "MySQL could not be asked whether documents may be brought to MongoDB (the message says why). They stay where "
        "they are safe, and are brought later."
    ),
    "the journal is full: %d documents (%d bytes) wait in it, and writes fail": (
        "As much waits as `journal.max_entries` and `journal.max_bytes` allow. Bring MongoDB back, or raise them."
    ),
    "the journal has room again: writes are taken": "The end of the message above.",
    "%d documents wait in the journal, the oldest for %.0f s": (
        "Nobody brings them: MongoDB is away, or too slow for what is written, or no process has a platform open. "
        "Look at the messages before this one, and at `platform-store status`."
    ),
    "no document waits in the journal for long any more": "The end of the message above.",
    "MongoDB refuses no document any more": (
        "What it had refused was taken, or is of no account any more: deleted, or written anew."
    ),
    "the journal is looked after again": "The end of: the journal is looked after later.",
    "this process looks after the journal from now on": (
        "One process does so at a time. Another one has ended, or has not been heard of for `journal.lease` seconds."
    ),
    "the restored MySQL is accepted: revisions go on above %d": (
        "`recover()` has done what is to be done after MySQL was restored. Writes are taken again."
    ),
    "recovered: %d documents left the journal, %d are still in it, %d bulk writes were undone": (
        "What a call of `recover()` did. Some may be still in it because they were written just now."
    ),
    "MySQL was started anew, or is another server: revisions go on above %d": (
        "Noticed with the first write after it. Nothing is lost, as far as can be told from its numbers."
    ),
    "%d bulk writes that never ended are undone: whoever began them has died": (
        "Documents of rows that never were committed have been taken out of MongoDB. Look for what killed the writer."
    ),
    "job %d, which moves columns of %r, begins its phase %s": "See docs/how-to/move.md for the phases.",
    "job %d, which moves columns of %r, is paused in its phase %s": "The same call, or `move-column`, goes on with it.",
    "job %d, which moves columns of %r, has failed in its phase %s: %s": (
        "The caller has the error; `platform-store jobs` shows it. Nothing is lost; the same call goes on with it."
    ),
    "job %d, which moves columns of %r, is done": "Or taken back, where it was rolled back.",
    "job %d, which migrates %r, begins its phase %s, round %d": "See docs/how-to/move.md for the rounds.",
    "job %d, which migrates %r, has failed in its phase %s: %s": (
        "The caller has the error; `platform-store jobs` shows it. `--resume` goes on with it."
    ),
    "job %d, which migrates %r, ends in its phase %s: %s": "Done, or paused.",
    "%d journal entries are kept for later: %s": (
        "After a commit, some documents could not be brought to MongoDB at once; the thread of a platform brings them."
    ),
    "the unfinished creation of table %r is undone later: %s": (
        "A creation has failed, and so has taking it back. The next schema change of this table does it."
    ),
    "%d rows of %r had no copy yet": (
        "While a column is moved: a writer that bypasses the library has changed these rows. They are filled again; "
        "stop that writer before the move comes to its clean-up."
    ),
    "%s; another takes over": (
        "A worker process of a migration has died (the message says how). After several deaths the migration fails, "
        "and goes on with `--resume`. Look for what kills it, such as too little memory."
    ),
    "no commands from %s: %s": (
        "A package that adds commands to `platform-store` cannot be imported; mend it, or remove it."
    ),
    "the journal is looked after later: %s": "A round of the journal's thread has failed; the next one comes.",
    "the %s of %r is tried again: %s": "A step of a move has met a deadlock or a store that was away for a moment.",
    "a migration's lease is renewed later: %s": (
        "MySQL did not answer for a moment. Where it goes on so, the migration stops, and goes on with `--resume`."
    ),
    "the migration %s": "It waits, or goes on, by `max_threads_running`.",
    "a page is tried again: %s": "A page of a migration has met a deadlock or a store that was away for a moment.",
    "the outcome of a commit is not known yet: %s": (
        "The connection died during a COMMIT; MySQL is asked what became of it, for `mysql.timeouts.outcome` seconds."
    ),
}


class Message(NamedTuple):
    """One call of a logger: ``text`` is the format that it is given."""

    level: str
    text: str


def write(library: Module, root: Path, anchors: Anchors) -> str:
    """The page."""
    return page(*_blocks(library, root, anchors))


def messages(root: Path) -> list[Message]:
    """Every message that the packages log, the most serious first."""
    found = {
        message
        for package in ("platform_store", "crm_model")
        for path in sorted((root / package).rglob("*.py"))
        for message in _logged(ast.parse(path.read_text("utf-8")))
    }
    return sorted(found, key=lambda one: (_LEVELS.index(one.level), one.text))


def _logged(tree: ast.Module) -> Iterator[Message]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _LEVELS:
            text = node.args[0] if node.args else None
            if "logg" in ast.unparse(node.func.value) and isinstance(text, ast.Constant):
                yield Message(node.func.attr, str(text.value))


def _blocks(library: Module, root: Path, anchors: Anchors) -> Iterator[str]:
    reader, writer = Reader(anchors), Writer(anchors)
    yield "# Operation: status and log"
    yield (
        "`platform.status()` and `platform-store status` tell how it stands at the moment, `platform.doctor()` and "
        "`platform-store doctor` what is set up wrongly; `platform-store status --format json` is for a monitor."
    )
    for name in _RECORDS:
        found = cast(Class, library[f"records.{name}"])
        yield from reader.class_(found, name, members(found))
    yield "## Log messages"
    yield (
        "The library logs to the logger `platform_store` of Python's `logging`, by levels: *error* asks somebody to "
        "act, *warning* to look, *info* (not shown unless asked for) tells what is tried again by itself. No message "
        "holds a value of a row, a password or an address."
    )
    yield table(
        ["level", "message", "what it means, and what to do"],
        [[one.level, f"`{_shown(one.text)}`", writer.inline(MEANINGS[one.text])] for one in messages(root)],
    )


def _shown(text: str) -> str:
    return re.sub(r"%[.\d]*[a-z]", "...", text)
