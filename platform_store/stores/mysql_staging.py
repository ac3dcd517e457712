"""Documents as rows of a scratch table. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from platform_store.association import Association
from platform_store.errors import ValueRejected
from platform_store.names import REVISION
from platform_store.sqltypes import parse_type
from platform_store.stores.mysql_upload import RowsText, Texts
from platform_store.stores.mysql_values import ColumnText
from platform_store.stores.scratch import Scratch

Document: TypeAlias = Mapping[str, Any]


class Stager(RowsText):
    """Turns documents into rows of one scratch table."""

    def __init__(self, scratch: Scratch):
        association = scratch.association
        self._association, self._columns, self._grouped = association, scratch.columns, scratch.grouped
        self._keys = [ColumnText(column.type) for column in association.key_columns]
        self._fields = tuple(column.field for column in association.key_columns)
        self._revision = ColumnText(parse_type("BIGINT UNSIGNED"))
        self._texts = [ColumnText(column.type) for column in scratch.columns]
        names = [*association.key_names, REVISION, *(column.name for column in scratch.columns)]
        forms = [text.form for text in (*self._keys, self._revision, *self._texts)]
        first = len(self._keys) + 1 if self._grouped else 0
        super().__init__(scratch.name, names[first:], forms[first:])

    @property
    def only_column(self) -> str | None:
        """The document column, where there is only one."""
        return self._columns[0].name if len(self._columns) == 1 else None

    def stage(self, documents: Sequence[Document]) -> list[Texts]:
        """Column by column, the texts of the documents whose ``_id`` a row can have. Raises ValueRejected."""
        if self._grouped:
            return self._values(documents)
        keys = self._plain_keys([document["_id"] for document in documents])
        if keys is None:
            documents, keys = self._decoded_keys(documents)
        try:
            revisions = self._revision.texts([document.get(REVISION, 0) for document in documents])
            return [*keys, revisions, *self._values(documents)]
        except ValueRejected as error:
            raise self.refused(documents) or error.at(self._association.name, None, None) from None

    def _values(self, documents: Sequence[Document]) -> list[Texts]:
        columns = zip(self._columns, self._texts, strict=True)
        return [text.texts([document.get(column.field) for document in documents]) for column, text in columns]

    def refused(self, documents: Iterable[Document]) -> ValueRejected | None:
        """The first value that its column does not hold, if the codecs know of one."""
        for document in () if self._grouped else documents:
            for column in self._columns:
                value = document.get(column.field)
                try:
                    if value is not None:
                        column.codec.check(column.codec.stored_from_bson(value))
                except ValueRejected as error:
                    return error.at(self._association.name, column.name, _key(self._association, document))
        return None

    def _plain_keys(self, identifiers: Sequence[Any]) -> list[Texts] | None:
        """The texts of keys that need no second look; None where one does."""
        columns: list[list[Any]] = [list(identifiers)]
        if len(self._fields) > 1:
            if any(type(one) is not dict or tuple(one) != self._fields for one in identifiers):
                return None
            columns = [[one[field] for one in identifiers] for field in self._fields]
        keys: list[Texts] = []
        for text, values in zip(self._keys, columns, strict=True):
            texts = text.plain(values)
            if texts is None:
                return None
            keys.append(list(texts))
        return keys

    def _decoded_keys(self, documents: Sequence[Document]) -> tuple[list[Document], list[Texts]]:
        """The documents whose ``_id`` is a key, as not every one of an adopted collection is, and their keys' texts."""
        kept, keys = [], []
        for document in documents:
            try:
                key = self._association.decode_id(document["_id"])
            except ValueRejected:
                continue
            kept.append(document)
            keys.append(key)
        return kept, [[text.stored(key[number]) for key in keys] for number, text in enumerate(self._keys)]


def _key(association: Association, document: Document) -> object:
    try:
        return association.public_key(association.decode_id(document["_id"]))
    except ValueRejected:
        return None
