"""``verify``: whether both stores agree, and mending what does not."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated

import typer

from platform_store.cli.app import PROBLEMS, Session, command
from platform_store.cli.output import Format, as_text, print_json
from platform_store.cli.progress import told
from platform_store.cli.values import parse_key, parse_parameter
from platform_store.facade import Platform
from platform_store.records import Key
from platform_store.verify.findings import Verification


class _Side(StrEnum):
    MYSQL = "mysql"
    MONGODB = "mongodb"


@command
def verify(
    session: Session,
    tables: Annotated[list[str] | None, typer.Argument(help="The tables (default: all in association).")] = None,
    repair: Annotated[bool, typer.Option("--repair", help="Mend what differs.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="With --repair: only say what it would do.")] = False,
    side: Annotated[
        _Side | None, typer.Option(help="Which store is right where neither can tell: a lost document, a bad value.")
    ] = None,
    start: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="The first key; once for each key column.")
    ] = None,
    stop: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="The last key; once for each key column.")
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="Differences to show of each table; all are counted.")] = 100,
) -> None:
    """Check that every row and its document agree, while applications write; with --repair, mend what does not.

    Of a table in no association that both stores have, the two sides of a migration are compared; --side says which of
    them mends the other.

    Exit code 0: nothing differs, or all of it was mended; 3: something is left that differs.
    """
    if dry_run and not repair:
        raise typer.BadParameter("--dry-run goes with --repair")
    if (start or stop) and len(tables or ()) != 1:
        raise typer.BadParameter("--start and --stop need one table")
    quiet = session.output.format is not Format.TABLE
    verifications: list[tuple[Verification, float]] = []
    with session.open() as platform, told(quiet=quiet) as progress:
        for table in tables or platform.tables():
            began = time.monotonic()
            verification = platform.verify(
                table,
                repair,
                start=_key(platform, table, start),
                stop=_key(platform, table, stop),
                side=None if side is None else side.value,
                limit=limit,
                dry_run=dry_run,
                progress=progress,
            )
            verifications.append((verification, time.monotonic() - began))
            if session.output.format is Format.JSON:
                print_json({**asdict(verification), "ok": verification.ok})
    if session.output.format is not Format.JSON:
        _report(session, verifications, mending=repair and not dry_run)
    if not all(verification.ok for verification, _ in verifications):
        raise typer.Exit(PROBLEMS)


def _key(platform: Platform, table: str, texts: Sequence[str] | None) -> Key | None:
    if not texts:
        return None
    if table in platform.tables():
        return parse_key(platform.describe(table), texts)
    values = tuple(parse_parameter(text) for text in texts)
    return values[0] if len(values) == 1 else values


def _report(session: Session, verifications: Sequence[tuple[Verification, float]], *, mending: bool) -> None:
    output = session.output
    shown = [one for one, _ in verifications if one.differences]
    if output.format is Format.CSV:
        output.rows(("table", "key", "kind", "columns", "detail", "repair"), _differences(shown))
        return
    columns = ("table", "rows", "rows/s", "differences", *(["mended"] * mending), "")
    output.rows(columns, [_summary(one, seconds, mending=mending) for one, seconds in verifications])
    if shown:
        output.rows(("table", "key", "kind", "columns", "what", "done" if mending else "repair"), _differences(shown))
    hidden = sum(one.found - len(one.differences) for one, _ in verifications)
    if hidden:
        typer.echo(f"{hidden} more differences are not shown: --limit", err=True)


def _summary(one: Verification, seconds: float, *, mending: bool) -> list[object]:
    rate = round(one.rows / seconds) if seconds else None
    mended = [one.repaired] if mending else []
    return [one.table, one.rows, rate, one.found, *mended, "ok" if one.ok else "!!"]


def _differences(verifications: Sequence[Verification]) -> Iterator[tuple[object, ...]]:
    for verification in verifications:
        for one in verification.differences:
            yield (one.table, as_text(one.key), one.kind, ", ".join(one.columns), one.detail, one.repair)
