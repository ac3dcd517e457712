"""Whom a campaign is for: conditions on customers, declared as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from crm_model.documents import entries
from crm_model.entities import Customer
from crm_model.errors import InvalidInput
from crm_model.model import Json
from crm_model.rules import Condition, Input, Value
from crm_model.rules.load import conditions_of
from crm_model.rules.nodes import Node
from platform_store import ConfigError

_LONGEST_TAG: Final = 32


@dataclass(frozen=True)
class Audience:
    """Customers who meet all conditions and, where there are ``tags``, have one of these at least."""

    when: tuple[Condition, ...] = ()
    tags: frozenset[str] = frozenset()

    @classmethod
    def of(cls, document: Json) -> Self:
        """The audience that a document declares::

            {"when": [{"input": "vip_level", "at_least": 3}, {"input": "orders_amount", "days": 365, "above": 5000}],
             "tags": ["续约期"]}

        Conditions are those of rules: ``config/crm_rules.yaml`` says what they can be. An empty object is everybody.

        Raises InvalidInput for the first thing that is wrong.
        """
        try:
            parts = Node.of(document, "audience").mapping(["when", "tags"])
            return cls(
                conditions_of(parts["when"]) if "when" in parts else (),
                frozenset(parts["tags"].texts(_LONGEST_TAG) if "tags" in parts else ()),
            )
        except ConfigError as error:
            raise InvalidInput("audience", "bad-audience", str(error)) from None

    @property
    def inputs(self) -> frozenset[Input]:
        """What the conditions look at."""
        return frozenset(condition.input for condition in self.when)

    @property
    def where(self) -> dict[str, object]:
        """What an index can find some of them by: everybody in the audience meets it."""
        return {
            condition.input.name: tuple(sorted(condition.value))
            for condition in self.when
            if isinstance(condition.value, frozenset) and condition.comparison == "is" and not condition.if_missing
        }

    def has(self, customer: Customer, facts: Mapping[Input, Value]) -> bool:
        """Whether a customer belongs to it. ``facts``: a value for each of :attr:`inputs`."""
        return all(condition.met(facts) for condition in self.when) and (
            not self.tags or any(tag in self.tags for tag in map(_text, entries(customer.tags)))
        )


def _text(tag: Any) -> str:
    return tag if isinstance(tag, str) else ""
