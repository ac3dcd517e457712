"""Spans and metrics of OpenTelemetry: the only importer of its API, which the extra ``otel`` brings.

Names and attributes are those of OpenTelemetry's semantic conventions for database clients; what they have no word for
begins with ``platform_store.``. Nothing here ever sees a value, a key or a statement's text: names of operations,
tables, databases and errors, and numbers.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import Context, copy_context
from dataclasses import dataclass
from importlib.metadata import version
from types import TracebackType
from typing import Any, Final, TypeAlias

from opentelemetry import context, metrics, trace
from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation
from opentelemetry.trace import Span, SpanKind, StatusCode, TracerProvider

from platform_store import attempts
from platform_store.errors import PlatformStoreError
from platform_store.stores.base import Backlog

NAME: Final = "platform_store"
_SCHEMA: Final = "https://opentelemetry.io/schemas/1.38.0"
_API: Final = ("opentelemetry.trace", "opentelemetry.metrics")
_SPANS: Final = 128
"""Requests of one operation that have spans of their own; the others are counted. A scan of a table has thousands."""
_BUCKETS: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10)  # seconds, as the conventions have them

Attributes: TypeAlias = dict[str, str | int]
Seen: TypeAlias = Iterator[tuple[float, Attributes]]


@dataclass(frozen=True, eq=False)
class Source:
    """What the gauges look at: what is known of one platform without asking a store.

    ``backlog``: as the platform's thread saw it last. ``pool``: its places taken, and all.
    """

    attributes: Mapping[str, str | int]
    backlog: Callable[[], Backlog | None]
    pool: Callable[[], tuple[int, int] | None]


def telemetry(
    tracer_provider: object | None, meter_provider: object | None, places: Mapping[str, Attributes]
) -> Telemetry | None:
    """By these providers, or else by the process's own; None where neither of them does anything.

    ``places``: what is said of each system, such as its database's name; "platform_store" is all of it.
    """
    tracers: Any = tracer_provider or trace.get_tracer_provider()
    meters: Any = meter_provider or metrics.get_meter_provider()
    # The API's own classes stand for no provider, or for none yet.
    idle = all(type(provider).__module__.startswith(_API) for provider in (tracers, meters))
    return None if idle else Telemetry(tracers, meters, places)


class Telemetry:
    """Spans and metrics of one platform."""

    def __init__(
        self, tracer_provider: TracerProvider, meter_provider: MeterProvider, places: Mapping[str, Attributes]
    ):
        ours = version("platform-store")
        self.tracer = trace.get_tracer(NAME, ours, tracer_provider, schema_url=_SCHEMA)
        self.places = places
        self._meter_provider = meter_provider
        meter = metrics.get_meter(NAME, ours, meter_provider, schema_url=_SCHEMA)
        self.duration = meter.create_histogram(
            "db.client.operation.duration",
            unit="s",
            description="Duration of database client operations.",
            explicit_bucket_boundaries_advisory=_BUCKETS,
        )
        self.rows = meter.create_counter(
            "platform_store.rows", unit="{row}", description="Rows read, or changed, by operations."
        )
        self.retries = meter.create_counter(
            "platform_store.retries", unit="{retry}", description="Times that a part of an operation was done again."
        )

    def begin(self, name: str, table: str | None = None, *, began: float | None = None) -> Operation:
        """An operation that begins now, or has begun (``began``: a Unix time)."""
        return Operation(self, name, table, began)

    def watch(self, source: Source) -> None:
        """Lets the gauges show this source for as long as somebody else holds it."""
        sources = _SOURCES.get(self._meter_provider)
        if sources is None:
            sources = _SOURCES[self._meter_provider] = weakref.WeakSet()
            _gauges(metrics.get_meter(NAME, version("platform-store"), self._meter_provider), sources)
        sources.add(source)

    def forget(self, source: Source) -> None:
        """Its platform is closed."""
        _SOURCES[self._meter_provider].discard(source)


class Operation:
    """One call: a span, which ends with :meth:`end`, and what metrics say of it. Inside ``with`` it is under way."""

    def __init__(self, telemetry: Telemetry, name: str, table: str | None, began: float | None):
        self._telemetry = telemetry
        self._attributes: Attributes = {**telemetry.places[NAME], "db.operation.name": name}
        if table is not None:
            self._attributes["db.collection.name"] = table
        self._began = time.time() if began is None else began
        self._clock = time.perf_counter() - (0.0 if began is None else time.time() - began)
        self._span = telemetry.tracer.start_span(
            name if table is None else f"{name} {table}",
            kind=SpanKind.CLIENT,
            attributes=self._attributes,
            start_time=None if began is None else int(began * 1e9),
        )
        self._retries = 0
        self._requests: dict[str, int] = {}
        self._ended = False

    def __enter__(self) -> Operation:
        self._before = attempts.under_way.get()
        attempts.under_way.set(self)
        self._token = context.attach(trace.set_span_in_context(self._span))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        context.detach(self._token)
        attempts.under_way.set(self._before)

    def context(self) -> Context:
        """In which it is under way, and nothing else is changed for anybody."""
        within = copy_context()
        within.run(self.__enter__)
        return within

    def concerns(self, tables: Iterable[str]) -> None:
        """Tables in association that a query names."""
        names = " ".join(tables)
        if names:
            self._span.update_name(f"query {names}")
            self._span.set_attribute("db.query.summary", f"query {names}")

    def retried(self) -> None:
        self._retries += 1

    def request(self, system: str, does: str, collection: str | None = None, statements: int = 1) -> Asked | None:
        self._requests[system] = self._requests.get(system, 0) + 1
        if not self._span.is_recording() or sum(self._requests.values()) > _SPANS:
            return None
        attributes = {**self._telemetry.places.get(system, {}), "db.system.name": system, "db.operation.name": does}
        if collection is not None:
            attributes["db.collection.name"] = collection
        if statements > 1:
            attributes |= {
                "db.operation.name": "BATCH",
                "db.query.summary": does,
                "db.operation.batch.size": statements,
            }
        name = does if collection is None else f"{does} {collection}"
        return Asked(self._telemetry.tracer.start_span(name, kind=SpanKind.CLIENT, attributes=attributes))

    def end(self, *, read: int | None = None, changed: int | None = None, error: BaseException | None = None) -> None:
        """It is over. ``read``, ``changed``: rows. Whoever comes second is not heard."""
        if self._ended:
            return
        self._ended = True
        telemetry, span, attributes = self._telemetry, self._span, self._attributes
        seconds = max(0.0, time.perf_counter() - self._clock)
        if error is not None:
            ours = isinstance(error, PlatformStoreError)  # another's may have values in attributes of these names
            _fail(span, type(error).__name__, getattr(error, "code", None) if ours else None)
            if ours and isinstance(store := getattr(error, "store", None), str):
                span.set_attribute("platform_store.store", store)
        if span.is_recording():
            span.set_attributes(dict(_numbers(read, changed, self._retries, self._requests)))
        span.end()
        if rows := (read or 0) + (changed or 0):
            telemetry.rows.add(rows, attributes)
        if self._retries:
            telemetry.retries.add(self._retries, attributes)
        if error is not None:
            attributes = {**attributes, "error.type": type(error).__name__}
        telemetry.duration.record(seconds, attributes, context=trace.set_span_in_context(span))


class Asked:
    """One request to a store: a span."""

    def __init__(self, span: Span):
        self._span = span

    def end(self, *, rows: int | None = None, error: str | None = None, code: int | None = None) -> None:
        """See :class:`platform_store.attempts.Request`."""
        if rows is not None:
            self._span.set_attribute("db.response.returned_rows", rows)
        if error is not None:
            _fail(self._span, error, code)
        self._span.end()


def _numbers(
    read: int | None, changed: int | None, retries: int, requests: Mapping[str, int]
) -> Iterator[tuple[str, int]]:
    if read is not None:
        yield "db.response.returned_rows", read
    if changed is not None:
        yield "platform_store.changed_rows", changed
    yield "platform_store.retries", retries
    for system, count in requests.items():
        yield f"platform_store.requests.{system}", count


def _fail(span: Span, error: str, code: object) -> None:
    """No message: a driver's might quote a value."""
    span.set_status(StatusCode.ERROR)
    span.set_attribute("error.type", error)
    if isinstance(code, int):
        span.set_attribute("db.response.status_code", str(code))


_SOURCES: Final[weakref.WeakKeyDictionary[MeterProvider, weakref.WeakSet[Source]]] = weakref.WeakKeyDictionary()
"""By provider of meters. OpenTelemetry keeps the first gauge of a name for good: who is opened later joins in it."""


def _gauges(meter: metrics.Meter, sources: weakref.WeakSet[Source]) -> None:
    def watched(look: Callable[[Source], Seen]) -> list[Callable[[CallbackOptions], Iterator[Observation]]]:
        def observe(_: CallbackOptions) -> Iterator[Observation]:
            for source in list(sources):
                for number, attributes in look(source):
                    yield Observation(number, {**source.attributes, **attributes})

        return [observe]

    meter.create_observable_gauge(
        "platform_store.journal.entries",
        watched(_entries),
        "{entry}",
        "Documents that wait in the journal for MongoDB.",
    )
    meter.create_observable_gauge(
        "platform_store.journal.size", watched(_size), "By", "Bytes of the documents that wait in the journal."
    )
    meter.create_observable_gauge(
        "platform_store.journal.oldest", watched(_oldest), "s", "Age of the oldest document that waits in the journal."
    )
    meter.create_observable_up_down_counter(
        "db.client.connection.count",
        watched(_connections),
        "{connection}",
        "Places of MySQL's pool, by their state.",
    )
    meter.create_observable_up_down_counter(
        "db.client.connection.max",
        watched(_most_connections),
        "{connection}",
        "Places of MySQL's pool.",
    )


def _entries(source: Source) -> Seen:
    backlog = source.backlog()
    if backlog is not None:
        refused = sum(backlog.set_aside.values())
        yield backlog.entries - refused, {"platform_store.journal.state": "waiting"}
        yield refused, {"platform_store.journal.state": "refused"}


def _size(source: Source) -> Seen:
    backlog = source.backlog()
    if backlog is not None:
        yield backlog.bytes, {}


def _oldest(source: Source) -> Seen:
    backlog = source.backlog()
    if backlog is not None:
        yield backlog.oldest_seconds or 0.0, {}


def _connections(source: Source) -> Seen:
    pool = source.pool()
    if pool is not None:
        used, most = pool
        for state, count in (("used", used), ("idle", most - used)):
            yield count, {"db.client.connection.pool.name": "mysql", "db.client.connection.state": state}


def _most_connections(source: Source) -> Seen:
    pool = source.pool()
    if pool is not None:
        yield pool[1], {"db.client.connection.pool.name": "mysql"}
