"""Documents as BSON in the file of the embedded pair: only what :class:`DocumentStore` asks for, nothing of MongoDB's
query language.

A document commits with its row, so the newest one is the only one: there are no tombstones, nothing to apply, and no
majority to wait for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import bson
import sqlalchemy as sa

from platform_store.association import Association
from platform_store.errors import NotSupported, SchemaError
from platform_store.halves import CODEC_OPTIONS, with_revision
from platform_store.names import REVISION
from platform_store.records import Finding
from platform_store.stores.base import DuplicateKey, Entry, frozen_id
from platform_store.stores.embedded_engine import STORE, EmbeddedConnections, EmbeddedSession
from platform_store.stores.embedded_tables import COLLECTION, DOCUMENT
from platform_store.stores.scratch import DocumentSnapshot

_IDENTIFIERS_PER_STATEMENT = 1000


def put_documents(session: EmbeddedSession, collection: str, entries: Sequence[Entry]) -> None:
    """Replaces each entry's document, or removes it where the entry has none. The collection is made if missing."""
    if not entries:
        return
    session.execute(sa.insert(COLLECTION).prefix_with("OR IGNORE").values(name=collection))
    number = _number(session, collection)
    changed = [{"n": number, "i": _encoded(entry.identifier)} for entry in entries]
    one = sa.and_(DOCUMENT.c.collection == sa.bindparam("n"), DOCUMENT.c.identifier == sa.bindparam("i"))
    session.execute(sa.delete(DOCUMENT).where(one), changed)
    kept = [
        {"revision": entry.revision, "collection": number, "identifier": key["i"], "image": entry.image}
        for entry, key in zip(entries, changed, strict=True)
        if entry.image is not None
    ]
    if kept:
        session.execute(sa.insert(DOCUMENT), kept)


class EmbeddedDocumentStore:
    """See :class:`platform_store.stores.documents.DocumentStore`."""

    name = STORE
    target = None
    bulk = None

    def __init__(self, connections: EmbeddedConnections):
        self._connections = connections

    def fetch(self, association: Association, identifiers: Sequence[Any]) -> dict[Any, Mapping[str, Any]]:
        documents: dict[Any, Mapping[str, Any]] = {}
        with self._connections.session() as session:
            number = _number(session, association.name)
            for first in range(0, len(identifiers), _IDENTIFIERS_PER_STATEMENT):
                wanted = [_encoded(one) for one in identifiers[first : first + _IDENTIFIERS_PER_STATEMENT]]
                statement = _documents(number).where(DOCUMENT.c.identifier.in_(wanted))
                for row in session.rows(statement):
                    document = _decoded(row.revision, row.image)
                    documents[frozen_id(document["_id"])] = document
        return documents

    def latest(self) -> AbstractContextManager[DocumentSnapshot]:
        return self.snapshot()

    def snapshot(self) -> AbstractContextManager[DocumentSnapshot]:
        raise NotSupported("a snapshot of documents alone", "has no use here: they are in the same file as their rows")

    def check_available(self) -> None:
        self.collection_exists("")

    # Collections

    def collection_exists(self, name: str) -> bool:
        with self._connections.session() as session:
            return _number(session, name) is not None

    def create_collection(self, association: Association) -> None:
        with self._connections.session(write=True) as session:
            try:
                session.execute(sa.insert(COLLECTION).values(name=association.name))
            except DuplicateKey:
                raise SchemaError("a collection of that name exists", table=association.name) from None
            session.commit(association.name)

    def drop_collection(self, name: str) -> int:
        with self._connections.session(write=True) as session:
            number = _number(session, name)
            removed = session.execute(sa.delete(DOCUMENT).where(DOCUMENT.c.collection == number))
            session.execute(sa.delete(COLLECTION).where(COLLECTION.c.id == number))
            session.commit(name)
            return removed

    def unset_field(self, association: Association, field: str) -> None:
        """One transaction a page, so that other writers get their turn; revisions stay."""
        after = b""
        while True:
            with self._connections.session(write=True) as session:
                page = _page(session, association.name, after, _IDENTIFIERS_PER_STATEMENT)
                changed = []
                for row in page:
                    document = bson.decode(row.image, CODEC_OPTIONS)
                    if field in document:
                        del document[field]
                        changed.append({"r": row.revision, "image": bson.encode(document, codec_options=CODEC_OPTIONS)})
                if changed:
                    one = DOCUMENT.c.revision == sa.bindparam("r")
                    session.execute(sa.update(DOCUMENT).where(one).values(image=sa.bindparam("image")), changed)
                    session.commit(association.name)
            if len(page) < _IDENTIFIERS_PER_STATEMENT:
                return
            after = page[-1].identifier

    def create_index(self, association: Association, fields: Sequence[str]) -> None:
        """Accepted, and nothing is made: a document is one value to SQLite, and no query here looks inside it.

        The association keeps the index, so that the same definition makes it where there is a MongoDB.
        """

    def drop_index(self, association: Association, fields: Sequence[str]) -> None:
        """Nothing was made."""

    def discard(self, association: Association) -> int:
        with self._connections.session(write=True) as session:
            number = _number(session, association.name)
            deleted = session.execute(sa.delete(DOCUMENT).where(DOCUMENT.c.collection == number))
            session.commit(association.name)
        return deleted

    def identifiers(self, name: str, batch_size: int) -> Iterator[Any]:
        for row in self._pages(name, batch_size):
            yield bson.decode(row.identifier, CODEC_OPTIONS)["_id"]

    def stream(self, name: str, batch_size: int) -> Iterator[Mapping[str, Any]]:
        for row in self._pages(name, batch_size):
            yield _decoded(row.revision, row.image)

    def _pages(self, name: str, size: int) -> Iterator[Any]:
        """The documents' rows, each page a snapshot of its own: a slow reader holds nothing."""
        after = b""
        while True:
            with self._connections.session() as session:
                page = _page(session, name, after, size)
            yield from page
            if len(page) < size:
                return
            after = page[-1].identifier

    def in_byte_order(self, name: str) -> bool:  # noqa: ARG002
        return False  # they are in the order of their bytes, which is that of no value

    def between(
        self,
        name: str,
        start: Any,
        stop: Any,
        fields: Sequence[str] | None = None,  # noqa: ARG002 - nothing is saved by leaving out others
    ) -> Iterator[bytes]:
        if start is not None or stop is not None:
            raise NotSupported("a range of documents alone", "has no use here: rows are asked for by their keys")
        page: list[bytes] = []
        for row in self._pages(name, _IDENTIFIERS_PER_STATEMENT):
            page.append(with_revision(row.image, row.revision))
            if len(page) == _IDENTIFIERS_PER_STATEMENT:
                yield b"".join(page)
                page = []
        yield b"".join(page)

    def among(
        self,
        name: str,
        identifiers: Sequence[Any],
        fields: Sequence[str] | None = None,  # noqa: ARG002
    ) -> Iterator[bytes]:
        for first in range(0, len(identifiers), _IDENTIFIERS_PER_STATEMENT):
            wanted = [_encoded(one) for one in identifiers[first : first + _IDENTIFIERS_PER_STATEMENT]]
            with self._connections.session() as session:
                statement = _documents(_number(session, name)).where(DOCUMENT.c.identifier.in_(wanted))
                found = session.rows(statement)
            yield b"".join([with_revision(row.image, row.revision) for row in found])

    def remove(self, name: str, identifier: Any, revision: object) -> bool:
        with self._connections.session(write=True) as session:
            one = (DOCUMENT.c.collection == _number(session, name)) & (DOCUMENT.c.identifier == _encoded(identifier))
            removed = session.execute(sa.delete(DOCUMENT).where(one & (DOCUMENT.c.revision == revision)))
            session.commit(name)
            return removed == 1

    def unique_indexes(self, name: str) -> list[str]:  # noqa: ARG002
        return []

    def uses_reserved_fields(self, name: str) -> bool:
        return self.count(name) > 0  # no document here was written but with its row

    def highest_revision(self, name: str) -> int:  # noqa: ARG002
        return 0  # revisions are those of the same file

    def count(self, name: str) -> int:
        with self._connections.session() as session:
            one = DOCUMENT.c.collection == _number(session, name)
            ((number,),) = session.rows(sa.select(sa.func.count()).select_from(DOCUMENT).where(one))
            return int(number)

    def findings(self) -> list[Finding]:
        """None: the row store speaks for the file."""
        return []

    def close(self) -> None:
        self._connections.close()


def _number(session: EmbeddedSession, collection: str) -> int | None:
    found = session.rows(sa.select(COLLECTION.c.id).where(COLLECTION.c.name == collection))
    return found[0].id if found else None


def _documents(collection: int | None) -> sa.Select[Any]:
    columns = (DOCUMENT.c.identifier, DOCUMENT.c.revision, DOCUMENT.c.image)
    return sa.select(*columns).where(DOCUMENT.c.collection == collection)


def _page(session: EmbeddedSession, collection: str, after: bytes, size: int) -> Sequence[Any]:
    statement = _documents(_number(session, collection)).where(DOCUMENT.c.identifier > after)
    return session.rows(statement.order_by(DOCUMENT.c.identifier).limit(size))


def _encoded(identifier: Any) -> bytes:
    return bson.encode({"_id": identifier}, codec_options=CODEC_OPTIONS)


def _decoded(revision: int, image: bytes) -> dict[str, Any]:
    document = bson.decode(image, CODEC_OPTIONS)
    return {"_id": document.pop("_id"), REVISION: revision, **document}
