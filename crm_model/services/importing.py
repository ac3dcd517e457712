"""CSV files brought to a table: looked at first, then written batch by batch, every row told of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, tzinfo
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias

from crm_model.changes import Changes
from crm_model.entities import AuditLog
from crm_model.errors import InvalidInput
from crm_model.model import Standard
from crm_model.service import Service
from crm_model.tabular.batch import MODES, Batch, Mode, Plan
from crm_model.tabular.files import CsvFile, Record, detected, encoding_of, opened
from crm_model.tabular.header import KEY, Header, Target
from crm_model.tabular.report import DUPLICATE, UNCHANGED, ImportReport, RowResult, tally
from crm_model.tabular.rows import FileRow, Rows, read_cells
from crm_model.tabular.seen import SeenKeys
from crm_model.tabular.stores import ACTION, Looking, Writing
from platform_store import PlatformStoreError

BATCH: Final = 1000
"""Rows of a transaction."""

Work: TypeAlias = Callable[[Sequence[FileRow], str | None], list[RowResult]]
"""Brings rows to the table. The text tells of rows without a key where in the file they are."""


class Importing(Service):
    """CSV files of any entity whose rows can change."""

    def import_csv(
        self,
        model: type[Standard],
        file: str | Path | BinaryIO,
        *,
        mode: Mode = "upsert",
        key: str | Sequence[str] | None = None,
        columns: Mapping[str, str | None] | None = None,
        defaults: Mapping[str, str] | None = None,
        encoding: str | None = None,
        delimiter: str = ",",
        zone: tzinfo = UTC,
        batch_size: int = BATCH,
    ) -> CsvImport:
        """Opens a CSV file for :meth:`CsvImport.preview` and :meth:`CsvImport.commit`; nothing is written yet.

        The first record is the header: names of columns, or what people call them (:mod:`crm_model.tabular.labels`);
        ``custom.网点数`` is one field of a JSON column, ``owner_id.login`` a row that is told by its natural key. What
        cells may say is in :mod:`crm_model.tabular.cells`.

        Args:
            model: the entity whose rows the file has.
            file: a path, or a stream that can seek.
            mode: "insert" rejects rows whose key is taken, "update" those whose key is not there, "upsert" does
                whichever it takes, and revives archived rows.
            key: the columns of a natural key, or "id"; by default the entity's natural key where the file has it,
                else "id" where the file has that. Without either, every row is new ("update" is refused).
            columns: for headers that are not understood: the column, or None to leave it out.
            defaults: by column, a cell that stands for empty ones, and for columns that the file lacks in new rows.
            encoding: "utf-8" or "gb18030" (which covers GBK and GB2312); by default what the file looks like.
            delimiter: the character between cells.
            zone: of moments that name no offset.
            batch_size: rows of a transaction.

        Raises InvalidInput for the file, a header or an option; NotPermitted.
        """
        self.check(ACTION)
        if mode not in MODES:
            raise InvalidInput("mode", "not-a-choice", f"one of {', '.join(MODES)}, not {mode!r}", choices=MODES)
        if batch_size < 1:
            raise InvalidInput("batch_size", "not-in-range", "at least 1", least=1, most=None)
        source, header = (
            _Source(Path(file) if isinstance(file, str) else file, encoding, delimiter),
            Header(model, zone),
        )
        headers = source.headers()
        found = header.targets(headers, columns or {})
        chosen = _key(model, key, found)
        if mode == "update" and not chosen:
            raise InvalidInput(
                "key", "bad-key", f"to update rows of {model.table}, the file needs a natural key or {KEY}"
            )
        values = read_cells(header, defaults or {}, "defaults")
        rows = Rows(model, headers, found, values, () if chosen == (KEY,) else chosen)
        return CsvImport(self, source, rows, found, Plan(model, mode, chosen, values), batch_size)


class Place:
    """How far a file is read: tells this place of this file from every other, whatever the batches are."""

    def __init__(self) -> None:
        self._hash = blake2b(digest_size=16)

    def pass_(self, records: Sequence[Record]) -> None:
        """Goes past records."""
        for record in records:
            self._hash.update(repr(record.cells).encode("utf-8", "backslashreplace"))

    def digest(self) -> str:
        return self._hash.hexdigest()


class CsvImport:
    """A CSV file whose header is understood.

    Both methods tell of every row: with ``report`` in a CSV file of that path (line, outcome, id, column, reason), in
    the result in sum. ``progress`` is called with the number of rows done. Memory is bounded by a batch of rows and 40
    bytes a row, whose keys are kept.
    """

    def __init__(
        self,
        service: Service,
        source: _Source,
        rows: Rows,
        targets: Sequence[Target | None],
        plan: Plan,
        batch_size: int,
    ):
        self._service, self._source, self._rows, self._plan = service, source, rows, plan
        self._batch_size = batch_size
        self.encoding = source.encoding
        self.key = plan.key
        self.columns = {target.header: target.name for target in targets if target is not None}
        """By header, what it is for."""
        self._headers = {target.column: target.header for target in targets if target is not None}

    def preview(
        self, *, report: str | Path | None = None, progress: Callable[[int], None] | None = None
    ) -> ImportReport:
        """What :meth:`commit` would do now. Values that only the stores refuse are not seen."""

        def look(rows: Sequence[FileRow], _: str | None) -> list[RowResult]:
            return Batch(self._plan, Looking(self._service)).bring(rows)

        return self._run(look, report, progress)

    def commit(
        self, *, report: str | Path | None = None, progress: Callable[[int], None] | None = None
    ) -> ImportReport:
        """Writes the rows: each batch is one transaction with its audit entries, one for all new rows and one for each
        that has changed. Rows that cannot be written are rejected, and the others of their batch are not.

        After an error (a store that cannot be reached) the batches before it stay; the same call again does the rest.
        Rows that have a key are recognised by it, and rows without one by their place in the file; so a file of those
        must not be changed in between, nor be imported by two processes at once.
        """

        def write(rows: Sequence[FileRow], place: str | None) -> list[RowResult]:
            def work(changes: Changes) -> list[RowResult]:
                changes.trace_id = place or changes.trace_id
                return Batch(self._plan, Writing(changes)).bring(rows)

            return self._service.run(ACTION, work)

        return self._run(write, report, progress)

    def _run(self, work: Work, report: str | Path | None, progress: Callable[[int], None] | None) -> ImportReport:
        seen, place = SeenKeys(), None if self._plan.key else Place()
        before = bytearray() if self._plan.key else self._inserted_before()
        with tally(None if report is None else Path(report)) as told, self._source.records() as records:
            try:
                while batch := list(islice(records, self._batch_size)):
                    if place is not None:
                        place.pass_(batch)
                    results, rows = self._read(batch, seen, before)
                    results += work(rows, None if place is None else place.digest()) if rows else []
                    told.add(sorted(map(self._named, results), key=lambda result: result.line))
                    if progress is not None:
                        progress(told.rows)
            except PlatformStoreError as error:
                error.add_note(f"{told.rows} rows are done and stay so; the same import again does the rest")
                raise
            return told.report()

    def _read(
        self, batch: Sequence[Record], seen: SeenKeys, before: bytearray
    ) -> tuple[list[RowResult], list[FileRow]]:
        """What can be said of rows without asking the stores, and the others."""
        read = [self._rows.read(record) for record in batch]
        read = [self._known(row, seen, before) if isinstance(row, FileRow) else row for row in read]
        return [row for row in read if isinstance(row, RowResult)], [row for row in read if isinstance(row, FileRow)]

    def _known(self, row: FileRow, seen: SeenKeys, before: bytearray) -> FileRow | RowResult:
        """The row, unless it has been seen before."""
        if before[row.line : row.line + 1] == b"\1":
            return RowResult(row.line, UNCHANGED, reason="inserted by an earlier import of this file")
        key = row.key(self._plan.key)
        first = None if set(key) <= {None} else seen.first(key, row.line)
        if first is None:
            return row
        return RowResult(row.line, DUPLICATE, reason=f"line {first} has the same {', '.join(self._plan.key)}")

    def _inserted_before(self) -> bytearray:
        """By line, 1 where an earlier import of this file has inserted the row, so far as it had come."""
        where = {"entity": self._plan.model.table, "entity_id": 0, "action": ACTION}
        marks = {one["trace_id"] for one in self._service.platform.find(AuditLog.table, where, columns=["trace_id"])}
        place, found, last = Place(), [], 0
        with self._source.records() as records:
            for record in records if marks else ():
                place.pass_((record,))
                last = record.line
                if place.digest() in marks:
                    found.append(place.digest())
        lines = bytearray(last + 1)
        for digest in found:
            for entry in self._service.find(AuditLog, {"trace_id": digest}):
                for line in (entry.meta or {}).get("lines", ()):
                    lines[line] = 1
        return lines

    def _named(self, result: RowResult) -> RowResult:
        """With the header that the file has in place of the column's name."""
        header = None if result.column is None else self._headers.get(result.column)
        return result if header is None else replace(result, column=header)


class _Source:
    """A file that is read several times."""

    def __init__(self, file: Path | BinaryIO, encoding: str | None, delimiter: str):
        self._file, self._delimiter = file, delimiter
        with self._bytes() as stream:
            self.encoding = detected(stream) if encoding is None else encoding_of(encoding)

    def headers(self) -> list[str]:
        """Raises InvalidInput where the first record is none."""
        with self._bytes() as stream:
            first = next(CsvFile(stream, self.encoding, self._delimiter).records(), None)
        if first is None:
            raise InvalidInput("file", "bad-file", "it is empty: the first line has to name the columns")
        if first.problem is not None:
            raise InvalidInput("header", "bad-header", first.problem)
        return first.cells

    @contextmanager
    def records(self) -> Iterator[Iterator[Record]]:
        """All records but the header."""
        with self._bytes() as stream:
            yield islice(CsvFile(stream, self.encoding, self._delimiter).records(), 1, None)

    @contextmanager
    def _bytes(self) -> Iterator[BinaryIO]:
        if isinstance(self._file, Path):
            with opened(self._file) as stream:
                yield stream
        else:
            self._file.seek(0)
            yield self._file


def _key(model: type[Standard], given: str | Sequence[str] | None, targets: Sequence[Target | None]) -> tuple[str, ...]:
    """The columns that rows are matched by. Raises InvalidInput."""
    declared = model.declaration
    nullable = {column.name for column in declared.columns if column.nullable}
    natural = [(one,) if isinstance(one, str) else tuple(one) for one in declared.unique]
    there = {target.column for target in targets if target is not None and target.field is None}
    if given is None:
        usual = [*(one for one in natural if not nullable.intersection(one)), (KEY,)]
        key = next((one for one in usual if there.issuperset(one)), ())
    else:
        key = (given,) if isinstance(given, str) else tuple(given)
        if key not in (*natural, (KEY,)):
            known = " or ".join(", ".join(one) for one in (*natural, (KEY,)))
            raise InvalidInput(
                "key", "bad-key", f"rows of {model.table} are told apart by {known}, not by {', '.join(key)}"
            )
        if not there.issuperset(key):
            raise InvalidInput("key", "bad-key", f"the file has no column for {', '.join(sorted(set(key) - there))}")
    if KEY in there and key != (KEY,):
        raise InvalidInput(
            "header", "bad-header", f"give {KEY} as the key, or leave it out: rows are matched by {', '.join(key)}"
        )
    return key
