"""Documents as BSON, undecoded, many at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import bson

from platform_store.halves import CODEC_OPTIONS
from platform_store.stores.mongodb_driver import Documents, MongoConnections

_BATCH_DOCUMENTS = 2000
_BATCH_BYTES = 4 * 1024 * 1024  # PyMongo holds several copies of what it receives
_FILTER_BYTES = 8 * 1024 * 1024  # a command takes 16 MB
_BY_ID = "_id_"  # the index that every collection has


def raw_between(
    connections: MongoConnections, name: str, start: Any, stop: Any, projection: Mapping[str, int] | None
) -> Iterator[bytes]:
    """See :meth:`platform_store.stores.documents.DocumentStore.between`.

    By the bounds of the index, which know all types: ``$gte`` finds those of its operand's type only.
    """
    options: dict[str, Any] = {"hint": _BY_ID}
    if start is not None:
        options["min"] = {"_id": start}
    if stop is not None:
        options["max"] = {"_id": stop}
    yield from _batches(connections, name, {}, projection, options)


def raw_among(
    connections: MongoConnections, name: str, identifiers: Sequence[Any], projection: Mapping[str, int] | None
) -> Iterator[bytes]:
    """See :meth:`platform_store.stores.documents.DocumentStore.among`."""
    for portion in portions(identifiers):
        yield from _batches(connections, name, {"_id": {"$in": portion}}, projection, {})


def _batches(
    connections: MongoConnections,
    name: str,
    condition: Mapping[str, Any],
    projection: Mapping[str, int] | None,
    options: Mapping[str, Any],
) -> Iterator[bytes]:
    collection: Documents = connections.collection(name)
    size = _batch_size(connections, name)
    with connections.streaming(name):
        cursor = collection.find_raw_batches(condition, projection, batch_size=size, **options)
        with cursor:
            yield from cursor


def _batch_size(connections: MongoConnections, name: str) -> int:
    with connections.translated():
        average = connections.database().command("collStats", name).get("avgObjSize", 0)
    return max(1, min(_BATCH_DOCUMENTS, _BATCH_BYTES // int(average or 1)))


def portions(identifiers: Sequence[Any]) -> Iterator[list[Any]]:
    """Identifiers that fit into one command together."""
    if not identifiers:
        return
    if len(identifiers) == 1 or len(bson.encode({"": list(identifiers)}, codec_options=CODEC_OPTIONS)) <= _FILTER_BYTES:
        yield list(identifiers)
        return
    middle = len(identifiers) // 2
    yield from portions(identifiers[:middle])
    yield from portions(identifiers[middle:])
