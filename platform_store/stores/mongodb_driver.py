"""PyMongo: the one place that imports it, where its client is made, and where its errors become ours.

Every operation is bounded by ``mongodb.timeout``. A forked child makes a client of its own.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import bson
import pymongo
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo import DeleteOne, MongoClient, ReadPreference, ReplaceOne, UpdateMany, UpdateOne, monitoring
from pymongo import errors as driver
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.cursor import Cursor as DriverCursor
from pymongo.database import Database
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from platform_store.association import Association
from platform_store.attempts import Request, under_way
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

Documents: TypeAlias = Collection[dict[str, Any]]
Cursor: TypeAlias = DriverCursor[dict[str, Any]]
Session: TypeAlias = ClientSession
Fault: TypeAlias = Mapping[str, Any]
"""What MongoDB says of one write that it refused, with its place among the others as ``index``."""

DURABLE = WriteConcern(w="majority", j=True)
MAINTENANCE = 86_400.0  # seconds: what reads or changes a whole collection takes the time it needs
MANY = 60.0  # seconds for some megabytes of documents, durably

_UNDECODED: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)
_FIRST_BATCH = b"\x04firstBatch\0"

_NAMESPACE_EXISTS = 48
DUPLICATE_KEY = 11000
_VALIDATION = {121}
_ACCESS = {8000, 13, 18, 33, 31, 11, 334}
_NAMESPACE = {48, 67, 68, 73, 85, 86, 26, 72, 17280, 197}
_NOT_NOW = {
    6, 7, 50, 63, 64, 79, 89, 91, 100, 133, 150, 189, 202, 234, 262, 290, 317, 358, 384, 9001, 10058, 10107, 11600,
    11602, 13435, 13436, 14031, 43, 136, 175, 237,
}  # fmt: skip
_CONFLICT = {112, 24, 46, 251}
_TOO_LARGE = {10334, 17419, 17420}
_PATIENCE = 1.0  # seconds for what need not succeed
NEEDS_SNAPSHOTS = "needs snapshot reads: a replica set or a sharded cluster of MongoDB 5.0 or later"
_DROPPED = 175
_SNAPSHOT_TOO_OLD = 239
_SNAPSHOT_UNAVAILABLE = 246
_NO_SNAPSHOTS = {72, 123, 148}


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


def translate_snapshot(error: Exception, table: str) -> PlatformStoreError:
    """As :func:`translate`, of a snapshot read."""
    code = getattr(error, "code", None)
    if code == _SNAPSHOT_TOO_OLD:
        return Unavailable(
            "mongodb",
            f"the query has read documents of table {table!r} for longer than MongoDB keeps their past: narrow it by a "
            "predicate that leaves fewer of them, or raise minSnapshotHistoryWindowInSeconds, a parameter of mongod "
            "(300 unless it is set)",
        )
    if code == _SNAPSHOT_UNAVAILABLE:
        reason = f"the collection of table {table!r} was made, or made anew, after the query had begun"
        return TransientError("mongodb", reason, code=code)
    if code == _DROPPED:
        return TransientError("mongodb", f"the collection of table {table!r} was dropped meanwhile", code=code)
    if code in _NO_SNAPSHOTS or isinstance(error, driver.ConfigurationError):
        return NotSupported("a query over both stores", NEEDS_SNAPSHOTS)
    if isinstance(error, driver.NetworkTimeout):
        return Unavailable(
            "mongodb",
            f"no documents of table {table!r} have come for as long as mongodb.timeouts.operation allows; where "
            "MongoDB looks through many to find few, an index on what is asked for helps",
        )
    return translate(error)


class _Commands(monitoring.CommandListener):
    """Tells the operation under way of each command: its name and its collection, never what else is in it."""

    def __init__(self) -> None:
        self._requests: dict[int, Request] = {}

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        operation = under_way.get()
        if operation is None:
            return
        name = event.command_name
        collection = event.command.get("collection" if name == "getMore" else name)
        request = operation.request("mongodb", name, collection if isinstance(collection, str) else None)
        if request is not None:
            self._requests[event.request_id] = request

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        request = self._requests.pop(event.request_id, None)
        if request is not None:
            request.end(rows=_returned(event.reply))

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        request = self._requests.pop(event.request_id, None)
        if request is not None:
            fault = event.failure
            request.end(error=str(fault.get("errtype") or fault.get("code")), code=fault.get("code"))


def _returned(reply: Mapping[str, Any]) -> int | None:
    cursor = reply.get("cursor") if isinstance(reply, dict) else None  # not where documents are left undecoded
    return None if cursor is None else len(cursor.get("firstBatch", cursor.get("nextBatch", ())))


class MongoConnections:
    """The client of one process, and what is asked of one database through it. Safe between threads."""

    def __init__(self, config: MongodbConfig, *, watched: bool = False):
        """Connects in the background: a server that is down is noticed by the first operation.

        ``watched``: operations are told of their requests (see :mod:`platform_store.attempts`).
        """
        self.config = config
        self._listeners = [_Commands()] if watched else []
        self._client: MongoClient[dict[str, Any]] | None = None
        self._closed = False
        self._owner = 0  # the process that made the client
        self._lock = {os.getpid(): threading.Lock()}  # another thread may hold the parent's while it forks
        self._collections: dict[tuple[str, bool], Documents] = {}  # to read from
        self.client()

    def client(self) -> MongoClient[dict[str, Any]]:
        """This process's client. Raises Unavailable where it was closed."""
        if self._closed:
            raise Unavailable("mongodb", "the platform is closed")
        with self._own_lock():
            if self._client is None or self._owner != os.getpid():
                self._client = _client(self.config, self._listeners)
                self._owner = os.getpid()
            return self._client

    def _own_lock(self) -> threading.Lock:
        return self._lock.setdefault(os.getpid(), threading.Lock())

    def database(self) -> Database[dict[str, Any]]:
        return self.client()[self.config.database]

    def collection(self, name: str, *, majority: bool = False, concern: WriteConcern | None = None) -> Documents:
        """A collection of the primary. ``majority``: reads see only what a majority has."""
        client, known = self.client(), self._collections.get((name, majority))
        if concern is None and known is not None and known.database.client is client:  # not so after a fork
            return known
        collection = client[self.config.database].get_collection(
            name,
            codec_options=CODEC_OPTIONS,
            read_preference=ReadPreference.PRIMARY,
            write_concern=concern or DURABLE,
            read_concern=ReadConcern("majority") if majority else None,
        )
        if concern is None:
            self._collections[name, majority] = collection
        return collection

    def applied(self, name: str) -> Documents:
        """A collection whose writes wait for as much as the configuration says."""
        return self.collection(name, concern=WriteConcern(w=self.config.write_concern, j=self.config.journal))

    @contextlib.contextmanager
    def translated(self, association: Association | None = None, *, seconds: float | None = None) -> Iterator[None]:
        """Bounds the operation in time and translates the driver's errors.

        Inside ``pymongo.timeout`` the driver would look for a server for as long, so that is done first.
        """
        try:
            client = self.client()
            if not client.nodes:
                with pymongo.timeout(self.config.server_selection_timeout):
                    client.admin.command("ping")
            with pymongo.timeout(seconds or self.config.timeout):
                yield
        except driver.PyMongoError as error:
            raise _located(translate(error), association) from None
        except bson.errors.BSONError as error:
            raise ValueRejected(f"it is no BSON: {type(error).__name__}") from None

    @contextlib.contextmanager
    def streaming(self, table: str) -> Iterator[None]:
        """Translates the errors of a cursor. Its batches are bounded in time each, by the socket's timeout; the whole
        is not.
        """
        try:
            yield
        except driver.PyMongoError as error:
            raise translate(error) from None
        except bson.errors.BSONError as error:
            raise Diverged(f"a document is no valid BSON: {type(error).__name__}", table=table) from None

    @contextlib.contextmanager
    def snapshot_reads(self, table: str) -> Iterator[None]:
        """As :meth:`streaming`, for snapshot reads."""
        with self.streaming(table):
            try:
                yield
            except driver.PyMongoError as error:
                raise translate_snapshot(error, table) from None

    def close(self) -> None:
        self._closed = True
        with self._own_lock():
            if self._client is not None and self._owner == os.getpid():
                self._client.close()
            self._client = None


def _client(config: MongodbConfig, listeners: Sequence[monitoring.CommandListener]) -> MongoClient[dict[str, Any]]:
    milliseconds = int(config.timeout * 1000)
    selection = int(config.server_selection_timeout * 1000)
    tls: dict[str, Any] = {}
    if config.tls is not None:
        tls = {"tls": True, "tlsAllowInvalidCertificates": not config.tls.verify}
        if config.tls.ca is not None:
            tls["tlsCAFile"] = str(config.tls.ca)
        if config.tls.cert is not None:
            tls["tlsCertificateKeyFile"] = str(config.tls.cert)
    return MongoClient(
        config.url,
        maxPoolSize=config.pool_size,
        serverSelectionTimeoutMS=selection,
        connectTimeoutMS=selection,
        socketTimeoutMS=milliseconds,
        waitQueueTimeoutMS=milliseconds,
        appname="platform_store",
        event_listeners=listeners,
        **tls,
    )


class Report:
    """What became of a write: ``faults`` is None where nothing was in the way and nothing hid the write concern.

    ``matched``: of a bulk write with faults, how many documents it found.
    """

    faults: Sequence[Fault] | None = None
    matched: int = 0


@contextlib.contextmanager
def reported() -> Iterator[Report]:
    """Collects the faults of one write, of one document or of many, instead of raising them."""
    report = Report()
    try:
        yield report
    except driver.BulkWriteError as error:
        report.faults = error.details["writeErrors"]
        report.matched = error.details["nMatched"]
    except driver.WriteError as error:  # of a single document
        report.faults = [{"index": 0, **(error.details or {"code": error.code})}]


def is_taken(fault: Fault) -> bool:
    """Whether a write error says that there is a document of that ``_id``, and not one in some other unique index."""
    return fault["code"] == DUPLICATE_KEY and list(fault.get("keyPattern", ("_id",))) == ["_id"]


def raw_batch(database: Database[dict[str, Any]], command: dict[str, Any]) -> list[bytes]:
    """The documents that a command for a single batch answers with, none of them decoded.

    PyMongo's own cursor of raw batches makes an object of each. As its reads are, this is asked a second time where
    the connection was lost.
    """
    for last in (False, True):
        try:
            answer = database.command(command, codec_options=_UNDECODED)
        except driver.AutoReconnect:
            if last:
                raise
        else:
            return batch_of(bytes(answer["cursor"].raw))
    raise AssertionError("unreachable")


def batch_of(cursor: bytes) -> list[bytes]:
    """The documents of ``{firstBatch: [...], ...}``: an array is a document with the fields 0, 1, 2 (bsonspec.org)."""
    if cursor[4 : 4 + len(_FIRST_BATCH)] != _FIRST_BATCH:  # in another order, as where there is no collection
        return [bytes(document.raw) for document in bson.decode(cursor, _UNDECODED)["firstBatch"]]
    position = 4 + len(_FIRST_BATCH)
    end = position + int.from_bytes(cursor[position : position + 4], "little") - 1
    position += 4
    documents = []
    number, digits, next_width = 0, 1, 10
    while position < end:
        position += digits + 2  # type, name, NUL
        after = position + int.from_bytes(cursor[position : position + 4], "little")
        documents.append(cursor[position:after])
        position, number = after, number + 1
        if number == next_width:
            digits, next_width = digits + 1, next_width * 10
    return documents


def upsert(condition: Mapping[str, Any], document: Any) -> ReplaceOne[Any]:
    """One of the operations of a bulk write."""
    return ReplaceOne(condition, document, upsert=True)


def verbatim(condition: Mapping[str, Any], document: Any) -> UpdateOne:
    """As :func:`upsert`, by a pipeline: slower, and no field of the document means anything to the server."""
    return UpdateOne(condition, [{"$replaceWith": {"$literal": document}}], upsert=True)


def deletion(condition: Mapping[str, Any]) -> DeleteOne:
    """Another one."""
    return DeleteOne(condition)


def changed(collection: Documents, changes: Sequence[tuple[Mapping[str, Any], Sequence[Mapping[str, Any]]]]) -> int:
    """Changes all documents of some conditions, by a pipeline for each; how many there were.

    0 where anything was in the way, and some may be changed then: PyMongo repeats no such write when the primary is
    another one.
    """
    try:
        return collection.bulk_write([UpdateMany(*change) for change in changes], ordered=False).matched_count
    except (driver.BulkWriteError, driver.AutoReconnect):
        return 0


def inserted(collection: Documents, document: Mapping[str, Any]) -> bool:
    """Inserts a document; False where there is one of its ``_id``."""
    try:
        collection.insert_one(dict(document))
    except driver.DuplicateKeyError:
        return False
    return True


def end_cursor(cursor: Cursor) -> None:
    """Ends a cursor of a snapshot, in MongoDB too. Never raises: MongoDB ends by itself what nobody asks for.

    PyMongo's own request carries the session's read concern there, which MongoDB refuses; it is repeated by a thread a
    second later.
    """
    with pymongo.timeout(_PATIENCE), contextlib.suppress(driver.PyMongoError), contextlib.closing(cursor):
        if cursor.alive and cursor.cursor_id:
            collection = cursor.collection
            collection.database.command({"killCursors": collection.name, "cursors": [cursor.cursor_id]})


def create_collection(database: Database[dict[str, Any]], name: str) -> None:
    """Makes a collection unless there is one of that name."""
    try:
        database.create_collection(name)
    except driver.CollectionInvalid:
        pass  # it is there already: a late document made it again
    except driver.OperationFailure as error:
        if error.code != _NAMESPACE_EXISTS:
            raise


def _located(error: PlatformStoreError, association: Association | None) -> PlatformStoreError:
    if association is not None and isinstance(error, SchemaError) and error.table is None:
        return SchemaError(error.reason, table=association.name)
    return error
