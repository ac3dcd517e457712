"""What happens with customers: contacts of every kind, what they say, and what is to be done."""

from __future__ import annotations

from datetime import datetime

from crm_model import column
from crm_model.model import Json, Standard


class Activity(
    Standard,
    table="activity",
    indexes=(
        ("customer_id", "occurred_at", "id"),
        ("operator_id", "occurred_at"),
        ("ref_type", "ref_id", "customer_id"),
        ("customer_id", "kind", "occurred_at", "id"),
    ),
):
    """A visit, call, care, gift, email, meeting or campaign contact: one table, so that a timeline is one index range.

    contact_id: the person met; ref_type and ref_id: the row it is about, such as an opportunity. summary: what was
    said; competitors [{name, quote, threat}]; outcome {intent, next_step}; care {category, effect} and gift {sku, qty}
    where it is one; gps {lat, lng}; tags[]; attachments [{name, mime, size, sha256, uri}]; custom{}.
    """

    customer_id: int = column.reference()
    operator_id: int = column.reference()
    contact_id: int | None = column.reference(default=None)
    kind: str = column.code()
    channel: str = column.code()
    occurred_at: datetime = column.moment()
    duration_min: int | None = column.number(default=None)
    ref_type: str | None = column.code(default=None)
    ref_id: int | None = column.reference(default=None, by="ref_type")
    summary: str | None = column.prose(default=None)
    competitors: Json = column.json(default=None)
    outcome: Json = column.json(default=None)
    care: Json = column.json(default=None)
    gift: Json = column.json(default=None)
    gps: Json = column.json(default=None)
    tags: Json = column.json(default=None)
    attachments: Json = column.json(default=None)
    custom: Json = column.json(default=None)


class Feedback(
    Standard,
    table="feedback",
    indexes=("occurred_at", ("customer_id", "occurred_at"), ("operator_id", "occurred_at"), ("kind", "status")),
):
    """What a customer said about us: a survey, a complaint (投诉), praise or a suggestion.

    activity_id: the contact it was said in; score: 1 to 5. text: their words; tags[]; answers {question: answer};
    product{}: as they call it; handling [{at, by, note}]; attachments[].
    """

    customer_id: int = column.reference()
    operator_id: int = column.reference()
    activity_id: int | None = column.reference(default=None)
    product_id: int | None = column.reference(default=None)
    kind: str = column.code()
    channel: str = column.code()
    score: int | None = column.small(default=None)
    status: str = column.code()
    occurred_at: datetime = column.moment()
    resolved_at: datetime | None = column.moment(default=None)
    text: str | None = column.prose(default=None)
    tags: Json = column.json(default=None)
    answers: Json = column.json(default=None)
    product: Json = column.json(default=None)
    handling: Json = column.json(default=None)
    attachments: Json = column.json(default=None)


class Task(
    Standard,
    table="task",
    unique=("dedupe_key",),
    indexes=(("status", "remind_at"), ("assignee_id", "status", "due_at"), ("customer_id", "status")),
):
    """Something to do by a moment.

    priority: 1 is the most urgent; done_at: when it was completed; origin: 人工 or the rule that raised it; dedupe_key:
    rule:customer:period, so that a rule raises one task once. rule {code, inputs}; checklist [{item, done}]; notify[]:
    logins.
    """

    customer_id: int | None = column.reference(default=None)
    assignee_id: int = column.reference()
    kind: str = column.code()
    title: str = column.title()
    due_at: datetime = column.moment()
    remind_at: datetime | None = column.moment(default=None)
    done_at: datetime | None = column.moment(default=None)
    status: str = column.code()
    priority: int = column.small(default=3)
    origin: str = column.code()
    dedupe_key: str | None = column.code(length=120, default=None)
    rule: Json = column.json(default=None)
    checklist: Json = column.json(default=None)
    notify: Json = column.json(default=None)


class Ticket(
    Standard,
    table="ticket",
    unique=("ticket_no",),
    indexes=("article_id", ("status", "due_at"), ("assignee_id", "status"), "customer_id"),
):
    """A fault or a request that is worked on until it is closed.

    priority: 1 is the most urgent; escalation: how many times someone above had to be asked; due_at: what was promised;
    article_id: the article that helped. description: the customer's words; thread [{at, by, text}]; solution{}.
    """

    ticket_no: str = column.code()
    customer_id: int = column.reference()
    assignee_id: int | None = column.reference(default=None)
    kind: str = column.code()
    priority: int = column.small(default=3)
    status: str = column.code()
    opened_at: datetime = column.moment()
    due_at: datetime = column.moment()
    closed_at: datetime | None = column.moment(default=None)
    escalation: int = column.small(default=0)
    article_id: int | None = column.reference(default=None, to="kb_article")
    description: str | None = column.prose(default=None)
    thread: Json = column.json(default=None)
    solution: Json = column.json(default=None)


class KbArticle(Standard, table="kb_article", indexes=("category",)):
    """An answer that is kept for the next time. body: the text; keywords[]."""

    title: str = column.title()
    category: str = column.code()
    status: str = column.code()
    author_id: int = column.reference()
    body: str | None = column.prose(default=None)
    keywords: Json = column.json(default=None)
