"""Documents in MongoDB: the only importer of PyMongo's driver, and the one place where its errors become ours.

Every write is filtered by ``_id`` equality and guarded by the revision, so that it may be repeated and may come late:
an older document never replaces a newer one. Every operation is bounded by ``mongodb.timeout``.
"""

from __future__ import annotations

import contextlib
import datetime
import logging
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

import bson
import pymongo
from bson.raw_bson import RawBSONDocument
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
from platform_store.halves import CODEC_OPTIONS, with_revision
from platform_store.names import DELETED, OWN_PREFIX, REVISION
from platform_store.records import Finding
from platform_store.stores.base import Entry, Version, Witness, frozen_id

logger = logging.getLogger("platform_store")

_DURABLE = WriteConcern(w="majority", j=True)
_STATE = OWN_PREFIX + "state"
_WITNESS = "mysql"
_SMALL = 8 * 1024 * 1024  # bytes: a command takes 16 MB
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
    target: MongoDocumentStore

    def __init__(self, config: MongodbConfig):
        self.target = self
        self._config = config
        self._client: MongoClient[dict[str, Any]] | None = None
        self._closed = False
        self._owner = 0  # the process that made the client
        self._lock = threading.Lock()
        self._validators: dict[str, Mapping[str, Any] | None] = {}  # as they were last seen
        self._collections: dict[tuple[str, bool], Collection[dict[str, Any]]] = {}  # to read from
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

    def _collection(
        self, name: str, *, majority: bool = False, concern: WriteConcern | None = None
    ) -> Collection[dict[str, Any]]:
        client, known = self._connect(), self._collections.get((name, majority))
        if concern is None and known is not None and known.database.client is client:  # not so after a fork
            return known
        collection = client[self._config.database].get_collection(
            name,
            codec_options=CODEC_OPTIONS,
            read_preference=ReadPreference.PRIMARY,
            write_concern=concern or _DURABLE,
            read_concern=ReadConcern("majority") if majority else None,
        )
        if concern is None:
            self._collections[name, majority] = collection
        return collection

    def fetch(self, association: Association, identifiers: Sequence[Any]) -> dict[Any, Mapping[str, Any]]:
        with self._translated(association):
            collection = self._collection(association.name)
            if len(identifiers) == 1:
                document = collection.find_one({"_id": identifiers[0]})
                return {} if document is None else {frozen_id(identifiers[0]): document}
            # One batch where it fits: MongoDB sends 101 documents first unless told otherwise.
            found = collection.find({"_id": {"$in": list(identifiers)}}, batch_size=100_000).to_list()
        return {frozen_id(document["_id"]): document for document in found}

    def apply(self, entries: Sequence[Entry], *, durable: bool = False) -> dict[int, int]:
        refused: dict[int, int] = {}
        concern = _DURABLE if durable else WriteConcern(w=self._config.write_concern, j=self._config.journal)
        seconds = self._config.timeout if durable else self._config.apply_timeout
        for table in dict.fromkeys(entry.table for entry in entries):
            with self._translated(seconds=seconds):
                chosen = [entry for entry in entries if entry.table == table]
                found = _write(self._collection(table, concern=concern), chosen)
            refused |= {entry.revision: code for entry, code in found.refused}
            if found.refused:
                self._validators.pop(table, None)  # it may be new
        return refused

    def place(self, association: Association, entries: Sequence[Entry]) -> None:
        with self._translated(association):
            found = _write(self._collection(association.name, concern=_DURABLE), entries)
        for entry, code in found.refused:
            key = association.public_key(association.decode_id(entry.identifier))
            raise ValueRejected(f"MongoDB refuses its document (code {code})", table=association.name, key=key)
        if not found.plain and min(self._revisions(association.name, entries)) < entries[0].revision:
            raise Unavailable("mongodb", "a majority did not confirm in time")

    def refused(self, entries: Sequence[Entry]) -> set[int]:
        """Asked of the server itself: the documents as a pipeline's input, the validator as what they must match."""
        refused: set[int] = set()
        for table in dict.fromkeys(entry.table for entry in entries):
            if table not in self._validators:
                self._validators[table] = self._validator(table)
            validator = self._validators[table]
            if validator is None:
                continue
            for batch in _small_batches([entry for entry in entries if entry.table == table and entry.image]):
                pipeline: list[Mapping[str, Any]] = [
                    {"$documents": [_document(entry) for entry in batch]},
                    {"$match": {"$nor": [validator]}},
                    {"$project": {REVISION: 1}},
                ]
                try:
                    with self._translated(seconds=self._config.apply_timeout):
                        found = self._connect()[self._config.database].aggregate(pipeline)
                        refused.update(document[REVISION] for document in found)
                except NotSupported:  # MongoDB 5.0 has no $documents: what it refuses is set aside
                    self._validators[table] = None
                    break
        return refused

    def _validator(self, table: str) -> Mapping[str, Any] | None:
        with self._translated(seconds=self._config.apply_timeout):
            database = self._connect()[self._config.database]
            for collection in database.list_collections(filter={"name": table}):
                options = collection.get("options", {})
                strict = options.get("validationAction", "error") == "error"
                if strict and options.get("validationLevel", "strict") == "strict":
                    return options.get("validator")  # type: ignore[no-any-return]
        return None

    def clear(self, table: str, revision: int, identifiers: Sequence[Any]) -> None:
        with self._translated():
            self._collection(table, concern=_DURABLE).delete_many(
                {"_id": {"$in": list(identifiers)}, REVISION: revision}
            )

    def purge(self, table: str, below: int, seconds: float) -> int:
        cutoff = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=seconds)
        with self._translated(seconds=_MAINTENANCE):
            self._collection(table).create_index([(DELETED, 1)], sparse=True)
            old = {DELETED: {"$lt": cutoff}, REVISION: {"$lt": below}}
            return self._collection(table, concern=_DURABLE).delete_many(old).deleted_count

    def confirm(self, versions: Sequence[Version]) -> dict[int, int]:
        confirmed: dict[int, int] = {}
        for table in dict.fromkeys(one.table for one in versions):
            wanted = [one for one in versions if one.table == table]
            found = self._revisions(table, wanted)
            confirmed |= {one.revision: its for one, its in zip(wanted, found, strict=True) if its >= one.revision}
        return confirmed

    def _revisions(self, table: str, versions: Sequence[Version]) -> list[int]:
        """Of which revision a majority has the document of each of these rows; 0 for none."""
        with self._translated():
            found = self._collection(table, majority=True).find(
                {"_id": {"$in": [one.identifier for one in versions]}}, {REVISION: 1}, batch_size=100_000
            )
            present = {frozen_id(document["_id"]): document.get(REVISION, 0) for document in found}
        return [present.get(frozen_id(one.identifier), 0) for one in versions]

    # What is remembered of the row store

    def witness(self) -> Witness | None:
        with self._translated():
            found = self._collection(_STATE, majority=True).find_one({"_id": _WITNESS})
        if found is None:
            return None
        return Witness(found["server"], found["ceiling"], found["confirmed"], found["lost_after"])

    def testify(self, witness: Witness, *, instead_of: Witness | None) -> bool:
        states = self._collection(_STATE, concern=_DURABLE)
        with self._translated():
            if instead_of is None:
                with contextlib.suppress(driver.DuplicateKeyError):
                    states.insert_one({"_id": _WITNESS, **asdict(witness)})
                    return True
                return False
            known = {name: value for name, value in asdict(instead_of).items() if name != "confirmed"}
            return states.update_one({"_id": _WITNESS, **known}, {"$set": asdict(witness)}).matched_count == 1

    def raise_ceiling(self, server: str, ceiling: int) -> bool:
        known = {"_id": _WITNESS, "server": server, "lost_after": None}
        with self._translated():
            done = self._collection(_STATE, concern=_DURABLE).update_one(known, {"$max": {"ceiling": ceiling}})
        return done.matched_count == 1

    def note_confirmed(self, revision: int) -> None:
        with self._translated():
            self._collection(_STATE).update_one({"_id": _WITNESS}, {"$max": {"confirmed": revision}})

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
                pass  # it is there already: a late document made it again
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

    def unique_indexes(self, name: str) -> list[str]:
        with self._translated():
            indexes = self._collection(name).list_indexes()
            return [index["name"] for index in indexes if index.get("unique") and index["name"] != "_id_"]

    def uses_reserved_fields(self, name: str) -> bool:
        reserved = {"$or": [{field: {"$exists": True}} for field in (REVISION, DELETED)]}
        with self._translated(seconds=_MAINTENANCE):
            return self._collection(name).find_one(reserved, {"_id": 1}) is not None

    def count(self, name: str) -> int:
        """Without tombstones. It reads every document."""
        with self._translated(seconds=_MAINTENANCE):
            return self._collection(name).count_documents({DELETED: {"$exists": False}})

    def count_between(self, name: str, above: int, up_to: int) -> int:
        with self._translated(seconds=_MAINTENANCE):
            return self._collection(name).count_documents({REVISION: {"$gt": above, "$lte": up_to}})

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
        ]

    def close(self) -> None:
        self._closed = True
        with self._lock:
            if self._client is not None and self._owner == os.getpid():
                self._client.close()
            self._client = None


class _Image(RawBSONDocument):
    """A document as bytes. PyMongo asks whether it is empty, which would decode it."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return True


def _document(entry: Entry) -> Any:
    if entry.image is None:
        return {"_id": entry.identifier, REVISION: entry.revision, DELETED: datetime.datetime.now(datetime.UTC)}
    return _Image(with_revision(entry.image, entry.revision))


def _small_batches(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """Entries that fit into one command together. One that is too large by itself is left out."""
    batch: list[Entry] = []
    size = 0
    for entry in entries:
        length = len(entry.image or b"")
        if length > _SMALL:
            continue
        if size + length > _SMALL:
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += length
    if batch:
        yield batch


class _Written(NamedTuple):
    """``refused``: with MongoDB's error code. ``plain``: nothing was in the way, and nothing hid the write concern."""

    refused: list[tuple[Entry, int]]
    plain: bool


def _write(collection: Collection[dict[str, Any]], entries: Sequence[Entry]) -> _Written:
    """Writes each document unless a newer one is there.

    Documents of new rows are inserted, which takes a fraction of an upsert's time; where something is in the way (a
    tombstone, a document left behind), and for all other rows, what is older is replaced.

    A duplicate ``_id`` then says that this revision or a newer one is there. It says nothing of a majority, and can
    hide a write concern's failure: only a majority read knows.
    """
    fresh = [entry for entry in entries if entry.fresh]
    others = [entry for entry in entries if not entry.fresh]
    refused: list[tuple[Entry, int]] = []
    plain = True
    for chosen, write in ((fresh, _insert), (others, _replace)):
        if not chosen:
            continue
        try:
            write(collection, chosen)
        except driver.BulkWriteError as error:
            faults = error.details["writeErrors"]
        except driver.WriteError as error:  # of a single document
            faults = [{"index": 0, **(error.details or {"code": error.code})}]
        else:
            continue
        plain = False
        taken = [chosen[fault["index"]] for fault in faults if _is_taken(fault)]
        refused += [(chosen[fault["index"]], fault["code"]) for fault in faults if not _is_taken(fault)]
        if chosen is fresh:
            others += taken
    return _Written(refused, plain)


def _insert(collection: Collection[dict[str, Any]], entries: Sequence[Entry]) -> None:
    if len(entries) == 1:
        collection.insert_one(_document(entries[0]))
    else:
        collection.insert_many([_document(entry) for entry in entries], ordered=False)


def _replace(collection: Collection[dict[str, Any]], entries: Sequence[Entry]) -> None:
    """Upserts what is newer than what is there."""
    guards = [{"_id": entry.identifier, REVISION: {"$not": {"$gte": entry.revision}}} for entry in entries]
    if len(entries) == 1:
        collection.replace_one(guards[0], _document(entries[0]), upsert=True)
    else:
        documents = [_document(entry) for entry in entries]
        collection.bulk_write(
            [ReplaceOne(guard, document, upsert=True) for guard, document in zip(guards, documents, strict=True)],
            ordered=False,
        )


def _is_taken(fault: Mapping[str, Any]) -> bool:
    """Whether a write error says that there is a document of that ``_id``, and not one in some other unique index."""
    return fault["code"] == _DUPLICATE_KEY and list(fault.get("keyPattern", ("_id",))) == ["_id"]


def _located(error: PlatformStoreError, association: Association | None) -> PlatformStoreError:
    if association is not None and isinstance(error, SchemaError) and error.table is None:
        return SchemaError(error.reason, table=association.name)
    return error
