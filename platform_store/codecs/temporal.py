"""DATE, DATETIME, TIMESTAMP and TIME.

MySQL holds dates that Python's ``date`` cannot: zero dates, dates with a zero month or day, and the year 0. PyMySQL
returns those as the text MySQL prints, so that text is their stored form, here called exceptional.
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import ClassVar, Final, cast

from platform_store.codecs.base import Codec, foreign, wrong_type
from platform_store.errors import ValueRejected

_DATE: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_DATETIME: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[ T]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,6}))?)?"
)
_TIME: Final = re.compile(r"(-?)([0-9]{1,3}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,6}))?")
_MICROSECOND: Final = timedelta(microseconds=1)
_SECOND: Final = 1_000_000
_TEXT_WIDTH: Final = len("YYYY-MM-DD HH:MM:SS.ffffff")
_TIME_LIMIT: Final = timedelta(hours=838, minutes=59, seconds=59)
_TIME_END: Final = timedelta(hours=839)
_TIMESTAMP_FIRST: Final = datetime(1970, 1, 1, 0, 0, 1)
_TIMESTAMP_END: Final = datetime(2038, 1, 19, 3, 14, 8)
_BSON_DATE_FSP: Final = 3  # a BSON date counts milliseconds
_NO_SUCH_DATE: Final = "there is no such date"
_YEAR_0_TWIN: Final = 1  # to MySQL the year 0 is no leap year


def _valid_exception(year: int, month: int, day: int) -> bool:
    """Whether MySQL holds a date that Python does not; a zero month or day frees the other from its month's length."""
    if not month or not day:
        return month <= 12 and day <= 31
    return year == 0 and month <= 12 and day <= monthrange(_YEAR_0_TWIN, month)[1]


def _rounded(microseconds: int, fsp: int) -> int:
    unit = int(10 ** (6 - fsp))
    return (microseconds + unit // 2) // unit * unit


def _microseconds(digits: str | None) -> int:
    return int((digits or "").ljust(6, "0"))


@dataclass(frozen=True)
class DateCodec(Codec):
    """DATE."""

    key: ClassVar[bool] = True

    @property
    def bson_form(self) -> str:
        return "date, at midnight UTC"

    @property
    def exceptions(self) -> str:
        return "zero and partly zero dates, year 0: string YYYY-MM-DD"

    @property
    def exception_type(self) -> str:
        return "string"

    def check(self, value: object) -> date | str:
        if isinstance(value, datetime):
            if value.tzinfo is not None or value.time() != time():
                raise ValueRejected("a datetime fits DATE only at midnight and without a time zone: give its date()")
            return value.date()
        if isinstance(value, date):
            return date(value.year, value.month, value.day)
        if not isinstance(value, str):
            raise wrong_type(value, "date, or str as YYYY-MM-DD")
        match = _DATE.fullmatch(value)
        if match is None:
            raise ValueRejected("the text is not a date of the form YYYY-MM-DD")
        year, month, day = (int(part) for part in match.groups())
        if _valid_exception(year, month, day):
            return match[0]
        try:
            return date(year, month, day)
        except ValueError:
            raise ValueRejected(_NO_SUCH_DATE) from None

    def to_bson(self, stored: object) -> object:
        return datetime(stored.year, stored.month, stored.day) if isinstance(stored, date) else stored

    def stored_from_bson(self, value: object) -> date | str:
        if isinstance(value, datetime) and value.tzinfo is None and value.time() == time():
            return value.date()
        match = _DATE.fullmatch(value) if isinstance(value, str) else None
        if match is None or not _valid_exception(int(match[1]), int(match[2]), int(match[3])):
            raise foreign(value, self.bson_form)
        return match[0]


@dataclass(frozen=True)
class DatetimeCodec(Codec):
    """DATETIME(fsp): rounded half up to ``fsp`` digits, carrying, as MySQL does.

    Up to milliseconds the form is a BSON date; beyond, text of a fixed width, which sorts in the order of time.
    """

    key: ClassVar[bool] = True

    @property
    def bson_form(self) -> str:
        return "date, as if the value were UTC" if self._as_date else "string YYYY-MM-DD HH:MM:SS.ffffff"

    @property
    def exceptions(self) -> str:
        return "zero and partly zero dates, year 0: string YYYY-MM-DD HH:MM:SS[.fff]" if self._as_date else ""

    @property
    def exception_type(self) -> str | None:
        return "string" if self._as_date else None

    @cached_property
    def _as_date(self) -> bool:
        return self.sql_type.fsp <= _BSON_DATE_FSP

    @cached_property
    def _unit(self) -> int:
        """Microseconds: every value is a multiple of it."""
        return int(10 ** (6 - self.sql_type.fsp))

    def check(self, value: object) -> datetime | str:
        return self._held(value)

    def _held(self, value: object) -> datetime | str:
        if isinstance(value, datetime):
            return self._rounded(self._naive(value))
        if isinstance(value, date):
            return self._rounded(datetime(value.year, value.month, value.day))
        if not isinstance(value, str):
            raise wrong_type(value, "datetime, date, or str as YYYY-MM-DD HH:MM:SS[.ffffff]")
        match = _DATETIME.fullmatch(value)
        if match is None:
            raise ValueRejected("the text is not of the form YYYY-MM-DD HH:MM:SS[.ffffff], without a time zone")
        year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
        try:
            clock = time(hour, minute, second, _microseconds(match[7]))
        except ValueError:
            raise ValueRejected("there is no such time of day") from None
        if _valid_exception(year, month, day):
            return self._exceptional(year, month, day, clock)
        try:
            return self._rounded(datetime.combine(date(year, month, day), clock))
        except ValueError:
            raise ValueRejected(_NO_SUCH_DATE) from None

    def _naive(self, value: datetime) -> datetime:
        if value.tzinfo is not None:
            raise ValueRejected(
                "DATETIME holds no time zone: convert the datetime to the zone you mean and drop its tzinfo,"
                " or declare the column TIMESTAMP"
            )
        return value

    def _rounded(self, moment: datetime) -> datetime:
        """An exact ``datetime``, whatever its subclass was, without a time zone and fold."""
        if type(moment) is datetime and not (moment.microsecond % self._unit or moment.fold or moment.tzinfo):
            return moment
        second = datetime(moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second)
        try:
            return second + timedelta(microseconds=_rounded(moment.microsecond, self.sql_type.fsp))
        except OverflowError:
            raise ValueRejected("the datetime rounds to one after the year 9999") from None

    def _exceptional(self, year: int, month: int, day: int, clock: time) -> datetime | str:
        """The text MySQL prints. Its year 0 goes on like any other; a partly zero date has no next second."""
        if month and day:
            rounded = self._rounded(datetime.combine(date(_YEAR_0_TWIN, month, day), clock))
            if rounded.year > _YEAR_0_TWIN:
                return rounded.replace(year=_YEAR_0_TWIN)
            month, day, clock = rounded.month, rounded.day, rounded.time()
        else:
            microsecond = _rounded(clock.microsecond, self.sql_type.fsp)
            if microsecond == _SECOND:
                raise ValueRejected("the fraction rounds up to a second, which MySQL cannot add to a partly zero date")
            clock = clock.replace(microsecond=microsecond)
        text = f"{year:04}-{month:02}-{day:02} {clock.isoformat('microseconds')}"
        return text[: _TEXT_WIDTH - 6 + self.sql_type.fsp] if self.sql_type.fsp else text[: _TEXT_WIDTH - 7]

    def to_bson(self, stored: object) -> object:
        if self._as_date:
            return stored
        if isinstance(stored, datetime):
            return stored.isoformat(" ", "microseconds")
        return cast("str", stored).ljust(_TEXT_WIDTH, "0")

    def stored_from_bson(self, value: object) -> datetime | str:
        try:
            stored = self._held(value)  # not check(): MariaDB holds moments of the first second of 1970, too
        except ValueRejected:
            raise foreign(value, self.bson_form) from None
        if self.to_bson(stored) != value:  # it was rounded, or has the form of another type
            raise foreign(value, f"{self.bson_form} of {self.sql_type.fsp} fractional digits")
        return stored


@dataclass(frozen=True)
class TimestampCodec(DatetimeCodec):
    """TIMESTAMP(fsp): a moment. Sessions are pinned to +00:00, so naive datetimes are UTC both ways."""

    key: ClassVar[bool] = False

    @property
    def bson_form(self) -> str:
        return "date" if self._as_date else "string YYYY-MM-DD HH:MM:SS.ffffff, in UTC"

    @property
    def exceptions(self) -> str:
        return "zero: string 0000-00-00 00:00:00[.fff]" if self._as_date else ""

    def check(self, value: object) -> datetime | str:
        held = self._held(value)
        in_range = _TIMESTAMP_FIRST <= held < _TIMESTAMP_END if isinstance(held, datetime) else _is_zero(held, value)
        if not in_range:
            raise self._out_of_range()
        return held

    def _naive(self, value: datetime) -> datetime:
        if value.tzinfo is None:
            return value
        try:
            return value.astimezone(UTC)
        except OverflowError:
            raise self._out_of_range() from None

    def _out_of_range(self) -> ValueRejected:
        return ValueRejected(
            "the moment is out of range: TIMESTAMP is 1970-01-01 00:00:01 to 2038-01-19 03:14:07 UTC, or zero;"
            " declare the column DATETIME"
        )


def _is_zero(held: str, given: object) -> bool:
    """Whether it is the zero timestamp, and was so before rounding."""
    return not any(map("123456789".__contains__, f"{held}{given}"))


@dataclass(frozen=True)
class TimeCodec(Codec):
    """TIME(fsp): a duration of either sign."""

    @property
    def bson_form(self) -> str:
        return "long: microseconds"

    def check(self, value: object) -> timedelta:
        if isinstance(value, timedelta):
            duration = value
        elif isinstance(value, time):
            if value.tzinfo is not None:
                raise ValueRejected("TIME holds no time zone: drop the tzinfo of the time")
            duration = timedelta(0, (value.hour * 60 + value.minute) * 60 + value.second, value.microsecond)
        elif isinstance(value, str):
            duration = _duration(value)
        else:
            raise wrong_type(value, "timedelta, time, or str as [-]HHH:MM:SS[.ffffff]")
        # In microseconds: the longest timedelta has no longer one to be rounded to.
        size = _rounded(abs(duration) // _MICROSECOND, self.sql_type.fsp)
        if abs(duration) > _TIME_LIMIT or size > _TIME_LIMIT // _MICROSECOND:
            raise ValueRejected("the time is out of range: TIME is -838:59:59 to 838:59:59")
        return timedelta(microseconds=-size if duration < timedelta() else size)

    def to_sql(self, stored: object) -> str:
        """Text: PyMySQL writes a negative ``timedelta`` wrongly."""
        duration = cast("timedelta", stored)
        seconds, fraction = divmod(abs(duration) // _MICROSECOND, _SECOND)
        minutes, second = divmod(seconds, 60)
        sign = "-" if duration < timedelta() else ""
        return f"{sign}{minutes // 60:02}:{minutes % 60:02}:{second:02}.{fraction:06}"

    def to_bson(self, stored: object) -> int:
        return cast("timedelta", stored) // _MICROSECOND

    def stored_from_bson(self, value: object) -> timedelta:
        if not isinstance(value, int) or isinstance(value, bool):
            raise foreign(value, "microseconds as an integer")
        # below 839 hours, not _TIME_LIMIT: MariaDB holds a fraction after 838:59:59
        if abs(value) >= _TIME_END // _MICROSECOND or value % 10 ** (6 - self.sql_type.fsp):
            raise foreign(value, f"microseconds of the range of {self.sql_type.ddl}")
        return timedelta(microseconds=int(value))


def _duration(text: str) -> timedelta:
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueRejected("the text is not a time of the form [-]HHH:MM:SS[.ffffff]")
    sign, hours, minutes, seconds, fraction = match.groups()
    if int(minutes) > 59 or int(seconds) > 59:
        raise ValueRejected("there is no such time: minutes and seconds end at 59")
    duration = timedelta(0, int(seconds), _microseconds(fraction), minutes=int(minutes), hours=int(hours))
    return -duration if sign else duration
