"""Dumps of both servers by their own tools, and their restoration into other databases.

MySQL and MariaDB are dumped by ``mysqldump`` and ``mariadb-dump``. MongoDB's own tools are in no package that the tests
could use, so its half is what ``mongodump`` without ``--oplog`` makes: collection after collection, as a cursor finds
each document, which is no moment of the whole.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from sqlalchemy.engine import URL, make_url

from tests.servers.binaries import Program, mariadb_client, mysql_client

_AT_ONCE = 100  # documents: a cursor that comes back often sees what is written meanwhile


@dataclass(frozen=True)
class SqlTools:
    """How one kind of server is dumped and loaded."""

    dump: Program
    load: Program
    options: tuple[str, ...]


def sql_tools(*, mariadb: bool) -> SqlTools:
    """Raises ServersUnavailable where they cannot be had."""
    if mariadb:
        return SqlTools(mariadb_client("mariadb-dump"), mariadb_client("mariadb"), ())
    return SqlTools(mysql_client("mysqldump"), mysql_client("mysql"), ("--set-gtid-purged=OFF", "--no-tablespaces"))


def dump_sql(tools: SqlTools, url: str, folder: Path) -> Path:
    """One snapshot of the database of a URL."""
    file = folder / "mysql.sql"
    address = make_url(url)
    with file.open("wb") as out:
        _run([*tools.dump.argv, *_account(address, folder), "--single-transaction", "--hex-blob", *tools.options,
              str(address.database)], stdout=out)  # fmt: skip
    return file


def load_sql(tools: SqlTools, url: str, file: Path) -> None:
    """Into the database of a URL, which is empty."""
    address = make_url(url)
    with file.open("rb") as text:
        _run([*tools.load.argv, *_account(address, file.parent), str(address.database)], stdin=text)


def _account(address: URL, folder: Path) -> list[str]:
    """Options that say where the server is, without a password on the command line."""
    file = folder / "client.cnf"
    file.touch(mode=0o600)
    place = {"user": address.username, "password": address.password, "host": address.host, "port": address.port}
    file.write_text("[client]\n" + "".join(f"{name}={value}\n" for name, value in place.items()))
    return [f"--defaults-file={file}"]


def _run(command: list[str], **files: Any) -> None:
    done = subprocess.run(command, stderr=subprocess.PIPE, **files)
    assert done.returncode == 0, done.stderr.decode(errors="replace")


@dataclass(frozen=True)
class Collection:
    """What was found of one."""

    documents: list[bytes]
    indexes: dict[str, Any]


def dump_mongodb(url: str, between: Callable[[], None]) -> dict[str, Collection]:
    """Every collection. ``between``: called after each part of one, so that others get on meanwhile."""
    with MongoClient[RawBSONDocument](url, document_class=RawBSONDocument) as client:
        database = client.get_default_database()
        found = {}
        for name in sorted(database.list_collection_names(), reverse=True):
            documents: list[bytes] = []
            for document in database[name].find(batch_size=_AT_ONCE):
                documents.append(bytes(document.raw))
                if len(documents) % _AT_ONCE == 0:
                    between()
            found[name] = Collection(documents, dict(database[name].index_information()))
    return found


def load_mongodb(url: str, dump: dict[str, Collection]) -> None:
    """Into the database of a URL, which is empty."""
    with MongoClient[RawBSONDocument](url) as client:
        database = client.get_default_database()
        for name, collection in dump.items():
            for first in range(0, len(collection.documents), 1000):
                batch = collection.documents[first : first + 1000]
                database[name].insert_many([RawBSONDocument(document) for document in batch])
            for index, about in collection.indexes.items():
                if index != "_id_":
                    database[name].create_index(
                        list(about["key"].items()), name=index, sparse=about.get("sparse", False)
                    )
