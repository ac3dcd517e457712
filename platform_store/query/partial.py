"""Partial groups: MongoDB groups the documents of one moment, and it is proved that they are the rows' own.

Elsewhere each document has to be of exactly its row's revision. Of groups nobody sees the documents, so this is shown
of all at once. By the write protocol the document of a row is the image in the journal of MySQL's snapshot, or else the
one that MongoDB had before it, of the row's revision; what MongoDB may have beside those belongs to no row: a bulk
write under way, or a loss. So MongoDB leaves out the documents that have an image, the images take their place, and
both stores say how many there are, the sum of their revisions, and a fingerprint. Where one of these differs, the rows
are staged one by one.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from decimal import Context, Decimal
from math import isqrt
from time import monotonic
from typing import Any, Final, TypeAlias, cast

import bson
from bson import Decimal128, Int64

from platform_store.association import INTEGER_TYPES, Association, Column
from platform_store.errors import NotSupported, Unavailable, ValueRejected
from platform_store.halves import CODEC_OPTIONS
from platform_store.names import DELETED, REVISION
from platform_store.query.cost import is_small
from platform_store.query.groups import Grouping
from platform_store.query.limits import Spending
from platform_store.query.plan import SourcePlan
from platform_store.query.reduce import totals
from platform_store.query.stage import Sources
from platform_store.stores.base import frozen_id
from platform_store.stores.scratch import DocumentSnapshot, Scratch

_MOST_GROUPS: Final = 10_000  # beyond, MySQL groups the rows as fast
_MOST_PENDING: Final = 1_000  # identifiers in the filter of one command
_MOST_BYTES: Final = 16 * 1024 * 1024  # of pending documents
_LEAST_SHARE: Final = 0.05
"""Of the documents that a filter lets through: below, they are fetched."""
_CHUNK: Final = 2_000
_DIGITS: Final = 34  # of a Decimal128
_NOT_DECIMAL: Final = 1 << 40  # counted for a value of another type: more than there are documents
_NUMBERS: Final = INTEGER_TYPES | {"DECIMAL", "YEAR"}
_INEXACT: Final = "a sum that MongoDB does not make exactly"
_EXACTLY: Final = Context(prec=_DIGITS + 20)

Totals: TypeAlias = tuple[int, ...]
"""Of rows or documents: how many, the sum of their revisions, and the sums of a fingerprint."""


class Ungrouped(Exception):
    """Partial groups would not be exact, or not worth it; the reason, in words. Never reaches a user."""


def is_worth(documents: DocumentSnapshot, grouping: Grouping, condition: Mapping[str, Any] | None, size: int) -> str:
    """Why a reference of ``size`` documents should not be grouped, judged by a sample; "" where it should."""
    association = grouping.reference.association
    if is_small(size):
        return ""
    if condition is not None and (share := documents.share(association, condition, size=size)) < _LEAST_SHARE:
        return f"only {share:.1%} of the documents pass"
    if grouping.keys and (groups := documents.variety(association, _key(grouping.keys), size=size)) > _MOST_GROUPS:
        return f"about {groups:.0f} different ones"
    return ""


def stage_groups(sources: Sources, grouping: Grouping, scratch: Scratch, spending: Spending, size: int) -> SourcePlan:
    """Fills a scratch table with partial groups of about ``size`` documents.

    Raises Ungrouped, LimitExceeded, and Unavailable where MySQL does not answer: no other way would do better.
    """
    try:
        return _Grouper(sources, grouping, scratch, spending, size).run()
    except ValueRejected:
        raise Ungrouped("a value that its column does not hold") from None


@dataclass(slots=True)
class Fingerprint:
    """What is summed over rows and documents, so that equal totals mean that each row has its own document.

    Counts and sums of revisions alone would be equal where two losses make up for one another. So each revision is
    multiplied by the integer columns of its key, or by itself where there are none: what is exchanged between rows then
    shows. All are taken modulo a prime, so that no sum is beyond 63 bits; a random one, so that nothing can be wrong in
    a way that passes always.
    """

    association: Association
    prime: int

    @property
    def factors(self) -> tuple[Column | None, ...]:
        """None: the revision itself."""
        return tuple(one for one in self.association.key_columns if one.type.base in INTEGER_TYPES) or (None,)

    def in_mysql(self) -> str:
        """A statement for the lowest revision and the totals of the rows."""
        return totals(self.association, [None if one is None else one.name for one in self.factors], self.prime)

    def in_mongodb(self) -> dict[str, Any]:
        """Accumulators for the totals."""
        single = len(self.association.key_columns) == 1
        paths = [f"${REVISION}" if one is None else "$_id" if single else f"$_id.{one.field}" for one in self.factors]
        rest = {"$mod": [f"${REVISION}", self.prime]}
        sums = {f"f{place}": _sum({"$multiply": [rest, _mod(path, self.prime)]}) for place, path in enumerate(paths)}
        return {"n": _sum(1), "r": _sum(f"${REVISION}"), **sums}

    def of_group(self, group: Mapping[str, Any]) -> Totals:
        """The totals of a group of MongoDB's; Ungrouped for what is no sum of integers."""
        return tuple(_whole(group[name]) for name in ("n", "r", *(f"f{place}" for place in range(len(self.factors)))))

    def of_image(self, document_id: Any, revision: int) -> Totals:
        """As :meth:`of_group`, of one document."""
        key = dict(zip(self.association.key_names, self.association.decode_id(document_id), strict=True))
        factors = [revision if one is None else cast("int", key[one.name]) for one in self.factors]
        return (1, revision, *(revision % self.prime * _rest(factor, self.prime) for factor in factors))


@dataclass(slots=True)
class _Grouper:
    sources: Sources
    grouping: Grouping
    scratch: Scratch
    spending: Spending
    size: int
    images: list[tuple[Any, int, Mapping[str, Any]]] = field(default_factory=list)
    left_out: list[Any] = field(default_factory=list)  # the _ids that have an entry in the journal

    def run(self) -> SourcePlan:
        began, before = monotonic(), (self.spending.rows, self.spending.bytes)
        association = self.scratch.association
        snapshot = self.sources.snapshot
        if snapshot is None or self.sources.latest:
            raise Ungrouped("MongoDB is away")
        self._read_journal()
        fingerprint = Fingerprint(association, random_prime(self.size))
        at_work = copy_context().run  # the thread works for the operation of this one
        with ThreadPoolExecutor(1, "platform_store-query") as beside:
            seconds = max(self.spending.seconds_left, 0.001)
            stages = self._stages(fingerprint)
            asked = beside.submit(at_work, snapshot.aggregate, association, stages, size=self.size, seconds=seconds)
            expected = self._totals_of_rows(fingerprint)
            try:
                groups = asked.result()
            except (NotSupported, Unavailable) as error:
                raise Ungrouped(str(error)) from None
        if len(groups) > _MOST_GROUPS:
            raise Ungrouped(f"more than {_MOST_GROUPS} different ones")
        self._compare(expected, groups, fingerprint)
        rows = self._rows(groups)
        self.spending.check(association)
        for start in range(0, len(rows), _CHUNK):
            self._load(rows[start : start + _CHUNK])
        return SourcePlan(
            table=association.name,
            alias=self.grouping.reference.alias,
            from_mongodb=tuple(column.name for column in (*self.grouping.keys, *self.grouping.measured)),
            pushed_to_mysql="",
            pushed_to_mongodb=self._shown(),
            narrowed_by=(),
            way="groups",
            why=f"{expected[0]} documents in {len(groups)} groups, {len(self.images)} pending ones beside them",
            estimated_rows=len(rows),
            staged_rows=self.spending.rows - before[0],
            staged_bytes=self.spending.bytes - before[1],
            seconds=monotonic() - began,
        )

    def _shown(self) -> str:
        sums = ", ".join(column.name for column in self.grouping.measured)
        return (
            f"groups by ({', '.join(column.name for column in self.grouping.keys)}){sums and f' with sums of {sums}'}"
        )

    def _read_journal(self) -> None:
        newest: dict[Any, tuple[Any, int, Mapping[str, Any] | None]] = {}
        wanted, size = [one.field for one in (*self.grouping.keys, *self.grouping.measured)], 0
        for document_id, revision, image in self.sources.session.pending(self.scratch.association):
            size += len(image or b"")
            held = None if image is None else bson.decode(image, CODEC_OPTIONS)
            kept = None if held is None else {name: held.get(name) for name in wanted}
            newest[frozen_id(document_id)] = (document_id, revision, kept)  # in order of revision
            if len(newest) > _MOST_PENDING or size > _MOST_BYTES:
                raise Ungrouped(f"more than {_MOST_PENDING} rows or {_MOST_BYTES} bytes are pending in the journal")
        for document_id, revision, values in newest.values():
            self.left_out.append(document_id)
            if values is not None:
                self.images.append((document_id, revision, values))

    # Proving

    def _stages(self, fingerprint: Fingerprint) -> list[Mapping[str, Any]]:
        mine: dict[str, Any] = {DELETED: {"$exists": False}, REVISION: {"$gt": self.scratch.association.discarded_at}}
        if self.left_out:
            mine["_id"] = {"$nin": self.left_out}
        wanted = fingerprint.in_mongodb()
        if self.grouping.keys:
            wanted["first"] = {"$min": "$_id"}
        for place, column in enumerate(self.grouping.measured):
            wanted |= _measures(column, place)
        return [
            {"$match": mine},
            {"$group": {"_id": _key(self.grouping.keys), **wanted}},
            {"$limit": _MOST_GROUPS + 1},
        ]

    def _totals_of_rows(self, fingerprint: Fingerprint) -> Totals:
        ((lowest, *found),) = self.sources.session.rows(fingerprint.in_mysql())
        if lowest is not None and lowest <= self.scratch.association.discarded_at:
            raise Ungrouped("rows without a document of their own")
        return tuple(int(total or 0) for total in found)

    def _compare(self, expected: Totals, groups: Sequence[Mapping[str, Any]], fingerprint: Fingerprint) -> None:
        parts = [(0,) * len(expected), *self._totals_of_documents(groups, fingerprint)]
        if any(sum(column) != total for column, total in zip(zip(*parts, strict=True), expected, strict=True)):
            raise Ungrouped("documents that are not of the rows' revisions")

    def _totals_of_documents(self, groups: Sequence[Mapping[str, Any]], fingerprint: Fingerprint) -> Iterator[Totals]:
        for group in groups:
            yield fingerprint.of_group(group)
        for document_id, revision, _ in self.images:
            yield fingerprint.of_image(document_id, revision)

    # Rows of the scratch table

    def _rows(self, groups: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """In order of the first of their rows' keys: MySQL shows of what is equal, and of a LIMIT, what comes first."""
        firsts = [group.get("first") for group in groups] + [document_id for document_id, _, _ in self.images]
        rows = [*map(self._row_of_group, groups), *(self._row_of_image(image) for _, _, image in self.images)]
        if not self.grouping.keys:
            return rows
        keys = [self.scratch.association.decode_id(first) for first in firsts]
        return [rows[place] for place in sorted(range(len(rows)), key=lambda place: cast("Any", keys[place]))]

    def _row_of_group(self, group: Mapping[str, Any]) -> dict[str, Any]:
        keys, found = self.grouping.keys, group["_id"]
        if _is_plain(keys):
            values = {keys[0].name: found}
        else:
            values = {column.name: found.get(f"k{place}") for place, column in enumerate(keys)}
        parts = {
            column.name: Part.of_group(column, group, place) for place, column in enumerate(self.grouping.measured)
        }
        return self._row(values, parts, group["n"])

    def _row_of_image(self, image: Mapping[str, Any]) -> dict[str, Any]:
        values = {column.name: image.get(column.field) for column in self.grouping.keys}
        parts = {column.name: Part.of_value(column, image.get(column.field), 1) for column in self.grouping.measured}
        return self._row(values, parts, 1)

    def _row(self, values: Mapping[str, Any], parts: Mapping[str, Part], count: int) -> dict[str, Any]:
        row = {column.field: values[column.name] for column in self.grouping.keys}
        added = self.scratch.columns[len(self.grouping.keys) :]
        for column, (kind, of) in zip(added, self.grouping.wanted, strict=True):
            if of is None:
                row[column.field] = count
                continue
            part = parts.get(of.name)
            if part is None:  # a key
                if kind == "count":
                    row[column.field] = 0 if values[of.name] is None else count
                    continue
                part = Part.of_value(of, values[of.name], count)
            row[column.field] = getattr(part, kind)
        return row

    def _load(self, rows: Sequence[Mapping[str, Any]]) -> None:
        session = self.sources.session
        size = session.load(self.scratch, session.prepare(self.scratch, rows))
        self.spending.add(self.scratch.association, len(rows), size)


@dataclass(frozen=True, slots=True)
class Part:
    """What is known of one column in one partial group: values as BSON has them, None where all are NULL."""

    count: int
    sum: object
    min: object
    max: object

    @staticmethod
    def of_group(column: Column, group: Mapping[str, Any], place: int) -> Part:
        """As MongoDB gives it. Raises Ungrouped where it may not be exact, ValueRejected for what is not the column's.

        BSON orders by type before value, so where both ends are numbers, all between are.
        """
        return _part(column, *(group[f"{name}{place}"] for name in ("c", "s", "lo", "hi")))

    @staticmethod
    def of_value(column: Column, value: Any, count: int) -> Part:
        """Of one value that so many rows have."""
        if value is None:
            return Part(0, None, None, None)
        stored = _held(column, value)
        if isinstance(stored, Decimal):
            if not _has_digits(column, count):
                raise Ungrouped(_INEXACT)
            return _part(column, count, Decimal128(_EXACTLY.multiply(stored, Decimal(count))), value, value)
        return _part(column, count, cast("int", stored) * count, value, value)


def _part(column: Column, count: Any, total: Any, low: Any, high: Any) -> Part:
    if not count and low is None and high is None:
        return Part(0, None, None, None)
    ends = [_held(column, one) for one in (low, high)]
    if column.type.base in INTEGER_TYPES:
        largest = max(abs(cast("int", one)) for one in ends)
        if type(total) not in (int, Int64) or largest * count >= 1 << 63:
            raise Ungrouped(_INEXACT)
    elif not _is_exact(column, count, total):
        raise Ungrouped(_INEXACT)
    return Part(_whole(count), total, low, high)


def _held(column: Column, value: Any) -> object:
    """The stored value. Raises ValueRejected for what the column does not hold, by its type or its range."""
    return column.codec.check(column.codec.stored_from_bson(value))


def _is_exact(column: Column, count: int, total: Any) -> bool:
    """Whether the sum of so many numbers has all their digits.

    No sum on the way had more digits than a Decimal128 has; and one of a value with more decimal places than the column
    has shows them.
    """
    if count >= _NOT_DECIMAL or type(total) is not Decimal128 or not (number := total.to_decimal()).is_finite():
        return False
    places = -cast("int", number.as_tuple().exponent)
    return places <= (column.type.scale or 0) and _has_digits(column, count)


def _has_digits(column: Column, count: int) -> bool:
    """Whether a Decimal128 has the digits of any sum of so many values of a DECIMAL."""
    return (column.type.precision or 0) + len(str(count)) <= _DIGITS


def _key(keys: Sequence[Column]) -> Any:
    """What MongoDB groups by. Numbers of different types are equal to it: their types keep them apart."""
    if _is_plain(keys):
        return f"${keys[0].field}"
    parts: dict[str, Any] = {}
    for place, column in enumerate(keys):
        parts[f"k{place}"] = f"${column.field}"
        if column.type.base in _NUMBERS:
            parts[f"t{place}"] = {"$type": f"${column.field}"}
    return parts or None


def _is_plain(keys: Sequence[Column]) -> bool:
    """Whether MongoDB groups by the value itself, which is the fastest."""
    return len(keys) == 1 and keys[0].type.base not in _NUMBERS


def _measures(column: Column, place: int) -> dict[str, Any]:
    value = f"${column.field}"
    present: Any = {"$cond": [{"$gt": [value, None]}, 1, 0]}
    if column.type.base == "DECIMAL":
        # To a sum of Decimal128 MongoDB adds any number; a sum of integers shows that it has another.
        others = {"$cond": [{"$gt": [value, None]}, _NOT_DECIMAL, 0]}
        present = {"$cond": [{"$eq": [{"$type": value}, "decimal"]}, 1, others]}
    return {
        f"c{place}": _sum(present),
        f"s{place}": _sum(value),
        f"lo{place}": {"$min": value},
        f"hi{place}": {"$max": value},
    }


def _sum(value: Any) -> dict[str, Any]:
    return {"$sum": value}


def _mod(value: str, prime: int) -> dict[str, Any]:
    return {"$mod": [value, prime]}


def _rest(number: int, prime: int) -> int:
    """As both servers have it: of the number's sign."""
    return number % prime if number >= 0 else -(-number % prime)


def _whole(value: Any) -> int:
    if type(value) not in (int, Int64):
        raise Ungrouped("a revision that is no integer")
    return int(value)


def random_prime(count: int) -> int:
    """Large, but so that the sum of as many products of two rests as there are documents has 62 bits."""
    most = min(isqrt((1 << 62) // max(count, 1)), 1 << 20)
    while True:
        number = random.SystemRandom().randrange(most // 2, most) | 1
        if all(number % divisor for divisor in range(3, isqrt(number) + 1, 2)):
            return number
