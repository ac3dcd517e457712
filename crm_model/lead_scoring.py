"""How likely a lead is to buy: a sum of points, declared as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from crm_model import checks
from crm_model.documents import entries
from crm_model.entities import SalesLead
from crm_model.errors import InvalidInput

MOST: Final = 100


@dataclass(frozen=True)
class Scoring:
    """What gives a lead its points, whole numbers; the score is their sum, 0 at least and 100 at most.

    Args:
        fields: points of a column that holds something, such as ``phone``.
        sources: points of where the lead came from; none for a source that is not here.
        behaviours: for each kind of behaviour the points of one, and how many of them count at most.
        days: only behaviours of so many days count, those of ``as_of`` and exactly so long before it included.
    """

    fields: Mapping[str, int]
    sources: Mapping[str, int]
    behaviours: Mapping[str, tuple[int, int]]
    days: int

    def __post_init__(self) -> None:
        unknown = self.fields.keys() - set(SalesLead.fields)
        if unknown:
            raise InvalidInput(
                "fields",
                "not-a-column",
                f"has {sorted(unknown)}; give columns of {SalesLead.table}",
                table=SalesLead.table,
            )
        checks.whole("days", self.days, 0)

    def points(self, lead: SalesLead, as_of: datetime) -> dict[str, int]:
        """What each part gives: ``{"phone": 15, "source": 30, "试用": 25}``. Parts that give nothing are left out."""
        points = {name: worth for name, worth in self.fields.items() if getattr(lead, name) not in (None, "")}
        points["source"] = self.sources.get(lead.source, 0)
        begin = as_of - timedelta(days=self.days)
        kinds = [kind for at, kind in map(_behaviour, entries(lead.behaviours)) if at and begin <= at <= as_of]
        for kind, (worth, most) in self.behaviours.items():
            points[kind] = points.get(kind, 0) + worth * min(kinds.count(kind), most)
        return {name: worth for name, worth in points.items() if worth}

    def score(self, lead: SalesLead, as_of: datetime) -> int:
        """The score as of a moment: it follows from the lead and these parameters alone."""
        return min(max(sum(self.points(lead, as_of).values()), 0), MOST)


SCORING: Final = Scoring(
    fields=MappingProxyType({"phone": 15, "company": 10}),
    sources=MappingProxyType({"转介绍": 30, "活动": 20, "网站": 15, "名单": 5}),
    behaviours=MappingProxyType(
        {"试用": (25, 1), "咨询": (12, 2), "下载资料": (6, 3), "浏览": (2, 5), "打开邮件": (2, 5)}
    ),
    days=90,
)
"""The points where nothing else is said: who can be reached and came by referral is half way, a trial does much."""


def _behaviour(entry: Any) -> tuple[datetime | None, str]:
    """When and what; no time for an entry that is not of the form described."""
    if not isinstance(entry, Mapping) or not isinstance(entry.get("kind"), str):
        return None, ""
    try:
        return checks.moment("at", datetime.fromisoformat(entry["at"])), entry["kind"]
    except (KeyError, TypeError, ValueError):
        return None, ""
