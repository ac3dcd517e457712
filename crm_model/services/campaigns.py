"""Campaigns: planned for an audience, which is then contacted, and measured by what it buys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Final

from crm_model import checks
from crm_model.audience import Audience
from crm_model.changes import Changes
from crm_model.entities import Activity, Campaign, Customer
from crm_model.entities.states import CAMPAIGN, FINISHED, ORDER_COMPLETED, PLANNED, RUNNING
from crm_model.errors import NotFound, Refused
from crm_model.model import Json
from crm_model.service import BATCH, Service
from crm_model.services.facts import Facts

RESPONSE_DAYS: Final = 30
"""So long after its end what the audience buys counts as the campaign's."""

_REACHED: Final = """SELECT COUNT(DISTINCT customer_id) FROM activity
WHERE ref_type = %s AND ref_id = %s AND kind = %s AND del_token = 0"""
_BOUGHT: Final = """SELECT s.id, s.customer_id, s.amount FROM activity a
JOIN sales_order s ON s.customer_id = a.customer_id AND s.ordered_at >= a.occurred_at
WHERE a.ref_type = %s AND a.ref_id = %s AND a.kind = %s AND a.del_token = 0
AND s.ordered_at < %s AND s.status = %s AND s.del_token = 0 GROUP BY s.id, s.customer_id, s.amount"""


@dataclass(frozen=True)
class CampaignRun:
    """What a start has done: how many customers were contacted now, and how many had been before."""

    campaign: Campaign
    contacted: int
    before: int


@dataclass(frozen=True)
class CampaignMetrics:
    """What came of a campaign.

    reached: customers who were contacted; buyers: those of them who have bought since, until so many days after its
    end; orders and amount (yuan): their completed orders of that time; budget: of the campaign, in yuan.
    """

    reached: int
    buyers: int
    orders: int
    amount: Decimal
    budget: Decimal

    @property
    def conversion(self) -> float | None:
        """The part of those reached who bought, 0 to 1; None where nobody was reached."""
        return self.buyers / self.reached if self.reached else None

    @property
    def return_on_budget(self) -> float | None:
        """Yuan of orders for each yuan of the budget; None without one."""
        return float(self.amount / self.budget) if self.budget else None


class Campaigns(Service):
    """Campaigns and their audiences."""

    def plan_campaign(
        self,
        name: str,
        kind: str,
        *,
        starts_at: datetime,
        ends_at: datetime,
        budget: Decimal,
        audience: Mapping[str, Json],
        plan: Mapping[str, Json] | None = None,
        owner_id: int | None = None,
    ) -> Campaign:
        """Plans a campaign; returns it. Each call plans one.

        Args:
            starts_at, ends_at: the first moment, and the one after the last; in UTC.
            budget: in yuan.
            audience: whom it is for, see :meth:`crm_model.audience.Audience.of`.
            owner_id: whose campaign it is (default: the actor).

        Raises InvalidInput.
        """
        begin, end = checks.period(starts_at, ends_at)
        Audience.of(audience)
        checks.shapes({"plan": plan}, {"plan": checks.is_object})

        def work(changes: Changes) -> Campaign:
            return changes.add(
                Campaign(
                    name=name,
                    kind=kind,
                    starts_at=begin,
                    ends_at=end,
                    budget=budget,
                    status=PLANNED,
                    owner_id=changes.actor.operator_id if owner_id is None else owner_id,
                    plan=plan,
                    audience=audience,
                )
            )

        return self.run("plan_campaign", work)

    def campaign_audience(self, campaign_id: int) -> Iterator[Customer]:
        """Streams the customers whom a campaign is for, in order of their ids; memory is that of a page of them.

        The same data give the same customers: conditions on what happened look back from the campaign's beginning, and
        leave out what came later. Customers that are archived or that the policy does not permit are left out.

        Raises NotFound, NotPermitted; InvalidInput for an audience that is not declared as it has to be.
        """
        self.check("campaign_audience")
        return self._audience("campaign_audience", self._campaign(campaign_id))

    def start_campaign(self, campaign_id: int, *, channel: str, text: str) -> CampaignRun:
        """Contacts the audience: each customer gets an activity of kind campaign that refers to it.

        Nobody is contacted twice: after a crash, in another process or later the same call goes on with those who are
        missing, such as customers who belong to the audience since. Each page of customers is a transaction. The
        activities are what another program sends by.

        Raises:
            NotFound: there is no such campaign, or it is archived.
            Refused: it has not begun yet, or was finished.
            InvalidInput: its audience is not declared as it has to be.
        """
        audience = self._audience("start_campaign", self._campaign(campaign_id))
        campaign = self.run("start_campaign", lambda changes: _running(changes, campaign_id))
        contacted = before = 0
        while page := list(islice(audience, BATCH)):
            now = self._contact(campaign, page, channel, text)
            contacted, before = contacted + now, before + len(page) - now
        return CampaignRun(campaign, contacted, before)

    def campaign_metrics(self, campaign_id: int, *, days: int = RESPONSE_DAYS) -> CampaignMetrics:
        """What has come of a campaign so far. ``days``: how long after its end orders count, 0 or more.

        An order counts that a customer placed after they were contacted, whatever made them. The policy is asked once:
        the figures are of everybody. Raises NotFound, NotPermitted, InvalidInput.
        """
        self.check("campaign_metrics")
        return self._metrics(self._campaign(campaign_id), days)

    def finish_campaign(self, campaign_id: int, result: str, *, days: int = RESPONSE_DAYS) -> Campaign:
        """Ends a campaign with its result in words, and keeps its metrics; returns it. Done again, both are taken anew.

        ``days`` is as for :meth:`campaign_metrics`.

        Raises NotFound, NotPermitted, InvalidInput; Refused for one that was never started.
        """
        self.check("finish_campaign")
        found = self._metrics(self._campaign(campaign_id), days)
        kept = {"reached": found.reached, "buyers": found.buyers, "orders": found.orders, "amount": str(found.amount)}

        def work(changes: Changes) -> Campaign:
            campaign = changes.row(Campaign, campaign_id)
            if campaign.status == PLANNED:
                raise Refused(
                    "campaign-not-started",
                    f"campaign {campaign_id} was never started; start it, or archive it",
                    campaign_id=campaign_id,
                )
            before = campaign.metrics if checks.is_object(campaign.metrics) else {}
            return changes.change(campaign, status=FINISHED, result=result, metrics={**before, **kept})

        return self.run("finish_campaign", work)

    def _campaign(self, campaign_id: int) -> Campaign:
        found = self.find(Campaign, {"id": campaign_id})
        if not found:
            raise NotFound(Campaign.table, campaign_id)
        return found[0]

    def _audience(self, action: str, campaign: Campaign) -> Iterator[Customer]:
        audience = Audience.of(campaign.audience)
        facts = Facts(self.platform, audience.inputs, campaign.starts_at)
        found = self.stream(Customer, audience.where)
        permitted = (one for one in found if self.policy.permits(self.actor, action, one))
        pages = iter(lambda: list(islice(permitted, BATCH)), [])
        return (
            one for page in pages for one, known in zip(page, facts.of(page), strict=True) if audience.has(one, known)
        )

    def _contact(self, campaign: Campaign, page: Sequence[Customer], channel: str, text: str) -> int:
        """Contacts those of some customers who were not contacted yet; how many these are."""
        return self.run("start_campaign", lambda changes: _contact(changes, campaign, page, channel, text))

    def _metrics(self, campaign: Campaign, days: int) -> CampaignMetrics:
        until = campaign.ends_at + timedelta(days=checks.whole("days", days, 0))
        contacts = [Campaign.table, campaign.id, CAMPAIGN]
        ((reached,),) = self.answers(_REACHED, contacts)
        buyers, orders, amount = set(), 0, Decimal("0.00")
        for _, customer_id, paid in self.answers(_BOUGHT, [*contacts, until, ORDER_COMPLETED]):
            buyers.add(customer_id)
            orders, amount = orders + 1, amount + paid
        return CampaignMetrics(reached, len(buyers), orders, amount, campaign.budget)


def _running(changes: Changes, campaign_id: int) -> Campaign:
    campaign = changes.row(Campaign, campaign_id)
    if campaign.status == FINISHED:
        raise Refused(
            "campaign-finished", f"campaign {campaign_id} is finished; plan another one", campaign_id=campaign_id
        )
    if campaign.starts_at > changes.at:
        raise Refused(
            "campaign-begins-later",
            f"campaign {campaign_id} begins at {campaign.starts_at}; start it then, or edit its starts_at",
            campaign_id=campaign_id,
            starts_at=campaign.starts_at,
        )
    return changes.change(campaign, status=RUNNING)


def _contact(changes: Changes, campaign: Campaign, page: Sequence[Customer], channel: str, text: str) -> int:
    locked = changes.lock_customers([one.id for one in page])
    if changes.row(Campaign, campaign.id).status != RUNNING:
        raise Refused("campaign-finished", f"campaign {campaign.id} was finished meanwhile", campaign_id=campaign.id)
    reference = {"ref_type": Campaign.table, "ref_id": campaign.id, "kind": CAMPAIGN}
    found = changes.tx.find(Activity.table, {**reference, "customer_id": list(locked)}, columns=["customer_id"])
    done = {row["customer_id"] for row in found}
    wanted = [one.id for one in locked.values() if not one.archived and changes.permits(one) and one.id not in done]
    said = {"operator_id": changes.actor.operator_id, "channel": channel, "occurred_at": changes.at, "summary": text}
    if wanted:
        changes.add_many(Activity, [{**reference, **said, "customer_id": one} for one in wanted])
    return len(wanted)
