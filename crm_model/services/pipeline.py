"""Opportunities on their way to a sale: brought from stage to stage, and counted as a funnel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from crm_model import checks, documents
from crm_model.changes import Changes
from crm_model.entities import Opportunity
from crm_model.entities.states import LOST, OPEN_STAGES, PROBABILITY, WON
from crm_model.errors import InvalidInput, Refused
from crm_model.service import Service

CLOSED_STAGES: Final = (WON, LOST)

TRANSITIONS: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(OPEN_STAGES, tuple(PROBABILITY)),
    LOST: OPEN_STAGES,
    WON: (),
}
"""Where an opportunity may go from each stage.

From an open one to any other: on, past some, back, won or lost. A lost one may be opened again; a won one stays won.
From a stage that an application has of its own, anywhere.
"""

_CLIMB: Final = (*OPEN_STAGES, WON)
_FUNNEL_COLUMNS: Final = ("del_token", "stage", "probability", "amount", "last_stage_at", "stage_log")


@dataclass(frozen=True)
class FunnelStage:
    """The opportunities of one stage.

    count, amount (yuan): of those that stand in it; weighted: the sum of amount x probability / 100. entered: how many
    have ever come to it, those that stand in it included; advanced: how many of these came to a later stage afterwards
    (of 线索, 需求, 方案, 谈判, 赢单).
    """

    stage: str
    count: int
    amount: Decimal
    weighted: Decimal
    entered: int
    advanced: int

    @property
    def conversion(self) -> float | None:
        """The part that went on from here, 0 to 1; None where none came here, and for the last stages."""
        return self.advanced / self.entered if self.entered and self.stage not in CLOSED_STAGES else None


class Pipeline(Service):
    """Opportunities and their stages."""

    def advance_stage(
        self,
        opportunity_id: int,
        stage: str,
        *,
        probability: int | None = None,
        lost: Mapping[str, Any] | None = None,
    ) -> Opportunity:
        """Brings an opportunity to a stage, and adds it to its ``stage_log``; returns it as it is now.

        Where it is in that stage already, only ``probability`` and ``lost`` change, where they are given: the same call
        again changes nothing. A won or lost one is closed; one that is opened again is not, and its ``lost`` is gone
        (the audit has it). :data:`TRANSITIONS` says what leads where.

        Args:
            probability: in percent; without it, that of the stage (states.PROBABILITY). 赢单 is 100 and 流失 0, always.
            lost: ``{"reason": ..., "to": ...}``, why and to whom: for 流失, where it has to have a reason; ``to`` and
                anything else may be left out.

        Raises NotFound, NotPermitted, InvalidInput; Refused where no way leads from its stage to this one.
        """
        _check(stage, probability, lost)

        def work(changes: Changes) -> Opportunity:
            found = changes.reached(Opportunity, opportunity_id)
            given: dict[str, Any] = {"probability": probability, "lost": None if lost is None else dict(lost)}
            if found.stage == stage:
                return changes.change(found, **{name: value for name, value in given.items() if value is not None})
            if stage not in TRANSITIONS.get(found.stage, PROBABILITY):
                raise Refused(
                    "no-such-way",
                    f"opportunity {opportunity_id} is {found.stage} and cannot go to {stage}: {_way_out(stage)}",
                    opportunity_id=opportunity_id,
                    stage=found.stage,
                    wanted=stage,
                )
            percent = PROBABILITY[stage] if probability is None else probability
            return changes.change(
                found,
                stage=stage,
                probability=percent,
                last_stage_at=changes.at,
                closed_at=changes.at if stage in CLOSED_STAGES else None,
                lost=given["lost"],
                stage_log=[*_log(found), {"stage": stage, "at": changes.at.isoformat(), "probability": percent}],
            )

        return self.run("advance_stage", work)

    def funnel(self, as_of: datetime | None = None) -> list[FunnelStage]:
        """Every stage in order, with the opportunities in it; then other stages that an application has.

        Args:
            as_of: a moment, in UTC unless it says its zone. Every opportunity counts in the stage in which it stood
                then, as its ``stage_log`` says; what came to a stage later has not happened. Its amount is the present
                one, and so is the probability where it has not left the stage since; otherwise that with which it came
                there. One that has no log counts from ``last_stage_at`` on. None: as they stand now.

        Archived opportunities are left out, whatever the moment; those of archived customers are not. The policy is
        asked once: the funnel is of everybody. Each opportunity is read once, whole; memory is that of a batch. Raises
        NotPermitted.
        """
        self.check("funnel")
        then = None if as_of is None else checks.moment("as_of", as_of)
        counts = {stage: _Counted() for stage in PROBABILITY}
        for row in self.platform.scan(Opportunity.table, columns=_FUNNEL_COLUMNS):
            if not row["del_token"]:
                _count(row, then, counts)
        return [
            FunnelStage(stage, one.count, one.amount, one.weighted, one.entered, one.advanced)
            for stage, one in counts.items()
        ]


@dataclass
class _Counted:
    """One stage while it is counted."""

    count: int = 0
    amount: Decimal = field(default_factory=Decimal)
    weighted: Decimal = field(default_factory=Decimal)
    entered: int = 0
    advanced: int = 0


def _count(row: Mapping[str, Any], then: datetime | None, counts: dict[str, _Counted]) -> None:
    path = [step for step in _path(row) if then is None or step.at <= then]
    for stage, advanced in _reached(path):
        entered = counts.setdefault(stage, _Counted())
        entered.entered += 1
        entered.advanced += advanced
    if path:
        stands = counts[path[-1].stage]
        stands.count += 1
        stands.amount += row["amount"]
        stands.weighted += (row["amount"] * path[-1].probability).scaleb(-2)


class _Step(NamedTuple):
    """An entry of a stage log."""

    stage: str
    at: datetime
    probability: int


def _check(stage: str, probability: int | None, lost: Mapping[str, Any] | None) -> None:
    if stage not in PROBABILITY:
        raise InvalidInput(
            "stage", "not-a-choice", f"it is one of {', '.join(PROBABILITY)}, not {stage!r}", choices=tuple(PROBABILITY)
        )
    if probability is not None:
        checks.whole("probability", probability, 0, 100)
    if stage in CLOSED_STAGES and probability not in (None, PROBABILITY[stage]):
        raise InvalidInput(
            "probability", "not-of-stage", f"of {stage} it is {PROBABILITY[stage]}; leave it out", stage=stage
        )
    if stage == LOST and not str((lost or {}).get("reason") or "").strip():
        raise InvalidInput("lost", "required", f'{stage} has to have a reason: lost={{"reason": ..., "to": ...}}')
    if stage != LOST and lost is not None:
        raise InvalidInput("lost", "not-of-stage", f"it is for {LOST} alone, not for {stage}", stage=stage)


def _way_out(stage: str) -> str:
    return (
        "add an opportunity of its own"
        if stage in OPEN_STAGES
        else f"bring it to one of {', '.join(OPEN_STAGES)} first"
    )


def _log(opportunity: Opportunity) -> list[Any]:
    """The log as it stands; where there is none, it begins with the stage that is left now."""
    begun = {"stage": opportunity.stage, "at": opportunity.last_stage_at.isoformat()}
    return documents.entries(opportunity.stage_log) or [{**begun, "probability": opportunity.probability}]


def _path(row: Mapping[str, Any]) -> list[_Step]:
    """The stages that an opportunity came to, in order of time; the last one is that of its columns."""
    path = sorted(_steps(documents.entries(row["stage_log"])), key=lambda step: step.at)
    if path and path[-1].stage == row["stage"]:
        path[-1] = path[-1]._replace(probability=row["probability"])
    else:  # no log, or the stage was set past the service
        path.append(_Step(row["stage"], row["last_stage_at"], row["probability"]))
    return path


def _steps(log: Iterable[Any]) -> Iterator[_Step]:
    """The entries of a log that say a stage and a moment; in free form, others may stand there too."""
    for entry in log:
        match entry:
            case {"stage": str(stage), "at": str(written)}:
                at = _moment(written)
                percent = entry.get("probability")
                if at is not None:
                    yield _Step(stage, at, percent if isinstance(percent, int) else PROBABILITY.get(stage, 0))


def _moment(written: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(written)
    except ValueError:
        return None
    return checks.moment("at", at)


def _reached(path: list[_Step]) -> Iterator[tuple[str, bool]]:
    """Each stage of a path once, with whether a later one of the climb was reached after it."""
    highest = -1
    found: dict[str, bool] = {}
    for step in reversed(path):
        rank = _CLIMB.index(step.stage) if step.stage in _CLIMB else -1
        found[step.stage] = 0 <= rank < highest
        highest = max(highest, rank)
    yield from found.items()
