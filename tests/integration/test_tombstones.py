"""Tombstones in MongoDB: many at once leave what one after the other would."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any

import bson
import pytest
from bson import Decimal128

from platform_store.config import MongodbConfig
from platform_store.names import DELETED, REVISION
from platform_store.stores.base import Entry
from platform_store.stores.mongodb import MongoDocumentStore
from tests.servers.databases import connect_mongodb

LATER = 1 << 40  # a revision after all of these
Stored = Mapping[Any, Mapping[str, Any]]


@pytest.fixture
def store(mongodb_database: str) -> Iterator[MongoDocumentStore]:
    with connect_mongodb(mongodb_database) as client:
        name = client.get_default_database().name
    store = MongoDocumentStore(MongodbConfig(url=mongodb_database, database=name))
    yield store
    store.close()


def kept(mongodb_database: str) -> Stored:
    with connect_mongodb(mongodb_database) as client:
        return {document["_id"]: document for document in client.get_default_database()["card"].find()}


def write(store: MongoDocumentStore, revisions: Mapping[Any, int]) -> None:
    entries = [Entry(revision, "card", one, bson.encode({"_id": one, "v": 1})) for one, revision in revisions.items()]
    assert store.target.apply(entries) == {}


def bury(store: MongoDocumentStore, identifiers: Sequence[Any], first: int = 1000) -> None:
    entries = [Entry(revision, "card", one, None) for revision, one in zip(count(first), identifiers, strict=False)]
    assert store.target.apply(entries) == {}


KEYS = [[1, 2, 3, 4], [1, 2, 4, 5, 9], [-1, 0, 1], [3, 2, 1], ["a", "b"], [2**31 - 1, 2**31, 2**31 + 1], [7]]


@pytest.mark.parametrize("identifiers", KEYS, ids=str)
@pytest.mark.parametrize("present", ["all", "none", "but the second"])
def test_each_has_the_revision_of_its_own_entry(
    store: MongoDocumentStore, mongodb_database: str, identifiers: Sequence[Any], present: str
) -> None:
    there = [one for number, one in enumerate(identifiers) if present == "all" or (present != "none" and number != 1)]
    if there:
        write(store, dict(zip(there, count(1), strict=False)))
    for _ in range(2):  # whatever is done may be repeated
        bury(store, identifiers)
        found = kept(mongodb_database)
        assert {one: document[REVISION] for one, document in found.items()} == dict(
            zip(identifiers, count(1000), strict=False)
        )
        assert all(document.keys() == {"_id", REVISION, DELETED} for document in found.values())


@pytest.mark.parametrize("newer", [1001, 1002, LATER])
def test_what_is_newer_stays(store: MongoDocumentStore, mongodb_database: str, newer: int) -> None:
    """The second of four entries has revision 1001: a document of it, or of a later one, is not to be buried."""
    write(store, {1: 1, 2: newer, 3: 3, 4: 4})
    bury(store, [1, 2, 3, 4])
    found = kept(mongodb_database)
    assert found[2] == {"_id": 2, "v": 1, REVISION: newer}
    assert {one: found[one][REVISION] for one in (1, 3, 4)} == {1: 1000, 3: 1002, 4: 1003}
    assert all(DELETED in found[one] for one in (1, 3, 4))


def test_what_is_older_than_its_own_entry_goes(store: MongoDocumentStore, mongodb_database: str) -> None:
    """The third document is newer than the first entry, not than its own."""
    write(store, {1: 1, 2: 2, 3: 1001})
    bury(store, [1, 2, 3])
    assert {one: document[REVISION] for one, document in kept(mongodb_database).items()} == {1: 1000, 2: 1001, 3: 1002}


@pytest.mark.parametrize("other", [2.0**53 + 2, Decimal128(str(2**53 + 2))], ids=str)
def test_of_a_number_of_another_type_each_has_its_own_revision(
    store: MongoDocumentStore, mongodb_database: str, other: object
) -> None:
    """Next to a double above 2^53 not every whole number is one."""
    identifiers = [2**53 + 1, 2**53 + 2, 2**53 + 3]
    with connect_mongodb(mongodb_database) as client:
        card = client.get_default_database()["card"]
        card.insert_many([{"_id": identifiers[0]}, {"_id": other}, {"_id": identifiers[2]}])
        bury(store, identifiers)
        assert [(one["_id"], one[REVISION], DELETED in one) for one in card.find(sort={"_id": 1})] == [
            (identifiers[0], 1000, True), (other, 1001, True), (identifiers[2], 1002, True),
        ]  # fmt: skip


def test_a_document_that_is_not_asked_for_stays(store: MongoDocumentStore, mongodb_database: str) -> None:
    write(store, {1: 1, 2: 2})
    with connect_mongodb(mongodb_database) as client:
        client.get_default_database()["card"].insert_many([{"_id": 1.5}, {"_id": 3, REVISION: 3}])
    bury(store, [1, 2])
    found = kept(mongodb_database)
    assert found[1.5] == {"_id": 1.5}
    assert DELETED not in found[3]
    assert DELETED in found[2]
