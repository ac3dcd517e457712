"""Figures, and the ten questions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import islice
from typing import TypeVar

from crm_model.crm import Crm
from crm_model.queries import QUESTIONS
from crm_model.sample.planted import FOUND, MISSED
from crm_model.sample.sizes import BEGIN, END
from crm_model.story.page import Page, check
from platform_store import NotSupported

T = TypeVar("T")

_FEW = 4
_REAL_SERVERS = "real servers: give --mysql URL and --mongodb URL"


def numbers(crm: Crm, page: Page) -> None:
    """The funnel, who buys, who may leave, and who sells."""
    page.heading("Figures")
    stages = crm.funnel()
    page.rows(
        ("stage", "count", "amount", "weighted", "went on"),
        [(one.stage, one.count, one.amount, one.weighted, one.conversion) for one in stages],
    )
    check("the stages", len(stages) > 0, True)
    best = _answered(
        page, "rfm()", lambda: sorted(crm.rfm(BEGIN, END), key=lambda one: (-one.r - one.f - one.m, one.customer_id))
    )
    if best is not None:
        page.say(f"rfm(): {len(best)} customers by recency, frequency and amount; the best:")
        page.rows(
            ("customer", "days ago", "orders", "yuan", "R", "F", "M"),
            [
                (one.customer_id, one.recency_days, one.frequency, one.monetary, one.r, one.f, one.m)
                for one in best[:_FEW]
            ],
        )
    risks = _answered(
        page, "churn_risk()", lambda: sorted(crm.churn_risk(END), key=lambda one: (-one.risk, one.customer_id))
    )
    if risks is not None:
        page.say("churn_risk(): what speaks most for leaving:")
        page.rows(
            ("customer", "risk", "silence", "dissatisfaction", "annoyance"),
            [(one.customer_id, one.risk, one.silence, one.dissatisfaction, one.annoyance) for one in risks[:_FEW]],
        )
    start = datetime(END.year, 1, 1)
    sellers = _answered(page, "sales_performance()", lambda: crm.sales_performance(start, END))
    if sellers is not None:
        page.say(f"sales_performance() since {start:%Y-%m-%d}:")
        page.rows(
            ("operator", "name", "won", "yuan", "visits", "satisfaction"),
            [
                (one.operator_id, one.name, one.won, one.won_amount, one.visits, one.satisfaction)
                for one in sellers[:_FEW]
            ],
        )


def asked(crm: Crm, page: Page) -> None:
    """Each question is one SELECT over columns of both stores."""
    page.heading("Ten questions of the business, each one SELECT over both stores")
    told, refused = [], 0
    for question in QUESTIONS:
        try:
            with crm.platform.query(question.sql) as result:
                rows = result.all()
        except NotSupported as error:
            refused += 1
            told.append((question.number, question.about, f"refused: {error}"))
            continue
        found = {row[0] for row in rows}
        check(f"what query {question.number} finds", found.issuperset(FOUND[question.number]), True)
        check(f"what query {question.number} misses", found.isdisjoint(MISSED.get(question.number, ())), True)
        told.append((question.number, question.about, f"{len(rows)} rows, the first: {_shown(rows[0])}"))
    page.rows(("", "question", "answer"), told)
    if refused:
        page.say(
            f"{refused} go beyond the SQL of the embedded pair, and are refused by name. They need {_REAL_SERVERS}."
        )


def _answered(page: Page, what: str, ask: Callable[[], T]) -> T | None:
    """None, said with the way out, where the embedded pair does not answer."""
    try:
        return ask()
    except NotSupported:
        page.say(f"{what} needs {_REAL_SERVERS}.", "yellow")
        return None


def _shown(row: Iterable[object]) -> str:
    return ", ".join("NULL" if value is None else str(value) for value in islice(row, _FEW))
