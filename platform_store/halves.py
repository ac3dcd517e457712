"""Which document belongs to a row: the one of exactly the row's revision. Pure.

The journal's pending entry of that revision answers first, then the document whose ``_rev`` is equal. At revision 0 a
row was never versioned: its document, if any, is one that was there before the association and has no ``_rev``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import bson
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions, DatetimeConversion

from platform_store.names import DELETED, REVISION

CODEC_OPTIONS: CodecOptions[dict[str, Any]] = CodecOptions(
    document_class=dict,
    tz_aware=False,
    uuid_representation=UuidRepresentation.STANDARD,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,  # a date beyond Python's range comes as DatetimeMS
)
"""How documents are decoded, wherever they come from."""

_KEPT_BY_US = frozenset({"_id", REVISION})


def with_revision(image: bytes, revision: int) -> bytes:
    """A document's BSON with the field ``_rev`` added at its end, without decoding it (bsonspec.org: type 0x12)."""
    field = b"\x12" + REVISION.encode() + b"\0" + revision.to_bytes(8, "little")
    return (len(image) + len(field)).to_bytes(4, "little") + image[4:-1] + field + b"\0"


def split(documents: bytes) -> list[bytes]:
    """Documents' BSON, one after the other, as one each."""
    found, position = [], 0
    while position < len(documents):
        end = position + int.from_bytes(documents[position : position + 4], "little")
        found.append(documents[position:end])
        position = end
    return found


_ID_NAME = b"_id\0"
_SIZES = {0x01: 8, 0x07: 12, 0x08: 1, 0x09: 8, 0x10: 4, 0x12: 8, 0x13: 16}  # of values, by type (bsonspec.org)
_BEFORE_LENGTH = {0x02: 4, 0x03: 0, 0x05: 5}  # bytes that the length at the beginning of a value does not count


def identifier_of(document: bytes) -> Any:
    """The ``_id`` of a document's BSON; None where there is none."""
    return bson.decode(id_alone(document) or document, CODEC_OPTIONS).get("_id")


def id_alone(document: bytes) -> bytes | None:
    """A document's BSON without all but the ``_id``, which MongoDB keeps at its beginning; None of one that is odd."""
    kind, first = document[4], 9
    size = _SIZES.get(kind)
    if size is None and kind in _BEFORE_LENGTH:
        size = int.from_bytes(document[first : first + 4], "little") + _BEFORE_LENGTH[kind]
    if document[5:first] != _ID_NAME or size is None:
        return None
    element = document[4 : first + size]
    return (len(element) + 5).to_bytes(4, "little") + element + b"\0"


class Mismatch(Exception):
    """The document at hand is of another revision than the row. Never reaches a user."""


def is_version(stored: Mapping[str, Any] | None, revision: int) -> bool:
    """Whether a document certainly is of a revision, as almost every one is: the shorter way to :func:`version_of`."""
    return stored is not None and stored.get(REVISION) == revision and DELETED not in stored


def version_of(
    revision: int, pending: bytes | None, stored: Mapping[str, Any] | None, *, locked: bool = False
) -> Mapping[str, Any]:
    """The document of a row's revision, as it is kept; empty for a row that has none. Raises Mismatch.

    At revision 0 a document that has a revision may be of the row's next version, just committed. Only under the
    row's lock (``locked``) is it certainly one that was left behind.
    """
    if pending is not None:
        return bson.decode(pending, CODEC_OPTIONS)
    if stored is not None:
        found = stored.get(REVISION, 0)
        if found == revision and not (found and DELETED in stored):
            return stored
    if revision == 0 and (stored is None or locked):
        return {}
    raise Mismatch


def fields_of(version: Mapping[str, Any]) -> dict[str, Any]:
    """A document's own fields: all but ``_id`` and ``_rev``."""
    return {name: value for name, value in version.items() if name not in _KEPT_BY_US}


def document_of(
    revision: int, pending: bytes | None, stored: Mapping[str, Any] | None, *, locked: bool = False
) -> dict[str, Any]:
    """As :func:`version_of`, the document's own fields."""
    return fields_of(version_of(revision, pending, stored, locked=locked))
