"""Documents in MongoDB: the only importer of PyMongo's driver, and the one place where its errors become ours.

Every write is filtered by ``_id`` equality and guarded by the revision, so that it may be repeated and may come late:
an older document never replaces a newer one. Every operation is bounded by ``mongodb.timeout``.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import bson
import pymongo
from pymongo import MongoClient, ReadPreference, ReplaceOne
from pymongo import errors as driver
from pymongo.collection import Collection
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from platform_store.association import Association
from platform_store.config import MongodbConfig
from platform_store.errors import (
    ConfigError,
    Diverged,
    NotSupported,
    PlatformStoreError,
    SchemaError,
    TransientError,
    Unavailable,
    ValueRejected,
)
from platform_store.halves import CODEC_OPTIONS
from platform_store.names import DELETED, REVISION
from platform_store.records import Finding
from platform_store.stores.base import Applied, Entry, frozen_id

logger = logging.getLogger("platform_store")

_MAINTENANCE = 86_400.0  # seconds: what reads or changes a whole collection takes the time it needs
_DUPLICATE_KEY = 11000
_NAMESPACE_EXISTS = 48
_VALIDATION = {121}
_ACCESS = {8000, 13, 18, 33, 31, 11, 334}
_NAMESPACE = {48, 67, 68, 73, 85, 86, 26, 72, 17280, 197}
_NOT_NOW = {
    6, 7, 50, 63, 64, 79, 89, 91, 100, 133, 150, 189, 202, 234, 262, 290, 317, 358, 384, 9001, 10058, 10107, 11600,
    11602, 13435, 13436, 14031, 43, 136, 175, 237,
}  # fmt: skip
_CONFLICT = {112, 24, 46, 251}
_TOO_LARGE = {10334, 17419, 17420}


def translate(error: Exception) -> PlatformStoreError:
    """Our error for one of PyMongo's. No server text is passed on: it may quote a document."""
    code = getattr(error, "code", None)
    said = type(error).__name__ if code is None else f"{type(error).__name__}, code {code}"
    if isinstance(error, driver.DocumentTooLarge) or code in _TOO_LARGE:
        return ValueRejected("its document is larger than MongoDB takes")
    if isinstance(error, driver.ConnectionFailure | driver.WaitQueueTimeoutError | driver.ExecutionTimeout):
        return Unavailable("mongodb", said)
    if isinstance(error, driver.WTimeoutError | driver.WriteConcernError) or error_timed_out(error):
        return Unavailable("mongodb", said)
    if code in _NOT_NOW:
        return Unavailable("mongodb", said)
    if code in _ACCESS:
        return ConfigError(f"MongoDB refuses the account: {said}", key="mongodb.url")
    if code in _CONFLICT:
        return TransientError("mongodb", said, code=code)
    if code in _NAMESPACE or isinstance(error, driver.CollectionInvalid | driver.InvalidName):
        return SchemaError(f"MongoDB refuses it: {said}")
    if code in _VALIDATION or isinstance(error, driver.DuplicateKeyError):
        return ValueRejected(f"MongoDB refuses the document: {said}")
    if isinstance(error, driver.ConfigurationError | driver.InvalidURI):
        return ConfigError(f"MongoDB: {said}", key="mongodb.url")
    if isinstance(error, driver.OperationFailure):
        return NotSupported("the operation", f"is refused by MongoDB: {said}")
    return Unavailable("mongodb", said)


def error_timed_out(error: Exception) -> bool:
    return isinstance(error, driver.PyMongoError) and error.timeout


class MongoDocumentStore:
    """See :class:`platform_store.stores.base.DocumentStore`. A forked child opens a client of its own."""

    name = "mongodb"

    def __init__(self, config: MongodbConfig):
        self._config = config
        self._client: MongoClient[dict[str, Any]] | None = None
        self._closed = False
        self._owner = 0  # the process that made the client
        self._lock = threading.Lock()
        self._connect()

    def _connect(self) -> MongoClient[dict[str, Any]]:
        if self._closed:
            raise Unavailable("mongodb", "the platform is closed")
        with self._lock:
            if self._client is None or self._owner != os.getpid():
                milliseconds = int(self._config.timeout * 1000)
                selection = int(self._config.server_selection_timeout * 1000)
                tls: dict[str, Any] = {}
                if self._config.tls is not None:
                    tls = {"tls": True, "tlsAllowInvalidCertificates": not self._config.tls.verify}
                    if self._config.tls.ca is not None:
                        tls["tlsCAFile"] = str(self._config.tls.ca)
                    if self._config.tls.cert is not None:
                        tls["tlsCertificateKeyFile"] = str(self._config.tls.cert)
                self._client = MongoClient(
                    self._config.url,
                    maxPoolSize=self._config.pool_size,
                    serverSelectionTimeoutMS=selection,
                    connectTimeoutMS=selection,
                    socketTimeoutMS=milliseconds,
                    waitQueueTimeoutMS=milliseconds,
                    appname="platform_store",
                    **tls,
                )
                self._owner = os.getpid()
            return self._client

    @contextlib.contextmanager
    def _translated(self, association: Association | None = None, *, seconds: float | None = None) -> Iterator[None]:
        """Bounds the operation in time and translates the driver's errors.

        Inside ``pymongo.timeout`` the driver would look for a server for as long, so that is done first.
        """
        try:
            client = self._connect()
            if not client.nodes:
                with pymongo.timeout(self._config.server_selection_timeout):
                    client.admin.command("ping")
            with pymongo.timeout(seconds or self._config.timeout):
                yield
        except driver.PyMongoError as error:
            raise _located(translate(error), association) from None
        except bson.errors.BSONError as error:
            raise ValueRejected(f"it is no BSON: {type(error).__name__}") from None

    def _collection(self, name: str, *, majority: bool = False) -> Collection[dict[str, Any]]:
        concern = self._config.write_concern
        return self._connect()[self._config.database].get_collection(
            name,
            codec_options=CODEC_OPTIONS,
            read_preference=ReadPreference.PRIMARY,
            write_concern=WriteConcern(w=concern, j=self._config.journal),
            read_concern=ReadConcern("majority") if majority else None,
        )

    def fetch(self, association: Association, identifiers: Sequence[Any]) -> dict[Any, Mapping[str, Any]]:
        wanted = {"_id": identifiers[0]} if len(identifiers) == 1 else {"_id": {"$in": list(identifiers)}}
        with self._translated(association):
            # One batch where it fits: MongoDB sends 101 documents first unless told otherwise.
            found = self._collection(association.name).find(wanted, batch_size=100_000)
            return {frozen_id(document["_id"]): document for document in found}

    def apply(self, entries: Sequence[Entry]) -> Applied:
        applied = Applied([], {})
        for table in dict.fromkeys(entry.table for entry in entries):
            confirmed, refused = self._apply(table, [entry for entry in entries if entry.table == table])
            applied.confirmed.extend(confirmed)
            applied.refused.update(refused)
        return applied

    def _apply(self, table: str, entries: Sequence[Entry]) -> tuple[list[int], dict[int, int]]:
        operations = [
            ReplaceOne(
                {"_id": entry.identifier, REVISION: {"$not": {"$gte": entry.revision}}}, _document(entry), upsert=True
            )
            for entry in entries
        ]
        unsure: set[int] = set()
        faults: dict[int, int] = {}
        with self._translated():
            try:
                self._collection(table).bulk_write(operations, ordered=False)
            except driver.BulkWriteError as error:
                # A duplicate _id says that this revision or a newer one is there already, but not that a majority has
                # it, and it can hide a write concern error. Any other fault matters only where no newer one is there.
                faults = {fault["index"]: fault["code"] for fault in error.details["writeErrors"]}
                unsure = set(range(len(entries))) if error.details["writeConcernErrors"] else set(faults)
        if self._config.write_concern != "majority":
            unsure = set(range(len(entries)))
        confirmed = [entry.revision for number, entry in enumerate(entries) if number not in unsure]
        confirmed += self.confirm([entries[number] for number in sorted(unsure)])
        refused = {
            entries[number].revision: code
            for number, code in faults.items()
            if code != _DUPLICATE_KEY and entries[number].revision not in confirmed
        }
        return confirmed, refused

    def confirm(self, entries: Sequence[Entry]) -> list[int]:
        confirmed: list[int] = []
        for table in dict.fromkeys(entry.table for entry in entries):
            wanted = [entry for entry in entries if entry.table == table]
            with self._translated():
                found = self._collection(table, majority=True).find(
                    {"_id": {"$in": [entry.identifier for entry in wanted]}}, {REVISION: 1}
                )
                present = {frozen_id(document["_id"]): document.get(REVISION, 0) for document in found}
            confirmed += [e.revision for e in wanted if present.get(frozen_id(e.identifier), 0) >= e.revision]
        return confirmed

    def check_deployment(self) -> None:
        """ConfigError for a standalone server, which confirms nothing by majority. A server that is down may pass."""
        try:
            with self._translated():
                hello = self._connect().admin.command("hello")
        except Unavailable as error:
            logger.warning("%s; writes are kept in the journal, or fail, as configured", error)
            return
        if "setName" not in hello and hello.get("msg") != "isdbgrid":
            raise ConfigError(
                "the MongoDB server is no replica set: start mongod with --replSet and run rs.initiate() "
                "(one member is enough)",
                key="mongodb.url",
            )

    def check_available(self) -> None:
        with self._translated():
            self._connect().admin.command("ping")

    # Collections

    def collection_exists(self, name: str) -> bool:
        with self._translated():
            return bool(self._connect()[self._config.database].list_collection_names(filter={"name": name}))

    def create_collection(self, association: Association) -> None:
        with self._translated(association):
            try:
                self._connect()[self._config.database].create_collection(association.name)
            except driver.CollectionInvalid:
                return  # it is there already: a late document made it again
            except driver.OperationFailure as error:
                if error.code != _NAMESPACE_EXISTS:
                    raise

    def drop_collection(self, name: str) -> int:
        documents = self.count(name)
        with self._translated(seconds=_MAINTENANCE):
            self._collection(name).drop()
        return documents

    def create_index(self, association: Association, fields: Sequence[str]) -> None:
        with self._translated(association, seconds=_MAINTENANCE):
            self._collection(association.name).create_index([(field, 1) for field in fields])

    def unset_field(self, association: Association, field: str) -> None:
        with self._translated(association, seconds=_MAINTENANCE):
            self._collection(association.name).update_many({field: {"$exists": True}}, {"$unset": {field: ""}})

    def highest_revision(self, name: str) -> int:
        with self._translated(seconds=_MAINTENANCE):
            found = list(
                self._collection(name)
                .find({REVISION: {"$type": ["int", "long"]}}, {REVISION: 1})
                .sort(REVISION, -1)
                .limit(1)
            )
        return int(found[0][REVISION]) if found else 0

    def identifiers(self, name: str, batch_size: int) -> Iterator[Any]:
        for document in self._stream(name, {}, {"_id": 1}, batch_size):
            yield document["_id"]

    def stream(self, name: str, batch_size: int) -> Iterator[Mapping[str, Any]]:
        yield from self._stream(name, {}, None, batch_size)

    def _stream(
        self, name: str, condition: dict[str, Any], projection: dict[str, Any] | None, batch_size: int
    ) -> Iterator[Mapping[str, Any]]:
        """Batches are bounded in time each, by the socket's timeout; the whole is not."""
        try:
            with self._collection(name).find(condition, projection, batch_size=batch_size) as cursor:
                yield from cursor
        except driver.PyMongoError as error:
            raise translate(error) from None
        except bson.errors.BSONError as error:
            raise Diverged(f"a document is no valid BSON: {type(error).__name__}", table=name) from None

    def uses_reserved_fields(self, name: str) -> bool:
        reserved = {"$or": [{field: {"$exists": True}} for field in (REVISION, DELETED)]}
        with self._translated(seconds=_MAINTENANCE):
            return self._collection(name).find_one(reserved, {"_id": 1}) is not None

    def count(self, name: str) -> int:
        """Without tombstones. It reads every document."""
        with self._translated(seconds=_MAINTENANCE):
            return self._collection(name).count_documents({DELETED: {"$ne": True}})

    def findings(self) -> list[Finding]:
        with self._translated():
            client = self._connect()
            hello = client.admin.command("hello")
            version = client.server_info()["version"]
        number = tuple(int(part) for part in version.split(".")[:2])
        return [
            Finding("mongodb version", number >= (5, 0), f"MongoDB {version}", "upgrade to 5.0 or later"),
            Finding(
                "mongodb replica set",
                "setName" in hello or hello.get("msg") == "isdbgrid",
                f"replica set {hello.get('setName', 'none')}",
                "start mongod with --replSet and run rs.initiate(); one member is enough",
            ),
            Finding(
                "mongodb write concern",
                self._config.write_concern == "majority" and self._config.journal,
                f"w: {self._config.write_concern}, j: {str(self._config.journal).lower()}",
                "w: majority with j: true confirms documents at once; with less they wait in the journal for longer",
            ),
        ]

    def close(self) -> None:
        self._closed = True
        with self._lock:
            if self._client is not None and self._owner == os.getpid():
                self._client.close()
            self._client = None


def _document(entry: Entry) -> dict[str, Any]:
    if entry.image is None:
        return {"_id": entry.identifier, REVISION: entry.revision, DELETED: True}
    document = bson.decode(entry.image, CODEC_OPTIONS)
    return {"_id": document.pop("_id"), REVISION: entry.revision, **document}


def _located(error: PlatformStoreError, association: Association | None) -> PlatformStoreError:
    if association is not None and isinstance(error, SchemaError) and error.table is None:
        return SchemaError(error.reason, table=association.name)
    return error
