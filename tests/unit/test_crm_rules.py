"""Rules for customers: what a file may say, what is wrong with others, and what rules come to. No store."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_model import InvalidInput
from crm_model.rules import (
    INPUTS,
    LEVEL,
    LIMIT,
    Bound,
    Condition,
    Input,
    Rule,
    TaskOf,
    Value,
    decide,
    inputs_of,
    load_rules,
    period_of,
)
from crm_model.rules.records import NUMBERS, Comparison, Every
from platform_store import ConfigError

SHIPPED = Path(__file__).parents[2] / "config" / "crm_rules.yaml"
Load = Callable[[str], tuple[Rule, ...]]

EVERYTHING = """
rules:
  - code: vip-3
    about: Good customers.
    when:
      - {input: orders_amount, days: 365, at_least: 15000.50}
      - {input: satisfaction, days: 90, above: 3, if_missing: true}
      - {input: status, is_not: [停用, 黑名单]}
    then:
      vip_level: {at_least: 3}
  - code: no-credit
    then:
      credit_limit: {exactly: 0}
  - code: call
    when: [{input: city, is: 北京}]
    then:
      task: {kind: 回访, title: 请回访, every: month, due_days: 3, remind_days: 1, priority: 1, assignee: 7,
             checklist: [电话, 记录]}
  - code: 2-write
    when: []
    then: {task: {kind: 关怀, title: 请致信, every: once, due_days: 0, assignee: owner}}
"""
ONE = "rules:\n  - code: a\n    when:\n      - {input: arrears, above: 1}\n    then:\n      vip_level: {exactly: 0}\n"


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def load(text: str) -> tuple[Rule, ...]:
        path = tmp_path / "rules.yaml"
        path.write_text(text, encoding="utf-8")
        return load_rules(path)

    return load


def test_what_a_file_says(load: Load) -> None:
    assert load(EVERYTHING) == (
        Rule(
            "vip-3",
            Bound("vip_level", "at_least", Decimal(3)),
            (
                Condition(Input("orders_amount", 365), "at_least", Decimal("15000.50")),
                Condition(Input("satisfaction", 90), "above", Decimal(3), if_missing=True),
                Condition(Input("status"), "is_not", frozenset(["停用", "黑名单"])),
            ),
        ),
        Rule("no-credit", Bound("credit_limit", "exactly", Decimal("0.00"))),
        Rule(
            "call",
            TaskOf("回访", "请回访", "month", 3, remind_days=1, priority=1, assignee_id=7, checklist=("电话", "记录")),
            (Condition(Input("city"), "is", frozenset(["北京"])),),
        ),
        Rule("2-write", TaskOf("关怀", "请致信", "once", 0)),
    )


def test_the_rules_that_come_with_it() -> None:
    rules = load_rules(SHIPPED)
    assert len(rules) == len({rule.code for rule in rules}) > 20
    assert {condition.name for condition in inputs_of(rules)} <= INPUTS.keys()
    said = SHIPPED.read_text(encoding="utf-8").partition("\nrules:")[0]
    assert [name for name in INPUTS if name not in said] == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("rules:", "rule:", ":1: rule: is not known; it can be rules"),
        ("rules:", "rules: [", ":2: is not valid YAML: "),
        (ONE, "", "rules.yaml: is empty"),
        (ONE, "rules: 3", ":1: rules: must be a list"),
        (ONE, "- a", ":1: must be a mapping with rules"),
        ("code: a\n", "about: a\n", ":2: rules[0]: lacks code"),
        ("code: a\n", "code: A_1\n", ":2: rules[0].code: must be of lower-case letters, digits and hyphens"),
        ("code: a\n", "code: 17\n", ":2: rules[0].code: must be a text"),
        ("code: a\n", f"code: {'a' * 33}\n", ":2: rules[0].code: must be a text of 1 to 32 characters"),
        ("    when", "    wen", ":3: rules[0].wen: is not known; it can be about, code, then and when"),
        ("    then:\n      vip_level: {exactly: 0}\n", "", ":2: rules[0]: lacks then"),
        ("      vip_level", "      level", ":6: a.then.level: is not known; it can be credit_limit, task"),
        ("{exactly: 0}\n", "{exactly: 0}\n      credit_limit: {exactly: 0}\n", ":6: a.then: must have exactly one of"),
        ("{exactly: 0}", "3", ":6: a.then.vip_level: must be a mapping with at_least, at_most and exactly"),
        ("{exactly: 0}", "{}", ":6: a.then.vip_level: must have exactly one of at_least, at_most and exactly"),
        ("exactly: 0", "exactly: 6", ":6: a.then.vip_level.exactly: must be from 0 to 5"),
        ("exactly: 0", "exactly: 2.5", ":6: a.then.vip_level.exactly: must be a whole number"),
        ("vip_level: {exactly: 0", "credit_limit: {exactly: -1", ":6: a.then.credit_limit.exactly: must be from 0 to"),
        ("above: 1", "over: 1", ":4: a.when[0].over: is not known; it can be above, at_least"),
        ("above: 1", "above: 1, below: 3", ":4: a.when[0]: must have exactly one of at_least, above, at_most, below"),
        (", above: 1", "", ":4: a.when[0]: must have exactly one of"),
        ("above: 1", "above: 1, above: 2", ":4: a.when[0].above: is there twice"),
        ("above: 1", "above: '1'", ":4: a.when[0].above: must be a number, without quotes"),
        ("above: 1", "above: 1e3", ":4: a.when[0].above: must be a number of two decimal places at most"),
        ("above: 1", "above: 010", ":4: a.when[0].above: must be a number"),
        ("above: 1", "above: 1.001", ":4: a.when[0].above: must be a number of two decimal places"),
        ("above: 1", "above: [1]", ":4: a.when[0].above: must be a number"),
        ("above: 1", "is: 北京", ":4: a.when[0].is: is not for arrears; use one of at_least, above, at_most, below"),
        ("above: 1", "above: 1, days: 3", ":4: a.when[0].days: is not for arrears"),
        ("above: 1", "above: 1, if_missing: 1", ":4: a.when[0].if_missing: must be true or false"),
        ("arrears, above", "arreas, above", ":4: a.when[0].input: must be arpu, arrears, city"),
        ("arrears, above", "complaints, above", ":4: a.when[0]: lacks days, which complaints needs"),
        ("arrears, above", "complaints, days: 0, above", ":4: a.when[0].days: must be from 1 to 3660"),
        ("arrears, above", "stage, above", ":4: a.when[0].above: is not for stage; use one of is, is_not"),
        ("arrears, above: 1", "stage, is: []", ":4: a.when[0].is: must not be empty"),
        ("arrears, above: 1", "stage, is: [稳定, 3]", ":4: a.when[0].is[1]: must be a text"),
        ("arrears, above: 1", "stage, is: ' '", ":4: a.when[0].is: must be a text of 1 to 32 characters"),
        ("arrears, above", "vip_level, above", ":4: a.when: a rule that sets vip_level cannot look at vip_level"),
        ("arrears, above", "credit_limit, above", ":4: a.when: a rule that sets vip_level cannot look at credit_limit"),
        ("vip_level: {exactly: 0}", "task: {kind: 回访}", ":6: a.then.task: lacks title"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(load: Load, old: str, new: str, told: str) -> None:
    assert load(ONE)
    assert old in ONE
    with pytest.raises(ConfigError) as caught:
        load(ONE.replace(old, new, 1))
    assert "rules.yaml" in str(caught.value)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("every: month", "every: fortnight", "call.then.task.every: must be day, month, once, quarter, week or year"),
        ("due_days: 3", "due_days: -1", "call.then.task.due_days: must be from 0 to 366"),
        ("remind_days: 1", "remind_days: 4", "call.then.task.remind_days: must be from 0 to 3"),
        ("priority: 1", "priority: 0", "call.then.task.priority: must be from 1 to 9"),
        ("assignee: 7", "assignee: boss", "call.then.task.assignee: must be owner"),
        ("assignee: 7", "assignee: 0", "call.then.task.assignee: must be from 1 to"),
        ("[电话, 记录]", "[电话, '']", "call.then.task.checklist[1]: must be a text"),
        ("code: call", "code: vip-3", "'vip-3' is there twice"),
    ],
)
def test_what_is_wrong_with_a_task(load: Load, old: str, new: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(EVERYTHING.replace(old, new, 1))
    assert told in str(caught.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none.yaml: cannot be read: No such file"):
        load_rules(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"rules: [\xff]")
    with pytest.raises(ConfigError, match=r"latin.yaml: is not UTF-8 text"):
        load_rules(tmp_path / "latin.yaml")


def condition(comparison: Comparison, value: object, *, if_missing: bool = False) -> Condition:
    given = frozenset([value]) if isinstance(value, str) else Decimal(str(value))
    return Condition(Input("arrears"), comparison, given, if_missing)


@pytest.mark.parametrize(
    ("comparison", "value", "met"),
    [
        ("at_least", 5, [False, True, True]),
        ("above", 5, [False, False, True]),
        ("at_most", 5, [True, True, False]),
        ("below", 5, [True, False, False]),
    ],
)
def test_numbers_are_compared(comparison: Comparison, value: int, met: list[bool]) -> None:
    found: list[Value] = [Decimal("4.99"), 5, Decimal("5.01")]
    assert [condition(comparison, value).met({Input("arrears"): one}) for one in found] == met
    for if_missing in (False, True):
        missing = condition(comparison, value, if_missing=if_missing)
        assert missing.met({Input("arrears"): None}) is if_missing


def test_texts_are_compared() -> None:
    for comparison, met in (("is", [True, False, False]), ("is_not", [False, True, False])):
        chosen: Comparison = "is" if comparison == "is" else "is_not"
        found: list[Value] = ["稳定", "破裂", None]
        assert [condition(chosen, "稳定").met({Input("arrears"): one}) for one in found] == met


def test_the_first_rule_that_is_met_decides() -> None:
    owes = condition("above", 0)
    rules = [
        Rule("owes", Bound("vip_level", "at_most", Decimal(1)), (owes,)),
        Rule("three", Bound("vip_level", "at_least", Decimal(3))),
        Rule("four", Bound("vip_level", "at_least", Decimal(4))),
    ]
    for arrears, before, rule, after in [(1, 5, "owes", 1), (1, 0, "owes", 0), (0, 5, "three", 5), (0, 2, "three", 3)]:
        decision = decide(rules, {Input("arrears"): arrears, LEVEL: before, LIMIT: Decimal(0)})
        assert (decision.vip_rule, decision.vip_level) == (rule, after)
    untouched = decide(rules[:1], {Input("arrears"): 0, LEVEL: 2, LIMIT: Decimal(7)})
    assert (untouched.vip_rule, untouched.vip_level, untouched.credit_rule, untouched.credit_limit) == (
        None,
        2,
        None,
        Decimal(7),
    )


def test_the_limit_goes_by_the_new_level_and_tasks_by_both() -> None:
    task = TaskOf("回访", "请回访", "month", 3)
    rules = [
        Rule("task", task, (Condition(LEVEL, "at_least", Decimal(4)), Condition(LIMIT, "at_least", Decimal(900)))),
        Rule("limit", Bound("credit_limit", "exactly", Decimal(900)), (Condition(LEVEL, "at_least", Decimal(4)),)),
        Rule("level", Bound("vip_level", "exactly", Decimal(4))),
    ]
    decision = decide(rules, {LEVEL: 0, LIMIT: Decimal(0)})
    assert (decision.vip_level, decision.credit_limit) == (4, Decimal(900))
    assert decision.tasks == ((rules[0], task),)
    assert decision.facts == {LEVEL: 4, LIMIT: Decimal(900)}


def test_a_rule_does_not_look_at_what_it_sets() -> None:
    above = Condition(LEVEL, "above", Decimal(2))
    with pytest.raises(InvalidInput, match="a rule that sets vip_level cannot look at vip_level"):
        Rule("a", Bound("vip_level", "exactly", Decimal(3)), (above,))
    assert Rule("a", Bound("credit_limit", "exactly", Decimal(3)), (above,))


HOW: list[Literal["exactly", "at_least", "at_most"]] = ["exactly", "at_least", "at_most"]
LEVELS = st.sampled_from([Decimal(level) for level in range(6)])


def bound_rules(sets: Literal["vip_level", "credit_limit"], *sees: Input) -> st.SearchStrategy[Rule]:
    seen = st.builds(Condition, st.sampled_from(sees), st.sampled_from(NUMBERS), LEVELS, st.booleans())
    bounds = st.builds(Bound, st.just(sets), st.sampled_from(HOW), LEVELS)
    return st.builds(Rule, st.uuids().map(str), bounds, st.lists(seen, max_size=2).map(tuple))


RULES = st.lists(bound_rules("vip_level", Input("arrears")) | bound_rules("credit_limit", Input("arrears"), LEVEL))


@given(RULES, st.none() | LEVELS, LEVELS, LEVELS)
@settings(max_examples=200, derandomize=True, database=None)
def test_to_decide_again_changes_nothing(
    made: list[Rule], arrears: Decimal | None, level: Decimal, limit: Decimal
) -> None:
    facts: dict[Input, Value] = {Input("arrears"): arrears, LEVEL: int(level), LIMIT: limit}
    first = decide(made, facts)
    again = decide(made, first.facts)
    assert (again.vip_level, again.credit_limit) == (first.vip_level, first.credit_limit)
    assert (again.vip_rule, again.credit_rule) == (first.vip_rule, first.credit_rule)


@pytest.mark.parametrize(
    ("every", "moment", "period"),
    [
        ("once", datetime(2026, 6, 1), "once"),
        ("day", datetime(2026, 6, 1, 23, 59, 59), "2026-06-01"),
        ("week", datetime(2026, 12, 31), "2026-W53"),
        ("week", datetime(2027, 1, 3), "2026-W53"),
        ("week", datetime(2027, 1, 4), "2027-W01"),
        ("month", datetime(2026, 6, 30), "2026-06"),
        ("quarter", datetime(2026, 3, 31), "2026-Q1"),
        ("quarter", datetime(2026, 4, 1), "2026-Q2"),
        ("quarter", datetime(2026, 12, 1), "2026-Q4"),
        ("year", datetime(2026, 12, 31), "2026"),
    ],
)
def test_periods(every: Every, moment: datetime, period: str) -> None:
    assert period_of(every, moment) == period
