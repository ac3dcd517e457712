"""Which documents MongoDB would not keep as they are: looked for in their bytes, mostly without decoding them."""

from __future__ import annotations

from typing import Any

import bson
from bson import Int64, Timestamp
from hypothesis import example, given
from hypothesis import strategies as st

from platform_store.halves import CODEC_OPTIONS
from platform_store.stores.mongodb_bulk import Image, means_something

NAMES = st.text(st.sampled_from("\x11$a\x01é"), max_size=4)
LEAVES = st.one_of(
    st.sampled_from([Timestamp(0, 0), Timestamp(0, 1), Timestamp(1, 0), Int64(0), 17, 0.0, None]),
    st.text(st.sampled_from("\x11\0$a"), max_size=12),
    st.binary(max_size=12),
)
VALUES = st.one_of(LEAVES, LEAVES, st.dictionaries(NAMES, LEAVES, max_size=2), st.lists(LEAVES, max_size=2))


@given(st.dictionaries(NAMES, VALUES, max_size=4))
@example({"\x11a\x11": Timestamp(0, 0)})
@example({"a": {"b": Timestamp(0, 0), "$c": 1}})
@example({"a\x11": Timestamp(0, 0)})
@example({"": Timestamp(0, 0)})
@example({"a": "\x11" + "\0" * 9})
def test_what_mongodb_would_not_keep(document: dict[str, Any]) -> None:
    expected = any(name.startswith("$") or value == Timestamp(0, 0) for name, value in document.items())
    assert means_something(Image(bson.encode(document, codec_options=CODEC_OPTIONS))) is expected


def test_a_long_text_of_the_type_of_timestamps() -> None:
    """In time that grows with the text: were it with its square, this would take a day."""
    assert not means_something(Image(bson.encode({"_id": 1, "v": "\x11" * 4_000_000})))
    assert means_something(Image(bson.encode({"_id": 1, "v": "\x11" * 4_000_000, "\x11" * 1000: Timestamp(0, 0)})))
