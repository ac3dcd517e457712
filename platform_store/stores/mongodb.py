"""Documents in MongoDB: reading them, and the collections that they are in."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from platform_store.association import Association
from platform_store.config import MongodbConfig
from platform_store.errors import ConfigError, Unavailable
from platform_store.names import DELETED, REVISION
from platform_store.records import Finding
from platform_store.stores.base import frozen_id
from platform_store.stores.mongodb_bulk import MongoCollections
from platform_store.stores.mongodb_driver import DURABLE, MAINTENANCE, MongoConnections, create_collection
from platform_store.stores.mongodb_raw import raw_among, raw_between
from platform_store.stores.mongodb_snapshot import MongoDocumentSnapshot, latest, snapshot
from platform_store.stores.mongodb_target import MongoDocumentTarget

logger = logging.getLogger("platform_store")


class MongoDocumentStore:
    """See :class:`platform_store.stores.documents.DocumentStore`."""

    name = "mongodb"
    target: MongoDocumentTarget
    bulk: MongoCollections

    def __init__(self, config: MongodbConfig, *, watched: bool = False):
        self._connections = MongoConnections(config, watched=watched)
        self.target = MongoDocumentTarget(self._connections)
        self.bulk = MongoCollections(self._connections)

    def fetch(self, association: Association, identifiers: Sequence[Any]) -> dict[Any, Mapping[str, Any]]:
        with self._connections.translated(association):
            collection = self._connections.collection(association.name)
            if len(identifiers) == 1:
                document = collection.find_one({"_id": identifiers[0]})
                return {} if document is None else {frozen_id(identifiers[0]): document}
            # One batch where it fits: MongoDB sends 101 documents first unless told otherwise.
            found = collection.find({"_id": {"$in": list(identifiers)}}, batch_size=100_000).to_list()
        return {frozen_id(document["_id"]): document for document in found}

    def snapshot(self) -> AbstractContextManager[MongoDocumentSnapshot]:
        return snapshot(self._connections)

    def latest(self) -> AbstractContextManager[MongoDocumentSnapshot]:
        return latest(self._connections)

    def check_deployment(self) -> None:
        """ConfigError for a standalone server, which confirms nothing by majority. A server that is down may pass."""
        try:
            with self._connections.translated():
                hello = self._connections.client().admin.command("hello")
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
        with self._connections.translated():
            self._connections.client().admin.command("ping")

    # Collections

    def collection_exists(self, name: str) -> bool:
        with self._connections.translated():
            return bool(self._connections.database().list_collection_names(filter={"name": name}))

    def create_collection(self, association: Association) -> None:
        with self._connections.translated(association):
            create_collection(self._connections.database(), association.name)

    def drop_collection(self, name: str) -> int:
        documents = self.count(name)
        with self._connections.translated(seconds=MAINTENANCE):
            self._connections.collection(name).drop()
        return documents

    def create_index(self, association: Association, fields: Sequence[str]) -> None:
        with self._connections.translated(association, seconds=MAINTENANCE):
            self._connections.collection(association.name).create_index([(field, 1) for field in fields])

    def drop_index(self, association: Association, fields: Sequence[str]) -> None:
        with self._connections.translated(association, seconds=MAINTENANCE):
            collection = self._connections.collection(association.name)
            collation = collection.options().get("collation")
            for index in list(collection.list_indexes()):
                if _is_plain(index, fields, collation):
                    collection.drop_index(index["name"])

    def discard(self, association: Association) -> int:
        discarded = {REVISION: {"$gte": 1, "$lte": association.discarded_at}}
        with self._connections.translated(association, seconds=MAINTENANCE):
            collection = self._connections.collection(association.name, concern=DURABLE)
            return collection.delete_many(discarded).deleted_count

    def unset_field(self, association: Association, field: str) -> None:
        with self._connections.translated(association, seconds=MAINTENANCE):
            collection = self._connections.collection(association.name)
            collection.update_many({field: {"$exists": True}}, {"$unset": {field: ""}})

    def highest_revision(self, name: str) -> int:
        with self._connections.translated(seconds=MAINTENANCE):
            found = list(
                self._connections.collection(name)
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
        found = self._connections.collection(name).find(condition, projection, batch_size=batch_size)
        with self._connections.streaming(name), found as cursor:
            yield from cursor

    def in_byte_order(self, name: str) -> bool:
        with self._connections.translated():
            return "collation" not in self._connections.collection(name).options()

    def between(self, name: str, start: Any, stop: Any, fields: Sequence[str] | None = None) -> Iterator[bytes]:
        return raw_between(self._connections, name, start, stop, _projection(fields))

    def among(self, name: str, identifiers: Sequence[Any], fields: Sequence[str] | None = None) -> Iterator[bytes]:
        return raw_among(self._connections, name, identifiers, _projection(fields))

    def remove(self, name: str, identifier: Any, revision: object) -> bool:
        of_revision = revision if revision != 0 else {"$exists": False}
        with self._connections.translated():
            collection = self._connections.collection(name, concern=DURABLE)
            return collection.delete_one({"_id": {"$eq": identifier}, REVISION: of_revision}).deleted_count == 1

    def unique_indexes(self, name: str) -> list[str]:
        with self._connections.translated():
            indexes = self._connections.collection(name).list_indexes()
            return [index["name"] for index in indexes if index.get("unique") and index["name"] != "_id_"]

    def uses_reserved_fields(self, name: str) -> bool:
        reserved = {"$or": [{field: {"$exists": True}} for field in (REVISION, DELETED)]}
        with self._connections.translated(seconds=MAINTENANCE):
            return self._connections.collection(name).find_one(reserved, {"_id": 1}) is not None

    def count(self, name: str) -> int:
        """Without tombstones. It reads every document."""
        with self._connections.translated(seconds=MAINTENANCE):
            return self._connections.collection(name).count_documents({DELETED: {"$exists": False}})

    def findings(self) -> list[Finding]:
        with self._connections.translated():
            client = self._connections.client()
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
        self._connections.close()


def _is_plain(index: Mapping[str, Any], fields: Sequence[str], collation: Mapping[str, Any] | None) -> bool:
    """Whether nothing but ``fields`` was said when it was made, not even a name. ``collation``: the collection's."""
    keys = [(field, 1) for field in fields]
    return (
        list(index["key"].items()) == keys
        and index["name"] == "_".join(f"{field}_{order}" for field, order in keys)
        and index.get("collation") == collation
        and not index.keys() & {"unique", "sparse", "partialFilterExpression", "expireAfterSeconds"}
    )


def _projection(fields: Sequence[str] | None) -> dict[str, int] | None:
    return None if fields is None else dict.fromkeys(("_id", REVISION, DELETED, *fields), 1)
