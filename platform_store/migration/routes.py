"""One page of a migration, in either direction: read, write, remember. Whatever is here may be repeated.

Every method takes a lane and gives it as it stands after one more page, remembered in the jobs' store. ``fresh`` says
that nothing of the page can be in the target: the target was empty, and this is no second attempt.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from platform_store.association import KeyValues
from platform_store.errors import Unavailable, ValueRejected
from platform_store.halves import identifier_of
from platform_store.migration.compare import Compared, Sides, Unequal, compare
from platform_store.migration.ends import Ends
from platform_store.migration.read_ahead import Range, ReadAhead
from platform_store.migration.state import Lane, from_place, to_place
from platform_store.shapes.shape import Shape, all_faithful
from platform_store.stores.bulk import JobPart, Layout


class Tenure:
    """Until when this process may take itself for the one at work on a job, by a clock that no standstill stops.

    A process that stood still for longer must not write what it read before: another may have taken over meanwhile.
    """

    def __init__(self, until: float):
        self.until = until

    def check(self) -> None:
        """Raises Unavailable."""
        if now() > self.until:
            raise Unavailable("mysql", "the job was not renewed in time, another process may be at work on it")


def now() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Route(Protocol):
    """A direction, for one table."""

    layout: Layout

    def copy(self, lane: Lane, *, fresh: bool) -> Lane: ...
    def move(self, lane: Lane, *, fresh: bool) -> Lane: ...
    def mend(self, lane: Lane, compared: Compared) -> Lane:
        """Makes the target what the source is, in one range that was compared."""

    def compared(self, lane: Lane) -> Iterator[Compared]:
        """What is left of a lane, by ranges."""

    def end(self, lane: Lane) -> Lane:
        """Nothing is left of it."""


class _Route:
    """What both directions share."""

    def __init__(self, ends: Ends, layout: Layout, shape: Shape, job: int, batch_rows: int, tenure: Tenure):
        self._ends, self.layout, self._shape, self._job, self._batch = ends, layout, shape, job, batch_rows
        self._tenure = tenure
        self._name = layout.association.name
        self._as_they_are = shape.untouched
        self._rows_ahead = ReadAhead(
            lambda wanted: self._ends.table.read(self.layout, *wanted, self._batch), lambda page: page.last
        )
        self._documents_ahead = ReadAhead(
            lambda wanted: self._ends.collection.read(self._name, *wanted, self._batch),
            lambda documents: identifier_of(documents[-1]) if documents else None,
        )

    def compared(self, lane: Lane) -> Iterator[Compared]:
        sides = Sides(self._ends.rows, self._ends.documents, self._ends.table, self._ends.collection)
        return compare(
            sides,
            self.layout,
            self._name,
            self._key(lane.start),
            self._key(lane.stop),
            after=self._key(lane.place),
            limit=self._batch,
            restore=self._restore,
            keys=self._shape,
        )

    def end(self, lane: Lane) -> Lane:
        return self._remember(lane.beyond(None, 0, 0, done=True))

    def _key(self, place: str | None) -> KeyValues | None:
        return None if place is None else self._shape.key_of(from_place(place))

    def _place(self, key: KeyValues | None) -> str | None:
        return None if key is None else to_place(self._shape.identify(key))

    def _restore(self, rows: Sequence[bytes]) -> Sequence[bytes]:
        return rows if self._shape.untouched else [self._shape.restore(row) for row in rows]

    def _remember(self, lane: Lane) -> Lane:
        self._ends.rows.jobs.save_part(self._job, lane.number, lane.plain(), done=lane.done)
        return lane


class ToDocuments(_Route):
    """MySQL to MongoDB."""

    def copy(self, lane: Lane, *, fresh: bool) -> Lane:
        page = self._rows_ahead(Range(self._key(lane.place), self._key(lane.start), self._key(lane.stop)))
        documents = self._restore(page.documents)
        self._put(documents, fresh=fresh)
        after = lane.beyond(self._place(page.last), len(documents), _size(documents), done=page.last is None)
        return self._remember(after)

    def move(self, lane: Lane, *, fresh: bool) -> Lane:
        """The rows stay locked until a majority has their documents, and are deleted in the same transaction."""
        taking = self._ends.table.take(
            self.layout, self._key(lane.place), self._key(lane.start), self._key(lane.stop), self._batch
        )
        with taking as taken:
            documents, last = self._restore(taken.page.documents), taken.page.last
            self._put(documents, fresh=fresh)
        size = _size(documents)
        after = lane.beyond(self._place(last), len(documents), size, changed=len(documents), done=last is None)
        return self._remember(after)

    def mend(self, lane: Lane, compared: Compared) -> Lane:
        wanted = [one.row for one in compared.unequal if one.row is not None]
        self._put(wanted, fresh=False)
        extra = [one.identifier for one in compared.unequal if one.row is None]
        if extra:
            self._ends.collection.remove(self._name, extra)
        after = lane.beyond(self._place(compared.last), compared.rows, compared.bytes, changed=len(compared.unequal))
        return self._remember(after)

    def _put(self, documents: Sequence[bytes], *, fresh: bool) -> None:
        self._tenure.check()
        if documents:
            self._ends.collection.put(self._name, documents, fresh=fresh)


class ToRows(_Route):
    """MongoDB to MySQL."""

    def copy(self, lane: Lane, *, fresh: bool) -> Lane:
        documents = self._read(lane)
        if not documents:
            return self.end(lane)
        after = lane.beyond(to_place(identifier_of(documents[-1])), len(documents), _size(documents))
        self._load(documents, fresh=fresh, after=after)
        return after

    def move(self, lane: Lane, *, fresh: bool) -> Lane:
        """What is loaded and committed is deleted where it is still the same; the next round comes for the others."""
        documents = self._read(lane)
        if not documents:
            return self.end(lane)
        count = len(documents)
        after = lane.beyond(to_place(identifier_of(documents[-1])), count, _size(documents), changed=count)
        self._load(documents, fresh=fresh, after=after)
        self._tenure.check()
        self._ends.collection.take(self._name, documents)
        return after

    def mend(self, lane: Lane, compared: Compared) -> Lane:
        unequal = [one for one in compared.unequal if not self._same_row(one)]
        gone = [self._shape.key_of(one.identifier) for one in unequal if one.document is None]
        if gone:
            self._ends.table.remove(self.layout, gone)
        documents = [one.document for one in unequal if one.document is not None]
        size = compared.bytes + sum(len(one.document or b"") for one in unequal if one.row is None)
        after = lane.beyond(self._place(compared.last), compared.rows, size, changed=len(unequal))
        if not documents:
            return self._remember(after)
        self._load(documents, fresh=False, after=after)
        return after

    def _read(self, lane: Lane) -> list[bytes]:
        places = (None if text is None else from_place(text) for text in (lane.place, lane.start, lane.stop))
        return self._documents_ahead(Range(*places))

    def _load(self, documents: Sequence[bytes], *, fresh: bool, after: Lane) -> None:
        """Documents that may be rows as they are go as such, until one is not: the table takes none that it changes."""
        if self._as_they_are and fresh:
            self._tenure.check()
            if self._ends.table.load_images(self.layout, documents, job=self._part(after)):
                return None
        rows = all_faithful(documents) if self._as_they_are else None
        if rows is not None:
            try:
                return self._load_rows(rows, fresh=fresh, after=after)
            except ValueRejected:
                self._as_they_are = False
        return self._load_rows(self._shape.rows(documents), fresh=fresh, after=after)

    def _load_rows(self, rows: Sequence[Mapping[str, Any]], *, fresh: bool, after: Lane) -> None:
        self._tenure.check()
        if not fresh:
            decode = self.layout.association.decode_id
            self._ends.table.remove(self.layout, [decode(row["_id"]) for row in rows])
        self._ends.table.load(self.layout, rows, clear=None, job=self._part(after))

    def _part(self, lane: Lane) -> JobPart:
        return self._job, lane.number, lane.plain(), lane.done

    def _same_row(self, one: Unequal) -> bool:
        """Whether MySQL holds what it can of a document: a number's BSON type may have no place in a given table."""
        if one.row is None or one.document is None:
            return False
        row, given = (self._shape.row(one_side) for one_side in (one.row, one.document))
        computed = {column.field for column in self.layout.association.columns if column.generated}
        return all(row.get(name) == given.get(name) for name in {*row, *given} - computed)


def _size(documents: Sequence[bytes]) -> int:
    return sum(map(len, documents))


def route(ends: Ends, layout: Layout, shape: Shape, direction: str, job: int, batch_rows: int, tenure: Tenure) -> Route:
    made: type[ToDocuments] | type[ToRows] = ToDocuments if direction == "mysql-to-mongodb" else ToRows
    return made(ends, layout, shape, job, batch_rows, tenure)
