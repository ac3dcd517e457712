"""``migrate`` and ``jobs``: bringing tables and collections to the other store."""

from __future__ import annotations

import sys
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Final

import typer
from bson import json_util
from rich.text import Text

from platform_store.cli.app import PROBLEMS, Session, command
from platform_store.cli.output import Format, shown
from platform_store.cli.progress import halting, told
from platform_store.cli.values import parse_key
from platform_store.errors import PlatformStoreError
from platform_store.facade import Platform
from platform_store.records import Direction, Migrated, MigrationPlan

_INTERRUPTED: Final = 130
_EXCEPTIONS: Final = 20  # that a table shows


class To(StrEnum):
    """Where the rows go."""

    MYSQL = "mysql"
    MONGODB = "mongodb"


class Mode(StrEnum):
    """What becomes of the source."""

    COPY = "copy"
    MOVE = "move"


@command
def migrate(
    session: Session,
    table: Annotated[str, typer.Argument(help="The table or collection.")],
    to: Annotated[To, typer.Option(help="The store that it goes to.")],
    start: Annotated[
        list[str] | None, typer.Option(help="The first key; once for each column of the key, in order.")
    ] = None,
    stop: Annotated[list[str] | None, typer.Option(help="The last key.")] = None,
    mode: Annotated[Mode, typer.Option(help="move deletes from the source what the target has for good.")] = Mode.COPY,
    schema: Annotated[Path | None, typer.Option(metavar="FILE", help="The table that a collection becomes.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes (default: one for each processor).")] = None,
    max_rows_per_second: Annotated[float | None, typer.Option(min=1, help="A ceiling for all of them.")] = None,
    max_threads_running: Annotated[
        int | None, typer.Option(min=1, help="Wait while MySQL's Threads_running is above this.")
    ] = None,
    batch_rows: Annotated[int, typer.Option(min=1, help="Rows of a page.")] = 5000,
    catch_up: Annotated[
        bool, typer.Option("--catch-up/--no-catch-up", help="Compare both sides afterwards, and bring over changes.")
    ] = True,
    replace_target: Annotated[bool, typer.Option("--replace-target", help="The target may hold something.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the unfinished migration.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Look at everything, write nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Bring a table or a collection that is in no association to the other store, as it is.

    It may be stopped (Ctrl-C pauses it) or killed at any moment, and goes on with --resume. Applications may go on
    writing to the source meanwhile. A collection becomes a table whose schema is shown first, for approval.

    A key of a collection is written as JSON, such as 5, "abc" or {"$oid": "..."}.
    """
    direction: Direction = "mysql-to-mongodb" if to is To.MONGODB else "mongodb-to-mysql"
    with session.open() as platform, TemporaryDirectory() as folder:
        bounds = [_key(platform, table, direction, texts) for texts in (start, stop)]
        asked: dict[str, Any] = {
            "table": table, "direction": direction, "start": bounds[0], "stop": bounds[1], "mode": mode.value,
            "catch_up": catch_up, "replace_target": replace_target, "workers": workers,
        }  # fmt: skip
        if dry_run:
            plan = platform.migrate(**asked, schema=schema, dry_run=True)
            _print_plan(session, plan)
            if plan.refused:
                typer.echo(f"{plan.refused} values would be refused, and the migration fail", err=True)
                raise typer.Exit(PROBLEMS)
            return
        if to is To.MYSQL and not resume and not yes:
            schema = _approved(session, platform.migrate(**asked, schema=schema, dry_run=True), Path(folder))
        with halting() as halt, told(quiet=session.output.format is not Format.TABLE) as progress:
            done = platform.migrate(
                **asked,
                schema=schema,
                resume=resume,
                max_rows_per_second=max_rows_per_second,
                max_threads_running=max_threads_running,
                batch_rows=batch_rows,
                progress=progress,
                halt=halt,
            )
    _print_result(session, done)


@command
def jobs(
    session: Session,
    job: Annotated[int | None, typer.Argument(help="Only this one.")] = None,
    pause: Annotated[bool, typer.Option("--pause", help="Let the process that is at work on it stop.")] = False,
    forget: Annotated[bool, typer.Option("--forget", help="Forget it; what it has done stays.")] = False,
) -> None:
    """List migrations and moves of columns, the newest first: those under way, stopped, failed, and ended."""
    with session.open() as platform:
        if forget or pause:
            if job is None:
                raise typer.BadParameter("--pause and --forget need the number of a job")
            if pause:
                platform.pause_job(job)
            if forget:
                platform.forget_job(job)
            return
        found = [one for one in platform.jobs() if job is None or one.id == job]
    if job is not None and not found:
        raise PlatformStoreError(f"there is no job {job}: platform-store jobs lists them")
    columns = ("id", "kind", "table", "status", "phase", "rows", "detail", "seconds_since")
    session.output.rows(columns, [tuple(asdict(one)[name] for name in columns) for one in found])


def _key(platform: Platform, table: str, direction: Direction, texts: list[str] | None) -> object:
    """A key from the text of the command line, by the types of MySQL's columns; of a collection it is JSON."""
    if not texts:
        return None
    if direction == "mysql-to-mongodb":
        return parse_key(platform.describe_plain(table), texts)
    (text,) = texts
    try:
        return json_util.loads(text)
    except ValueError:
        return text


def _approved(session: Session, plan: MigrationPlan, folder: Path) -> Path | None:
    """Asks whether the table may be made so; the schema as a file."""
    if plan.schema is None:
        return None
    if not sys.stdin.isatty():
        raise typer.BadParameter("give --yes, or look at --dry-run first: there is no terminal to ask on")
    _print_plan(session, plan)
    typer.confirm(f"Make the table {plan.table!r} so?", abort=True, err=True)
    file = folder / "schema.yaml"
    file.write_text(plan.schema, encoding="utf-8")
    return file


def _print_plan(session: Session, plan: MigrationPlan) -> None:
    if session.output.format is not Format.TABLE:
        session.output.record(asdict(plan))
        return
    known = asdict(plan)
    target, exceptions = known.pop("target"), known.pop("exceptions")
    known["seconds"] = f"about {plan.seconds:.0f}"
    del known["schema"]
    session.output.console.print(Text(shown(target)), soft_wrap=True)
    session.output.record({**known, "carried": "; ".join(plan.carried), "left": "; ".join(plan.left)})
    if exceptions:
        session.output.console.print(Text("values that do not survive in their natural form:"))
    for exception in exceptions[:_EXCEPTIONS]:
        session.output.console.print(Text(f"  {shown(exception)}"), soft_wrap=True)
    if len(exceptions) > _EXCEPTIONS:
        session.output.console.print(Text(f"  and {len(exceptions) - _EXCEPTIONS} more (--format json has them)"))


def _print_result(session: Session, done: Migrated) -> None:
    found: dict[str, object] = asdict(done)
    if session.output.format is Format.TABLE:
        found |= {"seconds": round(done.seconds, 1), "carried": "; ".join(done.carried), "left": "; ".join(done.left)}
    session.output.record(found)
    if done.status == "paused":
        typer.echo("paused: --resume goes on", err=True)
        raise typer.Exit(_INTERRUPTED)
    if done.rounds > 1 and not done.settled:
        typer.echo(
            "the source was still changing in the last round: run it again once its writers have stopped", err=True
        )
        raise typer.Exit(PROBLEMS)
