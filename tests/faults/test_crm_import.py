"""An import whose process is killed at any of its steps: its batch is wholly there or not at all."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import pytest

from crm_model import Crm
from crm_model.entities import AuditLog, Customer
from tests.contract.crm import make
from tests.faults.crm_crash import CrmOperation, crm_bench, crm_killed_everywhere
from tests.faults.crm_import import Import

TABLES = ("customer", "operator", "audit_log")
_NUMBERS = count(1)


def _made(crm: Crm) -> list[str]:
    """The numbers of a customer, of an archived one, and of two that are not there."""
    make.operators(crm.platform, 1)
    known, gone = make.customer(crm, name="旧", custom={"旧": 1}), make.customer(crm, name="旧")
    crm.archive(Customer, gone.id)
    return [known.cust_no, gone.cust_no, *(f"K{next(_NUMBERS):06d}" for _ in range(2))]


def _file(numbers: list[str]) -> Import:
    rest = "企业,正常,1,潜在,导入,1,3"
    rows = [f"{number},客户{place},{rest}" for place, number in enumerate(numbers)]
    return Import("\n".join(["cust_no,name,kind,status,credit_limit,stage,source,owner_id,custom.网点数", *rows, ""]))


def _looked(crm: Crm, numbers: list[str]) -> object:
    rows = crm.find(Customer, {"cust_no": numbers}, archived=True, order_by=["cust_no"])
    told = crm.find(AuditLog, {"entity": "customer", "entity_id": [row.id for row in rows], "action": "import_csv"})
    added = {key for entry in crm.find(AuditLog, {"entity": "customer", "entity_id": 0}) for key in entry.meta["ids"]}
    return (
        [(row.name, row.custom, row.archived, row.version, row.id in added) for row in rows],
        [sorted(entry.after_state) for entry in told],
    )


IMPORT = CrmOperation("import_csv", _made, _file, _looked, TABLES)


@pytest.mark.parametrize("server", ["mysql", "mariadb"])
def test_a_batch_is_killed_at_every_step(request: pytest.FixtureRequest, server: str, mongodb_url: str) -> None:
    with crm_bench(request.getfixturevalue(f"{server}_url"), mongodb_url, TABLES) as bench:
        assert crm_killed_everywhere(bench, IMPORT) == []


def test_half_an_import_would_be_noticed(mariadb_url: str, mongodb_url: str) -> None:
    in_two = replace(IMPORT, work=lambda numbers: replace(_file(numbers), batch_size=2))
    with crm_bench(mariadb_url, mongodb_url, TABLES) as bench:
        assert "before recover()" in "\n".join(crm_killed_everywhere(bench, in_two))
