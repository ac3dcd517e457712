"""Rules applied to the customers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Literal

from crm_model.changes import Changes
from crm_model.entities import Customer, Task
from crm_model.entities.states import TASK_WAITING
from crm_model.errors import InvalidInput
from crm_model.rules import Decision, Input, Rule, TaskOf, Value, decide, inputs_of, period_of
from crm_model.service import Service
from crm_model.services.facts import Facts
from platform_store import Range, Transaction

_ACTION: Final = "evaluate_rules"
_COLUMNS: Final = tuple(column.name for column in Customer.declaration.mysql_columns)


@dataclass(frozen=True)
class RuleChange:
    """What a rule has changed for a customer, or would: the level or limit before and after, or a task's dedupe_key."""

    customer_id: int
    rule: str
    what: Literal["vip_level", "credit_limit", "task"]
    before: int | Decimal | None
    after: int | Decimal | str


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation came to.

    customers: how many were looked at; counts: the changes of each rule, by its code; changes: the first of them in
    the order of the customers, as many as were asked for.
    """

    as_of: datetime
    dry_run: bool
    customers: int
    counts: Mapping[str, int]
    changes: tuple[RuleChange, ...]

    @property
    def total(self) -> int:
        """How many changes there are in all."""
        return sum(self.counts.values())


class Rules(Service):
    """Declarative rules: VIP level, credit limit and tasks of customers."""

    def evaluate_rules(
        self,
        rules: Sequence[Rule],
        as_of: datetime,
        dry_run: bool = False,
        *,
        most_changes: int = 1000,
        batch_size: int = 200,
    ) -> Evaluation:
        """Gives each live customer the level and limit that rules decide on, and raises the tasks that they ask for.

        The same rules, data and moment come to the same: run again, nothing changes. No task is raised twice: its
        ``dedupe_key`` is ``rule:customer:period``, and one that was archived counts, too. What is dated after ``as_of``
        is left out; the customers and their accounts are taken as they are now.

        Customers are gone through in the order of their ids, ``batch_size`` of them in one transaction under their
        locks, so that memory and transactions are bounded; what an interrupted run has not come to, the next one does.
        Customers that the policy does not permit are left out.

        Args:
            rules: in order, see :func:`crm_model.rules.decide`; :func:`crm_model.rules.load_rules` reads them.
            as_of: the moment, in UTC without saying so, to the millisecond; tasks are due so many days from it.
            dry_run: changes nothing, and returns what would be changed.
            most_changes: how many changes the result holds one by one.

        Raises InvalidInput for a moment with a time zone.
        """
        if as_of.tzinfo is not None:
            raise InvalidInput(
                "as_of", "has-a-zone", "has a time zone; give it as .astimezone(UTC).replace(tzinfo=None)"
            )
        self.check(_ACTION)
        moment = as_of.replace(microsecond=as_of.microsecond // 1000 * 1000)
        job = _Job(tuple(rules), moment, Facts(self.platform, inputs_of(rules), moment), batch_size)
        counts, told, customers, last = dict.fromkeys((rule.code for rule in rules), 0), list[RuleChange](), 0, 0
        while True:
            page = self._page(job, last) if dry_run else self._applied(job, last)
            if page.last is None:
                return Evaluation(moment, dry_run, customers, counts, tuple(told))
            last, customers = page.last, customers + len(page.outcomes)
            changes = [change for outcome in page.outcomes for change in outcome.changes()]
            for change in changes:
                counts[change.rule] += 1
            told += changes[: most_changes - len(told)]

    def _applied(self, job: _Job, after: int) -> _Page:
        def work(changes: Changes) -> _Page:
            page = self._page(job, after, changes.tx)
            for outcome in page.outcomes:
                outcome.apply(changes)
            return page

        return self.run(_ACTION, work)

    def _page(self, job: _Job, after: int, tx: Transaction | None = None) -> _Page:
        """The next customers, locked where it is in a transaction, and what the rules come to for them."""
        where, limit = {"id": Range(gt=after), "del_token": 0}, job.batch_size
        if tx is None:
            rows = self.platform.find(Customer.table, where, limit=limit, columns=_COLUMNS)
        else:
            rows = tx.find(Customer.table, where, limit=limit, columns=_COLUMNS, for_update=True)
        read = [Customer.of(row) for row in rows]
        customers = [one for one in read if self.policy.permits(self.actor, _ACTION, one)]
        outcomes = [job.outcome(one, known) for one, known in zip(customers, job.facts.of(customers), strict=True)]
        keys = [task.dedupe_key for outcome in outcomes for task in outcome.tasks]
        find = self.platform.find if tx is None else tx.find
        raised = {row["dedupe_key"] for row in find(Task.table, {"dedupe_key": keys}, columns=["dedupe_key"])}
        return _Page(read[-1].id if read else None, [outcome.without(raised) for outcome in outcomes])


@dataclass(frozen=True)
class _Outcome:
    """What rules come to for a customer, as it was before."""

    customer: Customer
    decision: Decision
    tasks: tuple[Task, ...]

    def without(self, raised: Collection[object]) -> _Outcome:
        """Those tasks are there already."""
        return replace(self, tasks=tuple(task for task in self.tasks if task.dedupe_key not in raised))

    def changes(self) -> Iterator[RuleChange]:
        before, after = self.customer, self.decision
        if after.vip_rule is not None and after.vip_level != before.vip_level:
            yield RuleChange(before.id, after.vip_rule, "vip_level", before.vip_level, after.vip_level)
        if after.credit_rule is not None and after.credit_limit != before.credit_limit:
            yield RuleChange(before.id, after.credit_rule, "credit_limit", before.credit_limit, after.credit_limit)
        for task in self.tasks:
            assert task.dedupe_key is not None
            yield RuleChange(before.id, task.origin, "task", None, task.dedupe_key)

    def apply(self, changes: Changes) -> None:
        """To the locked customer. The audit tells the rules."""
        told = list(self.changes())
        changes.change(
            self.customer,
            meta={"rules": [one.rule for one in told if one.what != "task"]},
            **{one.what: one.after for one in told if one.what != "task"},
        )
        for task in self.tasks:
            changes.add(task)


@dataclass(frozen=True)
class _Page:
    """``last``: the id of the last customer read; None: there is none left."""

    last: int | None
    outcomes: list[_Outcome]


@dataclass(frozen=True)
class _Job:
    """One evaluation."""

    rules: tuple[Rule, ...]
    as_of: datetime
    facts: Facts
    batch_size: int

    def outcome(self, customer: Customer, facts: Mapping[Input, Value]) -> _Outcome:
        decision = decide(self.rules, facts)
        tasks = (self._task(rule, effect, customer, decision) for rule, effect in decision.tasks)
        return _Outcome(customer, decision, tuple(tasks))

    def _task(self, rule: Rule, effect: TaskOf, customer: Customer, decision: Decision) -> Task:
        due = self.as_of + timedelta(days=effect.due_days)
        inputs = {str(one): _plain(decision.facts[one]) for one in inputs_of([rule])}
        return Task(
            customer_id=customer.id,
            assignee_id=customer.owner_id if effect.assignee_id is None else effect.assignee_id,
            kind=effect.kind,
            title=effect.title,
            due_at=due,
            remind_at=None if effect.remind_days is None else due - timedelta(days=effect.remind_days),
            status=TASK_WAITING,
            priority=effect.priority,
            origin=rule.code,
            dedupe_key=f"{rule.code}:{customer.id}:{period_of(effect.every, self.as_of)}",
            rule={"code": rule.code, "inputs": dict(sorted(inputs.items()))},
            checklist=[{"item": item, "done": False} for item in effect.checklist] or None,
        )


def _plain(value: Value) -> int | str | None:
    """As JSON has it: an amount is a text."""
    return str(value) if isinstance(value, Decimal) else value
