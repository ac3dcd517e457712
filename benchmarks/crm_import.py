"""A CSV file of new customers imported, against the same rows given to ``write_many``."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from benchmarks.harness import Prepared, Size, Variant, compare
from crm_model import Crm
from crm_model.entities import Customer
from crm_model.sample import Sample
from crm_model.sample import Size as SampleSize
from crm_model.tabular import cells
from platform_store import Platform

WRITE_MANY: Final = "write_many"
IMPORT: Final = "import_csv"
ROWS: Final = 5_000
_FREE: Final = {"id", "cust_no", "created_at", "updated_at"}


@dataclass(frozen=True)
class Batch:
    """The same customers twice, by numbers of their own: as rows, and as a file."""

    rows: Sequence[Mapping[str, Any]]
    file: bytes


def import_csv(crm: Crm, size: Size) -> Prepared:
    """Customers of the sample, with their documents, into the table of customers."""
    platform = crm.platform
    customers = _customers(size.rows_per_call)

    def batches(number: int) -> list[Batch]:
        return [_batch(customers, f"{number:03d}{call:03d}") for call in range(size.calls)]

    def imported(batch: Batch) -> None:
        report = crm.import_csv(Customer, io.BytesIO(batch.file)).commit()
        assert report.counts["inserted"] == len(batch.rows)

    variants = (
        Variant(WRITE_MANY, lambda batch: platform.write_many(Customer.table, batch.rows), platform.recover),
        Variant(IMPORT, imported, platform.recover),
    )

    def check() -> None:
        numbers = range(min(200, size.rows_per_call))
        written, read = (_found(platform, mark, numbers) for mark in "WI")
        compare(written, read, "customers")

    return Prepared(variants, batches, check)


def _customers(count: int) -> list[dict[str, Any]]:
    """Live customers that refer to no other, every column in each."""
    sample = Sample(SampleSize("import", max(count, 1000) + 100, 4 * count + 8000, 100, 100))
    alone = {"parent_id": None, "merged_into": None, "del_token": 0, "version": 1}
    rows = islice(sample.rows(Customer.table), 30, 30 + count)
    return [Customer.derived({**row, **alone}) for row in rows]


def _batch(customers: Sequence[Mapping[str, Any]], number: str) -> Batch:
    rows = [{**row, "cust_no": f"W{number}{place:06d}"} for place, row in enumerate(customers)]
    for row in rows:
        del row["id"]
    return Batch(rows, b"".join(_lines(customers, f"I{number}")))


def _lines(customers: Sequence[Mapping[str, Any]], prefix: str) -> Iterator[bytes]:
    declared = Customer.declaration
    left_out = {*_FREE - {"cust_no"}, "merged_into", "del_token", "version", *Customer.derivations}
    columns = [one for one in (*declared.columns, *declared.documents) if one.name not in left_out]
    writers = [(one.name, cells.writer(one)) for one in columns]
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow([one.name for one in columns])
    for place, row in enumerate(customers):
        values = {**row, "cust_no": f"{prefix}{place:06d}"}
        writer.writerow(["" if values[name] is None else write(values[name]) for name, write in writers])
    yield stream.getvalue().encode()


def _found(platform: Platform, mark: str, places: Sequence[int]) -> list[dict[str, Any]]:
    """Of the first block, but for what is not the same."""
    numbers = [f"{mark}000000{place:06d}" for place in places]
    rows = platform.find(Customer.table, {"cust_no": numbers}, order_by=["cust_no"])
    return [{name: value for name, value in row.items() if name not in _FREE} for row in rows]
