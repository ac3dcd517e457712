"""Commands of the CRM for ``platform-store``, which finds them by the entry point group ``platform_store.commands``."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from crm_model.crm import Crm
from crm_model.entities import MODELS
from crm_model.errors import Refused
from crm_model.model import Record, Standard
from crm_model.sample import SIZES, TABLES, count, load
from crm_model.story import tell
from crm_model.tables import install
from crm_model.tabular.header import Header
from crm_model.tabular.report import ImportReport
from crm_model.tabular.rows import read_cells
from platform_store import Platform
from platform_store.cli.app import PROBLEMS, Session, command, opened

NOBODY = 0
"""The operator of a command that leaves no audit entry."""

_MODELS = {model.table: model for model in MODELS}


class SampleSize(StrEnum):
    """How much sample data: the names of :data:`crm_model.sample.SIZES`."""

    S = "S"
    M = "M"


class ImportMode(StrEnum):
    """What an import does with rows whose key is taken, or is not there."""

    UPSERT = "upsert"
    INSERT = "insert"
    UPDATE = "update"


Table = Annotated[str, typer.Argument(help="A table of the CRM, such as customer.")]
Zone = Annotated[str, typer.Option(metavar="NAME", help="The zone of moments, such as Asia/Shanghai.")]


@command
def demo(session: Session) -> None:
    """Tell the story of a CRM on sample data: every step on both stores, and its result checked.

    Without options it needs no server: an embedded pair in a temporary file. With --mysql and --mongodb, or --config,
    the same runs on real servers, in the tables of the CRM, which must not be there yet and are dropped at the end.
    """
    named = session.settings.named()
    with ExitStack() as stack:
        if named is None:
            directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="platform-store-"))
            platform = stack.enter_context(Platform.embedded(Path(directory) / "demo.db"))
            where = "an embedded pair, no server"
        else:
            platform, where = stack.enter_context(opened(named)), named.describe()
        tell(platform, session.output.console, where)


@command
def crm_sample(
    session: Session,
    size: Annotated[SampleSize, typer.Option(help="S: 3,000 customers; M: 100,000.")] = SampleSize.S,
) -> None:
    """Load the CRM's sample data: its tables are created where they are not there, and have to be empty."""
    chosen = SIZES[size.value]
    started = time.monotonic()
    with session.open() as platform:
        _check_empty(platform)
        install(platform)
        with _bar(sum(count(chosen, table) for table in TABLES)) as advance:
            done: dict[str, int] = {}

            def progress(table: str, rows: int) -> None:
                done[table] = rows
                advance(sum(done.values()), table)

            written = load(platform, chosen, progress=progress)
    session.output.record(
        {"tables": len(written), "rows": sum(written.values()), "seconds": round(time.monotonic() - started, 1)}
    )


@command
def crm_import(
    session: Session,
    table: Table,
    file: Annotated[Path, typer.Argument(help="CSV with a header, in UTF-8 or GB18030.")],
    operator: Annotated[int, typer.Option(metavar="ID", help="Who is at work: goes to the audit log.")],
    mode: Annotated[
        ImportMode, typer.Option(help="What to do with keys that are there, or are not.")
    ] = ImportMode.UPSERT,
    key: Annotated[str | None, typer.Option(metavar="A,B", help="Match rows by these columns.")] = None,
    column: Annotated[
        list[str] | None, typer.Option(metavar="HEADER=COLUMN", help="What a header is for; nothing: leave it out.")
    ] = None,
    default: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN=CELL", help="For empty cells, and columns the file lacks.")
    ] = None,
    encoding: Annotated[str | None, typer.Option(help="utf-8 or gb18030 (default: what it looks like).")] = None,
    delimiter: Annotated[str, typer.Option(help="What stands between cells.")] = ",",
    zone: Zone = "UTC",
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a line for every row to a CSV file.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would become of each row; write nothing.")
    ] = False,
) -> None:
    """Bring a CSV file to a table of the CRM: rows are matched by their natural key, each batch is one transaction.

    Headers may be in Chinese or English; custom.NAME is a field of the custom document, owner_id.login a row told by
    its natural key. Exit code 3: there were rows that could not be brought.
    """
    with session.open() as platform:
        opened = Crm(platform, operator).import_csv(
            _standard(table),
            file,
            mode=mode.value,
            key=None if key is None else [name.strip() for name in key.split(",")],
            columns={header: name or None for header, name in _pairs(column, "--column")},
            defaults=dict(_pairs(default, "--default")),
            encoding=encoding,
            delimiter=delimiter,
            zone=_zone(zone),
        )
        with _bar(None) as advance:
            run = opened.preview if dry_run else opened.commit
            found = run(report=report, progress=lambda rows: advance(rows, table))
    session.output.record({"table": table, "key": ", ".join(opened.key), "encoding": opened.encoding, **found.counts})
    _tell_problems(found)
    if not found.complete:
        raise typer.Exit(PROBLEMS)


@command
def crm_export(
    session: Session,
    table: Table,
    file: Annotated[Path, typer.Argument(help="The CSV file to write.")],
    columns: Annotated[
        str | None, typer.Option(metavar="A,B", help="Only these columns; custom.NAME for a field.")
    ] = None,
    where: Annotated[list[str] | None, typer.Option(metavar="COLUMN=VALUE", help="Only rows that have this.")] = None,
    archived: Annotated[bool, typer.Option("--archived", help="Archived rows, too.")] = False,
    labels: Annotated[bool, typer.Option("--labels", help="Headers in Chinese.")] = False,
    encoding: Annotated[str, typer.Option(help="utf-8 or gb18030.")] = "utf-8",
    bom: Annotated[bool, typer.Option(help="Begin UTF-8 with a byte order mark, for Excel.")] = True,
    formulas: Annotated[
        bool, typer.Option("--formulas", help="Leave text that a spreadsheet would run as it is.")
    ] = False,
    zone: Zone = "UTC",
) -> None:
    """Write a table of the CRM to a CSV file that crm-import reads back unchanged."""
    model, there = _model(table), _zone(zone)
    conditions = read_cells(Header(model, there), dict(_pairs(where, "--where")), "where")
    with session.open() as platform, _bar(None) as advance:
        rows = Crm(platform, NOBODY).export(
            model,
            file,
            columns=None if columns is None else [name.strip() for name in columns.split(",")],
            where=conditions,
            archived=archived,
            labelled=labels,
            encoding=encoding,
            bom=bom,
            formulas=formulas,
            zone=there,
            progress=lambda rows: advance(rows, table),
        )
    session.output.record({"table": table, "rows": rows, "file": str(file)})


def _check_empty(platform: Platform) -> None:
    """Raises Refused where tables of the sample have rows."""
    there = set(platform.tables())
    filled = [
        table
        for table in TABLES
        if table in there and next(platform.scan(table, columns=["id"], batch_size=1), None) is not None
    ]
    if filled:
        raise Refused(
            "tables-have-rows",
            f"the sample goes into empty tables only, and these have rows: {', '.join(filled)}; give another database, "
            f"or remove what is there with platform-store drop TABLE",
            tables=filled,
        )


def _tell_problems(found: ImportReport) -> None:
    """On stderr, so that stdout stays one record."""
    console = Console(stderr=True, highlight=False)
    for problem in found.problems:
        column = "" if problem.column is None else f"{problem.column}: "
        console.print(f"line {problem.line}: {problem.outcome}: {column}{problem.reason}", markup=False, soft_wrap=True)


def _model(table: str) -> type[Record]:
    if table not in _MODELS:
        raise typer.BadParameter(f"{table!r} is no table of the CRM; these are: {', '.join(_MODELS)}")
    return _MODELS[table]


def _standard(table: str) -> type[Standard]:
    model = _model(table)
    if not issubclass(model, Standard):
        raise typer.BadParameter(f"{table} is written by services alone")
    return model


def _pairs(given: Sequence[str] | None, option: str) -> Iterator[tuple[str, str]]:
    for text in given or ():
        name, found, value = text.partition("=")
        if not found:
            raise typer.BadParameter(f"{option} {text!r}: write NAME=VALUE")
        yield name, value


def _zone(name: str) -> Any:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise typer.BadParameter(f"{name!r} is no time zone, such as Asia/Shanghai") from None


@contextmanager
def _bar(total: int | None) -> Iterator[Callable[[int, str], None]]:
    """A bar on a terminal's stderr; elsewhere nothing."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=total)

        def advance(rows: int, what: str) -> None:
            progress.update(task, completed=rows, description=what)

        yield advance
