"""What every codec promises.

A value has four forms, and a codec is the only place that knows them all:

=========  =========================================================================================================
given      what an application passes to ``write``
stored     exactly what MySQL in strict mode holds after storing it; never None (SQL NULL is the caller's business)
public     what PyMySQL's default decoders return for it, except that a JSON column gives Python values
BSON       what the document holds
=========  =========================================================================================================

Codecs import ``bson`` (an encoding), never a driver.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

from platform_store.errors import ValueRejected
from platform_store.sqltypes import SqlType

STORAGE_FORMAT: Final = 1
"""Version of the BSON forms, recorded in the catalog. Documents written under a version stay readable for ever."""

Order = Literal["natural", "equality", "none"]


@dataclass(frozen=True)
class Codec(ABC):
    """Converts the values of one declared MySQL type.

    Guarantees, for every stored value ``s``: ``stored_from_bson(to_bson(s))`` is ``s``; ``from_bson(to_bson(s))`` is
    what ``from_sql`` makes of the driver's value; writing ``to_sql(s)`` makes MySQL hold ``s``; reading
    ``exact_sql(column)`` through ``from_exact`` gives ``s``.
    """

    sql_type: SqlType

    key: ClassVar[bool] = False
    """Whether a column of the type may be part of a primary key."""
    public_kinds: ClassVar[frozenset[type]] = frozenset()
    """Types of which every BSON value is the public one as it is; ``NoneType`` is among them."""

    @property
    @abstractmethod
    def bson_form(self) -> str:
        """The BSON form, in words."""

    @property
    def exceptions(self) -> str:
        """The values whose BSON form differs from the rule, in words; empty if there are none."""
        return ""

    @property
    def order(self) -> Order:
        """Which comparisons a document answers as MySQL would.

        ``natural``: BSON order is the type's order (for text: of a binary no-pad collation), ``exception_type`` aside.
        ``equality``: equal stored values have equal BSON forms, and only they. ``none``: not even that.
        """
        return "natural"

    @property
    def exception_type(self) -> str | None:
        """``$type`` of the exceptional forms: a range sent to MongoDB must let every value of that type through."""
        return None

    @abstractmethod
    def check(self, value: object) -> object:
        """The stored value for a given one (never None). Raises ``ValueRejected``; the reason never holds the value."""

    def to_sql(self, stored: object) -> object:
        """The driver's parameter that makes MySQL hold exactly ``stored``."""
        return stored

    def from_sql(self, driver_value: object) -> object:
        """The public value for what PyMySQL's default decoders gave."""
        return driver_value

    def exact_sql(self, column_sql: str) -> str:
        """An SQL expression that reads the column without loss."""
        return column_sql

    def from_exact(self, driver_value: object) -> object:
        """The stored value for what reading ``exact_sql`` gave."""
        return driver_value

    def to_bson(self, stored: object) -> object:
        """The BSON form of a stored value."""
        return stored

    def encode(self, value: object) -> object:
        """The BSON form of a given value: ``to_bson(check(value))``."""
        return self.to_bson(self.check(value))

    def column_check(self, values: Sequence[object]) -> Sequence[object]:
        """:meth:`check` of each; none of them is None."""
        return [self.check(value) for value in values]

    def column_encode(self, values: Sequence[object]) -> Sequence[object]:
        """:meth:`encode` of each; none of them is None."""
        return [self.to_bson(stored) for stored in self.column_check(values)]

    @abstractmethod
    def stored_from_bson(self, value: object) -> object:
        """The stored value for a BSON form. Raises ``ValueRejected`` for what ``to_bson`` never gives."""

    def public(self, stored: object) -> object:
        """The public value of a stored one."""
        return stored

    def from_bson(self, value: object) -> object:
        """The public value for a BSON form, which is given up: it may become the value."""
        return self.public(self.stored_from_bson(value))

    def column_from_bson(self, values: Sequence[object]) -> Sequence[object]:
        """:meth:`from_bson` of each, None of None."""
        if self.public_kinds.issuperset(map(type, values)):
            return values
        return [None if value is None else self.from_bson(value) for value in values]


def wrong_type(value: object, accepted: str) -> ValueRejected:
    """A value of a Python type the column does not take."""
    return ValueRejected(f"the column takes {accepted}, not {type(value).__name__}")


def foreign(value: object, expected: str) -> ValueRejected:
    """A BSON value this library never writes for the column's type."""
    return ValueRejected(f"the document holds {type(value).__name__} where this column has {expected}")


def plain_text(value: str) -> str:
    """An exact ``str`` that can be encoded as UTF-8."""
    text = str.__str__(value)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            # "from None": the cause's message quotes the text
            raise ValueRejected(f"the text has a lone surrogate at position {error.start}") from None
    return text
