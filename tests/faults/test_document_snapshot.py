"""Snapshots of documents where MongoDB dies, stands still, hands over, is behind, or forgets: an error, never less."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pymongo
import pytest
from pymongo import WriteConcern
from pymongo.collection import Collection

from platform_store import ColumnAttribute, PlatformStoreError, Unavailable
from platform_store.association import Association, Column
from platform_store.config import MongodbConfig
from platform_store.stores.mongodb import MongoDocumentStore
from platform_store.stores.scratch import DocumentSnapshot
from tests.faults.replica_set import ReplicaSet
from tests.faults.servers import Disposable
from tests.servers.databases import with_mongodb_database
from tests.waiting import wait_until

CARD = Association(
    "card",
    1,
    1,
    (
        Column(ColumnAttribute("id", "BIGINT"), "both", "id", key=True),
        Column(ColumnAttribute("n", "INT"), "mongodb", "n"),
    ),
)
MANY = 5000
TIMEOUT, SELECTION = 1.0, 1.0  # seconds: a busy MongoDB may need more for what it does answer, and is asked again
BOUND = 20.0  # seconds: less than the driver would wait by itself, and time enough on any machine


@contextlib.contextmanager
def opened(url: str) -> Iterator[MongoDocumentStore]:
    config = MongodbConfig.from_url(f"{url}&timeoutMS={TIMEOUT * 1000:.0f}")
    store = MongoDocumentStore(config)
    try:
        yield store
    finally:
        store.close()


@contextlib.contextmanager
def filled(url: str) -> Iterator[Collection[dict[str, Any]]]:
    """The collection of ``card``, with documents that a majority has."""
    with pymongo.MongoClient[dict[str, Any]](url) as client:
        card = client.get_default_database().get_collection("card", write_concern=WriteConcern("majority"))
        card.insert_many([{"_id": key, "_rev": 1, "n": 0} for key in range(MANY)])
        yield card


def unavailable_in_time(work: Callable[[], object]) -> None:
    began = time.monotonic()
    with pytest.raises(Unavailable) as caught:
        work()
    assert caught.value.store == "mongodb"
    assert time.monotonic() - began < BOUND


def count(store: MongoDocumentStore) -> int:
    with store.snapshot() as snapshot:
        return sum(len(batch) for batch in snapshot.find(CARD, ["n"]))


@dataclass(frozen=True)
class Begun:
    """A snapshot of which one batch has been read, once or by several cursors; ``batches``: the rest of the first."""

    snapshot: DocumentSnapshot
    batches: Iterator[list[dict[str, Any]]]
    documents: list[dict[str, Any]]


@contextlib.contextmanager
def in_the_middle(store: MongoDocumentStore, cursors: int = 1) -> Iterator[Begun]:
    with contextlib.ExitStack() as stack:
        begun: list[Begun] = []

        def begin() -> bool:
            with contextlib.suppress(Unavailable), contextlib.ExitStack() as attempt:
                snapshot = attempt.enter_context(store.snapshot())
                reads = [snapshot.find(CARD, ["n"]) for _ in range(cursors)]
                first, *_ = [next(one) for one in reads]
                begun.append(Begun(snapshot, reads[0], first))
                stack.push(attempt.pop_all())
            return bool(begun)

        wait_until(begin, "a first batch was read")
        yield begun[0]


def works_again(store: MongoDocumentStore) -> bool:
    with contextlib.suppress(Unavailable):
        return count(store) == MANY
    return False


class TestOneServer:
    @pytest.fixture
    def url(self, own_mongodb_url: str) -> str:
        return f"{own_mongodb_url}&serverSelectionTimeoutMS={SELECTION * 1000:.0f}"

    def test_killed_in_the_middle(self, own_mongodb: Disposable, own_mongodb_url: str, url: str) -> None:
        with filled(own_mongodb_url), opened(url) as store:
            with in_the_middle(store) as begun:
                own_mongodb.kill()
                unavailable_in_time(lambda: list(begun.batches))
                unavailable_in_time(lambda: next(begun.snapshot.find(CARD, ["n"])))
                unavailable_in_time(lambda: begun.snapshot.share(CARD, {"n": 1}, size=1))
            unavailable_in_time(lambda: count(store))
            own_mongodb.start()
            wait_until(lambda: works_again(store), "the store reads again")

    def test_frozen_in_the_middle(self, own_mongodb: Disposable, own_mongodb_url: str, url: str) -> None:
        with filled(own_mongodb_url), opened(url) as store:
            with in_the_middle(store) as begun:
                own_mongodb.freeze()
                unavailable_in_time(lambda: list(begun.batches))
                unavailable_in_time(lambda: next(begun.snapshot.find(CARD, ["n"])))
            unavailable_in_time(lambda: count(store))
            own_mongodb.thaw()
            wait_until(lambda: works_again(store), "the store reads again")

    def test_frozen_and_left(self, own_mongodb: Disposable, own_mongodb_url: str, url: str) -> None:
        with filled(own_mongodb_url), opened(url) as store, contextlib.ExitStack() as stack:
            stack.enter_context(in_the_middle(store, cursors=2))
            own_mongodb.freeze()
            began = time.monotonic()
            stack.close()
            assert time.monotonic() - began < BOUND
            own_mongodb.thaw()
            wait_until(lambda: works_again(store), "the store reads again")

    def test_restarted_in_the_middle(self, own_mongodb: Disposable, own_mongodb_url: str, url: str) -> None:
        """What was read before counts for nothing after it: all of the moment's documents, or an error."""
        with filled(own_mongodb_url), opened(url) as store, in_the_middle(store) as begun:
            own_mongodb.kill()
            own_mongodb.start()
            with pytest.raises(PlatformStoreError):
                list(begun.batches)

    def test_the_past_is_forgotten(self, own_mongodb: Disposable, own_mongodb_url: str, url: str) -> None:
        with filled(own_mongodb_url) as card, opened(url) as store, store.snapshot() as snapshot:
            card.database.client.admin.command("setParameter", 1, minSnapshotHistoryWindowInSeconds=0)
            caught: list[Unavailable] = []

            def forgotten() -> bool:
                card.update_many({"_id": {"$lt": 50}}, {"$inc": {"n": 1}})
                try:
                    assert sum(len(batch) for batch in snapshot.find(CARD, ["n"])) == MANY
                except Unavailable as error:
                    caught.append(error)
                return bool(caught) and "minSnapshotHistoryWindowInSeconds" in str(caught[-1])

            try:
                wait_until(forgotten, "MongoDB has forgotten the moment")
            finally:
                card.database.client.admin.command("setParameter", 1, minSnapshotHistoryWindowInSeconds=300)
        assert "'card'" in str(caught[-1])


class TestReplicaSet:
    @pytest.fixture
    def url(self, replica_set_url: str) -> str:
        return f"{replica_set_url}&serverSelectionTimeoutMS={SELECTION * 1000:.0f}"

    def test_the_primary_hands_over_in_the_middle(
        self, replica_set: ReplicaSet, replica_set_url: str, url: str
    ) -> None:
        with filled(replica_set_url) as card, opened(url) as store:
            with in_the_middle(store) as begun:
                documents = begun.documents
                replica_set.step_down()
                wait_until(lambda: _written(card, MANY), "another member takes writes")
                with contextlib.suppress(Unavailable):
                    for batch in begun.batches:
                        documents += batch
                    assert sorted(document["_id"] for document in documents) == list(range(MANY))
                # The new primary knows the moment too.
                wait_until(lambda: _are_all(begun.snapshot), "the new primary answers")
            wait_until(lambda: _counts(store, MANY + 1), "the store reads from the new primary")

    def test_the_primary_is_killed_in_the_middle(self, replica_set: ReplicaSet, replica_set_url: str, url: str) -> None:
        with filled(replica_set_url) as card, opened(url) as store:
            with in_the_middle(store) as begun:
                old = replica_set.kill_primary()
                unavailable_in_time(lambda: list(begun.batches))
            replica_set.replace_primary(old)
            wait_until(lambda: _written(card, MANY), "another member takes writes")
            wait_until(lambda: _counts(store, MANY + 1), "the store reads from the new primary")

    def test_a_primary_that_no_majority_follows(self, replica_set: ReplicaSet, replica_set_url: str, url: str) -> None:
        """It may have been replaced long ago."""
        with filled(replica_set_url), opened(url) as store:
            replica_set.hold_replication()
            unavailable_in_time(lambda: count(store))
            replica_set.release_replication()
            wait_until(lambda: works_again(store), "the store reads again")

    def test_a_member_that_is_behind(self, replica_set: ReplicaSet, replica_set_url: str) -> None:
        """A snapshot read of its own is not enough: the member has its moment, but not what was confirmed before."""
        with filled(replica_set_url) as card:
            behind = replica_set.secondaries()[0]
            replica_set.wait_until_healthy()
            replica_set.hold_back(behind)
            card.insert_one({"_id": MANY, "_rev": 1})
            address = f"mongodb://127.0.0.1:{replica_set.members[behind].port}/?directConnection=true"
            alone = with_mongodb_database(address, card.database.name)
            with pymongo.MongoClient[dict[str, Any]](alone) as client, client.start_session(snapshot=True) as session:
                assert client.get_default_database()["card"].count_documents({}, session=session) == MANY
            with opened(alone) as store:
                unavailable_in_time(lambda: count(store))
            replica_set.release_replication()


def _written(card: Collection[dict[str, Any]], key: int) -> bool:
    with contextlib.suppress(pymongo.errors.PyMongoError):
        card.replace_one({"_id": key}, {"_id": key, "_rev": 1}, upsert=True)
        return True
    return False


def _are_all(snapshot: DocumentSnapshot) -> bool:
    with contextlib.suppress(Unavailable):
        found = [document["_id"] for batch in snapshot.find(CARD, ["n"]) for document in batch]
        assert sorted(found) == list(range(MANY))
        return True
    return False


def _counts(store: MongoDocumentStore, documents: int) -> bool:
    with contextlib.suppress(Unavailable):
        return count(store) == documents
    return False
