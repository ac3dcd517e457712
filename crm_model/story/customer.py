"""What happens with customers."""

from __future__ import annotations

from crm_model.crm import Crm
from crm_model.entities import Activity, BillingCustomer, Customer, Task, VipCard
from crm_model.entities.states import CARD_IN_STOCK, COMPLAINT, OPEN_TASKS
from crm_model.sample.sizes import TIMELINE_CUSTOMER
from crm_model.story.page import Page, check, refused
from platform_store import Range

_PAGE = 4
_LEADER = 1
_PLANTED_ARPU = 80_000  # yuan; the accounts that the seventh question has to find have more


def customer(crm: Crm, page: Page) -> int:
    """A customer is visited, complains, and is seen whole; returns the one."""
    someone = next(
        one for one in crm.find(Customer, {"kind": "企业", "city": "上海"}) if one.phone and one.satisfaction
    )
    _visited(crm, page, someone)
    _seen_whole(crm, page, someone.id)
    _paged(crm, page)
    promoted = _promoted(crm, page)
    _carded(crm, page, promoted)
    _merged(crm, page)
    return someone.id


def _visited(crm: Crm, page: Page, someone: Customer) -> None:
    page.heading(f"Customer {someone.id} is visited, and complains")
    visit = crm.log_visit(
        someone.id,
        summary="谈了专线续约，客户提到联通报价更低。",
        competitors=[{"name": "联通", "quote": "九折", "threat": "高"}],
        outcome={"intent": "高", "next_step": "报价"},
        custom={"天气": "晴"},
    )
    check("the visit", crm.timeline(someone.id, limit=1)[0].id, visit.id)
    page.say(f"log_visit() -> activity {visit.id}: kind and time in MySQL; what was said, rivals and intent in MongoDB")
    before = len(crm.find(Task, {"customer_id": someone.id, "status": OPEN_TASKS}))
    said = crm.record_feedback(someone.id, kind=COMPLAINT, channel="电话", score=1, text="服务太慢。", tags=["服务"])
    task = said.task
    if task is not None:
        page.say(
            f"record_feedback() -> feedback {said.feedback.id}; it raised task {task.id}, in the same transaction:"
        )
        page.rows(
            ("task", "kind", "title", "for operator", "due"),
            [(task.id, task.kind, task.title, task.assignee_id, task.due_at)],
        )
    after = len(crm.find(Task, {"customer_id": someone.id, "status": OPEN_TASKS}))
    check("the tasks raised", after - before, 1)
    page.say(f"satisfaction went from {someone.satisfaction} to {said.customer.satisfaction}")


def _seen_whole(crm: Crm, page: Page, key: int) -> None:
    page.heading("Everything about a customer in one call: customer_360()")
    seen = crm.customer_360(key, n=3)
    check("the newest in sight", seen.timeline[0].kind, "visit")
    page.record(
        {
            "customer": f"{seen.customer.cust_no} {seen.customer.name}",
            "VIP level": seen.customer.vip_level,
            "satisfaction": seen.satisfaction,
            "contacts": ", ".join(contact.name for contact in seen.contacts.rows),
            "card": None if seen.card is None else seen.card.card_no,
            "open opportunities": seen.open_opportunities.total,
            "open tasks": seen.open_tasks.total,
            "orders": f"{seen.orders.count}, {seen.orders.amount:,} yuan",
            "extension": seen.customer.extension,
        }
    )
    page.rows(("when", "kind", "what"), [(one.occurred_at, one.kind, one.summary) for one in seen.timeline])


def _paged(crm: Crm, page: Page) -> None:
    page.heading(f"A timeline, page by page: customer {TIMELINE_CUSTOMER}")
    first = crm.timeline(TIMELINE_CUSTOMER, limit=_PAGE)
    last = first[-1]
    second = crm.timeline(TIMELINE_CUSTOMER, before=(last.occurred_at, last.id), limit=_PAGE)
    whole = crm.timeline(TIMELINE_CUSTOMER, limit=2 * _PAGE)
    check("two pages", [one.id for one in (*first, *second)], [one.id for one in whole])
    page.rows(("id", "when", "kind", "what"), [(one.id, one.occurred_at, one.kind, one.summary) for one in second])
    page.say("the second page begins where the first ends, in an index: as fast at the 10,000th page")


def _promoted(crm: Crm, page: Page) -> Customer:
    page.heading("An account of the billing system becomes a customer")
    usual = {"customer_id": None, "arpu_3m": Range(lt=_PLANTED_ARPU)}
    (account,) = crm.find(BillingCustomer, usual, order_by=["arpu_3m DESC", "id"], limit=1)
    made = crm.promote_billing_customer(account.boss_no)
    check("the customer of a second call", crm.promote_billing_customer(account.boss_no).id, made.id)
    (linked,) = crm.find(BillingCustomer, {"id": account.id})
    check("what the account refers to", linked.customer_id, made.id)
    check("its usage", linked.usage_log, account.usage_log)
    page.say(f"promote_billing_customer({account.boss_no!r}) -> customer {made.id}; a second call gives the same one")
    return made


def _carded(crm: Crm, page: Page, someone: Customer) -> None:
    page.heading("A VIP level is applied for and approved by someone else; then a card is theirs")
    (card,) = crm.find(VipCard, {"status": CARD_IN_STOCK, "customer_id": None}, limit=1)
    refused(page, lambda: crm.bind_vip_card(someone.id, card.card_no))
    asked = crm.apply_vip(someone.id, card.level, comment="最近三月消费最高")
    refused(page, lambda: crm.approve_vip(asked.id))
    approved = crm.acting(_LEADER).approve_vip(asked.id)
    page.say(f"approve_vip({asked.id}) by operator {_LEADER}: {approved.status}")
    bound = crm.bind_vip_card(someone.id, card.card_no)
    check("whose the card is", bound.customer_id, someone.id)
    page.say(f"bind_vip_card({someone.id}, {card.card_no!r}): {bound.status}; its history keeps where it was")


def _merged(crm: Crm, page: Page) -> None:
    page.heading("Two entries of one customer: found, merged, and the merge undone")
    pairs = sorted(crm.find_duplicates(), key=lambda pair: (-pair.score, pair.customer_id, pair.other_id))
    rows = {
        row.id: row
        for row in crm.find(Customer, {"id": [key for pair in pairs[:4] for key in (pair.customer_id, pair.other_id)]})
    }
    page.rows(
        ("customer", "other", "name", "other's name", "alike in", "score"),
        [
            (
                pair.customer_id,
                pair.other_id,
                rows[pair.customer_id].name,
                rows[pair.other_id].name,
                ", ".join(pair.reasons),
                pair.score,
            )
            for pair in pairs[:4]
        ],
    )
    page.say(
        f"find_duplicates(): {len(pairs)} pairs, across full width, traditional characters and ways to write a phone"
    )
    pair = pairs[0]
    before = _activities(crm, pair.customer_id), _activities(crm, pair.other_id)
    merged = crm.merge_customers(pair.customer_id, pair.other_id)
    check("the activities together", _activities(crm, pair.customer_id), sorted((*before[0], *before[1])))
    moved = ", ".join(f"{count} {column}" for column, count in merged.moved.items() if count) or "no rows"
    page.say(f"merge_customers({pair.customer_id}, {pair.other_id}): {moved} went over; the audit log keeps how it was")
    crm.undo_merge(merged.trace_id)
    check(
        "the activities after the undo", (_activities(crm, pair.customer_id), _activities(crm, pair.other_id)), before
    )
    page.say("undo_merge(): both are as they were")


def _activities(crm: Crm, key: int) -> list[int]:
    return [one.id for one in crm.find(Activity, {"customer_id": key})]
