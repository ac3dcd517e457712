"""Rules from a YAML file. What it may say is told in ``config/crm_rules.yaml``."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, get_args

from crm_model.entities.states import HIGHEST_LEVEL
from crm_model.errors import InvalidInput
from crm_model.rules.nodes import Node
from crm_model.rules.records import INPUTS, NUMBERS, TEXTS, Bound, Comparison, Condition, Every, Input, Rule, TaskOf

_CODE: Final = re.compile(r"[a-z0-9][a-z0-9-]*")
_LONGEST_CODE: Final = 32
_LONGEST_TITLE: Final = 200
_LONGEST_PERIOD: Final = 3660
"""Days."""
_LONGEST_DELAY: Final = 366
"""Days."""
_HIGHEST_AMOUNT: Final = Decimal("999999999999.99")
_CENT: Final = Decimal("0.01")
_LOWEST_PRIORITY: Final = 9
_HOW: Final = ("exactly", "at_least", "at_most")
_RULE: Final = ("code", "about", "when", "then")


def load_rules(path: str | os.PathLike[str]) -> tuple[Rule, ...]:
    """The rules of a file, in its order.

    Raises platform_store.ConfigError for the first thing that is wrong, naming the file, the line, the rule and the
    key: ``config/crm_rules.yaml:12: vip-5.when[1]: lacks days, which orders_amount needs``.
    """
    nodes = Node.load(path).mapping(["rules"], ["rules"])["rules"].items()
    rules: dict[str, Rule] = {}
    for node in nodes:
        parts = node.mapping(_RULE, ["code", "then"])
        code = _code(parts["code"])
        if code in rules:
            raise parts["code"].error(f"{code!r} is there twice")
        rules[code] = _rule(code, node.named(code))
    return tuple(rules.values())


def conditions_of(node: Node) -> tuple[Condition, ...]:
    """A list of conditions. Raises platform_store.ConfigError."""
    return tuple(_condition(one) for one in node.items())


def _code(node: Node) -> str:
    code = node.text(_LONGEST_CODE)
    if not _CODE.fullmatch(code):
        raise node.error("must be of lower-case letters, digits and hyphens")
    return code


def _rule(code: str, node: Node) -> Rule:
    parts = node.mapping(_RULE)
    if "about" in parts:
        parts["about"].text(_LONGEST_TITLE)
    when = conditions_of(parts["when"]) if "when" in parts else ()
    what, effect = parts["then"].one_of(["vip_level", "credit_limit", "task"])
    try:
        return Rule(code, _task(effect) if what == "task" else _bound(what, effect), when)
    except InvalidInput as error:
        raise parts["when"].error(str(error).removeprefix("when: ")) from None


def _condition(node: Node) -> Condition:
    parts = node.mapping(["input", "days", "if_missing", *NUMBERS, *TEXTS], ["input"])
    name = parts["input"].choice(INPUTS)
    kind = INPUTS[name]
    if kind.over_days and "days" not in parts:
        raise node.error(f"lacks days, which {name} needs")
    if "days" in parts and not kind.over_days:
        raise parts["days"].error(f"is not for {name}")
    comparison = _comparison(node, parts, name)
    value = parts[comparison]
    return Condition(
        Input(name, parts["days"].whole(1, _LONGEST_PERIOD) if kind.over_days else None),
        comparison,
        frozenset(value.texts(_LONGEST_CODE)) if kind.text else value.amount(),
        if_missing="if_missing" in parts and parts["if_missing"].boolean(),
    )


def _comparison(node: Node, parts: Mapping[str, Node], name: str) -> Comparison:
    fitting = TEXTS if INPUTS[name].text else NUMBERS
    found = [one for one in (*NUMBERS, *TEXTS) if one in parts]
    for one in found:
        if one not in fitting:
            raise parts[one].error(f"is not for {name}; use one of {', '.join(fitting)}")
    if len(found) != 1:
        raise node.error(f"must have exactly one of {', '.join(fitting)}")
    return found[0]


def _bound(what: Any, node: Node) -> Bound:
    how, value = node.one_of(_HOW)
    chosen: Any = how
    if what == "vip_level":
        return Bound(what, chosen, Decimal(value.whole(0, HIGHEST_LEVEL)))
    return Bound(what, chosen, value.amount_within(Decimal(0), _HIGHEST_AMOUNT).quantize(_CENT))


def _task(node: Node) -> TaskOf:
    known = ["kind", "title", "every", "due_days", "remind_days", "priority", "assignee", "checklist"]
    parts = node.mapping(known, ["kind", "title", "every", "due_days"])
    due_days = parts["due_days"].whole(0, _LONGEST_DELAY)
    every: Any = parts["every"].choice(get_args(Every))
    return TaskOf(
        kind=parts["kind"].text(_LONGEST_CODE),
        title=parts["title"].text(_LONGEST_TITLE),
        every=every,
        due_days=due_days,
        remind_days=parts["remind_days"].whole(0, due_days) if "remind_days" in parts else None,
        priority=parts["priority"].whole(1, _LOWEST_PRIORITY) if "priority" in parts else 3,
        assignee_id=_assignee(parts),
        checklist=tuple(one.text(_LONGEST_TITLE) for one in parts["checklist"].items()) if "checklist" in parts else (),
    )


def _assignee(parts: Mapping[str, Node]) -> int | None:
    node = parts.get("assignee")
    if node is None:
        return None
    if node.is_text():
        node.choice(["owner"])
        return None
    return node.whole(1, 2**63 - 1)
