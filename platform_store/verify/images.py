"""Documents of tables whose every column is in both stores, compared as a whole with what MySQL's rows give."""

from __future__ import annotations

from collections.abc import Sequence

from platform_store.association import Association
from platform_store.halves import with_revision
from platform_store.stores.base import Fetched
from platform_store.stores.bulk import Layout, Tables

_FAILURES = 3  # in a row, after which documents are known to be of another order of fields


class Images:
    """Rows as documents, of one table. Byte for byte the same is the same; of anything else it says nothing."""

    def __init__(self, tables: Tables | None, association: Association):
        self._tables, self.association = tables, association
        self._layout = Layout(association, (), {}, (), 0, 0)
        everything = not association.extra and not association.document_only
        self._left = _FAILURES if everything and association.flag == -1 else 0

    @property
    def useful(self) -> bool:
        """Whether it is worth asking."""
        return self._tables is not None and self._left > 0

    def agree(self, rows: Sequence[Fetched], documents: Sequence[bytes]) -> bool:
        """Whether these documents are, one by one, those of these rows, which follow each other in key order."""
        if self._tables is None or not rows or len(rows) != len(documents):
            return False
        if any(row.pending is not None for row in rows):
            return False
        images = self._images(self._tables, rows)
        same = len(images) == len(rows) and documents == [
            with_revision(image, row.revision) if row.revision else image
            for image, row in zip(images, rows, strict=True)
        ]
        self._left = _FAILURES if same else self._left - 1
        return same

    def _images(self, tables: Tables, rows: Sequence[Fetched]) -> list[bytes]:
        first, last = rows[0].key, rows[-1].key
        images: list[bytes] = []
        after = None
        while len(images) <= len(rows):
            page = tables.read(self._layout, after, first, last, len(rows) + 1)
            images += page.documents
            if page.last is None:
                break
            after = page.last
        return images
