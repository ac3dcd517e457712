"""``init``, ``doctor``, ``status`` and ``recover``: setting up and looking after the stores."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from platform_store.cli.app import PROBLEMS, Session, command, opened
from platform_store.cli.output import Format
from platform_store.cli.stores import USUAL
from platform_store.errors import PlatformStoreError, Unavailable
from platform_store.records import Finding


@command
def init(
    session: Session,
    file: Annotated[Path, typer.Argument(help="The configuration file to write.")] = USUAL,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
) -> None:
    """Write a configuration file (mode 0600) from the URLs given, and check both stores.

    Nothing is written unless the stores open. A URL may hold ${NAME}: the file keeps it so.
    """
    if file.exists() and not force:
        raise PlatformStoreError(f"{file} exists already: --force overwrites it")
    config = session.settings.config_or_default()
    with opened(config) as platform:
        findings = platform.doctor()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PlatformStoreError(f"{file.parent}: {error.strerror}") from None
    config.save(file)
    problems = [finding for finding in findings if not finding.ok]
    session.output.record({"written": str(file), "stores": config.describe(), "problems": len(problems)})
    if problems:
        if session.output.format is Format.TABLE:
            _print(session, problems)
        raise typer.Exit(PROBLEMS)


@command
def doctor(session: Session) -> None:
    """Check servers, settings, privileges and tables, and say how to mend what is wrong."""
    try:
        with session.open() as platform:
            findings = platform.doctor()
    except Unavailable as error:
        findings = [Finding(error.store, False, error.reason, "check the address, the account and the server")]
    _print(session, findings)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(PROBLEMS)


@command
def status(session: Session) -> None:
    """Show which stores answer, how many tables there are, and what waits in the journal for MongoDB, and why.

    Exit code 3: a store does not answer, MongoDB refuses documents, or MySQL was restored and waits for recover.
    """
    with session.open() as platform:
        found = platform.status()
    shown, oldest = asdict(found), found.oldest_pending_seconds
    if session.output.format is Format.TABLE:
        shown |= {
            "mysql": _answers(found.mysql),
            "mongodb": _answers(found.mongodb),
            "set_aside": _counts(found.set_aside, "with code {}"),
            "oldest_pending_seconds": None if oldest is None else round(oldest, 1),
            "lost_after": "" if found.lost_after is None else f"revision {found.lost_after}: run recover",
        }
    session.output.record(shown)
    if not (found.mysql and found.mongodb) or found.set_aside or found.lost_after is not None:
        raise typer.Exit(PROBLEMS)


@command
def recover(
    session: Session,
    operation: Annotated[
        str | None, typer.Option(help="The operation_id of an OutcomeUnknown: say what became of it.")
    ] = None,
) -> None:
    """Bring every write that waits in the journal to MongoDB, and finish what died half-way. Safe at any time.

    It also accepts a MySQL that was restored from an older copy, after which nothing is written until it has run, and
    counts the documents of the writes that MySQL has lost.

    Exit code 3: something waits still, or writes are lost.
    """
    with session.open() as platform:
        done = platform.recover(operation)
    shown = asdict(done)
    if session.output.format is Format.TABLE:
        shown |= {
            "set_aside": _counts(done.set_aside, "with code {}"),
            "diverged": _counts(done.diverged, "in {}"),
            "committed": {True: "yes", False: "no", None: "unknown" if operation else ""}[done.committed],
        }
    session.output.record(shown)
    if done.remaining or done.diverged:
        raise typer.Exit(PROBLEMS)


@command
def hold(
    session: Session,
    program: Annotated[list[str], typer.Argument(metavar="PROGRAM...", help="What to run, after --.")],
) -> None:
    """Run a program while the journal keeps every document: one that dumps MongoDB and, after it, MySQL.

    The two dumps are a backup of one moment, that of MySQL's, only if the exit code is 0. Otherwise it is the program's
    own, or 1 where the journal could not be held throughout: the program is ended then.
    """
    with session.open() as platform, platform.hold() as held:
        try:
            running = subprocess.Popen(program)  # noqa: S603  (what the operator asks for)
        except OSError as error:
            raise PlatformStoreError(f"{program[0]}: {error.strerror}") from None
        try:
            while (status := _ended(running)) is None:
                if held is not None:
                    held.check()
        finally:
            running.terminate()
            running.wait()
    if status:
        raise typer.Exit(status if status > 0 else 128 - status)


def _ended(program: subprocess.Popen[bytes]) -> int | None:
    """Its exit code; None where it has not ended within a second."""
    try:
        return program.wait(1)
    except subprocess.TimeoutExpired:
        return None


def _print(session: Session, findings: list[Finding]) -> None:
    if session.output.format is not Format.TABLE:
        columns = ("subject", "ok", "detail", "advice")
        session.output.rows(columns, [(f.subject, f.ok, f.detail, "" if f.ok else f.advice) for f in findings])
        return
    session.output.rows(
        ("", "check", "found"),
        [
            ("ok" if f.ok else "!!", f.subject, f.detail if f.ok or not f.advice else f"{f.detail}\n-> {f.advice}")
            for f in findings
        ],
    )


def _counts(counts: Mapping[Any, int], where: str) -> str:
    return ", ".join(f"{count} {where.format(what)}" for what, count in counts.items())


def _answers(reachable: bool) -> str:
    return "answers" if reachable else "does not answer"
