"""Whole collections of MongoDB, read and written as BSON that nobody decodes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import bson
from bson.codec_options import CodecOptions
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.raw_bson import RawBSONDocument
from bson.timestamp import Timestamp

from platform_store.errors import Conflict, SchemaError, Unavailable, ValueRejected
from platform_store.halves import CODEC_OPTIONS, identifier_of, split
from platform_store.stores.bulk import CollectionShape
from platform_store.stores.mongodb_driver import (
    DUPLICATE_KEY,
    DURABLE,
    MAINTENANCE,
    MANY,
    Documents,
    Fault,
    MongoConnections,
    deletion,
    is_taken,
    raw_batch,
    reported,
    upsert,
    verbatim,
)

_NO_TIME: Final = Timestamp(0, 0)
# Nothing means anything without a match of one of these. Each begins with one byte, which is looked for fast.
_DOLLAR_NAME: Final = re.compile(rb"\$(?<=[\x01-\x13\x7f\xff]\$)").search  # after the type
# After the type and the name. Where a name holds the type's byte, too, there is a match from the last of these on; to
# look from each of them to the end of the name would take the square of the time.
_ZERO_TIMESTAMP: Final = re.compile(rb"\x11[^\0\x11]*\0{9}").search
_UNDECODED: CodecOptions[RawBSONDocument] = CODEC_OPTIONS.with_options(
    document_class=RawBSONDocument
)  # but for the top
_BY_ID = [("_id", 1)]
_IDS_PER_COMMAND = 10_000
_CONDITIONS_PER_COMMAND = 1000
_LIKE_OTHERS = {float: "double", Int64: "long", Decimal128: "decimal"}
"""Types of which a value may be equal to one of another type that takes as many bytes, or to another of its own."""


class MongoCollections:
    """See :class:`platform_store.stores.bulk.Collections`."""

    def __init__(self, connections: MongoConnections):
        self._connections = connections

    # Reading

    def read(self, name: str, after: Any, start: Any, stop: Any, limit: int) -> list[bytes]:
        page = {
            "find": name,
            "filter": _range(start, stop, after),
            "sort": dict(_BY_ID),
            "hint": dict(_BY_ID),
            "limit": limit,
            "batchSize": limit,
            "singleBatch": True,  # of 16 MB at most, and no cursor is left
            "readConcern": {"level": "majority"},
        }
        with self._connections.translated():
            documents = raw_batch(self._connections.database(), page)
        if documents and identifier_of(documents[0]) is None:  # of a collection's _ids nearly the first
            raise ValueRejected("a document's _id is null, which is no key: give it another", table=name)
        return documents

    def bounds(self, name: str, start: Any, stop: Any, parts: int) -> list[Any]:
        """Walks over the index once, from bound to bound, without reading a document.

        MongoDB's ``$sample`` would be faster, and is far from even where a collection was filled at once.
        """
        with self._connections.translated(seconds=MAINTENANCE):
            collection = self._connections.collection(name, majority=True)
            count = collection.count_documents(_range(start, stop), hint=_BY_ID)
            step = -(-count // parts)
            found: list[Any] = []
            while step and len(found) < parts - 1 and (len(found) + 1) * step < count:
                condition = _range(start, stop, found[-1] if found else None)
                cursor = collection.find(condition, {"_id": 1}).sort(_BY_ID).hint(_BY_ID).skip(step - 1).limit(-1)
                document = next(iter(cursor), None)
                if document is None:
                    break
                found.append(document["_id"])
        return found

    def sample(self, name: str, size: int) -> Iterator[bytes]:
        with self._connections.streaming(name):
            collection = self._connections.collection(name, majority=True)
            batches: Iterable[Any] = collection.aggregate_raw_batches([{"$sample": {"size": size}}])
            for batch in batches:
                yield from split(batch)

    def describe(self, name: str) -> CollectionShape:
        with self._connections.translated(seconds=MAINTENANCE):
            database = self._connections.database()
            described = next(iter(database.list_collections(filter={"name": name})), None)
            if described is None:
                raise SchemaError("MongoDB has no such collection", table=name)
            if described["type"] != "collection":
                raise SchemaError(f"MongoDB has a {described['type']} of that name, not a collection", table=name)
            sizes = database.command("collStats", name)
            indexes = [index for index in self._connections.collection(name).list_indexes() if index["name"] != "_id_"]
        other = [*_options(described.get("options", {})), *(text for index in indexes for text in _peculiar(index))]
        return CollectionShape(
            documents=int(sizes["count"]),
            bytes=int(sizes["size"]),
            indexes=tuple(
                (str(index["name"]), tuple(index["key"]), bool(index.get("unique")))
                for index in indexes
                if not any(_peculiar(index))
            ),
            other=tuple(other),
        )

    # Writing

    def put(self, name: str, documents: Sequence[bytes], *, fresh: bool) -> int:
        if not documents:
            return 0
        given = [Image(document) for document in documents]
        with self._connections.translated(seconds=MANY):
            collection = self._connections.collection(name, concern=DURABLE)
            if fresh:
                peculiar = [document for document in given if means_something(document)]
                others = [document for document in given if not means_something(document)] if peculiar else given
                given = [*peculiar, *(_inserted(collection, others) if others else ())]
            return _replaced(collection, given) if given else 0

    def remove(self, name: str, identifiers: Sequence[Any]) -> int:
        removed = 0
        with self._connections.translated(seconds=MANY):
            collection = self._connections.collection(name, concern=DURABLE)
            for first in range(0, len(identifiers), _IDS_PER_COMMAND):
                some = {"_id": {"$in": list(identifiers[first : first + _IDS_PER_COMMAND])}}
                removed += collection.delete_many(some).deleted_count
        return removed

    def index(self, name: str, fields: Sequence[str], *, unique: bool) -> None:
        keys = [(field, 1) for field in fields]
        with self._connections.translated(seconds=MAINTENANCE):
            collection = self._connections.collection(name)
            if unique:
                present = {field: {"$exists": True} for field in fields}
                collection.create_index(keys, unique=True, partialFilterExpression=present)
            else:
                collection.create_index(keys)

    def take(self, name: str, documents: Sequence[bytes]) -> int:
        """Each by itself, if it is equal to what is given: a transaction would keep writers waiting if we were killed.

        What MongoDB takes for equal and is not is told apart by size, and by the types of the document's own fields.
        A number further inside that another writer makes an equal one of another type and of the same size, in the
        moment between reading and deleting, is not.
        """
        taken = 0
        for first in range(0, len(documents), _CONDITIONS_PER_COMMAND):
            some = documents[first : first + _CONDITIONS_PER_COMMAND]
            with self._connections.translated(seconds=MANY):
                collection = self._connections.collection(name, concern=DURABLE)
                deletions = [deletion(_unchanged(document)) for document in some]
                taken += collection.bulk_write(deletions, ordered=False).deleted_count
        return taken


class Image(RawBSONDocument):
    """A document as bytes. PyMongo asks whether it is empty, which would decode it."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return True


def _range(start: Any, stop: Any, after: Any = None) -> dict[str, Any]:
    """A condition on ``_id`` in BSON's order, across its types, of which MongoDB makes bounds of the index.

    The operators of an ordinary filter compare values of one type only.
    """
    bounds = []
    for operator, bound in (("$gte", start if after is None else None), ("$lte", stop), ("$gt", after)):
        if bound is not None:
            bounds.append({operator: ["$_id", {"$literal": bound}]})
    return {"$expr": {"$and": bounds}} if bounds else {}


def _unchanged(document: bytes) -> dict[str, Any]:
    """A condition that is true for a document of exactly these bytes."""
    same: list[Any] = [
        {"$eq": ["$$ROOT", {"$literal": Image(document)}]},
        {"$eq": [{"$bsonSize": "$$ROOT"}, len(document)]},
    ]
    decoded = bson.decode(document, CODEC_OPTIONS)
    for name, value in decoded.items():
        kind = _LIKE_OTHERS.get(type(value))
        if kind is not None:
            field = {"$getField": {"field": {"$literal": name}, "input": "$$ROOT"}}
            same.append({"$eq": [{"$type": field}, kind]})
            if kind == "decimal":  # 1.0 is 1.00
                same.append({"$eq": [{"$toString": field}, {"$toString": {"$literal": value}}]})
    return {"_id": decoded["_id"], "$expr": {"$and": same}}


def _inserted(collection: Documents, documents: list[Image]) -> list[Image]:
    """Those of the documents that could not be inserted because there is one of their ``_id``."""
    with reported() as report:
        collection.insert_many(documents, ordered=False)
    if report.faults is None:
        return []
    _check(collection.name, documents, report.faults)
    return [documents[fault["index"]] for fault in report.faults]


def _replaced(collection: Documents, documents: Sequence[Image]) -> int:
    """Replaces or inserts, and waits for a majority to have all that was written before, too."""
    replaced = 0
    while documents:
        operations = [
            (verbatim if means_something(document) else upsert)({"_id": identifier_of(bytes(document.raw))}, document)
            for document in documents
        ]
        with reported() as report:
            return replaced + collection.bulk_write(operations, ordered=False).matched_count
        assert report.faults is not None
        replaced += report.matched
        _check(collection.name, documents, report.faults)  # another inserted it in the same moment
        documents = [documents[fault["index"]] for fault in report.faults]
    return replaced


def means_something(document: Image) -> bool:
    """Whether MongoDB would not keep the document as it is.

    It refuses to replace one with a field that begins with a dollar sign, and puts its own time in the place of a
    timestamp of zero. Both are so of the document's own fields alone.
    """
    raw = bytes(document.raw)
    if _DOLLAR_NAME(raw) is None and _ZERO_TIMESTAMP(raw) is None:
        return False
    fields = bson.decode(raw, _UNDECODED)
    return any(name.startswith("$") or value == _NO_TIME for name, value in fields.items())


def _check(name: str, documents: Sequence[Image], faults: Sequence[Fault]) -> None:
    """Raises for whatever is more than an ``_id`` that is taken."""
    if not faults:  # nothing was refused, so it is the write concern that was not fulfilled
        raise Unavailable(
            "mongodb", "a majority did not confirm in time: look whether all members of the replica set run"
        )
    for fault in faults:
        if is_taken(fault):
            continue
        key = identifier_of(bytes(documents[fault["index"]].raw))
        if fault["code"] == DUPLICATE_KEY:
            raise Conflict("another document holds the same values in a unique index", table=name, key=key)
        raise ValueRejected(f"MongoDB refuses its document (code {fault['code']})", table=name, key=key)


def _options(options: Mapping[str, Any]) -> Iterator[str]:
    if options.get("validator"):
        yield "validator"
    if options.get("capped"):
        yield "capped size"
    if options.get("collation"):
        yield f"collation {options['collation'].get('locale')}"
    if options.get("changeStreamPreAndPostImages", {}).get("enabled"):
        yield "pre- and post-images of changes"


def _peculiar(index: Mapping[str, Any]) -> Iterator[str]:
    """What an index has that an index of MySQL has not."""
    name = f"index {index['name']}"
    kinds = {str(kind) for kind in index["key"].values() if not isinstance(kind, int | float)}
    if kinds:
        yield f"{name} ({', '.join(sorted(kinds))})"
    if any("$**" in field for field in index["key"]):
        yield f"{name} (wildcard)"
    if "expireAfterSeconds" in index:
        yield f"{name} (TTL)"
    if "partialFilterExpression" in index:
        yield f"{name} (partial)"
    if index.get("sparse") and index.get("unique"):
        yield f"{name} (sparse)"
    if "collation" in index:
        yield f"{name} (collation {index['collation'].get('locale')})"
