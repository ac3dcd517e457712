"""Documents' BSON taken apart without decoding it."""

from __future__ import annotations

import datetime
import uuid
from typing import Any

import bson
from bson import Decimal128, Int64, MaxKey, ObjectId, Regex, Timestamp
from hypothesis import given
from hypothesis import strategies as st

from platform_store.halves import CODEC_OPTIONS, identifier_of, split

SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(0, 9).map(Int64),
    st.floats(allow_nan=False),
    st.text(),
    st.binary(),
    st.uuids(),
    st.just(ObjectId("64b000000000000000000001")),
    st.just(Decimal128("1.50")),
    st.just(Timestamp(1, 2)),
    st.just(MaxKey()),
    st.just(Regex("a+", "i")),
    st.datetimes(min_value=datetime.datetime(1, 1, 1)).map(lambda value: value.replace(microsecond=0)),
)
IDENTIFIERS = st.one_of(SCALARS, st.dictionaries(st.text("abc", min_size=1), SCALARS), st.lists(SCALARS))


def encoded(identifier: Any) -> bytes:
    return bson.encode({"_id": identifier, "name": "x", "n": 1}, codec_options=CODEC_OPTIONS)


@given(st.lists(IDENTIFIERS, max_size=5))
def test_documents_one_after_the_other(identifiers: list[Any]) -> None:
    documents = [encoded(identifier) for identifier in identifiers]
    assert split(b"".join(documents)) == documents


@given(IDENTIFIERS)
def test_the_identifier_alone(identifier: Any) -> None:
    document = encoded(identifier)
    found, expected = identifier_of(document), bson.decode(document, CODEC_OPTIONS)["_id"]
    assert (type(found), found) == (type(expected), expected)


def test_a_document_without_an_identifier() -> None:
    assert identifier_of(bson.encode({"name": uuid.uuid4().hex})) is None
    assert identifier_of(bson.encode({})) is None
