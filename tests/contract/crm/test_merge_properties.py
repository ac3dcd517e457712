"""Any sequence of merges and undos, against a plain model of whose each row is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_model import Crm, Refused
from crm_model.entities import Activity, Contact, Customer, Feedback, SalesOrder, Ticket
from crm_model.model import Standard
from crm_model.services.merging import Merged
from platform_store import Platform
from tests.contract.conftest import Backend
from tests.contract.crm import make
from tests.contract.crm.conftest import Clock
from tests.contract.crm.test_undo_merge import everything

MODELS: list[type[Any]] = [Activity, Contact, Feedback, SalesOrder, Ticket]

whose = st.integers(0, 3)
commands = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.sampled_from(MODELS), whose),
        st.tuples(st.just("card"), st.none(), whose),
        st.tuples(st.just("shift"), st.integers(0, 7), whose),
        st.tuples(st.just("merge"), whose, whose),
        st.tuples(st.just("merge"), whose, whose),
        st.tuples(st.just("undo"), st.integers(0, 3), st.none()),
    ),
    min_size=6,
    max_size=18,
)


@dataclass
class Done:
    """A merge, and the rows that it has moved."""

    merged: Merged
    rows: set[int]
    undone: bool = False


@dataclass
class World:
    """Four customers, what has been done to them, and whose each row should be."""

    crm: Crm
    customers: list[Customer]
    rows: list[Standard] = field(default_factory=list)
    owners: list[int] = field(default_factory=list)  # of each row
    gone: dict[int, int] = field(default_factory=dict)  # where a merged customer is
    merges: list[Done] = field(default_factory=list)

    def do(self, command: str, one: Any, other: Any) -> None:
        getattr(self, command)(one, other)

    def add(self, model: type[Standard], whose: int) -> None:
        customer = self.customers[whose].id
        if customer not in self.gone:
            self.rows.append(make.row(self.crm, model, customer_id=customer))
            self.owners.append(customer)

    def card(self, _: None, whose: int) -> None:
        customer = self.customers[whose].id
        if customer not in self.gone and not self.crm.customer_360(customer, 0).card:
            self.crm.bind_vip_card(customer, make.vip_card(self.crm).card_no)

    def shift(self, number: int, whose: int) -> None:
        customer = self.customers[whose].id
        if number < len(self.rows) and customer not in self.gone:
            row = self.rows[number]
            self.crm.edit(type(row), row.id, customer_id=customer)
            self.owners[number] = customer

    def merge(self, one: int, other: int) -> None:
        winner, loser = self.customers[one].id, self.customers[other].id
        if winner == loser or winner in self.gone or loser in self.gone:
            return
        before = self.contents()
        undone = self.crm.undo_merge(self.crm.merge_customers(winner, loser).trace_id)
        assert undone.kept == ()
        assert self.contents() == before
        moved = {number for number, owner in enumerate(self.owners) if owner == loser}
        self.merges.append(Done(self.crm.merge_customers(winner, loser), moved))
        self.gone[loser] = winner
        self.own(moved, winner)

    def undo(self, number: int, _: None) -> None:
        if number >= len(self.merges):
            return
        done = self.merges[number]
        winner, loser = done.merged.winner.id, done.merged.loser.id
        if done.undone or winner in self.gone:
            with pytest.raises(Refused):
                self.crm.undo_merge(done.merged.trace_id)
            return
        undone = self.crm.undo_merge(done.merged.trace_id)
        left = {row for row in done.rows if self.owners[row] != winner}
        told = {(kept.table, kept.key) for kept in undone.kept if kept.table not in ("customer", "vip_card")}
        assert told == {(self.rows[row].table, self.rows[row].id) for row in left}
        done.undone = True
        del self.gone[loser]
        self.own(done.rows - left, loser)

    def own(self, rows: set[int], customer: int) -> None:
        for row in rows:
            self.owners[row] = customer

    def contents(self) -> object:
        return everything(self.crm, *self.customers)

    def check(self) -> None:
        for row, owner in zip(self.rows, self.owners, strict=True):
            (found,) = self.crm.find(type(row), {"id": row.id})
            assert found.values() == {
                **row.values(), "customer_id": owner, "version": found.version, "updated_at": found.updated_at
            }  # fmt: skip
        for customer in self.customers:
            (now,) = self.crm.find(Customer, {"id": customer.id}, archived=True)
            assert now.archived == (customer.id in self.gone)
            if now.archived:
                assert now.merged_into not in self.gone, "it says where all of it is now"
            else:
                assert now.merged_into is None


@pytest.mark.usefixtures("crm_backend")
def test_any_sequence(crm_backend: Backend, crm_platform: Platform) -> None:
    @settings(
        max_examples=12 if crm_backend.real else 40,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(commands)
    def check(sequence: list[tuple[str, Any, Any]]) -> None:
        crm = Crm(crm_platform, 1, clock=Clock())
        world = World(crm, [make.customer(crm, vip_level=1, tags=[f"k{number}"]) for number in range(4)])
        for command in sequence:
            world.do(*command)
        world.check()

    check()
