"""Documents of a raw answer of MongoDB."""

from __future__ import annotations

import bson
import pytest

from platform_store.stores.mongodb_driver import batch_of


@pytest.mark.parametrize("number", [0, 1, 9, 10, 11, 99, 100, 101, 1000, 1001, 10_001])
def test_the_documents_of_a_batch(number: int) -> None:
    documents = [{"_id": one, "v": "x" * (one % 7)} for one in range(number)]
    answer = bson.encode({"firstBatch": documents, "id": 0, "ns": "a.b"})
    assert [bson.decode(one) for one in batch_of(answer)] == documents


def test_the_documents_are_not_the_first_field() -> None:
    documents = [{"_id": 1}, {"_id": 2, "v": [1]}]
    answer = bson.encode({"id": 0, "ns": "a.b", "firstBatch": documents})
    assert [bson.decode(one) for one in batch_of(answer)] == documents
