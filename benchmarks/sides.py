"""The ways to keep customers that are measured against each other: each is a side, with the same calls.

By hand: MySQL and MongoDB, one connection each. MySQL alone: the documents are JSON columns. MongoDB alone: whole rows
are documents. The library, over both servers; and over the embedded pair, one file.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import pymongo
from sqlalchemy.engine import make_url

from benchmarks.alone import MongodbAlone, MysqlAlone
from benchmarks.by_hand import BATCH, ByHand, batches
from benchmarks.data import COLUMNS, FLAG, CustomerRow
from benchmarks.harness import Unequal
from platform_store import Platform, Range
from tests.servers.databases import connect_sql

BY_HAND: Final = "by hand"
AUTOCOMMIT: Final = "by hand, autocommit"
MYSQL: Final = "MySQL alone"
MONGODB: Final = "MongoDB alone"
LIBRARY: Final = "library"
EMBEDDED: Final = "library, embedded"

TABLE: Final = "customer"


@dataclass(frozen=True)
class Address:
    """Where one table of customers is, on every side. It can be sent to another process."""

    mysql_url: str
    mongodb_url: str
    file: Path  # of the embedded pair


class Side(Protocol):
    """One way to keep customers."""

    def create(self) -> None:
        """Makes the table, with no index but that of the key."""

    def write(self, row: CustomerRow) -> object: ...
    def write_many(self, rows: Sequence[CustomerRow]) -> object:
        """In batches of 1,000, each with a majority of MongoDB's members when the next one begins."""

    def write_many_in_transaction(self, rows: Sequence[CustomerRow]) -> object:
        """In batches of 1,000; of MongoDB's members one has to have them."""

    def update(self, key: int, vip_level: int, profile: dict[str, Any]) -> object: ...
    def delete(self, key: int) -> object: ...
    def delete_range(self, first: int, last: int) -> object: ...
    def read(self, key: int) -> CustomerRow | None: ...
    def read_many(self, keys: Sequence[int]) -> Sequence[CustomerRow | None]: ...
    def find(self, after: int, vip_level: int, limit: int) -> Sequence[CustomerRow]:
        """The rows of that level, from a key on, in the order of keys."""

    def scan(self, page_size: int) -> Iterator[CustomerRow]: ...
    def documents(self) -> Iterator[dict[str, Any]]:
        """The document columns of every row, with the key as ``_id``."""

    def settle(self) -> object:
        """Does what calls have put off."""


class Library:
    """The library, whatever it is open on."""

    def __init__(self, platform: Platform):
        self._platform = platform

    def create(self) -> None:
        self._platform.create_table(TABLE, COLUMNS, flag=FLAG)

    def write(self, row: CustomerRow) -> object:
        return self._platform.write(TABLE, row)

    def write_many(self, rows: Sequence[CustomerRow]) -> object:
        return self._platform.write_many(TABLE, rows, batch_size=BATCH)

    def write_many_in_transaction(self, rows: Sequence[CustomerRow]) -> None:
        """Through the journal, as whatever is in a transaction of the user's goes."""
        for batch in batches(rows):
            with self._platform.transaction() as tx:
                tx.write_many(TABLE, batch)

    def update(self, key: int, vip_level: int, profile: dict[str, Any]) -> None:
        self._platform.update(TABLE, key, {"vip_level": vip_level, "profile": profile})

    def delete(self, key: int) -> object:
        return self._platform.delete(TABLE, key)

    def delete_range(self, first: int, last: int) -> object:
        return self._platform.delete_range(TABLE, first, last)

    def read(self, key: int) -> CustomerRow | None:
        return self._platform.read(TABLE, key)

    def read_many(self, keys: Sequence[int]) -> Sequence[CustomerRow | None]:
        return self._platform.read_many(TABLE, keys)

    def find(self, after: int, vip_level: int, limit: int) -> Sequence[CustomerRow]:
        where = {"id": Range(gt=after), "vip_level": vip_level}
        return self._platform.find(TABLE, where, order_by=["id"], limit=limit)

    def scan(self, page_size: int) -> Iterator[CustomerRow]:
        return self._platform.scan(TABLE, batch_size=page_size)

    def documents(self) -> Iterator[dict[str, Any]]:
        return self._platform.read_collection(TABLE)

    def verify(self) -> None:
        """Every row's two halves. Raises Unequal where they are not one."""
        found = self._platform.verify(TABLE).found
        if found:
            raise Unequal(f"{found} rows differ from their documents")

    def settle(self) -> object:
        return self._platform.recover()


def opened(name: str, address: Address) -> AbstractContextManager[Side]:
    """A side, with connections of its own."""
    return _OPENERS[name](address)


@contextlib.contextmanager
def _by_hand(address: Address, *, begin: bool = True) -> Iterator[Side]:
    with (
        connect_sql(address.mysql_url, database=make_url(address.mysql_url).database) as connection,
        pymongo.MongoClient[dict[str, Any]](address.mongodb_url) as client,
    ):
        table = "customer_by_hand" if begin else "customer_autocommit"
        yield ByHand(connection, client.get_default_database(), table, begin=begin)


@contextlib.contextmanager
def _mysql(address: Address) -> Iterator[Side]:
    with connect_sql(address.mysql_url, database=make_url(address.mysql_url).database) as connection:
        yield MysqlAlone(connection)


@contextlib.contextmanager
def _mongodb(address: Address) -> Iterator[Side]:
    with pymongo.MongoClient[dict[str, Any]](address.mongodb_url) as client:
        yield MongodbAlone(client.get_default_database())


@contextlib.contextmanager
def _library(address: Address) -> Iterator[Side]:
    with Platform.open(mysql=address.mysql_url, mongodb=address.mongodb_url) as platform:
        yield Library(platform)


@contextlib.contextmanager
def _embedded(address: Address) -> Iterator[Side]:
    with Platform.embedded(address.file) as platform:
        yield Library(platform)


_OPENERS: Final[dict[str, Callable[[Address], AbstractContextManager[Side]]]] = {
    BY_HAND: _by_hand,
    AUTOCOMMIT: lambda address: _by_hand(address, begin=False),
    MYSQL: _mysql,
    MONGODB: _mongodb,
    LIBRARY: _library,
    EMBEDDED: _embedded,
}
SIDES: Final = tuple(_OPENERS)
"""Every name; the first one is what the others are compared with."""
