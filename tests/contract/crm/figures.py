"""The analyses counted by hand: plain Python over all rows of the tables, with nothing of the services.

Each takes the rows as dictionaries, however they come.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from crm_model.services.analysis import ChurnRisk, Performance, Rfm

Row = Mapping[str, Any]


def live(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if row["del_token"] == 0]


def grouped(rows: Iterable[Row], column: str) -> dict[int, list[Row]]:
    groups: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row[column]].append(row)
    return groups


def performance(read: Callable[[str], Iterable[Row]], start: datetime, stop: datetime) -> list[Performance]:
    """``read`` gives the rows of a table."""

    def then(table: str, moment: str) -> list[Row]:
        return [row for row in live(read(table)) if row[moment] is not None and start <= row[moment] < stop]

    operators = {row["id"]: row for row in read("operator")}
    won = grouped((row for row in then("opportunity", "closed_at") if row["stage"] == "赢单"), "owner_id")
    orders = grouped((row for row in then("sales_order", "ordered_at") if row["status"] != "已取消"), "owner_id")
    visits = grouped((row for row in then("activity", "occurred_at") if row["kind"] == "visit"), "operator_id")
    heard = grouped(then("feedback", "occurred_at"), "operator_id")
    found = []
    for number in {*(row["id"] for row in live(operators.values())), *won, *orders, *visits, *heard}:
        scores = [row["score"] for row in heard.get(number, ()) if row["score"] is not None]
        found.append(
            Performance(
                number,
                operators[number]["name"] if number in operators else None,
                len(won.get(number, ())),
                sum((row["amount"] for row in won.get(number, ())), Decimal(0)),
                len(orders.get(number, ())),
                sum((row["amount"] for row in orders.get(number, ())), Decimal(0)),
                len(visits.get(number, ())),
                len(scores),
                average(scores) if scores else None,
            )
        )
    return sorted(found, key=lambda one: (-one.won_amount, one.operator_id))


def average(scores: Sequence[int]) -> Decimal:
    """As MySQL gives it."""
    return (Decimal(sum(scores)) / len(scores)).quantize(Decimal("0.0001"), ROUND_HALF_UP)


def rfm(customers: Iterable[Row], orders: Iterable[Row], start: datetime, stop: datetime, bins: int = 5) -> list[Rfm]:
    there = {row["id"] for row in live(customers)}
    bought = grouped(
        (
            row
            for row in live(orders)
            if row["status"] == "已完成" and start <= row["ordered_at"] < stop and row["customer_id"] in there
        ),
        "customer_id",
    )
    last = {number: max(row["ordered_at"] for row in rows) for number, rows in bought.items()}
    days = {number: math.floor((stop - moment) / timedelta(days=1)) for number, moment in last.items()}
    amounts = {number: sum((row["amount"] for row in rows), Decimal(0)) for number, rows in bought.items()}
    r = ranked({number: -value for number, value in days.items()}, bins)
    f = ranked({number: len(rows) for number, rows in bought.items()}, bins)
    m = ranked(amounts, bins)
    return [
        Rfm(number, last[number], days[number], len(bought[number]), amounts[number], r[number], f[number], m[number])
        for number in sorted(bought)
    ]


def ranked(values: Mapping[int, Any], bins: int) -> dict[int, int]:
    """1 + floor(bins x the part of all that is worse)."""
    everything = sorted(values.values())
    return {
        number: 1 + math.floor(bins * bisect_left(everything, value) / len(everything))
        for number, value in values.items()
    }


def churn(
    customers: Iterable[Row], orders: Iterable[Row], feedback: Iterable[Row], as_of: datetime, days: int = 180
) -> list[ChurnRisk]:
    bought = grouped(
        (row for row in live(orders) if row["status"] == "已完成" and row["ordered_at"] <= as_of), "customer_id"
    )
    oldest = as_of - timedelta(days=days)
    heard = grouped((row for row in live(feedback) if oldest < row["occurred_at"] <= as_of), "customer_id")
    found = []
    for number in sorted(row["id"] for row in live(customers)):
        moments = sorted({row["ordered_at"] for row in bought.get(number, ())})
        said = heard.get(number, [])
        found.append(one_risk(number, moments, said, as_of))
    return found


def one_risk(number: int, moments: Sequence[datetime], said: Sequence[Row], as_of: datetime) -> ChurnRisk:
    silence = None
    if len(moments) > 1:
        active, observed = moments[-1] - moments[0], as_of - moments[0]
        silence = 1.0
        for _ in moments[1:]:
            silence *= active / observed
        silence = 1 - silence
    scores = [row["score"] for row in said if row["score"] is not None]
    unhappy = (5 - sum(scores) / len(scores)) / 4 if scores else None
    complaints = sum(row["kind"] == "投诉" for row in said)
    annoyed = sum(0.5**place for place in range(1, complaints + 1))
    parts = [(silence, 5), (unhappy, 3), (annoyed, 2)]
    total = sum(weight for value, weight in parts if value is not None)
    risk = sum(value * weight for value, weight in parts if value is not None) / total
    last = moments[-1] if moments else None
    return ChurnRisk(number, risk, silence, unhappy, annoyed, len(moments), last, complaints)
