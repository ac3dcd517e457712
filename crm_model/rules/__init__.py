"""Declarative rules: what is true of a customer, and what follows from it.

:mod:`crm_model.rules.records` says what a rule is and decides; :func:`load_rules` reads rules from a YAML file, such as
``config/crm_rules.yaml``; :meth:`crm_model.Crm.evaluate_rules` applies them to the customers.
"""

from crm_model.rules.load import load_rules
from crm_model.rules.records import (
    INPUTS,
    LEVEL,
    LIMIT,
    Bound,
    Condition,
    Decision,
    Input,
    Rule,
    TaskOf,
    Value,
    decide,
    inputs_of,
    period_of,
)

__all__ = [
    "INPUTS",
    "LEVEL",
    "LIMIT",
    "Bound",
    "Condition",
    "Decision",
    "Input",
    "Rule",
    "TaskOf",
    "Value",
    "decide",
    "inputs_of",
    "load_rules",
    "period_of",
]
