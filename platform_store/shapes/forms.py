"""How the columns of a target schema hold BSON values. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, time
from typing import Any, Final, cast
from uuid import UUID

from bson import Decimal128, ObjectId
from bson.binary import Binary
from bson.int64 import Int64

from platform_store.errors import ValueRejected
from platform_store.shapes.elements import value_bytes
from platform_store.shapes.form import INEXACT, Form, Way
from platform_store.shapes.json_form import OBJECT_ID, JsonReader, NotPlain, to_json
from platform_store.shapes.key_text import from_key_text, key_text
from platform_store.shapes.number_forms import INT32, DecimalForm, DoubleForm, IntegerForm
from platform_store.shapes.target import Meaning, TargetColumn
from platform_store.sqltypes import BLOB_BYTES, INTEGER_BITS, TEXT_BYTES

_FIRST_YEAR: Final = 1000  # MySQL's, in its documentation
_UTF8_BYTES: Final = 4
_MIDNIGHT: Final = time()


class StringForm(Form):
    def __init__(self, column: TargetColumn):
        super().__init__(column)
        base = column.sql_type.base
        if base in TEXT_BYTES:
            self._limit = TEXT_BYTES[base]
            self.ways = {str: self._in_bytes}
        else:
            self._limit = cast("int", column.sql_type.length)
            self.ways = {str: self._unpadded if base == "CHAR" else self._in_characters}

    def _in_characters(self, value: str) -> Any:
        return value if len(value) <= self._limit else INEXACT

    def _unpadded(self, value: str) -> Any:
        return value if len(value) <= self._limit and value[-1:] != " " else INEXACT

    def _in_bytes(self, value: str) -> Any:
        fits = len(value) * _UTF8_BYTES <= self._limit or len(value.encode()) <= self._limit
        return value if fits else INEXACT

    def _held(self, value: Any) -> Any:
        return self._encoded(value) if type(value) is str else None


class BoolForm(Form):
    def __init__(self, column: TargetColumn):
        super().__init__(column)
        self.ways = {bool: int}

    def _held(self, value: Any) -> Any:
        return int(value) if isinstance(value, bool) else None

    def back(self, natural: Any) -> Any:
        return bool(natural) if isinstance(natural, int) and natural in (0, 1) else natural


class DateForm(Form):
    def __init__(self, column: TargetColumn):
        super().__init__(column)
        self.as_it_is = column.sql_type.fsp <= 3
        if column.sql_type.fsp == 3:
            self.ways = {datetime: self._in_years}

    def _in_years(self, value: datetime) -> Any:
        return value if value.year >= _FIRST_YEAR else INEXACT

    def _held(self, value: Any) -> Any:
        return self._encoded(value) if isinstance(value, datetime) and value.year >= _FIRST_YEAR else None

    def back(self, natural: Any) -> Any:
        if self.as_it_is:
            return natural
        value = self.codec.stored_from_bson(natural)
        if self.key and not isinstance(value, datetime):
            raise ValueRejected("the key is a date that BSON does not have")
        return value


class ObjectIdForm(Form):
    def __init__(self, column: TargetColumn):
        super().__init__(column)
        self._binary = column.sql_type.base == "BINARY"
        self.ways = {ObjectId: _binary_of if self._binary else ObjectId.__str__}

    def _held(self, value: Any) -> Any:
        if not isinstance(value, ObjectId):
            return None
        return self._encoded(value.binary if self._binary else str(value))

    def back(self, natural: Any) -> Any:
        if isinstance(natural, bytes) or OBJECT_ID.fullmatch(natural):
            return ObjectId(natural)
        if self.key:
            raise ValueRejected("the key is not 24 hexadecimal digits in lower case, as the column's comment has it")
        return natural


def _binary_of(value: ObjectId) -> bytes:
    return value.binary


class UuidForm(Form):
    def __init__(self, column: TargetColumn):
        super().__init__(column)
        self.ways = {UUID: _bytes_of}

    def _held(self, value: Any) -> Any:
        return value.bytes if isinstance(value, UUID) else None

    def back(self, natural: Any) -> Any:
        return UUID(bytes=bytes(natural))


def _bytes_of(value: UUID) -> bytes:
    return value.bytes


class BinaryForm(Form):
    def __init__(self, column: TargetColumn):
        super().__init__(column)
        self._subtype = column.subtype
        self.as_it_is = not column.subtype
        sql_type = column.sql_type
        self._fixed = sql_type.base == "BINARY"
        self._limit = BLOB_BYTES[sql_type.base] if sql_type.length is None else sql_type.length
        self._kind = Binary if column.subtype else bytes
        self.ways = {self._kind: self._fits}

    def _fits(self, value: bytes) -> Any:
        if type(value) is Binary:
            if value.subtype != self._subtype:
                return INEXACT
            value = bytes(value)
        fits = len(value) == self._limit if self._fixed else len(value) <= self._limit
        return value if fits else INEXACT

    def _held(self, value: Any) -> Any:
        if isinstance(value, UUID):
            value = value.bytes
        return self._encoded(bytes(value)) if isinstance(value, bytes) else None

    def back(self, natural: Any) -> Any:
        return Binary(natural, self._subtype) if self._subtype else natural


class JsonColumnForm(Form):
    def __init__(self, column: TargetColumn):
        super().__init__(column)
        self._reader = JsonReader(column.order, column.types)
        plain = () if column.types.get("") else (str, bool)
        self.ways = {
            **dict.fromkeys((dict, list, int, float, str, Int64, datetime, ObjectId, Decimal128, UUID), self._compared),
            **dict.fromkeys(plain, None),
        }

    def _compared(self, value: Any) -> Any:
        try:
            return self._reader.exactly(value)
        except NotPlain:
            natural = self.natural(value)
        return natural if natural is not None and value_bytes(self.back(natural)) == value_bytes(value) else INEXACT

    def _held(self, value: Any) -> Any:
        found = to_json(value)
        return None if found is None else self._encoded(found)

    def back(self, natural: Any) -> Any:
        if type(natural) is dict and len(natural) == 1 and "_json" in natural:
            natural = self.codec.from_bson(natural)
        return self._reader.read(natural)


class KeyForm(Form):
    def __init__(self, column: TargetColumn):
        super().__init__(column)
        self._limit = cast("int", column.sql_type.length)
        self.ways = {ObjectId: lambda value: f"6{value}", str: self._text}

    def _text(self, value: str) -> Any:
        return f"3{value}" if len(value) < self._limit else INEXACT

    def _held(self, value: Any) -> Any:
        text = key_text(value)
        return text if len(text) <= self._limit else None

    def back(self, natural: Any) -> Any:
        return from_key_text(natural)


class PlainForm(Form):
    """A column that MySQL itself defined. Its ways are those of the meaning that its type would have."""

    def __init__(self, column: TargetColumn):
        super().__init__(column)
        meaning = _OWN.get(column.sql_type.base)
        ways: Mapping[type, Way] = {}
        if column.sql_type.base == "JSON":
            self._reader = JsonReader((), {})
            ways = dict.fromkeys((dict, list, str, int, Int64, float, bool), self._as_json)
        elif meaning is not None:
            ways = _FORMS[meaning](replace(column, meaning=meaning, order=(), types={}, subtype=0)).ways
        self.ways = ways or {
            **dict.fromkeys((int, Int64, float, str, bytes, datetime, Decimal128), self._by_codec),
            **_quick(column),
        }

    def _as_json(self, value: Any) -> Any:
        try:
            return self._reader.exactly(value)
        except NotPlain:
            return INEXACT

    def _by_codec(self, value: Any) -> Any:
        natural = self.natural(value)
        if type(value) is Int64:
            return natural if natural == value and int(value) not in INT32 else INEXACT
        unchanged = type(natural) is type(value) and natural == value and (value or not isinstance(value, float))
        return natural if unchanged else INEXACT


def _quick(column: TargetColumn) -> Mapping[type, Way]:
    """Ways of the types that no meaning has."""
    base, unit = column.sql_type.base, 10 ** max(0, 6 - column.sql_type.fsp)
    if base == "DATE":
        return {datetime: lambda value: value if value.time() == _MIDNIGHT else INEXACT}
    if base in ("DATETIME", "TIMESTAMP") and column.sql_type.fsp <= 3:
        return {datetime: lambda value: INEXACT if value.microsecond % unit else value}
    if base in ("DATETIME", "TIMESTAMP"):
        rest = "0" * (6 - column.sql_type.fsp)
        return {str: lambda value: value if value.endswith(rest) and _is_moment(value) else INEXACT}
    if base == "ENUM":
        labels = frozenset(column.sql_type.members)
        return {str: lambda value: value if value in labels else INEXACT}
    return {}


def _is_moment(text: str) -> bool:
    """Whether it is the codec's text of a moment that Python knows too."""
    try:
        return datetime.fromisoformat(text).isoformat(" ", "microseconds") == text
    except ValueError:
        return False


_OWN: Final[Mapping[str, Meaning]] = {
    **dict.fromkeys(INTEGER_BITS, "integer"),
    "DOUBLE": "double",
    "DECIMAL": "decimal",
    **dict.fromkeys(("CHAR", "VARCHAR", *TEXT_BYTES), "string"),
    **dict.fromkeys(("BINARY", "VARBINARY", *BLOB_BYTES), "binary"),
}


_FORMS: Final[Mapping[Meaning, type[Form]]] = {
    "plain": PlainForm,
    **dict.fromkeys(("int", "long", "integer"), IntegerForm),
    **dict.fromkeys(("double", "number"), DoubleForm),
    **dict.fromkeys(("decimal", "shortest-decimal"), DecimalForm),
    "string": StringForm,
    "bool": BoolForm,
    "date": DateForm,
    "objectId": ObjectIdForm,
    "uuid": UuidForm,
    "binary": BinaryForm,
    "json": JsonColumnForm,
    "key": KeyForm,
}


def form_of(column: TargetColumn, *, key: bool = False) -> Form:
    """The form of a column. Of a key column it refuses what it could not read in the order of the keys."""
    form = _FORMS[column.meaning](column)
    form.key = key
    if key and column.meaning == "date":
        form.as_it_is = False
    return form
