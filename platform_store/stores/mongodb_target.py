"""Where the journal brings documents in MongoDB, and what MongoDB remembers of the row store.

Every write is filtered by ``_id`` equality and guarded by the revision, so that it may be repeated and may come late:
an older document never replaces a newer one.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from bson.raw_bson import RawBSONDocument

from platform_store.association import Association
from platform_store.errors import NotSupported, Unavailable, ValueRejected
from platform_store.halves import with_revision
from platform_store.names import DELETED, OWN_PREFIX, REVISION
from platform_store.stores.base import Entry, Version, Witness, frozen_id
from platform_store.stores.mongodb_driver import (
    DURABLE,
    MAINTENANCE,
    Documents,
    MongoConnections,
    changed,
    inserted,
    is_taken,
    reported,
    upsert,
)

STATE = OWN_PREFIX + "state"
WITNESS = "mysql"
_SMALL = 8 * 1024 * 1024  # bytes: a command takes 16 MB


class MongoDocumentTarget:
    """See :class:`platform_store.stores.documents.DocumentTarget`."""

    def __init__(self, connections: MongoConnections):
        self._connections = connections
        self._validators: dict[str, Mapping[str, Any] | None] = {}  # as they were last seen

    def apply(self, entries: Sequence[Entry], *, durable: bool = False) -> dict[int, int]:
        refused: dict[int, int] = {}
        config = self._connections.config
        seconds = config.timeout if durable else config.apply_timeout
        for table in dict.fromkeys(entry.table for entry in entries):
            with self._connections.translated(seconds=seconds):
                chosen = [entry for entry in entries if entry.table == table]
                found = _write(self._applied(table, durable=durable), chosen)
            refused |= {entry.revision: code for entry, code in found.refused}
            if found.refused:
                self._validators.pop(table, None)  # it may be new
        return refused

    def _applied(self, table: str, *, durable: bool) -> Documents:
        connections = self._connections
        return connections.collection(table, concern=DURABLE) if durable else connections.applied(table)

    def place(self, association: Association, entries: Sequence[Entry]) -> None:
        with self._connections.translated(association):
            found = _write(self._connections.collection(association.name, concern=DURABLE), entries)
        for entry, code in found.refused:
            key = association.public_key(association.decode_id(entry.identifier))
            raise ValueRejected(f"MongoDB refuses its document (code {code})", table=association.name, key=key)
        identifiers = [entry.identifier for entry in entries]
        if not found.plain and min(self._revisions(association.name, identifiers)) < entries[0].revision:
            raise Unavailable(
                "mongodb", "a majority did not confirm in time: look whether all members of the replica set run"
            )

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
                    with self._connections.translated(seconds=self._connections.config.apply_timeout):
                        found = self._connections.database().aggregate(pipeline)
                        refused.update(document[REVISION] for document in found)
                except NotSupported:  # MongoDB 5.0 has no $documents: what it refuses is set aside
                    self._validators[table] = None
                    break
        return refused

    def _validator(self, table: str) -> Mapping[str, Any] | None:
        with self._connections.translated(seconds=self._connections.config.apply_timeout):
            database = self._connections.database()
            for collection in database.list_collections(filter={"name": table}):
                options = collection.get("options", {})
                strict = options.get("validationAction", "error") == "error"
                if strict and options.get("validationLevel", "strict") == "strict":
                    return options.get("validator")  # type: ignore[no-any-return]
        return None

    def clear(self, table: str, revision: int, identifiers: Sequence[Any]) -> None:
        with self._connections.translated():
            self._connections.collection(table, concern=DURABLE).delete_many(
                {"_id": {"$in": list(identifiers)}, REVISION: revision}
            )

    def purge(self, table: str, below: int, seconds: float) -> int:
        cutoff = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=seconds)
        with self._connections.translated(seconds=MAINTENANCE):
            self._connections.collection(table).create_index([(DELETED, 1)], sparse=True)
            old = {DELETED: {"$lt": cutoff}, REVISION: {"$lt": below}}
            return self._connections.collection(table, concern=DURABLE).delete_many(old).deleted_count

    def confirm(self, versions: Sequence[Version]) -> dict[int, int]:
        confirmed: dict[int, int] = {}
        for table in dict.fromkeys(one.table for one in versions):
            wanted = [one for one in versions if one.table == table]
            found = self._revisions(table, [one.identifier for one in wanted])
            confirmed |= {one.revision: its for one, its in zip(wanted, found, strict=True) if its >= one.revision}
        return confirmed

    def _revisions(self, table: str, identifiers: Sequence[Any]) -> list[int]:
        """Of which revision a majority has the document of each of these rows; 0 for none."""
        with self._connections.translated():
            found = self._connections.collection(table, majority=True).find(
                {"_id": {"$in": list(identifiers)}}, {REVISION: 1}, batch_size=100_000
            )
            present = {frozen_id(document["_id"]): _number(document.get(REVISION)) for document in found}
        return [present.get(frozen_id(one), 0) for one in identifiers]

    # What is remembered of the row store

    def witness(self) -> Witness | None:
        with self._connections.translated():
            found = self._connections.collection(STATE, majority=True).find_one({"_id": WITNESS})
        if found is None:
            return None
        return Witness(found["server"], found["ceiling"], found["confirmed"], found["lost_after"])

    def testify(self, witness: Witness, *, instead_of: Witness | None) -> bool:
        states = self._connections.collection(STATE, concern=DURABLE)
        with self._connections.translated():
            if instead_of is None:
                return inserted(states, {"_id": WITNESS, **asdict(witness)})
            known = {name: value for name, value in asdict(instead_of).items() if name != "confirmed"}
            return states.update_one({"_id": WITNESS, **known}, {"$set": asdict(witness)}).matched_count == 1

    def raise_ceiling(self, server: str, ceiling: int) -> bool:
        known = {"_id": WITNESS, "server": server, "lost_after": None}
        states = self._connections.collection(STATE, concern=DURABLE)
        with self._connections.translated():
            done = states.update_one(known, {"$max": {"ceiling": ceiling}})
        return done.matched_count == 1

    def note_confirmed(self, revision: int) -> None:
        with self._connections.translated():
            self._connections.collection(STATE).update_one({"_id": WITNESS}, {"$max": {"confirmed": revision}})

    def count_between(self, name: str, above: int, up_to: int) -> int:
        with self._connections.translated(seconds=MAINTENANCE):
            return self._connections.collection(name).count_documents({REVISION: {"$gt": above, "$lte": up_to}})


def _number(revision: object) -> int:
    """A document's revision; 0 where somebody else has put anything but a number there."""
    return int(revision) if isinstance(revision, int | float) and revision == revision // 1 else 0


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


def _write(collection: Documents, entries: Sequence[Entry]) -> _Written:
    """Writes each document unless a newer one is there.

    Documents of new rows are inserted, which takes a fraction of an upsert's time; where something is in the way (a
    tombstone, a document left behind), and for all other rows, what is older is replaced.

    A duplicate ``_id`` then says that this revision or a newer one is there. It says nothing of a majority, and can
    hide a write concern's failure: only a majority read knows.
    """
    fresh = [entry for entry in entries if entry.fresh]
    others = _not_buried(collection, [entry for entry in entries if not entry.fresh])
    refused: list[tuple[Entry, int]] = []
    plain = True
    for chosen, write in ((fresh, _insert), (others, _replace)):
        if not chosen:
            continue
        with reported() as report:
            write(collection, chosen)
        faults = report.faults
        if faults is None:
            continue
        plain = False
        taken = [chosen[fault["index"]] for fault in faults if is_taken(fault)]
        refused += [(chosen[fault["index"]], fault["code"]) for fault in faults if not is_taken(fault)]
        if chosen is fresh:
            others += taken
    return _Written(refused, plain)


def _not_buried(collection: Documents, entries: Sequence[Entry]) -> list[Entry]:
    """Puts tombstones in the place of documents, a run at a time; returns the entries that are left to be written.

    Where a document is missing, or something else is in the way, those are all of them: writing one again does no harm.
    """
    runs = [run for run in _runs(entries) if len(run) > 1]
    buried = {entry.revision for run in runs for entry in run}
    if buried and changed(collection, list(map(_burial, runs))) == len(buried):
        return [entry for entry in entries if entry.revision not in buried]
    return list(entries)


def _runs(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """Deletions of keys that count up as their revisions do."""
    run: list[Entry] = []
    for entry in entries:
        if entry.image is not None or type(entry.identifier) is not int:
            continue
        if run and (entry.identifier, entry.revision) != (run[-1].identifier + 1, run[-1].revision + 1):
            yield run
            run = []
        run.append(entry)
    if run:
        yield run


def _burial(run: Sequence[Entry]) -> tuple[Mapping[str, Any], Sequence[Mapping[str, Any]]]:
    """Of what is older than the whole run: no document that is newer than its own entry."""
    first = run[0]
    condition = {"_id": {"$in": [entry.identifier for entry in run]}, REVISION: {"$not": {"$gte": first.revision}}}
    offset = {"$subtract": [{"$toLong": "$_id"}, first.identifier]}  # of doubles it would be rounded
    revision = {"$add": [offset, first.revision]}
    deleted = datetime.datetime.now(datetime.UTC)
    return condition, [{"$replaceWith": {"_id": "$_id", REVISION: revision, DELETED: deleted}}]


def _insert(collection: Documents, entries: Sequence[Entry]) -> None:
    documents = []
    for entry in entries:
        assert entry.image is not None  # a deletion is of no new row
        documents.append(RawBSONDocument(with_revision(entry.image, entry.revision)))
    if len(documents) == 1:
        collection.insert_one(documents[0])
    else:
        collection.insert_many(documents, ordered=False)


def _replace(collection: Documents, entries: Sequence[Entry]) -> None:
    """Upserts what is newer than what is there."""
    guards = [{"_id": entry.identifier, REVISION: {"$not": {"$gte": entry.revision}}} for entry in entries]
    if len(entries) == 1:
        collection.replace_one(guards[0], _document(entries[0]), upsert=True)
    else:
        documents = [_document(entry) for entry in entries]
        collection.bulk_write(
            [upsert(guard, document) for guard, document in zip(guards, documents, strict=True)], ordered=False
        )
