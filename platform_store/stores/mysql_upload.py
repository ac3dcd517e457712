"""Rows as text, column by column: what LOAD DATA sends, and what INSERT says. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from platform_store.names import OWN_PREFIX, quote
from platform_store.stores.mysql_values import Form

Texts: TypeAlias = list[str | None]
"""The values of one column; None is NULL."""

# Control characters that text hardly ever holds. Written as numbers, they mean the same under every sql_mode.
_FIELD, _LINE, _ESCAPE = "\x1f", "\x1e", "\x1b"
_NULL: Final = _ESCAPE + "N"
_FORMAT: Final = "CHARACTER SET utf8mb4 FIELDS TERMINATED BY X'1F' ESCAPED BY X'1B' LINES TERMINATED BY X'1E'"
_VARIABLE: Final = f"@{OWN_PREFIX}"
_DECODED: Final[Mapping[Form, str]] = {"hex": "UNHEX({})", "bits": "CAST({} AS UNSIGNED)"}
_MAX_STATEMENT: Final = 512 * 1024  # characters


class RowsText:
    """The statements that add rows to one table. ``forms``: of its columns, in order."""

    def __init__(self, table: str, names: Sequence[str], forms: Sequence[Form]):
        self.table = table
        self._table = quote(table).replace("%%", "%")
        self._quoted = [quote(name).replace("%%", "%") for name in names]
        self._forms = list(forms)

    @property
    def columns(self) -> str:
        return ", ".join(self._quoted)

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

    def upload(self, columns: Sequence[Texts]) -> bytes:
        """What :attr:`load` reads."""
        fields = [_fields(form, texts) for form, texts in zip(self._forms, columns, strict=True)]
        lines = _LINE.join(map(_FIELD.join, zip(*fields, strict=True)))
        return f"{lines}{_LINE}".encode() if fields[0] else b""

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
