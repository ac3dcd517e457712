"""What happens with customers: contacts of every kind, what they say, and what is to be done."""

from __future__ import annotations

from crm_model.entity import Entity, code, json, moment, number, prose, reference, small, title

ACTIVITY = Entity(
    "activity",
    """A visit, call, care, gift, email, meeting or campaign contact: one table, so that a timeline is one index range.

    contact_id: the person met; ref_type and ref_id: the row it is about, such as an opportunity. summary: what was
    said; competitors [{name, quote, threat}]; outcome {intent, next_step}; care {category, effect} and gift {sku, qty}
    where it is one; gps {lat, lng}; tags[]; attachments [{name, mime, size, sha256, uri}]; custom{}.
    """,
    (
        reference("customer_id"),
        reference("operator_id"),
        reference("contact_id", null=True),
        code("kind"),
        code("channel"),
        moment("occurred_at"),
        number("duration_min", null=True),
        code("ref_type", null=True),
        reference("ref_id", null=True),
    ),
    (
        prose("summary"),
        *json("competitors", "outcome", "care", "gift", "gps", "tags", "attachments", "custom"),
    ),
    indexes=(("customer_id", "occurred_at", "id"), ("operator_id", "occurred_at"), ("ref_type", "ref_id")),
)

FEEDBACK = Entity(
    "feedback",
    """What a customer said about us: a survey, a complaint (投诉), praise or a suggestion.

    activity_id: the contact it was said in; score: 1 to 5. text: their words; tags[]; answers {question: answer};
    product{}: as they call it; handling [{at, by, note}]; attachments[].
    """,
    (
        reference("customer_id"),
        reference("operator_id"),
        reference("activity_id", null=True),
        reference("product_id", null=True),
        code("kind"),
        code("channel"),
        small("score", null=True),
        code("status"),
        moment("occurred_at"),
        moment("resolved_at", null=True),
    ),
    (prose("text"), *json("tags", "answers", "product", "handling", "attachments")),
    indexes=(("customer_id", "occurred_at"), ("operator_id", "occurred_at"), ("kind", "status")),
)

TASK = Entity(
    "task",
    """Something to do by a moment.

    priority: 1 is the most urgent; origin: 人工 or the rule that raised it; dedupe_key: rule:customer:period, so that
    a rule raises one task once. rule {code, inputs}; checklist [{item, done}]; notify[]: logins.
    """,
    (
        reference("customer_id", null=True),
        reference("assignee_id"),
        code("kind"),
        title("title"),
        moment("due_at"),
        moment("remind_at", null=True),
        code("status"),
        small("priority", default=3),
        code("origin"),
        code("dedupe_key", null=True, length=120),
    ),
    json("rule", "checklist", "notify"),
    unique=("dedupe_key",),
    indexes=(("status", "remind_at"), ("assignee_id", "status", "due_at")),
)

TICKET = Entity(
    "ticket",
    """A fault or a request that is worked on until it is closed.

    priority: 1 is the most urgent; due_at: what was promised. description: the customer's words; thread [{at, by,
    text}]; solution{}.
    """,
    (
        code("ticket_no"),
        reference("customer_id"),
        reference("assignee_id", null=True),
        code("kind"),
        small("priority", default=3),
        code("status"),
        moment("opened_at"),
        moment("due_at", null=True),
        moment("closed_at", null=True),
    ),
    (prose("description"), *json("thread", "solution")),
    unique=("ticket_no",),
    indexes=(("status", "due_at"),),
)

KB_ARTICLE = Entity(
    "kb_article",
    """An answer that is kept for the next time. body: the text; keywords[].""",
    (title("title"), code("category"), code("status"), reference("author_id")),
    (prose("body"), *json("keywords")),
    indexes=("category",),
)
