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


class Mismatch(Exception):
    """The document at hand is of another revision than the row. Never reaches a user."""


def document_of(
    revision: int, pending: bytes | None, stored: Mapping[str, Any] | None, *, locked: bool = False
) -> dict[str, Any]:
    """The document's fields without ``_id`` and ``_rev``; empty for a row that has none. Raises Mismatch.

    At revision 0 a document that has a revision may be of the row's next version, just committed. Only under the
    row's lock (``locked``) is it certainly one that was left behind.
    """
    if pending is not None:
        image = bson.decode(pending, CODEC_OPTIONS)
        del image["_id"]
        return image
    found = 0 if stored is None else stored.get(REVISION, 0)
    if stored is not None and found == revision and not (found and DELETED in stored):
        return {name: value for name, value in stored.items() if name not in ("_id", REVISION)}
    if revision == 0 and (stored is None or locked):
        return {}
    raise Mismatch
