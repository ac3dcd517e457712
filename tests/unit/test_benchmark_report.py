"""What becomes of a run: its file, tables, bars, document and pictures. No server, and no time is judged."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from benchmarks import bars, compare, document, headlines, report
from benchmarks.cases import Case, Options, World
from benchmarks.cli import measure, plan
from benchmarks.harness import Measure, Outcome, Scenario, Seen, Size, Target, Trials, Unequal, outcome_of
from benchmarks.registry import worlds
from benchmarks.results import Results, Unlike, judged_figure, plain_of
from benchmarks.sides import BY_HAND, LIBRARY, MYSQL
from benchmarks.stats import Bar, Block, Ratio
from benchmarks.stores import Servers

Plain = dict[str, Any]
HEAD: Plain = {
    "quick": False,
    "facts": {"mysql": "9", "load": "1.0"},
    "row_bytes": {"mysql_as_text": 50.0, "document_as_bson": 1000.0},
}


def never(*_: object) -> Trials:
    raise AssertionError("nothing is measured here")


def measured(
    seconds: dict[str, float], measure: Measure = "p50", targets: tuple[Target, ...] = (), name: str = "fake"
) -> Outcome:
    blocks = {variant: [Block((taken,) * 3, 3, afterwards=0.3)] * 5 for variant, taken in seconds.items()}
    return outcome_of(Scenario(name, "a fake", measure, Size(5, 3), never, targets), Size(5, 3), blocks)


def case(value: float = 0.002, measure: Measure = "p50", limit: float = 3.0, **more: Any) -> Plain:
    target = Target(LIBRARY, Bar("at most", limit), 3)
    outcome = measured({BY_HAND: 0.001, MYSQL: 0.0005, LIBRARY: value}, measure, (target,))
    return plain_of(outcome, **{"took_seconds": 1.0, "load_before": 0.5, **more})


def a_run() -> Plain:
    """Something of every kind of case."""
    seen = Seen(
        {"seconds to drain": [1.0, 2.0, 3.0]}, [(0.0, 0.001, 0.002), (0.1, 0.002, 0.1)], {"begins": 0.0, "ends": 0.1}
    )
    live = measured({"before": 0.001, "meanwhile": 0.002})
    queries = {f"query-{number}": case(group="query") for number in range(1, 11)}
    cases = {
        "read@1000": case(group="rows", operation="read", rows=1000),
        "read@10000": case(group="rows", operation="read", rows=10_000),
        "read@10000x1": case(measure="rate", limit=0.1, group="clients", operation="read", rows=10_000, clients=1),
        "read@10000x4": case(measure="rate", limit=0.1, group="clients", operation="read", rows=10_000, clients=4),
        **queries,
        "to-mongodb": case(measure="rate", limit=0.1, group="migrate"),
        "move-column-read": {
            **plain_of(Outcome(**{**vars(live), "seen": seen}), group="live"),
            "took_seconds": 1,
            "load_before": 1,
        },
        "steady": {
            "group": "migrate",
            "about": "a long one",
            "measure": "rows/s",
            "variants": [],
            "judged": [],
            "rows": 1000,
            "tenths": [
                {"direction": "to-mongodb", "rate": 1000.0 * number, "memory": 5_000_000} for number in range(10)
            ],
            "took_seconds": 1,
            "load_before": 1,
        },
        "outage": {"failed": "it did not start", "took_seconds": 1, "load_before": 1},
    }
    return {"format": 1, **HEAD, "cases": cases}


# A kept run


def test_a_run_is_taken_up_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    first = Results.begin(HEAD, path)
    first.add("one", case())
    first.add("two", {"failed": "the server was away"})
    again = Results.begin({**HEAD, "facts": {"mysql": "9", "load": "7.0"}}, path)
    assert (again.has("one"), again.has("two"), again.has("three")) == (True, False, False)
    assert again.cases["one"] == json.loads(json.dumps(first.cases["one"]))
    assert not Results.begin(HEAD, path, fresh=True).has("one")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("other", [{"quick": True}, {"facts": {"mysql": "8"}}])
def test_a_run_is_not_taken_up_on_something_else(other: Plain, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    Results.begin(HEAD, path).add("one", case())
    with pytest.raises(Unlike, match="--fresh"):
        Results.begin({**HEAD, **other}, path)


@dataclass
class Told:
    """Worlds that tell what is done in them."""

    done: list[str] = field(default_factory=list)

    def world(self, name: str, *cases: str) -> World[str]:
        @contextlib.contextmanager
        def opened(servers: Servers, options: Options) -> Iterator[str]:
            assert (servers, options) == (SERVERS, Options())
            self.done.append(f"open {name}")
            yield name
            self.done.append(f"close {name}")

        return World(name, opened, [Case(one, self.measure(one)) for one in cases])

    def measure(self, name: str) -> Callable[[str, Options], Plain]:
        def measure(_: str, __: Options) -> Plain:
            self.done.append(name)
            if name == "broken":
                raise Unequal("number 3 differs")
            return case()

        return measure


SERVERS = Servers("", "", {})


def test_only_what_is_missing_is_measured_and_a_failure_is_no_end(capsys: pytest.CaptureFixture[str]) -> None:
    results, told = Results.begin(HEAD, None), Told()
    every = [told.world("first", "one", "broken", "two"), told.world("second", "three", "four")]
    wanted = {"one", "broken", "two", "three"}
    results.add("three", case())
    assert measure(every, wanted, SERVERS, Options(), results, float("inf")) == 1
    assert told.done == ["open first", "one", "broken", "two", "close first"]
    assert results.cases["broken"]["failed"] == "Unequal: number 3 differs"
    assert "broken: FAILED" in capsys.readouterr().out
    told.done.clear()
    assert measure(every, wanted - {"broken"}, SERVERS, Options(), results, float("inf")) == 0
    assert told.done == []


def test_nothing_begins_when_the_time_is_over(capsys: pytest.CaptureFixture[str]) -> None:
    results, told = Results.begin(HEAD, None), Told()
    assert measure([told.world("first", "one", "two")], {"one", "two"}, SERVERS, Options(), results, 0.0) == 1
    assert told.done == []
    assert "the other 2: one, two" in capsys.readouterr().err


def test_stores_that_cannot_be_opened_are_tried_once(capsys: pytest.CaptureFixture[str]) -> None:
    opened = []

    @contextlib.contextmanager
    def never_opens(*_: object) -> Iterator[str]:
        opened.append(1)
        raise OSError("no room")
        yield ""

    results, told = Results.begin(HEAD, None), Told()
    world = World("full", never_opens, [Case(name, told.measure(name)) for name in ("one", "two")])
    assert (
        measure([world, told.world("other", "three")], {"one", "two", "three"}, SERVERS, Options(), results, 1e99) == 1
    )
    assert (len(opened), told.done) == (1, ["open other", "three", "close other"])
    assert "one, two" in capsys.readouterr().err
    assert not results.has("two")


def test_the_plan_is_of_what_is_missing() -> None:
    results, told = Results.begin(HEAD, None), Told()
    every = [told.world("first", "one", "two"), told.world("second", "three")]
    results.add("three", case())
    first, together = plan(every, {"one", "two", "three"}, results).splitlines()
    assert "first" in first
    assert "2 cases, about    3 s" in first
    assert "2 cases" in together


def test_figures_have_six_digits() -> None:
    results = Results.begin(HEAD, None)
    results.add("one", {"value": 0.123456789, "blocks": [1234567.8], "name": "x", "count": 12345678})
    assert results.cases["one"] == {"value": 0.123457, "blocks": [1234570.0], "name": "x", "count": 12345678}


def test_everything_is_in_the_json() -> None:
    plain = json.loads(json.dumps(case(limit=1.5)))
    by_hand, _, library = plain["variants"]
    assert by_hand["ratio"] is None
    assert (library["value"], library["ratio"]["value"]) == (0.002, 2)
    assert (plain["judged"][0]["verdict"], plain["judged"][0]["limit"]) == ("missed", 1.5)
    assert len(library["blocks"]) == 5
    assert library["afterwards_per_row"] == pytest.approx(0.1)


# Tables


def test_the_table_says_which_bar_is_missed() -> None:
    text = report.table("fake", case(limit=1.5))
    assert "2.000" in text
    assert "issue 3: library against by hand, p50, at most 1.50: 2.00 (2.00 - 2.00): MISSED" in text
    assert report.table("outage", a_run()["cases"]["outage"]) == "outage: FAILED: it did not start\n"


def test_a_ratio_of_p95_is_called_so_beside_the_medians() -> None:
    text = report.table("fake", case(measure="p95"))
    assert "p50 ms" in text
    assert "ratio of p95" in text


def test_tenths_are_in_lines() -> None:
    lines = report.tenths(a_run()["cases"]["steady"]["tenths"]).splitlines()
    assert "9,000" in lines[0]
    assert lines[1].split()[-1] == "5"


def test_two_runs_are_compared_by_their_ratios() -> None:
    first, second = a_run(), a_run()
    second["cases"]["read@1000"] = case(0.004, group="rows", operation="read", rows=1000)
    second["facts"] = {"mysql": "8"}
    del second["cases"]["query-1"]
    text = compare.text(first, second)
    assert "mysql: 9 -> 8" in text
    worse = [line.split()[:2] for line in text.splitlines() if line.endswith("WORSE")]
    assert worse == [["read@1000", "library"]]
    assert "only in one of them: query-1" in text


@pytest.mark.parametrize(
    ("before", "now", "measure", "said"),
    [
        (Ratio(1.0, 0.9, 1.1), Ratio(1.05, 1.0, 1.2), "p50", ""),
        (Ratio(1.0, 0.9, 1.1), Ratio(2.0, 1.9, 2.1), "p50", "WORSE"),
        (Ratio(1.0, 0.9, 1.1), Ratio(2.0, 1.9, 2.1), "rate", "better"),
        (Ratio(2.0, 1.9, 2.1), Ratio(1.0, 0.9, 1.1), "rate", "WORSE"),
    ],
)
def test_a_change_within_the_noise_is_none(before: Ratio, now: Ratio, measure: str, said: str) -> None:
    assert compare.change(vars(before), vars(now), measure) == said


# Bars


def test_every_bar_is_listed_measured_or_not() -> None:
    lines = bars.lines(a_run())
    assert [line.issue for line in lines] == sorted(line.issue for line in lines)
    verdicts = {line.what: line.verdict for line in lines}
    assert verdicts["one row by key"] == "met"
    assert verdicts["scan"] == "not measured"
    assert verdicts["ten CRM queries against one MySQL, geometric mean"] == "met"
    assert {line.issue for line in bars.lines({"cases": {}})} == {3, 4, 5, 6}


def test_bars_are_those_of_cases_that_there_are() -> None:
    names = {one.name for world in worlds(Options()) for one in world.cases}
    assert names >= bars.CASES.keys()


def test_a_figure_is_judged_like_a_ratio() -> None:
    assert judged_figure("planning", Bar("at most", 10), 4, Ratio(9, 8, 11), "ms")["verdict"] == "undecided"


# The document


def test_the_document_tells_the_run() -> None:
    text = document.text(a_run(), ["bars"])
    assert "$" not in text.replace("$ make", "").replace("$ python", "")
    assert "![The bars](benchmarks/bars.svg)" in text
    assert "growth.svg" not in text
    assert "| library | 2.000 | 2.000 to 2.000 | 2.000 | 2.00 (2.00 - 2.00) |\n" in text
    assert "| one row by key | at most 3.00 | 2.00 (2.00 - 2.00) | met |" in text
    assert "| read | 1,000 to 10,000 | +0.00 | +0.00 | +0.00 |" in text
    assert "| write | 2 | 1 |" in text
    assert "A quick run" not in text
    assert "A quick run" in document.text({**a_run(), "quick": True}, [])


@pytest.mark.parametrize(("name", "said"), [("README.md", "One new row in both"), ("README.zh-CN.md", "写入一行")])
def test_a_readme_gets_figures_of_the_run_and_of_no_other(name: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(f"before\n{headlines.BEGIN}\nof another run\n{headlines.END}\nafter\n", "utf-8")
    run = a_run()
    with pytest.raises(headlines.NotWhole, match="write@10000"):
        headlines.put(path, run)
    run["cases"]["write@10000"] = case(0.0005, group="rows", operation="write", rows=10_000)
    run["facts"]["cores"] = "2"
    for _ in range(2):
        headlines.put(path, run)
        text = path.read_text("utf-8")
        assert text.startswith(f"before\n{headlines.BEGIN}\n\n- ")
        assert text.endswith(f"\n{headlines.END}\nafter\n")
        assert said in text
        assert text.count("0.500") == 1
        assert "another" not in text
    with pytest.raises(headlines.NotWhole, match="quick"):
        headlines.put(path, {**run, "quick": True})
    path.write_text("nothing", "utf-8")
    with pytest.raises(headlines.NotWhole, match="once each"):
        headlines.put(path, run)


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_readmes_have_a_place_for_figures(name: str) -> None:
    text = (Path(__file__).parents[2] / name).read_text("utf-8")
    assert text.count(headlines.BEGIN) == text.count(headlines.END) == 1
    assert "](docs/benchmarks.md)" in text


def test_names_of_lines_do_not_cover_each_other() -> None:
    drawing = pytest.importorskip("benchmarks.drawing", exc_type=ImportError)
    placed = drawing.apart([0.1, 0.11, 0.99, 1.0])
    assert placed == pytest.approx([0.1, 0.18, 0.92, 1.0])


def test_pictures_of_what_the_run_has(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "run.json"
    path.write_text(json.dumps(a_run()), "utf-8")
    assert document.main([str(path), "--docs", str(tmp_path)]) == 0
    drawn = {found.stem for found in (tmp_path / "benchmarks").glob("*.svg")}
    assert drawn == {"bars", "operations", "growth", "clients", "queries", "migration", "move-column", "memory"}
    assert (tmp_path / "benchmarks.md").read_text("utf-8").count("](benchmarks/") == len(drawn)
