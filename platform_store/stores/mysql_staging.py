"""Documents as rows of a scratch table: what LOAD DATA sends, and what INSERT says. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from platform_store.association import Association
from platform_store.errors import ValueRejected
from platform_store.names import OWN_PREFIX, REVISION, quote
from platform_store.sqltypes import parse_type
from platform_store.stores.mysql_values import ColumnText, Form
from platform_store.stores.scratch import Scratch

Texts: TypeAlias = list[str | None]
Document: TypeAlias = Mapping[str, Any]

# Control characters that text hardly ever holds. Written as numbers, they mean the same under every sql_mode.
_FIELD, _LINE, _ESCAPE = "\x1f", "\x1e", "\x1b"
_NULL: Final = _ESCAPE + "N"
_FORMAT: Final = "CHARACTER SET utf8mb4 FIELDS TERMINATED BY X'1F' ESCAPED BY X'1B' LINES TERMINATED BY X'1E'"
_VARIABLE: Final = f"@{OWN_PREFIX}"
_DECODED: Final[Mapping[Form, str]] = {"hex": "UNHEX({})", "bits": "CAST({} AS UNSIGNED)"}
_MAX_STATEMENT: Final = 512 * 1024  # characters


class Stager:
    """Turns documents into rows of one scratch table."""

    def __init__(self, scratch: Scratch):
        association = scratch.association
        self._association, self._columns = association, scratch.columns
        self._keys = [ColumnText(column.type) for column in association.key_columns]
        self._fields = tuple(column.field for column in association.key_columns)
        self._revision = ColumnText(parse_type("BIGINT UNSIGNED"))
        self._texts = [ColumnText(column.type) for column in scratch.columns]
        self._forms = [text.form for text in (*self._keys, self._revision, *self._texts)]
        names = [*association.key_names, REVISION, *(column.name for column in scratch.columns)]
        self._quoted = [quote(name).replace("%%", "%") for name in names]
        self._table = quote(scratch.name).replace("%%", "%")

    @property
    def columns(self) -> str:
        return ", ".join(self._quoted)

    @property
    def only_column(self) -> str | None:
        """The document column, where there is only one."""
        return self._columns[0].name if len(self._columns) == 1 else None

    @property
    def load(self) -> str:
        """The LOAD DATA statement. Bytes go through variables: no character set carries all of them."""
        targets, values = [], []
        for number, (name, form) in enumerate(zip(self._quoted, self._forms, strict=True)):
            variable = f"{_VARIABLE}{number}"
            targets.append(variable if form in _DECODED else name)
            if form in _DECODED:
                values.append(f"{name} = {_DECODED[form].format(variable)}")
        decoded = f" SET {', '.join(values)}" if values else ""
        return f"LOAD DATA LOCAL INFILE 'rows' INTO TABLE {self._table} {_FORMAT} ({', '.join(targets)}){decoded}"

    @property
    def variables(self) -> list[str]:
        """The user variables that :attr:`load` sets."""
        return [f"{_VARIABLE}{number}" for number, form in enumerate(self._forms) if form in _DECODED]

    def stage(self, documents: Sequence[Document]) -> list[Texts]:
        """Column by column, the texts of the documents whose ``_id`` a row can have. Raises ValueRejected."""
        keys = self._plain_keys([document["_id"] for document in documents])
        if keys is None:
            documents, keys = self._decoded_keys(documents)
        columns = zip(self._columns, self._texts, strict=True)
        try:
            return [
                *keys,
                self._revision.texts([document.get(REVISION, 0) for document in documents]),
                *(text.texts([document.get(column.field) for document in documents]) for column, text in columns),
            ]
        except ValueRejected as error:
            raise self.refused(documents) or error.at(self._association.name, None, None) from None

    def refused(self, documents: Iterable[Document]) -> ValueRejected | None:
        """The first value that its column does not hold, if the codecs know of one."""
        for document in documents:
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

    def upload(self, columns: Sequence[Texts]) -> bytes:
        """What :attr:`load` reads."""
        fields = [_fields(form, texts) for form, texts in zip(self._forms, columns, strict=True)]
        return "".join([f"{_FIELD.join(row)}{_LINE}" for row in zip(*fields, strict=True)]).encode()

    def inserts(self, columns: Sequence[Texts]) -> Iterator[str]:
        """INSERT statements of bounded size."""
        literals = [_literals(form, texts) for form, texts in zip(self._forms, columns, strict=True)]
        head = f"INSERT INTO {self._table} ({self.columns}) VALUES "
        rows: list[str] = []
        size = 0
        for row in zip(*literals, strict=True):
            rows.append(f"({', '.join(row)})")
            size += len(rows[-1])
            if size >= _MAX_STATEMENT:
                yield head + ", ".join(rows)
                rows, size = [], 0
        if rows:
            yield head + ", ".join(rows)


def _fields(form: Form, texts: Texts) -> Sequence[str]:
    present = [text for text in texts if text is not None]
    if form == "text" and _has(present, _FIELD + _LINE + _ESCAPE):
        texts = [None if text is None else _escaped(text) for text in texts]
    elif len(present) == len(texts):
        return present
    return [_NULL if text is None else text for text in texts]


def _escaped(text: str) -> str:
    for special in (_ESCAPE, _FIELD, _LINE):
        text = text.replace(special, _ESCAPE + special)
    return text


def _literals(form: Form, texts: Texts) -> Sequence[str]:
    if form in ("number", "bits"):
        return ["NULL" if text is None else text for text in texts]
    if form == "hex":
        return ["NULL" if text is None else f"X'{text}'" for text in texts]
    if form == "text" and _has([text for text in texts if text is not None], "'\\"):
        texts = [None if text is None else text.replace("\\", "\\\\").replace("'", "''") for text in texts]
    return ["NULL" if text is None else f"'{text}'" for text in texts]


def _has(texts: Sequence[str], characters: str) -> bool:
    joined = "".join(texts)
    return any(character in joined for character in characters)


def _key(association: Association, document: Document) -> object:
    try:
        return association.public_key(association.decode_id(document["_id"]))
    except ValueRejected:
        return None
