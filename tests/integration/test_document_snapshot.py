"""Documents of one moment, on a real replica set: what is in it, in which batches, and what is left behind."""

from __future__ import annotations

import datetime
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bson
import pytest
from bson.decimal128 import Decimal128
from pymongo import MongoClient, WriteConcern
from pymongo.client_session import ClientSession
from pymongo.database import Database

from platform_store import ColumnAttribute, NotSupported, Platform, SchemaError, TransientError, Unavailable
from platform_store.association import Association, Column
from platform_store.config import MongodbConfig
from platform_store.stores.mongodb import MongoDocumentStore
from platform_store.stores.scratch import DocumentSnapshot
from tests.faults.drivers import sent

CARD = Association(
    "card",
    1,
    1,
    (
        Column(ColumnAttribute("id", "BIGINT"), "both", "id", key=True),
        Column(ColumnAttribute("n", "INT"), "mongodb", "n"),
        Column(ColumnAttribute("doc", "JSON"), "mongodb", "doc"),
    ),
)


@pytest.fixture
def database(mongodb_database: str) -> Iterator[Database[dict[str, Any]]]:
    client: MongoClient[dict[str, Any]] = MongoClient(mongodb_database)
    with client:
        yield client.get_default_database().with_options(write_concern=WriteConcern("majority"))


@pytest.fixture
def store(mongodb_database: str) -> Iterator[MongoDocumentStore]:
    made = MongoDocumentStore(MongodbConfig.from_url(mongodb_database))
    yield made
    made.close()


@pytest.fixture
def card(database: Database[dict[str, Any]]) -> Association:
    """A collection of 3,000 documents, of which every tenth is a tombstone."""
    documents: list[dict[str, Any]] = [
        {"_id": key, "_rev": bson.Int64(key + 1), "n": key, "doc": {"w": f"名{key}"}} for key in range(3000)
    ]
    for document in documents[::10]:
        document["_deleted"] = datetime.datetime.now(datetime.UTC)
    database["card"].insert_many(documents)
    return CARD


def found(
    snapshot: DocumentSnapshot, association: Association = CARD, fields: tuple[str, ...] = (), **options: Any
) -> list[dict[str, Any]]:
    return [document for batch in snapshot.find(association, fields, **options) for document in batch]


def open_cursors(database: Database[dict[str, Any]]) -> int:
    """How many of this database are open in MongoDB."""
    pipeline: list[dict[str, Any]] = [
        {"$currentOp": {"idleCursors": True, "allUsers": False}},
        {"$match": {"type": "idleCursor"}},
    ]
    cursors = database.client["admin"].aggregate(pipeline)
    return sum(one["ns"].startswith(f"{database.name}.") for one in cursors)


# The moment


def test_nothing_after_the_moment_is_seen(
    store: MongoDocumentStore, database: Database[dict[str, Any]], card: Association
) -> None:
    with store.snapshot() as snapshot:
        database["card"].insert_one({"_id": 5000, "_rev": 9000, "n": 1})
        database["card"].update_many({}, {"$set": {"n": -1, "_rev": 9001}})
        database["card"].delete_many({"_id": {"$gte": 1500}})
        documents = found(snapshot, card, ("n",))
        assert {document["_id"]: document["n"] for document in documents} == {
            key: key for key in range(3000) if key % 10
        }
        database["card"].update_many({}, {"$set": {"n": -2}})
        assert found(snapshot, card, ("n",)) == documents
        assert found(snapshot, card, condition={"n": {"$lt": 0}}) == []
    with store.snapshot() as snapshot:
        assert {document["n"] for document in found(snapshot, card, ("n",))} == {-2}


def test_what_a_majority_confirmed_is_seen(store: MongoDocumentStore, database: Database[dict[str, Any]]) -> None:
    for number in range(200):
        database["card"].replace_one({"_id": 1}, {"_id": 1, "_rev": number}, upsert=True)
        with store.snapshot() as snapshot:
            assert found(snapshot) == [{"_id": 1, "_rev": number}]


def test_writers_during_a_fetch(
    store: MongoDocumentStore, database: Database[dict[str, Any]], card: Association
) -> None:
    """Two documents change places for ever; each snapshot has each of them once, in all of its reads."""
    stop = threading.Event()

    number = 0

    def write() -> None:
        nonlocal number
        while not stop.is_set():
            number += 1
            with database.client.start_session() as session:
                session.with_transaction(both)  # again where MongoDB has to do something else

    def both(session: ClientSession) -> None:
        for key in (1, 2999):
            database["card"].update_one({"_id": key}, {"$set": {"n": number}}, session=session)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(20):
            with store.snapshot() as snapshot:
                seen = [
                    [document["n"] for document in found(snapshot, card, ("n",)) if document["_id"] in (1, 2999)]
                    for _ in range(2)
                ]
                assert len({*seen[0], *seen[1]}) == 1
    finally:
        stop.set()
        writer.join()


def test_two_snapshots_at_once(store: MongoDocumentStore, database: Database[dict[str, Any]]) -> None:
    database["card"].insert_one({"_id": 1, "_rev": 1})
    with store.snapshot() as first:
        database["card"].update_one({"_id": 1}, {"$set": {"_rev": 2}})
        with store.snapshot() as second:
            database["card"].delete_one({"_id": 1})
            assert [document["_rev"] for document in found(first)] == [1]
            assert [document["_rev"] for document in found(second)] == [2]
            assert [document["_rev"] for document in found(first)] == [1]


def test_threads(store: MongoDocumentStore, database: Database[dict[str, Any]], card: Association) -> None:
    results: list[int] = []

    def read() -> None:
        for _ in range(3):
            with store.snapshot() as snapshot:
                results.append(len(found(snapshot, card, ("n", "doc"))))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [2700] * 24


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:MongoClient opened before fork:UserWarning")
def test_after_a_fork(store: MongoDocumentStore, card: Association) -> None:
    with store.snapshot() as snapshot:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                with store.snapshot() as own:
                    status = 0 if len(found(own, card)) == 2700 else 2
                with pytest.raises(Unavailable):
                    found(snapshot, card)  # the parent's
            except BaseException:
                status = 3
                raise
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        assert len(found(snapshot, card)) == 2700


# What is found


def test_fields(store: MongoDocumentStore, database: Database[dict[str, Any]]) -> None:
    odd = {"a$b": 1, "名 字": "x", "_platform_store_n_1": Decimal128("1.50"), "0": None, "q'\"`": [1]}
    database["card"].insert_many([{"_id": 1, "_rev": 1, **odd, "other": 1}, {"_id": 2, "q'\"`": {"a": {"b": 2}}}])
    with store.snapshot() as snapshot:
        assert found(snapshot) == [{"_id": 1, "_rev": 1}, {"_id": 2}]
        assert found(snapshot, CARD, tuple(odd)) == [{"_id": 1, "_rev": 1, **odd}, {"_id": 2, "q'\"`": {"a": {"b": 2}}}]
        assert found(snapshot, CARD, ("missing",)) == [{"_id": 1, "_rev": 1}, {"_id": 2}]
        for misunderstood in ("a.b", "$a"):
            with pytest.raises(SchemaError):
                found(snapshot, CARD, (misunderstood,))


def test_condition_and_identifiers(store: MongoDocumentStore, card: Association) -> None:
    def keys(**options: Any) -> list[int]:
        return sorted(document["_id"] for document in found(snapshot, card, **options))

    with store.snapshot() as snapshot:
        assert keys(condition={"n": {"$lt": 12}}) == [1, 2, 3, 4, 5, 6, 7, 8, 9, 11]
        assert keys(identifiers=[3, 10, 99, 4000]) == [3, 99]
        assert keys(condition={"n": {"$lt": 12}}, identifiers=[3, 10, 99]) == [3]
        assert keys(condition={"_id": {"$gt": 3}}, identifiers=[3, 4]) == [4]
        assert keys(condition={"$or": [{"n": 1}, {"n": 10}, {"n": 2}]}) == [1, 2]
        assert keys(condition={"_deleted": {"$exists": True}}) == []
        assert len(keys(condition={})) == len(keys()) == 2700
        assert keys(identifiers=range(3000)) == keys()
        with sent() as commands:
            assert keys(identifiers=[]) == []
    assert commands.mongodb == []


def test_composite_identifiers(store: MongoDocumentStore, database: Database[dict[str, Any]]) -> None:
    association = Association(
        "card",
        1,
        1,
        (
            Column(ColumnAttribute("a", "VARCHAR(20)", collation="utf8mb4_0900_bin"), "both", "a", key=True),
            Column(ColumnAttribute("b", "BIGINT UNSIGNED"), "both", "b", key=True),
            Column(ColumnAttribute("doc", "JSON"), "mongodb", "doc"),
        ),
    )
    keys = [("张", 1), ("张", 2**64 - 1), ("b", 1)]
    identifiers = [association.encode_id(key) for key in keys]
    database["card"].insert_many([{"_id": one, "_rev": 1, "doc": [number]} for number, one in enumerate(identifiers)])
    with store.snapshot() as snapshot:
        documents = found(snapshot, association, ("doc",), identifiers=identifiers[:2])
        assert {association.decode_id(document["_id"]): document["doc"] for document in documents} == {
            keys[0]: [0],
            keys[1]: [1],
        }


def test_more_identifiers_than_a_command_takes(store: MongoDocumentStore, database: Database[dict[str, Any]]) -> None:
    identifiers = [f"{number:06d}" + "键" * 100 for number in range(60_000)]  # 20 MB
    database["card"].insert_many([{"_id": one, "_rev": 1} for one in identifiers[::1000]])
    with store.snapshot() as snapshot, sent() as commands:
        assert sorted(document["_id"] for document in found(snapshot, identifiers=identifiers)) == identifiers[::1000]
    assert commands.mongodb.count("find card") == 4


# Batches


def test_batches_are_bounded(store: MongoDocumentStore, database: Database[dict[str, Any]], card: Association) -> None:
    large = Association("large", 2, 1, CARD.columns)
    database["large"].insert_many([{"_id": key, "_rev": 1, "doc": "x" * 500_000} for key in range(40)])
    with store.snapshot() as snapshot:
        assert [len(batch) for batch in snapshot.find(card, ["n"])] == [1000, 1000, 700]
        assert max(len(batch) for batch in snapshot.find(large, ["doc"])) == 8
        assert sum(len(batch) for batch in snapshot.find(large, ["doc"], identifiers=list(range(40)))) == 40


def test_closing_ends_the_cursor(
    store: MongoDocumentStore, database: Database[dict[str, Any]], card: Association
) -> None:
    with store.snapshot() as snapshot:
        batches = snapshot.find(card, ["n"])
        assert open_cursors(database) == 0
        assert len(next(batches)) == 1000
        assert open_cursors(database) == 1
        batches.close()  # type: ignore[attr-defined]
        assert open_cursors(database) == 0
        left_open = [snapshot.find(card, ["n"]) for _ in range(3)]
        assert [len(next(one)) for one in left_open] == [1000] * 3
        assert open_cursors(database) == 3
    assert open_cursors(database) == 0
    for one in left_open:
        with pytest.raises(Unavailable):  # it has not come to its end
            next(one)
    with pytest.raises(Unavailable):
        found(snapshot, card)


def test_an_error_in_the_block_leaves_nothing(
    store: MongoDocumentStore, database: Database[dict[str, Any]], card: Association
) -> None:
    def read() -> None:
        with store.snapshot() as snapshot:
            for _ in snapshot.find(card, ["n"]):
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        read()
    assert open_cursors(database) == 0


# Collections that come and go


def test_no_collection(store: MongoDocumentStore) -> None:
    with store.snapshot() as snapshot:
        assert found(snapshot) == []
        assert found(snapshot, identifiers=[1, 2]) == []
        assert snapshot.size(CARD) == 0
        assert 0 < snapshot.share(CARD, {"n": 1}, size=1) <= 1


def dropped(database: Database[dict[str, Any]]) -> None:
    database["card"].drop()


def made_anew(database: Database[dict[str, Any]]) -> None:
    database["card"].drop()
    database["card"].insert_one({"_id": 7, "_rev": 1})


def renamed(database: Database[dict[str, Any]]) -> None:
    database["card"].rename("other")


@pytest.mark.parametrize("change", [dropped, made_anew, renamed])
def test_a_collection_that_goes_is_not_empty(
    store: MongoDocumentStore,
    database: Database[dict[str, Any]],
    card: Association,
    change: Callable[[Database[dict[str, Any]]], None],
) -> None:
    with store.snapshot() as snapshot:
        batches = snapshot.find(card, ["n"])
        next(batches)
        change(database)
        with pytest.raises(TransientError, match="'card'"):
            list(batches)
        for options in ({}, {"identifiers": [1]}, {"condition": {"n": 1}}):
            with pytest.raises(TransientError, match="'card'"):
                found(snapshot, card, **options)


def test_a_collection_that_comes(store: MongoDocumentStore, database: Database[dict[str, Any]]) -> None:
    with store.snapshot() as snapshot:
        database["card"].insert_one({"_id": 1, "_rev": 1})
        with pytest.raises(TransientError, match="'card'"):
            found(snapshot)


def test_an_index_that_comes(store: MongoDocumentStore, database: Database[dict[str, Any]], card: Association) -> None:
    with store.snapshot() as snapshot:
        database["card"].create_index("n")
        assert len(found(snapshot, card, condition={"n": {"$gte": 0}})) == 2700
        database["card"].drop_index("n_1")
        assert len(found(snapshot, card, condition={"n": {"$gte": 0}})) == 2700


# Estimates


def test_estimates(store: MongoDocumentStore, database: Database[dict[str, Any]], card: Association) -> None:
    large = Association("large", 2, 1, CARD.columns)
    for first in range(0, 30_000, 10_000):
        database["large"].insert_many([{"_id": key, "_rev": 1, "n": key % 100} for key in range(first, first + 10_000)])
    with store.snapshot() as snapshot:
        assert (snapshot.size(card), snapshot.size(large)) == (3000, 30_000)
        # By binomial tails: a half of some 108 documents drawn at random is outside these bounds once in 10^10 times, a
        # tenth of 1,000 (below) once in 10^8 times.
        assert 0.2 < snapshot.share(card, {"n": {"$lt": 1500}}, size=3000) < 0.8
        for association in (card, large):
            assert snapshot.share(association, {}, size=snapshot.size(association)) == 1.0
            assert 0 < snapshot.share(association, {"n": -1}, size=snapshot.size(association)) < 0.01
        assert 0.05 < snapshot.share(large, {"n": {"$lt": 10}}, size=30_000) < 0.2
        assert 0.85 < snapshot.share(large, {"n": {"$gte": 5}}, size=30_000) <= 1.0


def test_estimates_of_tombstones_alone(store: MongoDocumentStore, database: Database[dict[str, Any]]) -> None:
    database["card"].insert_many([{"_id": key, "_deleted": 1} for key in range(10)])
    with store.snapshot() as snapshot:
        assert snapshot.share(CARD, {"n": 1}, size=1) == 1.0


# Other stores


def test_the_embedded_pair_has_none(tmp_path: Path) -> None:
    with Platform.embedded(tmp_path / "pair.db") as platform, pytest.raises(NotSupported):
        platform._documents.snapshot()
