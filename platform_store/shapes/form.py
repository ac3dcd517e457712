"""How a column of a target schema holds BSON values: the base of all forms. Pure.

A form never decides that nothing is lost by reading it: whoever uses it compares. Only ``ways`` promise it, for values
of the Python types they name, so that the values of ordinary documents need no comparison.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from bson import Decimal128, ObjectId

from platform_store.codecs import JsonText, codec_for
from platform_store.errors import ValueRejected
from platform_store.shapes.json_form import TooDeep
from platform_store.shapes.target import TargetColumn
from platform_store.sqltypes import BLOB_BYTES, INTEGER_BITS, TEXT_BYTES

Way: TypeAlias = "Callable[[Any], Any] | None"
"""The natural form of a value that is read as exactly that value, or INEXACT; None: the value is its own, always."""

INEXACT: Final = object()
"""What a way gives for a value that has to be looked at more closely."""

_LIMITED: Final = frozenset({"DECIMAL", "CHAR", "VARCHAR", "BINARY", "VARBINARY", *TEXT_BYTES, *BLOB_BYTES})


class Form:
    """The base: a column that MySQL itself defined, which holds the codec's BSON form of its type."""

    def __init__(self, column: TargetColumn):
        self.column = column
        self.codec = codec_for(column.sql_type)
        self.ways: Mapping[type, Way] = {}
        self.key = False  # of a key column: then what is read of it has to be in the order of the keys
        self.as_it_is = type(self).back is Form.back
        """Whether every natural form, as the driver decodes it, is read as itself."""

    def natural(self, value: Any) -> Any:
        """The nearest form that the column can hold, in the codec's BSON form; None if there is none."""
        try:
            return self._held(value)
        except (ValueRejected, ArithmeticError, ValueError, TooDeep):
            return None

    def back(self, natural: Any) -> Any:
        """What a value of the column is read as; one that another writer put there, as near as there is."""
        return natural

    def _held(self, value: Any) -> Any:
        base = self.column.sql_type.base
        try:
            stored = self.codec.stored_from_bson(value)
        except ValueRejected:
            return self._encoded(_like_mysql(value, base))
        if base in _LIMITED or (base == "JSON" and not isinstance(stored, JsonText)):
            return self._encoded(stored)  # reading looks at no length; nor does it order keys
        return self.codec.to_bson(stored)

    def _encoded(self, given: Any) -> Any:
        """The BSON form of a value as an application gives it."""
        return self.codec.encode(given)


def _like_mysql(value: Any, base: str) -> Any:
    """A BSON value that an application would give to a column of the type in another way."""
    if isinstance(value, Decimal128):
        return value.to_decimal()
    if isinstance(value, ObjectId):
        return value.binary if base in ("BINARY", "VARBINARY", "BLOB") else str(value)
    if isinstance(value, bool) and base not in INTEGER_BITS:
        raise ValueRejected("a bool fits integers only")
    return value
