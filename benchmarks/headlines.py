"""Three figures of a run, written into a README between two comments: nobody copies them by hand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks import bars, report
from benchmarks.results import Plain
from benchmarks.sides import BY_HAND, LIBRARY

BEGIN: Final = "<!-- figures: written by make bench-docs -->"
END: Final = "<!-- end of figures -->"

_CALLS: Final = {
    "write@10000": {
        "en": "One new row in both stores: {library} ms; hand-written code, which guards against nothing, {by_hand} ms "
        "(ratio {ratio}).",
        "zh": "向两边写入一行：{library} 毫秒；不做任何保护的手写代码 {by_hand} 毫秒（比值 {ratio}）。",
    },
    "read@10000": {
        "en": "One row of both stores by its key: {library} ms; by hand {by_hand} ms (ratio {ratio}).",
        "zh": "按主键从两边读一行：{library} 毫秒；手写代码 {by_hand} 毫秒（比值 {ratio}）。",
    },
}
_QUERIES: Final = {
    "en": "Ten CRM queries over both stores take {ratio} times as long as on one MySQL that holds everything "
    "(geometric mean).",
    "zh": "十个跨两边的 CRM 查询，耗时是把全部数据放在一个 MySQL 里的 {ratio} 倍（几何平均）。",
}
_ABOUT: Final = {
    "en": "95 % intervals in brackets; one machine, {cores} cores, both servers on it.",
    "zh": "括号内为 95% 区间；一台机器，{cores} 个核，两个服务器都在其上。",
}


class NotWhole(Exception):
    """The run or the file lacks what the figures need."""


def put(path: Path, run: Plain) -> None:
    """Replaces what is between the comments. Raises NotWhole for a quick run, a part of one, or a file without them."""
    text = path.read_text("utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise NotWhole(f"{path} has no place for figures: {BEGIN} and {END}, once each")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    language = "zh" if ".zh" in path.name else "en"
    path.write_text(f"{before}{BEGIN}\n\n{figures(run, language)}\n{END}{after}", "utf-8")


def figures(run: Plain, language: str) -> str:
    """As a list in Markdown."""
    if run["quick"]:
        raise NotWhole("a quick run shows that it works, nothing else: its figures go into no README")
    lines = [_call(run["cases"].get(name), texts[language], name) for name, texts in _CALLS.items()]
    queries = next(line for line in bars.lines(run) if line.what == bars.MEAN_OF_QUERIES)
    if queries.judged is None:
        raise NotWhole(f"the run lacks queries: {queries.why}")
    lines.append(_QUERIES[language].format(ratio=report.interval(queries.judged["ratio"])))
    lines.append(_ABOUT[language].format(cores=run["facts"]["cores"]))
    return "".join(f"- {line}\n" for line in lines)


def _call(case: Mapping[str, Any] | None, text: str, name: str) -> str:
    if case is None or "failed" in case:
        raise NotWhole(f"the run lacks {name}")
    by_name = {variant["name"]: variant for variant in case["variants"]}
    library, by_hand = (report.value("p50", by_name[side]["value"]) for side in (LIBRARY, BY_HAND))
    return text.format(library=library, by_hand=by_hand, ratio=report.interval(by_name[LIBRARY]["ratio"]))
