"""Every error of the CRM has a code that is documented, with the details that are."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import crm_model
from crm_model import CrmError, InvalidInput, NotFound, NotPermitted, Refused, codes
from tools.reference.errors import CODES

DETAILS: Mapping[str, dict[str, tuple[str, ...]]] = {
    error.__name__: {one.name: one.details for one in known} for error, known in CODES.items()
}
AT = {"CrmError": 0, "Refused": 0, "InvalidInput": 1}
"""Where the code stands in a call."""


def raised() -> Iterator[tuple[str, str, str, set[str]]]:
    """Of every call that makes one of them: the place, the error, its code, the names of the details."""
    for path in sorted(Path(crm_model.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in AT:
                code = node.args[AT[node.func.id]]
                place = f"{path.name}:{node.lineno}"
                assert isinstance(code, ast.Constant), place
                yield place, node.func.id, str(code.value), {str(one.arg) for one in node.keywords}


def test_what_is_raised_is_documented() -> None:
    found = list(raised())
    assert len(found) > 90
    for place, error, code, details in found:
        assert set(DETAILS[error].get(code, ["unknown code"])) == details, place
    for error in AT:
        assert {code for _, one, code, _ in found if one == error} == set(DETAILS[error])


def test_a_code_is_there_once() -> None:
    names = [one.name for known in CODES.values() for one in known]
    assert sorted(names) == sorted(set(names))
    assert all(name == name.lower().strip() and " " not in name for name in names)


@pytest.mark.parametrize(
    ("error", "code", "details", "message"),
    [
        (NotFound("task", 7), "not-there", {"table": "task", "key": 7}, "task 7 is not there"),
        (
            NotFound("task", 7, archived=True),
            "archived",
            {"table": "task", "key": 7},
            "task 7 is archived; restore it first",
        ),
        (
            NotFound("customer", 7, archived=True, merged_into=9),
            "merged",
            {"table": "customer", "key": 7, "merged_into": 9},
            "customer 7 was merged into 9; use that one",
        ),
        (
            NotPermitted(3, "edit", "customer", 7),
            "not-permitted",
            {"operator_id": 3, "action": "edit", "table": "customer", "key": 7},
            "operator 3 may not do this: edit of customer 7; ask someone whose role permits it",
        ),
        (
            Refused("task-closed", "task 7 is over", task_id=7, status="完成"),
            "task-closed",
            {"task_id": 7, "status": "完成"},
            "task 7 is over",
        ),
        (InvalidInput("until", "not-in-the-future", "is over"), "not-in-the-future", {}, "until: is over"),
    ],
)
def test_codes_and_details(error: CrmError, code: str, details: dict[str, object], message: str) -> None:
    assert (error.code, error.details, str(error)) == (code, details, message)
    assert code in {one.name for one in CODES[type(error)]}
    assert set(details) == set(DETAILS[type(error).__name__][code])


def test_every_error_has_its_list() -> None:
    assert set(CODES) == {CrmError, *CrmError.__subclasses__()}
    assert tuple(sorted(codes.REFUSED, key=lambda one: one.name)) == codes.REFUSED
    assert tuple(sorted(codes.INVALID, key=lambda one: one.name)) == codes.INVALID
