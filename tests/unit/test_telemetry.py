"""Spans and metrics of operations, on the embedded pair; and that without OpenTelemetry nothing is changed."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import NoOpTracerProvider, SpanKind, StatusCode

from platform_store import (
    ColumnAttribute,
    Config,
    Platform,
    PlatformStoreError,
    RowNotFound,
    SchemaError,
    Transaction,
    TransientError,
    telemetry,
)
from platform_store.facade.watching import CALLS, OTHERS, STREAMS, WITHIN
from tests.exported import Exported, said

COLUMNS = [ColumnAttribute("id", "INT"), ColumnAttribute("n", "INT"), ColumnAttribute("doc", "JSON")]


@pytest.fixture
def exported() -> Exported:
    return Exported()


@pytest.fixture
def platform(tmp_path: Path, exported: Exported) -> Iterator[Platform]:
    with Platform.open(Config.for_embedded(tmp_path / "x.db"), **exported.providers) as opened:
        opened.create_table("card", COLUMNS, flag=1)
        opened.write_many("card", [{"id": key, "n": key} for key in range(10)])
        exported.clear()
        yield opened


def test_one_span_for_each_operation(platform: Platform, exported: Exported) -> None:
    calls: dict[str, tuple[Callable[[], object], dict[str, object]]] = {
        "write": (lambda: platform.write("card", {"id": 10}), {"platform_store.changed_rows": 1}),
        "update": (lambda: platform.update("card", 1, {"doc": {}}), {"platform_store.changed_rows": 1}),
        "delete": (lambda: platform.delete(table="card", key=10), {"platform_store.changed_rows": 1}),
        "delete_range": (lambda: platform.delete_range("card", 8, 9), {"platform_store.changed_rows": 2}),
        "read": (lambda: platform.read("card", 99), {"db.response.returned_rows": 0}),
        "read_many": (lambda: platform.read_many("card", [1, 2, 99]), {"db.response.returned_rows": 2}),
        "find": (lambda: platform.find("card", limit=3), {"db.response.returned_rows": 3}),
        "scan": (lambda: list(platform.scan("card", batch_size=3)), {"db.response.returned_rows": 8}),
        "read_collection": (lambda: list(platform.read_collection("card")), {"db.response.returned_rows": 1}),
        "verify": (
            lambda: platform.verify("card"),
            {"db.response.returned_rows": 8, "platform_store.changed_rows": 0},
        ),
        "drop_column": (lambda: platform.drop_column("card", "n"), {}),
    }
    for name, (call, counted) in calls.items():
        exported.clear()
        call()
        (span,) = exported.spans
        assert (span.name, span.kind, span.status.status_code) == (f"{name} card", SpanKind.CLIENT, StatusCode.UNSET)
        assert said(span) == {
            "db.system.name": "platform_store",
            "db.operation.name": name,
            "db.collection.name": "card",
            "platform_store.retries": 0,
            **counted,
        }


def test_a_query_ends_with_its_result(platform: Platform, exported: Exported) -> None:
    with platform.query("SELECT id FROM card WHERE n >= %s ORDER BY id", [5]) as result:
        assert next(iter(result)) == (5,)
        assert exported.spans == []
    (span,) = exported.spans
    assert (span.name, said(span)["db.query.summary"]) == ("query card", "query card")
    assert said(span)["db.response.returned_rows"] == 1
    exported.clear()
    assert len(platform.query("SELECT id FROM card").all()) == 10
    (span,) = exported.spans
    assert said(span)["db.response.returned_rows"] == 10


def test_a_scan_ends_with_its_iteration(platform: Platform, exported: Exported) -> None:
    outside = trace.get_current_span()
    rows = platform.scan("card", batch_size=2)
    for _ in range(3):
        next(rows)
        assert trace.get_current_span() is outside  # what is done with a row is no part of the scan
    assert exported.spans == []
    rows.close()  # type: ignore[attr-defined]  # it is a generator
    (span,) = exported.spans
    assert (span.status.status_code, said(span)["db.response.returned_rows"]) == (StatusCode.UNSET, 3)
    exported.clear()
    threads = [threading.Thread(target=next, args=(rows,)) for rows in [platform.scan("card")]]  # and in any thread
    for thread in threads:
        thread.start()
        thread.join()
    del threads, thread, rows
    (span,) = exported.spans  # one that is forgotten is over, too
    assert said(span)["db.response.returned_rows"] == 1


def test_a_transaction_has_its_operations(platform: Platform, exported: Exported) -> None:
    with platform.transaction() as transaction:
        transaction.update("card", 1, {"n": 5})
        transaction.insert_many("card", [{"id": 20}, {"id": 21}])
    update, insert, whole = exported.spans
    assert (update.name, insert.name, whole.name) == ("update card", "insert_many card", "transaction")
    assert said(insert)["platform_store.changed_rows"] == 2
    assert exported.requests(whole) == [update, insert]
    exported.clear()
    attempts = iter([TransientError("mysql", "a deadlock"), None])

    def work(_: object) -> str:
        if error := next(attempts):
            raise error
        return "done"

    assert platform.run_transaction(work) == "done"
    (span,) = exported.spans
    assert said(span)["platform_store.retries"] == 1
    assert [value for _, value in exported.metrics()["platform_store.retries"]] == [1]


def test_an_error_is_told_by_its_name_alone(platform: Platform, exported: Exported) -> None:
    def stop() -> None:
        with platform.transaction():
            raise KeyboardInterrupt

    calls: list[tuple[Callable[[], object], type[BaseException]]] = [
        (lambda: platform.update("card", 99, {"n": 1}), RowNotFound),
        (lambda: list(platform.scan("nothing")), SchemaError),
        (lambda: platform.query("SELECT nothing FROM card"), PlatformStoreError),
        (stop, KeyboardInterrupt),
    ]
    for call, kind in calls:
        exported.clear()
        with pytest.raises(kind) as caught:
            call()
        (span,) = exported.spans
        assert span.status.status_code is StatusCode.ERROR
        assert (span.status.description, list(span.events)) == (None, [])
        assert said(span)["error.type"] == caught.type.__name__
        failed = [said for said, _ in exported.metrics()["db.client.operation.duration"] if "error.type" in said]
        assert caught.type.__name__ in [said["error.type"] for said in failed]


def test_another_s_error_is_told_by_its_name_alone(platform: Platform, exported: Exported) -> None:
    class Refused(Exception):
        store, code = "the customer's", 4711

    with pytest.raises(Refused), platform.transaction():
        raise Refused
    (span,) = exported.spans
    assert said(span)["error.type"] == "Refused"
    assert not {"platform_store.store", "db.response.status_code"} & said(span).keys()


def test_metrics(platform: Platform, exported: Exported, tmp_path: Path) -> None:
    for key in range(3):
        platform.read("card", key)
    card = {"db.system.name": "platform_store", "db.collection.name": "card"}
    read = {**card, "db.operation.name": "read"}
    metrics = exported.metrics()
    assert (read, 3) in metrics["db.client.operation.duration"]
    assert (read, 3) in metrics["platform_store.rows"]
    assert ({**card, "db.operation.name": "write_many"}, 10) in metrics["platform_store.rows"]
    assert "platform_store.retries" not in metrics
    with warnings.catch_warnings():  # a second platform of the process joins in
        warnings.simplefilter("error")
        with Platform.open(Config.for_embedded(tmp_path / "y.db"), **exported.providers) as other:
            other.tables()
    assert (read, 3) in exported.metrics()["db.client.operation.duration"]


def test_metrics_of_what_is_not_sampled(tmp_path: Path, exported: Exported) -> None:
    sampled_out = TracerProvider(sampler=ALWAYS_OFF)
    providers = {**exported.providers, "tracer_provider": sampled_out}
    with Platform.open(Config.for_embedded(tmp_path / "x.db"), **providers) as platform:
        platform.create_table("card", COLUMNS, flag=1)
    assert len(exported.metrics()["db.client.operation.duration"]) == 1


def test_no_operation_is_forgotten() -> None:
    """Whatever the facade gets that asks the stores for rows or changes them is to have a span, or a place here."""
    without = {"close", "describe", "describe_plain", "doctor", "embedded", "forget_job", "jobs", "open", "pause_job"}
    without |= {"hold", "pause_move", "query_names", "status", "tables"}
    public = {name for kind in Platform.__mro__[:-1] for name in vars(kind)}
    ours = CALLS.keys() | STREAMS.keys() | {"query", "transaction", "run_transaction"}
    assert {name for name in public if not name.startswith("_")} == ours | without
    assert {"query", "transaction"} < set(OTHERS)
    methods = {name for name in vars(Transaction) if not name.startswith("_")}
    assert methods == WITHIN.keys()


SAME_CODE = """
import sys
{before}
from platform_store import ColumnAttribute, Config, Platform
with Platform.open(Config.for_embedded({path!r}){given}) as platform:
    platform.create_table("t", [ColumnAttribute("id", "INT"), ColumnAttribute("doc", "JSON")], flag=0)
    platform.write("t", {{"id": 1, "doc": 1}})
    assert not [name for name in vars(platform) if not name.startswith("_")]
    assert "begin" not in vars(platform._runner)
    assert platform.read.__func__ is Platform.read
assert "platform_store.telemetry" not in sys.modules or {imports}
print("opentelemetry" in sys.modules)
"""


@pytest.mark.parametrize(
    ("before", "given", "imported"),
    [
        ("", "", False),
        ("sys.modules['opentelemetry'] = None", "", True),  # it is not installed
        ("from opentelemetry import trace, metrics", "", True),
        ("from opentelemetry.trace import NoOpTracerProvider", ", tracer_provider=NoOpTracerProvider()", True),
    ],
    ids=["unused", "not installed", "no provider", "switched off"],
)
def test_without_a_provider_nothing_is_changed(before: str, given: str, imported: bool, tmp_path: Path) -> None:
    program = SAME_CODE.format(before=before, path=str(tmp_path / "x.db"), given=given, imports="trace" in before)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == (str(imported), "")


def test_the_process_s_own_providers_are_taken(tmp_path: Path) -> None:
    program = f"""
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from platform_store import ColumnAttribute, Platform
spans = InMemorySpanExporter()
trace.set_tracer_provider(TracerProvider())
trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(spans))
with Platform.embedded({str(tmp_path / "x.db")!r}) as platform:
    platform.create_table("t", [ColumnAttribute("id", "INT"), ColumnAttribute("doc", "JSON")], flag=0)
print([span.name for span in spans.get_finished_spans()])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("['create_table t']", "")


def test_idle_providers_switch_it_off(tmp_path: Path) -> None:
    with Platform.open(
        Config.for_embedded(tmp_path / "x.db"), tracer_provider=NoOpTracerProvider(), meter_provider=NoOpMeterProvider()
    ) as platform:
        assert "read" not in vars(platform)


def test_the_page_lists_every_span_and_metric(platform: Platform, exported: Exported) -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "observe.md").read_text("utf-8")
    spans, metrics = page.split("\n## Metrics\n")
    listed = spans.partition("\nOperations: ")[2].partition("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", listed)) == (CALLS.keys() | STREAMS.keys() | set(OTHERS) | WITHIN.keys()) - {
        "drain"
    }
    source = (Path(telemetry.__file__)).read_text("utf-8")
    names = set(re.findall(r'"((?:db|platform_store)\.[a-z_.]+)"', source)) - {"platform_store.journal.state"}
    documented = set(re.findall(r"^\| (.+?) \|", page, re.MULTILINE))
    documented = {name for cell in documented for name in re.findall(r"`([a-z_.]+)`", cell)}
    assert {name for name in names if not name.startswith("db.client.connection.")} <= documented
    created = set(re.findall(r'create_\w+\(\s*"([a-z_.]+)"', source))
    assert set(re.findall(r"^\| `([a-z_.]+)`", metrics, re.MULTILINE)) == created
