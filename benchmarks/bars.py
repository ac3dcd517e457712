"""The bars that the issues of the project have set, and what a run says of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.query_scenarios import ACCEPTANCE, GEOMETRIC_MEAN, geometric_mean
from benchmarks.results import Plain, judged_figure
from benchmarks.sides import LIBRARY
from benchmarks.stats import Ratio


@dataclass(frozen=True)
class Line:
    """A bar and its outcome. ``judged`` is as the JSON of a case has it; None where it was not measured."""

    issue: int
    what: str
    judged: Mapping[str, Any] | None
    why: str = ""  # it was not measured

    @property
    def verdict(self) -> str:
        return "not measured" if self.judged is None else str(self.judged["verdict"])


MEAN_OF_QUERIES: Final = "ten CRM queries against one MySQL, geometric mean"
CASES: Final = {
    "write@10000": "one new row",
    "write-many-transaction@10000": "bulk write in batches of 1,000, through the journal",
    "write-many@10000": "bulk write of new keys",
    "read@10000": "one row by key",
    "read-many@10000": "100 rows by key",
    "scan@100000": "scan",
    "query-report": "a report over three document columns of a whole table",
    "join-1": "the library's answer against fetching both tables and joining in Python (query 1)",
    "join-10": "the same (query 10)",
    "query-planning": "planning of a query, ms",
    "query-memory": "memory of a client that runs a query, MB",
    "to-mongodb": "MySQL to MongoDB",
    "to-mysql": "MongoDB to MySQL, against LOAD DATA",
    "verify-migration": "verify against the migration",
    "timeline": "a page of the timeline, p95",
    "customer-360": "everything about a customer",
    "import": "import of a CSV file, against write_many",
}
"""What the bars of cases are for, by the cases' names."""

_NEVER: Final = (
    Line(5, "MySQL to MongoDB with an optional fast driver, at least 0.60", None, "there is no such extra"),
)


def lines(run: Plain) -> list[Line]:
    """Every bar, in the order of the issues."""
    cases = run["cases"]
    found = [*_of_cases(cases), *_of_queries(cases), *_NEVER]
    return sorted(found, key=lambda line: line.issue)


def _of_cases(cases: Mapping[str, Plain]) -> Iterator[Line]:
    for name, what in CASES.items():
        case = cases.get(name)
        if case is None or "failed" in case:
            yield Line(_issue(name), what, None, "failed" if case else "not in this run")
            continue
        for judged in case["judged"]:
            against = judged["against"]
            yield Line(judged["issue"], f"{what}, against {against}" if name == "to-mongodb" else what, judged)


def _of_queries(cases: Mapping[str, Plain]) -> Iterator[Line]:
    """The ten questions together, and the slowest of them."""
    ratios = {}
    for scenario in ACCEPTANCE:
        case = cases.get(scenario.name)
        if case is None or "failed" in case:
            yield Line(4, MEAN_OF_QUERIES, None, f"{scenario.name} is not in this run")
            return
        (own,) = (variant["ratio"] for variant in case["variants"] if variant["name"] == LIBRARY)
        ratios[scenario.name] = Ratio(**own)
    mean = geometric_mean(list(ratios.values()))
    judged = judged_figure("geometric mean", GEOMETRIC_MEAN, 4, mean, "p50")
    yield Line(4, MEAN_OF_QUERIES, judged)
    slowest = max(ratios, key=lambda name: ratios[name].value)
    (judged,) = cases[slowest]["judged"]
    yield Line(4, f"the slowest of them ({slowest})", judged)


def _issue(name: str) -> int:
    if "@" in name:
        return 3
    if name in ("timeline", "customer-360", "import"):
        return 6
    return 5 if name in ("to-mongodb", "to-mysql", "verify-migration") else 4
