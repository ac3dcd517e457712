"""Leads: caught, scored, looked after, and made customers or given up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from crm_model import checks
from crm_model.changes import Changes
from crm_model.documents import entries
from crm_model.entities import Contact, Customer, Opportunity, SalesLead
from crm_model.entities.states import (
    COMPANY,
    LEAD,
    LEAD_CONVERTED,
    LEAD_FOLLOWED,
    LEAD_NEW,
    LEAD_REJECTED,
    NORMAL,
    OPEN_LEADS,
    PERSON,
    POTENTIAL,
    PROBABILITY,
)
from crm_model.errors import InvalidInput, Refused
from crm_model.lead_scoring import SCORING, Scoring
from crm_model.model import Json
from crm_model.names import name_key, phone_key
from crm_model.service import Service

MOST_AT_ONCE: Final = 1000
_BATCH: Final = 500
_NO_CREDIT: Final = Decimal("0.00")


@dataclass(frozen=True)
class NewOpportunity:
    """What a lead may buy; ``amount`` in yuan."""

    name: str
    amount: Decimal
    expected_close: date | None = None
    needs: Sequence[str] | None = None


@dataclass(frozen=True)
class ConvertedLead:
    """A lead and what it became. ``contact``: none where it was converted elsewhere and imported so."""

    lead: SalesLead
    customer: Customer
    contact: Contact | None
    opportunity: Opportunity | None


class Leads(Service):
    """Those who may become customers.

    ``scoring`` says what gives them points, see :class:`crm_model.lead_scoring.Scoring`; ``as_of`` is the moment that
    their behaviour is looked at from, the present one where it is not given.
    """

    def add_lead(
        self,
        name: str,
        source: str,
        *,
        company: str | None = None,
        phone: str | None = None,
        owner_id: int | None = None,
        raw: Mapping[str, Json] | None = None,
        behaviours: Sequence[Mapping[str, Json]] | None = None,
        scoring: Scoring = SCORING,
    ) -> SalesLead:
        """Adds a lead with its score; returns it. Each call adds one.

        Args:
            owner_id: who looks after it (default: the actor).
            raw: as it came in, such as the fields of a form.
            behaviours: what they did already: ``[{"at": "2026-06-01T08:00:00", "kind": "试用"}]``, in UTC.

        Raises InvalidInput.
        """

        def work(changes: Changes) -> SalesLead:
            lead = SalesLead(
                name=name,
                company=company,
                phone=phone,
                source=source,
                score=0,
                status=LEAD_NEW,
                owner_id=changes.actor.operator_id if owner_id is None else owner_id,
                raw=raw,
                behaviours=behaviours,
            )
            checks.shapes(lead.values(), {"raw": checks.is_object, "behaviours": checks.is_list_of_objects})
            return changes.add(lead.but(score=scoring.score(lead, changes.at)))

        return self.run("add_lead", work)

    def note_behaviour(
        self, lead_id: int, kind: str, *, at: datetime | None = None, scoring: Scoring = SCORING
    ) -> SalesLead:
        """Adds what a lead did, and scores it; returns it. ``at``: the present moment where it is not given.

        Raises NotFound, InvalidInput.
        """
        moment = None if at is None else checks.moment("at", at)

        def work(changes: Changes) -> SalesLead:
            lead = changes.reached(SalesLead, lead_id)
            behaviour = {"at": (moment or changes.at).isoformat(), "kind": kind}
            told = lead.but(behaviours=[*entries(lead.behaviours), behaviour])
            return changes.change(lead, behaviours=told.behaviours, score=scoring.score(told, changes.at))

        return self.run("note_behaviour", work)

    def score_lead(self, lead_id: int, *, as_of: datetime | None = None, scoring: Scoring = SCORING) -> SalesLead:
        """Scores a lead as of a moment (default: now), for behaviours grow old; returns it. Raises NotFound."""

        moment = None if as_of is None else checks.moment("as_of", as_of)

        def work(changes: Changes) -> SalesLead:
            lead = changes.reached(SalesLead, lead_id)
            return changes.change(lead, score=scoring.score(lead, moment or changes.at))

        return self.run("score_lead", work)

    def score_leads(self, *, as_of: datetime | None = None, scoring: Scoring = SCORING) -> int:
        """Scores all open leads as of a moment (default: now); how many scores have changed.

        Each 500 are one transaction: where it is interrupted, those before it are done, and the same call again does
        the others.
        """
        moment, changed = self.clock() if as_of is None else checks.moment("as_of", as_of), 0
        last: int | None = 0
        while last is not None:
            last, more = self._score_batch(last, moment, scoring)
            changed += more
        return changed

    def lead_queue(self, owner_id: int, limit: int = 50) -> list[SalesLead]:
        """An owner's open leads, the likeliest first, those of one score by age; ``limit``: 1 to 1000."""
        self.check("lead_queue")
        checks.whole("limit", limit, 1, MOST_AT_ONCE)
        where = {"owner_id": owner_id, "status": OPEN_LEADS}
        return self.find(SalesLead, where, order_by=("score DESC", "id"), limit=limit)

    def nurture_lead(self, lead_id: int, text: str) -> SalesLead:
        """Notes how a lead was looked after: it is followed from then on, even where it was rejected before.

        Raises NotFound; Refused for one that is a customer: log an activity instead.
        """

        def work(changes: Changes) -> SalesLead:
            lead = _not_converted(changes.reached(SalesLead, lead_id))
            note = {"at": changes.at.isoformat(), "by": changes.actor.operator_id, "text": text}
            return changes.change(lead, status=LEAD_FOLLOWED, notes=[*entries(lead.notes), note])

        return self.run("nurture_lead", work)

    def reject_lead(self, lead_id: int, why_not_bought: str) -> SalesLead:
        """Gives a lead up, with the reason in its own words; one that is given up gets the new reason.

        Raises NotFound; InvalidInput without a reason; Refused for one that is a customer.
        """
        if not why_not_bought.strip():
            raise InvalidInput("why_not_bought", "required", "say why, in their own words")

        def work(changes: Changes) -> SalesLead:
            lead = _not_converted(changes.reached(SalesLead, lead_id))
            return changes.change(lead, status=LEAD_REJECTED, why_not_bought=why_not_bought)

        return self.run("reject_lead", work)

    def convert_lead(
        self,
        lead_id: int,
        *,
        customer_id: int | None = None,
        cust_no: str | None = None,
        opportunity: NewOpportunity | None = None,
    ) -> ConvertedLead:
        """Makes a lead a customer, or links it to one that is there; returns what it became.

        A new customer is a company where the lead has one, otherwise a person. The person of the lead becomes a
        contact, the primary one where there was none; a customer's contact of the same name and phone is taken for
        them. The lead stays as it is, with all it holds, and says what it became.

        Once converted it stays so: the same call again, after a crash or from another process, returns what it became
        and changes nothing.

        Args:
            customer_id: the customer who the lead is, where they are one already.
            cust_no: of a new customer (default: ``L`` and the lead's id in nine digits).
            opportunity: one to begin with, in the first stage, of the lead's owner.

        Raises:
            NotFound: there is no such lead or customer, or it is archived.
            Refused: it became another customer than the one named.
            InvalidInput: a number is given for a customer that is there.
            platform_store.Conflict: the number of a new customer is another's.
        """
        if customer_id is not None and cust_no is not None:
            raise InvalidInput(
                "cust_no",
                "one-or-the-other",
                "a customer that is there has its number; leave out one of the two",
                other="customer_id",
            )

        def work(changes: Changes) -> ConvertedLead:
            customer = None if customer_id is None else changes.customer(customer_id)
            lead = changes.reached(SalesLead, lead_id)
            if lead.customer_id is not None:
                return _converted(changes, lead, lead.customer_id, customer)
            customer = customer or changes.add(_customer(lead, cust_no))
            contact = _contact(changes, lead, customer)
            begun = None if opportunity is None else changes.add(_opportunity(changes, lead, customer, opportunity))
            lead = changes.change(
                lead,
                status=LEAD_CONVERTED,
                converted_at=changes.at,
                customer_id=customer.id,
                contact_id=contact.id,
                opportunity_id=None if begun is None else begun.id,
            )
            return ConvertedLead(lead, customer, contact, begun)

        return self.run("convert_lead", work)

    def _score_batch(self, after: int, as_of: datetime, scoring: Scoring) -> tuple[int | None, int]:
        def work(changes: Changes) -> tuple[int | None, int]:
            leads = changes.rows(SalesLead, {"status": OPEN_LEADS}, after={"id": after}, limit=_BATCH)
            scored = [changes.change(lead, score=scoring.score(lead, as_of)) for lead in leads]
            changed = sum(new is not old for new, old in zip(scored, leads, strict=True))
            return (leads[-1].id if len(leads) == _BATCH else None), changed

        return self.run("score_leads", work)


def _not_converted(lead: SalesLead) -> SalesLead:
    if lead.customer_id is not None:
        raise Refused(
            "lead-converted",
            f"sales_lead {lead.id} is customer {lead.customer_id} already; go on there",
            lead_id=lead.id,
            customer_id=lead.customer_id,
        )
    return lead


def _converted(changes: Changes, lead: SalesLead, customer_id: int, named: Customer | None) -> ConvertedLead:
    if named is not None and named.id != customer_id:
        raise Refused(
            "lead-of-another-customer",
            f"sales_lead {lead.id} became customer {customer_id}, not {named.id}; merge the two where they are one",
            lead_id=lead.id,
            customer_id=customer_id,
        )
    contact, opportunity = lead.contact_id, lead.opportunity_id
    return ConvertedLead(
        lead,
        customer=named or changes.customer(customer_id),
        contact=None if contact is None else changes.row(Contact, contact, archived=True),
        opportunity=None if opportunity is None else changes.row(Opportunity, opportunity, archived=True),
    )


def _customer(lead: SalesLead, cust_no: str | None) -> Customer:
    name = lead.company or lead.name
    return Customer(
        cust_no=cust_no or f"L{lead.id:09d}",
        name=name,
        kind=COMPANY if lead.company else PERSON,
        status=NORMAL,
        phone=lead.phone,
        credit_limit=_NO_CREDIT,
        stage=POTENTIAL,
        source=lead.source,
        owner_id=lead.owner_id,
    )


def _contact(changes: Changes, lead: SalesLead, customer: Customer) -> Contact:
    there = changes.rows(Contact, {"customer_id": customer.id})
    for contact in there:
        if (phone_key(contact.phone), contact.name_key) == (phone_key(lead.phone), name_key(lead.name)):
            return contact
    primary = not any(contact.is_primary for contact in there)
    return changes.add(
        Contact(
            customer_id=customer.id,
            name=lead.name,
            phone=lead.phone,
            is_primary=int(primary),
        )
    )


def _opportunity(changes: Changes, lead: SalesLead, customer: Customer, given: NewOpportunity) -> Opportunity:
    return Opportunity(
        customer_id=customer.id,
        owner_id=lead.owner_id,
        name=given.name,
        stage=LEAD,
        probability=PROBABILITY[LEAD],
        amount=given.amount,
        expected_close=given.expected_close,
        source=lead.source,
        last_stage_at=changes.at,
        needs=None if given.needs is None else list(given.needs),
        stage_log=[{"stage": LEAD, "at": changes.at.isoformat(), "probability": PROBABILITY[LEAD]}],
    )
