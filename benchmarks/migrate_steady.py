"""Whether a long migration keeps its pace and its size: rows a second and memory, tenth by tenth."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import bson

from benchmarks.memory import resident
from benchmarks.migrate_data import TABLE, Source
from benchmarks.migrate_pages import document_pages, ends, row_pages
from platform_store.halves import CODEC_OPTIONS

_PARTS = 10


@dataclass(frozen=True)
class Tenth:
    """A part of one direction, by one process; ``memory`` is what the process had at its end."""

    direction: str
    rate: float  # rows a second
    memory: int  # bytes


def measure(source: Source) -> list[Tenth]:
    tenths: list[Tenth] = []
    with ends(source.mysql_url, source.mongodb_url) as stores:
        layout = stores.tables.layout(TABLE)
        watch = _Watch("to-mongodb", source.rows)
        for documents in row_pages(stores, layout, None, None):
            stores.collections.put(TABLE, documents, fresh=True)
            watch.count(len(documents))
        tenths += watch.tenths
        source.new_table("back")
        back = stores.tables.layout("back")
        watch = _Watch("to-mysql", source.rows)
        for documents in document_pages(stores, None, None):
            rows: list[Any] = bson.decode_all(b"".join(documents), CODEC_OPTIONS)
            stores.tables.load(back, rows, clear=None)
            watch.count(len(documents))
        tenths += watch.tenths
    return tenths


class _Watch:
    def __init__(self, direction: str, rows: int):
        self.tenths: list[Tenth] = []
        self._direction, self._step = direction, rows // _PARTS
        self._rows, self._begun = 0, time.perf_counter()

    def count(self, rows: int) -> None:
        self._rows += rows
        if self._rows >= self._step:
            now = time.perf_counter()
            self.tenths.append(Tenth(self._direction, self._rows / (now - self._begun), resident("VmRSS")))
            self._rows, self._begun = 0, now
