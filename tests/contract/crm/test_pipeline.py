"""Opportunities: which stage leads where, what each change leaves behind, and the funnel at any moment."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from crm_model import Actor, Crm, InvalidInput, NotFound, NotPermitted, Refused, RolePolicy
from crm_model.audit import decoded
from crm_model.entities import AuditLog, Opportunity
from crm_model.entities.states import LEAD, LOST, NEED, NEGOTIATION, OPEN_STAGES, PROBABILITY, PROPOSAL, WON
from crm_model.services.pipeline import TRANSITIONS, FunnelStage
from platform_store import JsonText
from tests.contract.crm import make
from tests.contract.crm.conftest import Clock

PRICE = {"reason": "价格", "to": "联通"}


def add(crm: Crm, stage: str = LEAD, **columns: Any) -> Opportunity:
    """An opportunity of a new customer, in this stage from now on."""
    given: dict[str, Any] = {
        "customer_id": make.customer(crm).id,
        "owner_id": 1,
        "name": "专线新建",
        "stage": stage,
        "probability": PROBABILITY.get(stage, 50),
        "amount": Decimal("100.00"),
        "last_stage_at": crm.clock(),
        **columns,
    }
    return crm.add(Opportunity(**given))


def stored(crm: Crm, opportunity_id: int) -> Opportunity:
    row = crm.platform.read("opportunity", opportunity_id)
    assert row is not None
    return Opportunity.of(row)


def entries(crm: Crm, opportunity: Opportunity) -> list[AuditLog]:
    return crm.find(AuditLog, {"entity": "opportunity", "entity_id": opportunity.id})


def test_a_stage_is_reached_with_its_moment_log_and_entry(crm: Crm, clock: Clock) -> None:
    opportunity = add(crm)
    clock.now += timedelta(days=3)
    moved = crm.advance_stage(opportunity.id, PROPOSAL)
    at = moved.last_stage_at
    assert at == clock.now
    assert moved == stored(crm, moved.id)
    assert moved == opportunity.but(
        stage=PROPOSAL,
        probability=45,
        last_stage_at=at,
        stage_log=[
            {"stage": LEAD, "at": opportunity.last_stage_at.isoformat(), "probability": 10},
            {"stage": PROPOSAL, "at": at.isoformat(), "probability": 45},
        ],
        version=2,
        updated_at=at,
    )
    entry = entries(crm, moved)[1]
    assert (entry.action, entry.at) == ("advance_stage", at)
    assert decoded(Opportunity, entry.before_state)["stage"] == LEAD
    assert decoded(Opportunity, entry.after_state)["stage_log"] == moved.stage_log


def test_a_log_that_is_there_is_continued(crm: Crm) -> None:
    log = [{"stage": LEAD, "at": "2026-01-02T03:04:05"}, "有人写的"]
    opportunity = add(crm, stage_log=log)
    assert crm.advance_stage(opportunity.id, NEED, probability=30).stage_log[:2] == log
    assert [entry["stage"] for entry in crm.advance_stage(opportunity.id, LEAD).stage_log[2:]] == [NEED, LEAD]


@pytest.mark.parametrize("written", ["有人写的", {"stage": LEAD}])
def test_a_log_of_another_form_is_not_lost(crm: Crm, written: Any) -> None:
    log = crm.advance_stage(add(crm, stage_log=written).id, NEED).stage_log
    assert (log[0], [entry["stage"] for entry in log[1:]]) == (written, [NEED])


@pytest.mark.parametrize("written", [None, JsonText("null"), []])
def test_a_log_that_says_nothing_begins_with_the_stage_before(crm: Crm, written: Any) -> None:
    log = crm.advance_stage(add(crm, stage_log=written).id, NEED).stage_log
    assert [entry["stage"] for entry in log] == [LEAD, NEED]


def test_winning_and_losing_close_it(crm: Crm) -> None:
    won = crm.advance_stage(add(crm).id, WON)
    assert (won.probability, won.closed_at) == (100, won.last_stage_at)
    lost = crm.advance_stage(add(crm, NEGOTIATION).id, LOST, lost=PRICE)
    assert (lost.probability, lost.closed_at, lost.lost) == (0, lost.last_stage_at, PRICE)


def test_a_lost_one_may_be_opened_again(crm: Crm) -> None:
    lost = crm.advance_stage(add(crm).id, LOST, lost=PRICE)
    opened = crm.advance_stage(lost.id, NEGOTIATION)
    assert (opened.closed_at, opened.lost, opened.probability) == (None, None, 70)
    assert [entry["stage"] for entry in opened.stage_log] == [LEAD, LOST, NEGOTIATION]
    assert decoded(Opportunity, entries(crm, lost)[-1].before_state)["lost"] == PRICE


@pytest.mark.parametrize("stage", PROBABILITY)
def test_what_leads_where(crm: Crm, stage: str) -> None:
    """Each stage has its ways, and every other is refused; nothing is changed then."""
    for target in PROBABILITY:
        opportunity = add(crm, stage)
        reason = PRICE if target == LOST else None
        if target == stage or target in TRANSITIONS[stage]:
            assert crm.advance_stage(opportunity.id, target, lost=reason).stage == target
        else:
            with pytest.raises(Refused, match=f"opportunity {opportunity.id} is {stage} and cannot go to {target}"):
                crm.advance_stage(opportunity.id, target, lost=reason)
            assert stored(crm, opportunity.id) == opportunity


def test_ways_are_as_they_are_documented() -> None:
    assert all(set(TRANSITIONS[stage]) == set(PROBABILITY) for stage in OPEN_STAGES)
    assert (set(TRANSITIONS[LOST]), TRANSITIONS[WON]) == (set(OPEN_STAGES), ())


def test_an_application_has_a_stage_of_its_own(crm: Crm) -> None:
    opportunity = add(crm, stage="试用")
    assert crm.advance_stage(opportunity.id, WON).stage_log[0]["stage"] == "试用"


def test_the_same_stage_again_changes_nothing(crm: Crm) -> None:
    lost = crm.advance_stage(add(crm).id, LOST, lost=PRICE)
    assert crm.advance_stage(lost.id, LOST, lost=PRICE) == lost
    assert len(entries(crm, lost)) == 2
    assert crm.advance_stage(lost.id, LOST, lost={"reason": "服务"}).lost == {"reason": "服务"}


def test_the_same_stage_with_another_probability(crm: Crm, clock: Clock) -> None:
    need = crm.advance_stage(add(crm).id, NEED)
    again = crm.advance_stage(need.id, NEED, probability=0)
    assert again == need.but(probability=0, version=3, updated_at=clock.now)


@pytest.mark.parametrize(
    ("stage", "probability", "lost", "field"),
    [
        ("成交", None, None, "stage"),
        ("", None, None, "stage"),
        (NEED, 101, None, "probability"),
        (NEED, -1, None, "probability"),
        (WON, 99, None, "probability"),
        (LOST, 5, PRICE, "probability"),
        (LOST, None, None, "lost"),
        (LOST, None, {"to": "联通"}, "lost"),
        (LOST, None, {"reason": " "}, "lost"),
        (LOST, None, {"reason": None}, "lost"),
        (WON, None, PRICE, "lost"),
    ],
)
def test_what_makes_no_sense(crm: Crm, stage: str, probability: int | None, lost: Any, field: str) -> None:
    opportunity = add(crm)
    with pytest.raises(InvalidInput) as raised:
        crm.advance_stage(opportunity.id, stage, probability=probability, lost=lost)
    assert raised.value.field == field
    assert stored(crm, opportunity.id) == opportunity


def test_only_what_is_there_and_permitted(crm: Crm) -> None:
    opportunity = add(crm)
    with pytest.raises(NotFound, match="999999999"):
        crm.advance_stage(999_999_999, WON)
    policy = RolePolicy({"客户经理": ["advance_stage"]}, own_customers=["客户经理"])
    other = Crm(crm.platform, Actor(2, "客户经理"), policy=policy, clock=crm.clock)
    with pytest.raises(NotPermitted, match="operator 2"):
        other.advance_stage(opportunity.id, WON)
    with pytest.raises(NotPermitted, match="funnel"):
        other.funnel()
    crm.archive(Opportunity, opportunity.id)
    with pytest.raises(NotFound, match="archived"):
        crm.advance_stage(opportunity.id, WON)


class Stood(NamedTuple):
    """What a test knows about an opportunity: when it came to which stage, with which probability."""

    at: datetime
    stage: str
    probability: int


def expected(histories: dict[int, tuple[Decimal, list[Stood]]], as_of: datetime) -> list[FunnelStage]:
    """The funnel that these opportunities make, counted by hand."""
    order = [LEAD, NEED, PROPOSAL, NEGOTIATION, WON]
    found = []
    for stage in PROBABILITY:
        standing = [
            (amount, past[-1].probability)
            for amount, history in histories.values()
            if (past := [one for one in history if one.at <= as_of]) and past[-1].stage == stage
        ]
        paths = [[one.stage for one in history if one.at <= as_of] for _, history in histories.values()]
        entered = [path[path.index(stage) + 1 :] for path in paths if stage in path]
        later = set(order[order.index(stage) + 1 :]) if stage in order else set()
        amounts = sum((amount for amount, _ in standing), Decimal(0))
        weighted = sum((amount * percent / 100 for amount, percent in standing), Decimal(0))
        advanced = sum(bool(later.intersection(path)) for path in entered)
        found.append(FunnelStage(stage, len(standing), amounts, weighted, len(entered), advanced))
    return found


def difference(after: list[FunnelStage], before: list[FunnelStage]) -> Iterator[FunnelStage]:
    """What has been added to a funnel, stage by stage; an application's own stages come last, and are left out."""
    for one, other in zip(after[: len(PROBABILITY)], before, strict=False):
        assert one.stage == other.stage
        yield FunnelStage(
            one.stage,
            one.count - other.count,
            one.amount - other.amount,
            one.weighted - other.weighted,
            one.entered - other.entered,
            one.advanced - other.advanced,
        )


def test_the_funnel_at_any_moment(crm: Crm, clock: Clock) -> None:
    """Opportunities wander at random; at several moments, the funnel is what was true then."""
    draw = random.Random(6)
    clock.now = datetime(2020, 1, 1)
    before, before_all = crm.funnel(clock.now), crm.funnel()
    histories: dict[int, tuple[Decimal, list[Stood]]] = {}
    moments = []
    for _ in range(60):
        clock.now += timedelta(hours=draw.randrange(1, 40))
        known = list(histories)
        if len(known) < 6 or draw.random() < 0.15:
            stage, amount = draw.choice(OPEN_STAGES), Decimal(draw.randrange(1, 10_000_000)).scaleb(-2)
            opportunity = add(crm, stage, amount=amount)
            histories[opportunity.id] = (amount, [Stood(opportunity.last_stage_at, stage, opportunity.probability)])
        else:
            opportunity = stored(crm, draw.choice(known))
            ways = [stage for stage in TRANSITIONS[opportunity.stage] if stage != opportunity.stage]
            if not ways:
                continue
            stage = draw.choice(ways)
            percent = draw.randrange(101) if stage in OPEN_STAGES and draw.random() < 0.5 else None
            reason = PRICE if stage == LOST else None
            moved = crm.advance_stage(opportunity.id, stage, probability=percent, lost=reason)
            histories[moved.id][1].append(Stood(moved.last_stage_at, stage, moved.probability))
        moments.append(clock.now)
    assert {one.stage for _, history in histories.values() for one in history} == set(PROBABILITY)
    exact = [history[-1].at for _, history in histories.values()]
    for moment in [*moments[::9], *exact[:3], exact[0] - timedelta(milliseconds=1), moments[-1]]:
        assert list(difference(crm.funnel(moment), before)) == expected(histories, moment)
    assert list(difference(crm.funnel(), before_all)) == expected(histories, moments[-1])


def weighted(crm: Crm, stage: str, as_of: datetime) -> Decimal:
    return next(one.weighted for one in crm.funnel(as_of) if one.stage == stage)


def test_a_probability_set_later_counts_while_the_stage_lasts(crm: Crm, clock: Clock) -> None:
    clock.now = datetime(2018, 1, 1)
    opportunity = crm.advance_stage(add(crm, amount=Decimal("100.00")).id, NEED)
    then = clock.now
    crm.advance_stage(opportunity.id, NEED, probability=90)
    assert weighted(crm, NEED, then) == 90
    crm.advance_stage(opportunity.id, WON)
    assert weighted(crm, NEED, then) == 25
    crm.archive(Opportunity, opportunity.id)


def test_a_log_out_of_order(crm: Crm, clock: Clock) -> None:
    clock.now = datetime(2018, 2, 1)
    days = {NEED: 3, LEAD: 1, PROPOSAL: 5}
    log = [{"stage": stage, "at": f"2018-01-0{day}T00:00:00"} for stage, day in days.items()]
    opportunity = add(crm, PROPOSAL, last_stage_at=datetime(2018, 1, 5), stage_log=log)
    for stage, day in days.items():
        assert {one.stage for one in crm.funnel(datetime(2018, 1, day, 12)) if one.count} == {stage}
    crm.archive(Opportunity, opportunity.id)


def test_the_funnel_of_dirty_and_missing_logs(crm: Crm, clock: Clock) -> None:
    """A log in free form says what it can; the columns say the rest."""
    clock.now = datetime(2019, 1, 10)
    day = datetime(2019, 1, 1)
    add(crm, NEED, last_stage_at=day, amount=Decimal("1.00"))
    add(crm, NEED, last_stage_at=day, amount=Decimal("2.00"), stage_log=[7, {"stage": LEAD}, {"stage": 1, "at": "x"}])
    add(crm, NEED, last_stage_at=day, amount=Decimal("4.00"), stage_log={"stage": LEAD, "at": day.isoformat()})
    tokyo = "2019-01-01T03:00:00+09:00"
    add(
        crm,
        WON,
        last_stage_at=day,
        amount=Decimal("8.00"),
        stage_log=[{"stage": WON, "at": day.isoformat()}, {"stage": LEAD, "at": tokyo}, {"stage": NEED, "at": "昨天"}],
    )
    archived = add(crm, NEED, last_stage_at=day)
    crm.archive(Opportunity, archived.id)
    eve = {one.stage: one for one in crm.funnel(day - timedelta(milliseconds=1))}
    assert [(one.stage, one.amount) for one in eve.values() if one.count] == [(LEAD, Decimal("8.00"))]
    assert eve[LEAD].weighted == Decimal("0.80")  # entered with the usual probability, since the log says none
    then = {one.stage: one for one in crm.funnel(day)}
    assert (then[NEED].count, then[NEED].amount, then[WON].amount) == (3, Decimal("7.00"), Decimal("8.00"))
    assert then[LEAD] == FunnelStage(LEAD, 0, Decimal(0), Decimal(0), 2, 2)
    assert then[LEAD].conversion == 1.0
    assert then[NEED].conversion == 0.0
    assert then[PROPOSAL].conversion is None
    assert then[WON].conversion is None
