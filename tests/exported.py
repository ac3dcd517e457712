"""What OpenTelemetry's SDK would export, kept in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

Point = tuple[dict[str, object], object]


@dataclass
class Exported:
    """Providers of its own, and what they were told."""

    tracer_provider: TracerProvider = field(default_factory=TracerProvider)
    _spans: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)
    _reader: InMemoryMetricReader = field(default_factory=InMemoryMetricReader)

    def __post_init__(self) -> None:
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self._spans))
        self.meter_provider = MeterProvider([self._reader])

    @property
    def providers(self) -> dict[str, Any]:
        """As Platform.open takes them."""
        return {"tracer_provider": self.tracer_provider, "meter_provider": self.meter_provider}

    def clear(self) -> None:
        self._spans.clear()

    @property
    def spans(self) -> list[ReadableSpan]:
        """In the order of their ends."""
        return list(self._spans.get_finished_spans())

    @property
    def operations(self) -> list[ReadableSpan]:
        """Those of the library's own calls."""
        return [span for span in self.spans if said(span)["db.system.name"] == "platform_store"]

    def requests(self, of: ReadableSpan) -> list[ReadableSpan]:
        """What an operation asked of the stores."""
        assert of.context is not None
        return [span for span in self.spans if span.parent is not None and span.parent.span_id == of.context.span_id]

    def metrics(self) -> dict[str, list[Point]]:
        """The points of each metric: attributes and value, of a histogram how many it has."""
        found: dict[str, list[Point]] = {}
        data = self._reader.get_metrics_data()
        for resource in [] if data is None else data.resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    found[metric.name] = [
                        (dict(point.attributes or {}), getattr(point, "value", None) or getattr(point, "count", 0))
                        for point in metric.data.data_points
                    ]
        return found

    def everything(self) -> str:
        """All of it, as text."""
        data = self._reader.get_metrics_data()
        return "\n".join([*(span.to_json() for span in self.spans), "" if data is None else data.to_json()])


def said(span: ReadableSpan) -> dict[str, object]:
    """A span's attributes."""
    return dict(span.attributes or {})
