"""``move-column``: moving columns between the stores."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from platform_store.cli.app import INTERRUPTED, Session, command
from platform_store.cli.output import Format
from platform_store.cli.progress import halting, told
from platform_store.records import Moved, Placement

_TO = {"mysql", "mongodb", "both"}


@command
def move_column(
    session: Session,
    table: Annotated[str, typer.Argument(help="The table.")],
    columns: Annotated[list[str] | None, typer.Argument(help="The column, or several that move together.")] = None,
    to: Annotated[str | None, typer.Option(help="mysql, mongodb or both.")] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Stop before the first side is removed; the same call without it goes on.")
    ] = False,
    pause: Annotated[
        bool, typer.Option("--pause", help="Let the process that moves a column of the table stop.")
    ] = False,
    rollback: Annotated[bool, typer.Option("--rollback", help="Take back the move that is unfinished.")] = False,
    batch_rows: Annotated[int, typer.Option(min=1, help="Rows locked at a time.")] = 500,
    max_rows_per_second: Annotated[float | None, typer.Option(min=0.1, help="A ceiling.")] = None,
) -> None:
    """Move columns between the stores while applications go on writing and reading them.

    The same call goes on with a move that was stopped, has failed or was killed. Ctrl-C stops it after the batch under
    way. Until the first side is removed, --rollback takes it back; nothing written meanwhile is lost.
    """
    if pause + rollback + (to is not None) != 1:
        raise typer.BadParameter("give one of --to, --pause and --rollback")
    if to is not None and to not in _TO:
        raise typer.BadParameter(f"--to is one of {', '.join(sorted(_TO))}")
    if (to is None) != (not columns):
        raise typer.BadParameter("--to needs the names of columns, and nothing else does")
    quiet = session.output.format is not Format.TABLE
    with session.open() as platform, halting() as halt, told(quiet=quiet) as progress:
        if pause:
            moved = platform.pause_move(table)
        elif rollback:
            moved = platform.roll_back_move(table, progress=progress)
        else:
            moved = platform.move_column(
                table,
                columns or [],
                _placement(to),
                clean_up=not keep,
                batch_rows=batch_rows,
                max_rows_per_second=max_rows_per_second,
                halt=halt,
                progress=progress,
            )
    session.output.record(asdict(moved) if session.output.format is Format.JSON else _summary(moved))
    if halt.is_set() and moved.status == "paused":
        typer.echo("paused: the same command goes on", err=True)
        raise typer.Exit(INTERRUPTED)


def _placement(to: str | None) -> Placement:
    return "mysql" if to == "mysql" else "mongodb" if to == "mongodb" else "both"


def _summary(moved: Moved) -> dict[str, object]:
    return {
        "table": moved.table,
        "columns": ", ".join(moved.columns),
        "to": moved.to,
        "job": moved.job,
        "status": moved.status,
        **({"stopped before": moved.phase} if moved.phase else {}),
        "rows": moved.rows,
        "of them rewritten": moved.rewritten,
    }
