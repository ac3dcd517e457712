"""``load``: JSON lines or CSV into a table, in batches, with a progress bar."""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from platform_store.cli.app import Session, command
from platform_store.cli.inputs import InputError, InputFormat, Record, Source, key_of, records
from platform_store.cli.values import parse_columns
from platform_store.errors import Conflict, PlatformStoreError, RowExists, ValueRejected
from platform_store.facade import Platform
from platform_store.records import OnConflict, TableDescription, WriteCounts

_SUFFIXES = {".jsonl": InputFormat.JSONL, ".ndjson": InputFormat.JSONL, ".csv": InputFormat.CSV}


Advance = Callable[[WriteCounts], None]


class _OnConflict(StrEnum):
    ERROR = "error"
    REPLACE = "replace"
    IGNORE = "ignore"


@command
def load(
    session: Session,
    table: Annotated[str, typer.Argument(help="The table to load into.")],
    file: Annotated[str, typer.Argument(help="JSON lines or CSV with a header, UTF-8; - is stdin.")],
    input_format: Annotated[InputFormat | None, typer.Option(help="Default: by the file's suffix.")] = None,
    on_conflict: Annotated[_OnConflict, typer.Option(help="Where a key is taken.")] = _OnConflict.ERROR,
    batch_size: Annotated[int, typer.Option(min=1, max=100_000, help="Rows a transaction.")] = 1000,
    create: Annotated[bool, typer.Option("--create", help="Create the table where there is none.")] = False,
    columns: Annotated[str | None, typer.Option(metavar="SPEC", help="With --create: the columns, key first.")] = None,
    flag: Annotated[
        int | None, typer.Option(help="With --create: index of the last column kept in MySQL; -1: all in both.")
    ] = None,
    key: Annotated[str | None, typer.Option(help="With --create: the key columns, if not the first one.")] = None,
    extra: Annotated[bool, typer.Option("--extra", help="With --create: take undeclared fields.")] = False,
) -> None:
    """Load a file into a table.

    In CSV an empty field is NULL, or the column's default where it cannot be NULL. Binary values are hexadecimal.
    Each batch is written whole or not at all; after an error the earlier batches stay.

    --columns takes name:TYPE, then :auto, :required or :default=VALUE, separated by commas, as in
    "id:BIGINT:auto,name:VARCHAR(80):required,level:TINYINT:default=0,profile:JSON".
    """
    chosen = input_format or _SUFFIXES.get(Path(file).suffix.lower())
    if chosen is None:
        raise typer.BadParameter("give --input-format: the file's suffix is none of " + ", ".join(_SUFFIXES))
    if not create and (columns is not None or flag is not None or key is not None or extra):
        raise typer.BadParameter("--columns, --flag, --key and --extra go with --create")
    if create and (columns is None or flag is None):
        raise typer.BadParameter("--create needs --columns and --flag")
    with _opened(file) as stream, session.open() as platform:
        if columns is not None and flag is not None:
            keys = None if key is None else [name.strip() for name in key.split(",")]
            platform.create_table(table, parse_columns(columns), flag, key=keys, extra=extra, if_not_exists=True)
        source = Source("stdin" if file == "-" else file, stream)
        description = platform.describe(table)
        rows = records(source, chosen, description)
        started = time.monotonic()
        with _progress(source, stream) as advance:
            counts = _write(platform, description, source, rows, on_conflict.value, batch_size, advance)
        seconds = time.monotonic() - started
    total = counts.inserted + counts.replaced + counts.ignored
    session.output.record(
        {
            "table": table,
            "inserted": counts.inserted,
            "replaced": counts.replaced,
            "ignored": counts.ignored,
            "seconds": round(seconds, 3),
            "rows per second": round(total / seconds) if seconds else None,
        }
    )


class _Watched(Mapping[str, object]):
    """A record's row that notes when it is read: rows are checked in order, so the last one read is the rejected."""

    def __init__(self, record: Record, batch: list[Record]):
        self._record, self._seen = record, batch

    def __getitem__(self, name: str) -> object:
        return self._record.row[name]

    def __iter__(self) -> Iterator[str]:
        self._seen[:] = [self._record]
        return iter(self._record.row)

    def __len__(self) -> int:
        return len(self._record.row)


def _write(
    platform: Platform,
    description: TableDescription,
    source: Source,
    rows: Iterable[Record],
    on_conflict: OnConflict,
    batch_size: int,
    advance: Advance,
) -> WriteCounts:
    """Writes the rows in batches. An error says its line, and how far the batches that stay reach."""
    counts, line, iterator = WriteCounts(), 0, iter(rows)
    try:
        while batch := list(islice(iterator, batch_size)):
            seen: list[Record] = []
            try:
                watched = [_Watched(record, seen) for record in batch]
                counts += platform.write_many(description.name, watched, on_conflict=on_conflict, batch_size=batch_size)
            except (ValueRejected, RowExists, Conflict) as error:
                raise _located(source, error, seen, batch, description) from error
            line = batch[-1].line
            advance(counts)
    except PlatformStoreError as error:
        written = counts.inserted + counts.replaced + counts.ignored
        error.add_note(f"the {written} rows up to line {line} are loaded" if written else "no row is loaded")
        raise
    return counts


def _located(
    source: Source,
    error: ValueRejected | RowExists | Conflict,
    seen: list[Record],
    batch: list[Record],
    table: TableDescription,
) -> InputError:
    """The error with its line, or with the lines of its batch where it does not tell which row it means."""
    checking = isinstance(error, ValueRejected) and error.column is not None  # else every row was checked already
    for record in seen if checking else ():
        if key_of(table, record.row) == error.key:
            return source.error(record.line, str(error))
    for record in reversed(batch):
        if error.key is not None and key_of(table, record.row) == error.key:
            return source.error(record.line, str(error))
    return source.error(batch[0].line, f"in a row from here to line {batch[-1].line}: {error}")


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    if file == "-":
        yield sys.stdin.buffer
        return
    with ExitStack() as stack:
        try:
            stream = stack.enter_context(open(file, "rb"))
        except OSError as error:
            raise PlatformStoreError(f"{file}: {error.strerror}") from None
        yield stream


@contextmanager
def _progress(source: Source, stream: BinaryIO) -> Iterator[Advance]:
    """A bar on a terminal's stderr; elsewhere nothing."""
    console = Console(stderr=True)
    columns = (BarColumn(), DownloadColumn(), TextColumn("{task.fields[rows]}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("load", total=_size(stream), rows="0 rows")

        def advance(counts: WriteCounts) -> None:
            rows = counts.inserted + counts.replaced + counts.ignored
            elapsed = progress.tasks[0].elapsed
            rate = f", {rows / elapsed:,.0f}/s" if elapsed else ""
            progress.update(task, completed=source.bytes_read, rows=f"{rows:,} rows{rate}")

        yield advance


def _size(stream: BinaryIO) -> int | None:
    try:
        status = os.fstat(stream.fileno())
    except OSError:  # stdin may be no file at all
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None
