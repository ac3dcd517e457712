"""A run's figures as plain JSON, kept after every case so that a run may be stopped and taken up again."""

from __future__ import annotations

import hashlib
import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, TypeAlias

from benchmarks import stats
from benchmarks.harness import STATISTICS, Judged, Measure, Measured, Outcome
from benchmarks.memory import Peak
from benchmarks.stats import Bar, Ratio, quantile, times_of

Plain: TypeAlias = dict[str, Any]
FORMAT: Final = 1
JUDGED_ROWS: Final = 10_000
"""Of the tables for which most bars are."""
_ROOT: Final = Path(__file__).resolve().parents[1]
_SOURCES: Final = ("platform_store", "crm_model")
_PASSING: Final = frozenset({"load"})  # facts that differ from one start to the next


class Unlike(Exception):
    """What is in the file was measured on something else."""


class Results:
    """A run, in a file or in memory alone."""

    def __init__(self, plain: Plain, path: Path | None = None):
        self.plain, self._path = plain, path

    @classmethod
    def begin(cls, head: Plain, path: Path | None, *, fresh: bool = False) -> Results:
        """A new run, or the one of the file taken up again. Raises Unlike where that was of other software."""
        head = {"format": FORMAT, **head}
        if path is None or fresh or not path.exists():
            return cls({**head, "cases": {}}, path)
        earlier = json.loads(path.read_text("utf-8"))
        differing = [name for name, value in _lasting(head).items() if _lasting(earlier).get(name) != value]
        if differing:
            raise Unlike(f"{path} has figures of a run with other {', '.join(differing)}; --fresh begins anew")
        return cls(earlier, path)

    @property
    def cases(self) -> dict[str, Plain]:
        cases: dict[str, Plain] = self.plain["cases"]
        return cases

    def has(self, name: str) -> bool:
        """Whether a case is done. One that failed is not."""
        return name in self.cases and "failed" not in self.cases[name]

    def add(self, name: str, case: Plain) -> None:
        """Keeps what came out of a case: whatever happens to the run from here on, that stays."""
        self.cases[name] = rounded(case)
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            aside = self._path.with_name(f".{self._path.name}.new")
            aside.write_text(json.dumps(self.plain, indent=1, ensure_ascii=False) + "\n", "utf-8")
            aside.replace(self._path)


def plain_of(outcome: Outcome, memory: Mapping[str, Peak] | None = None, **more: Any) -> Plain:
    """A case: times in seconds, rates in rows a second, memory in bytes."""
    case: Plain = {
        "about": outcome.about,
        "measure": outcome.measure,
        "size": asdict(outcome.size),
        "variants": [_variant(outcome, variant) for variant in outcome.variants],
        "judged": [judged_plain(judged) for judged in outcome.judged],
        **more,
    }
    for variant in case["variants"]:
        if memory and variant["name"] in memory:
            variant["memory"] = asdict(memory[variant["name"]])
    if outcome.seen is not None:
        case["figures"] = {name: figure(values) for name, values in outcome.seen.figures.items()}
        case["series"] = {"points": [list(point) for point in outcome.seen.points], "marks": outcome.seen.marks}
    return case


def figure(values: Sequence[float]) -> Plain:
    """The median of some repetitions, and the least and the most of them."""
    return {"value": statistics.median(values), "low": min(values), "high": max(values)}


def judged_plain(judged: Judged) -> Plain:
    target = judged.target
    return {
        "variant": target.variant,
        "against": judged.against,
        "measure": judged.measure,
        "issue": target.issue,
        "side": target.bar.side,
        "limit": target.bar.limit,
        "ratio": asdict(judged.ratio),
        "verdict": judged.verdict,
    }


def judged_figure(what: str, bar: Bar, issue: int, value: Ratio, measure: Measure | str) -> Plain:
    """What a run says of a bar that is no ratio of two variants."""
    return {
        "variant": what,
        "against": None,
        "measure": measure,
        "issue": issue,
        "side": bar.side,
        "limit": bar.limit,
        "ratio": asdict(value),
        "verdict": stats.verdict(bar, value),
    }


def by_operation(cases: Mapping[str, Plain], group: str) -> dict[str, list[Plain]]:
    """The cases of a group that are of one operation, by the rows of the table and by the number of clients."""
    grouped: dict[str, list[Plain]] = {}
    for case in cases.values():
        if case.get("group") == group:
            grouped.setdefault(case["operation"], []).append(case)
    return {name: sorted(own, key=lambda one: (one["rows"], one.get("clients", 1))) for name, own in grouped.items()}


def of_side(cases: Sequence[Plain], name: str) -> list[tuple[Plain, Plain]]:
    """Each case that has a variant of that name, with it: large tables are not measured on every side."""
    return [(case, variant) for case in cases for variant in case["variants"] if variant["name"] == name]


def telling(cases: Mapping[str, Plain]) -> dict[str, Plain]:
    """Of each operation over tables the one that has a bar, or the one of ``JUDGED_ROWS``."""
    own = {name: case for name, case in cases.items() if case.get("group") == "rows"}
    judged = {case["operation"] for case in own.values() if case["judged"]}
    return {
        name: case
        for name, case in own.items()
        if (case["judged"] if case["operation"] in judged else case["rows"] == JUDGED_ROWS)
    }


def rounded(value: Any) -> Any:
    """With six significant digits, which is more than any clock tells."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    return [rounded(one) for one in value] if isinstance(value, list | tuple) else value


def fingerprint() -> str:
    """Of the program that is measured."""
    digest = hashlib.sha256()
    for folder in _SOURCES:
        for path in sorted((_ROOT / folder).rglob("*.py")):
            digest.update(path.relative_to(_ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def _variant(outcome: Outcome, variant: Measured) -> Plain:
    statistic = STATISTICS[outcome.measure]
    spread = [block.rate for block in variant.blocks] if outcome.measure == "rate" else times_of(variant.blocks)
    rows = sum(block.rows for block in variant.blocks)
    return {
        "name": variant.name,
        "value": statistic(variant.blocks),
        "quartiles": [quantile(spread, 0.25), quantile(spread, 0.75)],
        "p50": stats.p50(variant.blocks),
        "p95": stats.p95(variant.blocks),
        "afterwards_per_row": sum(block.afterwards for block in variant.blocks) / rows,
        "ratio": None if variant.ratio is None else asdict(variant.ratio),
        "blocks": [statistic([block]) for block in variant.blocks],
    }


def _lasting(plain: Mapping[str, Any]) -> Plain:
    facts = {name: value for name, value in plain["facts"].items() if name not in _PASSING}
    return {"format": plain["format"], "quick": plain["quick"], **facts}
