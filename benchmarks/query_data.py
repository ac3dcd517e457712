"""The CRM's sample twice on one server: over both stores, and in one plain database. Kept between runs."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import islice
from multiprocessing import get_context
from typing import Any

import pymongo
from pymysql.connections import Connection
from pymysql.cursors import Cursor
from sqlalchemy.engine import make_url

from crm_model import ENTITIES, Entity
from crm_model.queries import QUESTIONS
from crm_model.sample import SIZES, Sample
from crm_model.sample import count as count_of_sample
from crm_model.tables import binary_collation
from platform_store import ColumnAttribute, Platform
from tests.integration import plain_crm
from tests.servers.databases import connect_sql, with_mongodb_database

Row = dict[str, Any]

SALE = Entity(
    "sale",
    """A row of the report over a whole table.""",
    key=ColumnAttribute("id", "BIGINT", auto_increment=True),
    columns=(ColumnAttribute("sold_at", "DATE"),),
    documents=(
        ColumnAttribute("region", "VARCHAR(32)"),
        ColumnAttribute("amount", "DECIMAL(14,2)"),
        ColumnAttribute("qty", "INT"),
    ),
)
SALES = {"S": 18_000, "M": 600_000}

_USED = {table for question in QUESTIONS for table in question.tables}
TABLES = (*(entity for entity in ENTITIES if entity.name in _USED), SALE)

_REGIONS = tuple(
    f"{name}区" for name in ("华北", "华东", "华南", "华中", "西南", "西北", "东北", "港澳", "海外", "线上", "总部")
)
_PART = 100_000  # rows that one process loads at a time
_PROCESSES = 2
_PROBED = 2_000  # rows of each table that tell one version of the generator from another
_MARK = "loaded"


@dataclass(frozen=True)
class Address:
    """Where the sample of one size is."""

    size: str
    server_url: str  # with whatever database was given
    mysql_url: str  # of the library's database
    plain_url: str
    mongodb_url: str

    @staticmethod
    def of(size: str, mysql_url: str, mongodb_url: str) -> Address:
        name = f"bench_crm_{size.lower()}"
        return Address(
            size,
            mysql_url,
            make_url(mysql_url).set(database=name).render_as_string(hide_password=False),
            make_url(mysql_url).set(database=f"{name}_plain").render_as_string(hide_password=False),
            with_mongodb_database(mongodb_url, name),
        )

    def platform(self) -> Platform:
        return Platform.open(mysql=self.mysql_url, mongodb=self.mongodb_url)

    @contextlib.contextmanager
    def plain(self) -> Iterator[Connection[Cursor]]:
        with connect_sql(self.plain_url, database=make_url(self.plain_url).database) as connection:
            yield connection


def ensure(address: Address, tell: Callable[[str], None]) -> None:
    """Loads the sample unless this very one is there, complete. What an earlier version left is dropped."""
    mark = fingerprint(address.size)
    if _loaded(address) == mark:
        return
    begun = time.perf_counter()
    _recreate(address)
    with address.platform() as platform, address.plain() as plain:
        collation = binary_collation(platform)
        for entity in TABLES:
            platform.create_table(entity.name, entity.attributes(collation), entity.flag, indexes=entity.all_indexes)
        plain_crm.create(plain, collation, TABLES)
    parts = parts_of(address.size)
    with ProcessPoolExecutor(_PROCESSES, mp_context=get_context("spawn")) as pool:
        for done in as_completed([pool.submit(_load, address, *part) for part in parts]):
            tell(f"{done.result()}, {time.perf_counter() - begun:.0f} s")
    _analyze(address)
    with address.plain() as plain, plain.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {_MARK} (fingerprint CHAR(64) PRIMARY KEY)")
        cursor.execute(f"INSERT INTO {_MARK} VALUES (%s)", (mark,))
    tell(f"all loaded in {time.perf_counter() - begun:.0f} s")


def room(address: Address) -> tuple[int, int]:
    """Bytes of the plain tables with their indexes, and of the server's cache."""
    with address.plain() as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT SUM(DATA_LENGTH + INDEX_LENGTH), @@innodb_buffer_pool_size FROM information_schema.TABLES "
            "WHERE TABLE_SCHEMA = DATABASE()"
        )
        row = cursor.fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def count(size: str, table: str) -> int:
    """How many rows a table has."""
    return SALES[size] if table == SALE.name else count_of_sample(SIZES[size], table)


def rows(sample: Sample, table: str, part: int = 0, parts: int = 1) -> Iterator[Row]:
    """A table's rows, or a part of them."""
    if table == SALE.name:
        total = SALES[sample.size.name]
        return map(_sale, range(total * part // parts + 1, total * (part + 1) // parts + 1))
    return sample.rows(table, part, parts)


def fingerprint(size: str) -> str:
    """Of the data and the tables: whether what was loaded once is what would be loaded now."""
    digest, sample = hashlib.sha256(), Sample(SIZES[size])
    for entity in TABLES:
        digest.update(repr((entity, count(size, entity.name))).encode())
        for row in islice(rows(sample, entity.name), _PROBED):
            digest.update(repr(list(row.values())).encode())
    return digest.hexdigest()


def _sale(number: int) -> Row:
    mixed = number * 2_654_435_761 % 2**32
    return {
        "id": number,
        "sold_at": date(2025, 1, 1) + timedelta(days=mixed % 365),
        "region": _REGIONS[mixed % len(_REGIONS)],
        "amount": Decimal(mixed % 9_999_991).scaleb(-2),
        "qty": mixed % 97,
    }


def parts_of(size: str) -> Sequence[tuple[str, str, int, int]]:
    """``(store, table, part, parts)``, the large tables first, so that no process is left with one at the end."""
    found = []
    for entity in sorted(TABLES, key=lambda entity: -count(size, entity.name)):
        parts = -(-count(size, entity.name) // _PART)
        found += [(store, entity.name, part, parts) for part in range(parts) for store in ("library", "plain")]
    return found


def _load(address: Address, store: str, table: str, part: int, parts: int) -> str:
    (entity,) = (entity for entity in TABLES if entity.name == table)
    data = rows(Sample(SIZES[address.size]), table, part, parts)
    if store == "plain":
        with address.plain() as connection:
            plain_crm.insert(connection, entity, data)
    else:
        with address.platform() as platform:
            platform.write_many(table, data)
    return f"{store} {table} {part + 1}/{parts}"


def _loaded(address: Address) -> str | None:
    with connect_sql(address.server_url) as connection, connection.cursor() as cursor:
        name = make_url(address.plain_url).database
        cursor.execute(
            "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s", (name, _MARK)
        )
        if cursor.fetchone() == (0,):
            return None
        cursor.execute(f"SELECT fingerprint FROM {name}.{_MARK}")
        row = cursor.fetchone()
    return None if row is None else str(row[0])


def _recreate(address: Address) -> None:
    """Only the databases of the fixed names."""
    with connect_sql(address.server_url) as connection, connection.cursor() as cursor:
        for url in (address.mysql_url, address.plain_url):
            cursor.execute(f"DROP DATABASE IF EXISTS {make_url(url).database}")
            cursor.execute(f"CREATE DATABASE {make_url(url).database}")
    with pymongo.MongoClient[Row](address.mongodb_url) as client:
        client.drop_database(client.get_default_database().name)


def _analyze(address: Address) -> None:
    """Statistics of the tables as they are now, for both."""
    for url in (address.mysql_url, address.plain_url):
        with connect_sql(url, database=make_url(url).database) as connection, connection.cursor() as cursor:
            for entity in TABLES:
                cursor.execute(f"ANALYZE TABLE {entity.name}")
                cursor.fetchall()
