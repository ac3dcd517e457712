"""Documents of one moment: snapshot reads, MongoDB's own (from 5.0 on, with no transaction).

A snapshot read sees what the primary knows a majority to have. That may be less than a majority has confirmed to
others: a primary that was replaced and does not know it yet is behind, and so is a new one until its first write is
confirmed. So the moment begins with a write: where a majority confirms it, its member is the primary, and all that was
confirmed before is there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import bson
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument

from platform_store.association import Association
from platform_store.errors import NotSupported, TransientError, Unavailable
from platform_store.halves import CODEC_OPTIONS
from platform_store.names import DELETED, REVISION, check_field_name
from platform_store.stores.mongodb_driver import (
    DURABLE,
    NEEDS_SNAPSHOTS,
    Cursor,
    Documents,
    MongoConnections,
    Session,
    end_cursor,
)
from platform_store.stores.mongodb_raw import portions
from platform_store.stores.mongodb_target import STATE

_MOMENT = "moment"  # the document that each moment begins with
_LIVE = {DELETED: {"$exists": False}}
_BATCH_DOCUMENTS = 1000  # 500 to 2000 are the fastest to decode
_BATCH_BYTES = 4 * 1024 * 1024
_FEW = 100  # documents, of which a batch is small whatever they are
_SECONDS_PER_DOCUMENT = 1e-5  # that is grouped: some ten times of what is usual
_AT_ONCE = 100_000  # results of an aggregation: MongoDB's answer is bounded, to 16 MB
_MOST_BYTES = 16 * 1024 * 1024  # of an aggregation's result
_UNREAD = CodecOptions(document_class=RawBSONDocument)
_SAMPLE = 1000
_FEWER = 500  # of which it is enough to know what they have in common
_SAMPLED_ONE_IN = 25  # of fewer than one document in twenty MongoDB finds each by itself; of more, it sorts them all


_BY_BYTES = {"locale": "simple"}  # an adopted collection may have a collation of its own


class MongoDocumentSnapshot:
    """See :class:`platform_store.stores.scratch.DocumentSnapshot`. For one thread at a time."""

    def __init__(self, connections: MongoConnections, session: Session | None, collections: frozenset[str]):
        """``collections``: those that existed before the moment of ``session``."""
        self._connections, self._session, self._collections = connections, session, collections
        self._closed = False
        self._cursors: set[Cursor] = set()  # under way
        self._batch_sizes: dict[str, int] = {}

    def find(
        self,
        association: Association,
        fields: Sequence[str],
        *,
        condition: Mapping[str, Any] | None = None,
        identifiers: Sequence[Any] | None = None,
    ) -> Iterator[list[dict[str, Any]]]:
        for field in fields:
            check_field_name(association.name, field)  # it would name something else
        projection = dict.fromkeys(("_id", REVISION, *fields), 1)
        found = False
        for some in (None,) if identifiers is None else portions(identifiers):
            chosen: list[Mapping[str, Any]] = [_LIVE] if some is None else [{"_id": {"$in": some}}, _LIVE]
            few = some is not None and len(some) <= _FEW
            size = _FEW + 1 if few else self._batch_size(association.name)  # more than come: the first says it is all
            wanted = {"$and": [*chosen, condition]} if condition else {"$and": chosen}
            for batch in self._batches(association.name, wanted, projection, size):
                found = True
                yield batch
        if not found and (identifiers is None or identifiers):
            self._check_not_dropped(association.name)

    def _batches(
        self, name: str, condition: Mapping[str, Any], projection: Mapping[str, Any], size: int
    ) -> Iterator[list[dict[str, Any]]]:
        """Each batch is one answer of MongoDB's. An operation's timeout would be MongoDB's for all batches together."""
        with self._connections.snapshot_reads(name):
            cursor = self._collection(name).find(
                condition, projection, batch_size=size, session=self._session, collation=_BY_BYTES
            )
            self._cursors.add(cursor)
            try:
                taken = 0
                while batch := cursor.to_list(1):
                    if cursor.retrieved > taken + 1:
                        batch += cursor.to_list(cursor.retrieved - taken - 1)
                    taken += len(batch)
                    yield batch
                    self._check_open()
            finally:
                end_cursor(cursor)
                self._cursors.discard(cursor)

    def aggregate(
        self, association: Association, stages: Sequence[Mapping[str, Any]], *, size: int, seconds: float
    ) -> list[dict[str, Any]]:
        name = association.name
        most = self._connections.config.timeout + size * _SECONDS_PER_DOCUMENT
        taken, found = 0, list[dict[str, Any]]()
        with self._connections.translated(seconds=min(seconds, most)), self._connections.snapshot_reads(name):
            # As bytes, which can be counted; in raw batches they would be one request more.
            results = (
                self._collection(name)
                .with_options(_UNREAD)
                .aggregate(stages, session=self._session, collation=_BY_BYTES, allowDiskUse=True, batchSize=_AT_ONCE)
            )
            for result in results:
                taken += len(result.raw)
                if taken > _MOST_BYTES:
                    if results.alive and results.cursor_id:
                        self._connections.database().command("killCursors", name, cursors=[results.cursor_id])
                    raise NotSupported("an aggregation", f"whose result is larger than {_MOST_BYTES} bytes")
                found.append(bson.decode(result.raw, CODEC_OPTIONS))
        return found

    def variety(self, association: Association, key: object, *, size: int) -> float:
        by_value = {"$group": {"_id": key, "n": {"$sum": 1}}}
        counted = self._sampled(association, size, [by_value, {"$project": {"_id": 0}}], _FEWER)  # a value may be large
        counts = [one["n"] for one in counted]
        once, twice = counts.count(1), counts.count(2)
        return len(counts) + once * (once - 1) / (2 * (twice + 1))  # Chao's estimator, of what was not seen

    def size(self, association: Association) -> int:
        with self._connections.translated(association):
            return self._collection(association.name).estimated_document_count()

    def share(self, association: Association, condition: Mapping[str, Any], *, size: int) -> float:
        """Of the documents as they are now: the sample need not be of the moment."""
        counts = {"all": [{"$count": "n"}], "matching": [{"$match": condition}, {"$count": "n"}]}
        (answer,) = self._sampled(association, size, [{"$facet": counts}])
        matching, looked_at = (sum(count["n"] for count in answer[name]) for name in ("matching", "all"))
        if not looked_at:
            return 1.0
        return float(max(matching, 0.5) / looked_at)  # none of a sample is not none of all

    def _sampled(
        self, association: Association, size: int, stages: Sequence[Mapping[str, Any]], most: int = _SAMPLE
    ) -> list[dict[str, Any]]:
        number = min(size // _SAMPLED_ONE_IN, most)
        some = {"$sample": {"size": number}} if number > _FEW else {"$limit": most}
        with self._connections.translated(association):
            collection = self._collection(association.name)
            wanted = [some, {"$match": _LIVE}, *stages]
            return collection.aggregate(wanted, collation=_BY_BYTES, batchSize=_AT_ONCE).to_list()

    def close(self) -> None:
        self._closed = True
        for cursor in list(self._cursors):
            end_cursor(cursor)
        if self._session is not None:
            self._session.end_session()

    def _check_open(self) -> None:
        """A cursor that was closed looks as if it had come to its end."""
        if self._closed:
            raise Unavailable("mongodb", "the snapshot is closed")

    def _collection(self, name: str) -> Documents:
        return self._connections.collection(name)

    def _batch_size(self, name: str) -> int:
        """How many documents of a collection are a batch that is not too large."""
        if name not in self._batch_sizes:
            with self._connections.translated():
                average = self._connections.database().command("collStats", name).get("avgObjSize", 0)
            self._batch_sizes[name] = max(1, min(_BATCH_DOCUMENTS, _BATCH_BYTES // int(average or 1)))
        return self._batch_sizes[name]

    def _check_not_dropped(self, name: str) -> None:
        """Raises TransientError where a collection looks empty because it went away after the moment.

        MongoDB says so itself only where another one of that name was made.
        """
        if name not in self._collections:
            return
        with self._connections.snapshot_reads(name):
            there = self._connections.database().list_collection_names(filter={"name": name})
            self._collection(name).find_one({}, {"_id": 1}, session=self._session)
        if not there:
            raise TransientError("mongodb", f"the collection of table {name!r} was dropped meanwhile")


@contextlib.contextmanager
def latest(connections: MongoConnections) -> Iterator[MongoDocumentSnapshot]:
    """Documents as the primary has them whenever they are asked for."""
    with contextlib.closing(MongoDocumentSnapshot(connections, None, frozenset())) as opened:
        yield opened


@contextlib.contextmanager
def snapshot(connections: MongoConnections) -> Iterator[MongoDocumentSnapshot]:
    """The documents as a majority has them now. Raises Unavailable, NotSupported."""
    with connections.translated():
        collections = frozenset(connections.database().list_collection_names())
        with connections.client().start_session() as before:
            states = connections.collection(STATE, concern=DURABLE)
            # A change each time: what changes nothing is confirmed by anybody.
            states.update_one({"_id": _MOMENT}, {"$inc": {"count": 1}}, upsert=True, session=before)
            confirmed = before.operation_time
        if confirmed is None:
            raise NotSupported("a query over both stores", NEEDS_SNAPSHOTS)
        session = connections.client().start_session(snapshot=True)
    opened = MongoDocumentSnapshot(connections, session, collections)
    with contextlib.closing(opened):
        with connections.translated(), connections.snapshot_reads(STATE):
            first = {"find": STATE, "filter": {"_id": _MOMENT}, "limit": 1, "singleBatch": True}
            connections.database().command({**first, "readConcern": {"afterClusterTime": confirmed}}, session=session)
        yield opened
