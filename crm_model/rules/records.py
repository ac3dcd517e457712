"""What a rule is, and what rules come to for one customer. Pure: nothing is read or written here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal, TypeAlias

from crm_model.errors import InvalidInput

Value: TypeAlias = Decimal | int | str | None
"""Of an input: a number or a text; None where there is none."""
Comparison: TypeAlias = Literal["at_least", "above", "at_most", "below", "is", "is_not"]
Every: TypeAlias = Literal["once", "day", "week", "month", "quarter", "year"]

NUMBERS: Final[Sequence[Comparison]] = ("at_least", "above", "at_most", "below")
TEXTS: Final[Sequence[Comparison]] = ("is", "is_not")


@dataclass(frozen=True)
class Kind:
    """A kind of input. ``over_days``: it needs to be told how many days it covers."""

    about: str
    over_days: bool = False
    text: bool = False


INPUTS: Final[Mapping[str, Kind]] = {
    "orders_amount": Kind("what completed orders of the last days come to, in yuan; 0 without any", over_days=True),
    "orders_count": Kind("how many orders of the last days are completed", over_days=True),
    "satisfaction": Kind("average score of feedback of the last days, 1 to 5; none without a score", over_days=True),
    "complaints": Kind("how many complaints there were in the last days", over_days=True),
    "days_since_activity": Kind("whole days since the last contact of any kind; none without one"),
    "arpu": Kind("revenue a month of all accounts, in yuan; none without an account"),
    "arrears": Kind("what is owed on all accounts, in yuan; 0 without an account"),
    "tenure_months": Kind("age of the oldest account; none without one"),
    "vip_level": Kind("0 to 5, as the rules before have left it"),
    "credit_limit": Kind("in yuan, as the rules before have left it"),
    "kind": Kind("of the customer, such as 企业", text=True),
    "status": Kind("of the customer, such as 正常", text=True),
    "stage": Kind("of the relation, such as 稳定", text=True),
    "industry": Kind("of the customer; none for most persons", text=True),
    "province": Kind("of the customer", text=True),
    "city": Kind("of the customer", text=True),
}
"""What conditions can look at. All but the customer's own columns count as of the moment that is asked for."""


@dataclass(frozen=True)
class Input:
    """What a condition looks at. ``days``: how far back from the moment asked for, where the kind needs it."""

    name: str
    days: int | None = None

    def __str__(self) -> str:
        return self.name if self.days is None else f"{self.name}({self.days})"


@dataclass(frozen=True)
class Condition:
    """An input compared with a number, or with texts of which it is one. ``if_missing``: met where there is none."""

    input: Input
    comparison: Comparison
    value: Decimal | frozenset[str]
    if_missing: bool = False

    def met(self, facts: Mapping[Input, Value]) -> bool:
        found = facts[self.input]
        if found is None:
            return self.if_missing
        if isinstance(self.value, frozenset):
            return (found in self.value) is (self.comparison == "is")
        assert not isinstance(found, str)
        match self.comparison:
            case "at_least":
                return found >= self.value
            case "above":
                return found > self.value
            case "at_most":
                return found <= self.value
        return found < self.value


@dataclass(frozen=True)
class Bound:
    """What a customer's level or limit is to be: exactly, at least or at most this. One that is so already stays."""

    of: Literal["vip_level", "credit_limit"]
    how: Literal["exactly", "at_least", "at_most"]
    value: Decimal

    def applied(self, number: Decimal) -> Decimal:
        if self.how == "at_least":
            return max(number, self.value)
        return min(number, self.value) if self.how == "at_most" else self.value


@dataclass(frozen=True)
class TaskOf:
    """A task to raise, once for a customer in each period.

    due_days: from the moment of the evaluation; remind_days: before it is due; assignee_id: an operator (None: the
    customer's owner).
    """

    kind: str
    title: str
    every: Every
    due_days: int
    remind_days: int | None = None
    priority: int = 3
    assignee_id: int | None = None
    checklist: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rule:
    """Where all conditions are met, the effect follows.

    Raises InvalidInput where a condition looks at what the rule sets, or at what is set after it: then evaluating
    twice could come to something else.
    """

    code: str
    effect: Bound | TaskOf
    when: tuple[Condition, ...] = ()

    def __post_init__(self) -> None:
        for condition in self.when:
            if isinstance(self.effect, Bound) and condition.input.name in _SET_LATER[self.effect.of]:
                raise InvalidInput(
                    "when", "bad-rule", f"a rule that sets {self.effect.of} cannot look at {condition.input.name}"
                )

    def met(self, facts: Mapping[Input, Value]) -> bool:
        return all(condition.met(facts) for condition in self.when)


_SET_LATER: Final = {"vip_level": ("vip_level", "credit_limit"), "credit_limit": ("credit_limit",)}


@dataclass(frozen=True)
class Decision:
    """What rules come to for a customer: the level and the limit, each with the rule that decided it, and the tasks.

    ``facts``: what was known in the end, the new level and limit among it.
    """

    vip_level: int
    credit_limit: Decimal
    vip_rule: str | None
    credit_rule: str | None
    tasks: tuple[tuple[Rule, TaskOf], ...]
    facts: Mapping[Input, Value]


LEVEL: Final = Input("vip_level")
LIMIT: Final = Input("credit_limit")


def inputs_of(rules: Iterable[Rule]) -> frozenset[Input]:
    """What the conditions look at, all together."""
    return frozenset(condition.input for rule in rules for condition in rule.when)


def decide(rules: Sequence[Rule], facts: Mapping[Input, Value]) -> Decision:
    """What rules come to.

    First the VIP level, then the credit limit, for which the level is the new one, then the tasks. Of the rules for the
    level, and of those for the limit, the first that is met decides, and without one all stays as it is. Every rule for
    a task that is met raises one. Deciding again on the same facts changes nothing.

    Args:
        facts: a value for each of :func:`inputs_of`, for :data:`LEVEL` and for :data:`LIMIT`.
    """
    known = dict(facts)
    vip_rule, level = _first(rules, known, LEVEL)
    known[LEVEL] = int(level)
    credit_rule, limit = _first(rules, known, LIMIT)
    known[LIMIT] = limit
    tasks = tuple((rule, rule.effect) for rule in rules if isinstance(rule.effect, TaskOf) and rule.met(known))
    return Decision(int(level), limit, vip_rule, credit_rule, tasks, known)


def _first(rules: Sequence[Rule], facts: Mapping[Input, Value], of: Input) -> tuple[str | None, Decimal]:
    before = facts[of]
    assert isinstance(before, int | Decimal)
    for rule in rules:
        if isinstance(rule.effect, Bound) and rule.effect.of == of.name and rule.met(facts):
            return rule.code, rule.effect.applied(Decimal(before))
    return None, Decimal(before)


def period_of(every: Every, moment: datetime) -> str:
    """The name of the period in which a moment is, such as 2026-Q2; weeks are those of ISO 8601."""
    match every:
        case "day":
            return moment.date().isoformat()
        case "week":
            year, week, _ = moment.isocalendar()
            return f"{year}-W{week:02d}"
        case "month":
            return f"{moment.year}-{moment.month:02d}"
        case "quarter":
            return f"{moment.year}-Q{(moment.month + 2) // 3}"
        case "year":
            return str(moment.year)
    return every
