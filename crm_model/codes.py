"""The codes of the CRM's errors: what each means, and which details come with it. An application decides by these.

A code and its details stay as they are from version to version; the words of a message do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Code:
    """What ``error.code`` may be.

    Attributes:
        name: the code.
        meaning: what stands in the way.
        details: the names in ``error.details``.
    """

    name: str
    meaning: str
    details: tuple[str, ...] = ()


OTHER: Final = (Code("demo-failed", "a step of the demo did not give what it must"),)
"""Of CrmError itself."""

NOT_FOUND: Final = (
    Code("not-there", "there is no such row", ("table", "key")),
    Code("archived", "the row is archived", ("table", "key")),
    Code("merged", "the customer was merged into another one", ("table", "key", "merged_into")),
)
"""Of NotFound."""

NOT_PERMITTED: Final = (
    Code("not-permitted", "the policy says no", ("operator_id", "action", "table", "key")),
)  # fmt: skip
"""Of NotPermitted."""

REFUSED: Final = (
    Code("account-of-another-customer", "the billing account belongs to another customer", ("boss_no", "customer_id")),
    Code("approval-decided", "the request was decided already", ("approval_id", "status")),
    Code("approval-unreadable", "what the request asks for is no VIP level", ("approval_id",)),
    Code("approval-waiting", "another request for the customer waits to be decided", ("approval_id", "customer_id")),
    Code("article-without-body", "the article has no text yet", ("article_id",)),
    Code("campaign-begins-later", "the campaign has not begun", ("campaign_id", "starts_at")),
    Code("campaign-finished", "the campaign is over", ("campaign_id",)),
    Code("campaign-not-started", "the campaign was never started", ("campaign_id",)),
    Code("card-in-use", "another customer has the card", ("card_no", "customer_id")),
    Code("card-not-in-stock", "the card cannot be handed out or moved", ("card_no", "status")),
    Code("card-too-high", "the card's level is above the customer's", ("card_no", "level", "customer_id", "vip_level")),
    Code("customer-merged", "the customer was merged: undo the merge", ("customer_id", "merged_into")),
    Code("customer-purged", "nothing is left of the customer", ("customer_id",)),
    Code("has-card", "the customer has another card", ("customer_id", "card_no")),
    Code("has-no-card", "the customer has no card", ("customer_id",)),
    Code("lead-converted", "the lead is a customer already", ("lead_id", "customer_id")),
    Code("lead-of-another-customer", "the lead became another customer", ("lead_id", "customer_id")),
    Code("level-held", "the customer has this VIP level", ("customer_id", "level")),
    Code("merge-purged", "the customers of the merge were purged", ("trace_id",)),
    Code("merge-unaudited", "the audit log knows nothing of the merge", ("customer_id",)),
    Code("merge-undone", "the merge was undone already", ("customer_id", "trace_id")),
    Code("merged-later", "another merge came after: undo that first", ("customer_id", "merged_into")),
    Code("no-such-way", "no way leads from its stage to the one wanted", ("opportunity_id", "stage", "wanted")),
    Code("not-a-merge", "the operation was no merge", ("trace_id", "action")),
    Code("not-merged", "the customer was merged into none", ("customer_id",)),
    Code("number-taken", "a customer has this number", ("number", "customer_id")),
    Code("own-approval", "who has applied may not decide", ("approval_id", "operator_id")),
    Code("tables-exist", "the demo leaves tables alone that are there", ("tables",)),
    Code("tables-have-rows", "the sample goes into empty tables only", ("tables",)),
    Code("task-closed", "the task is done or was cancelled", ("task_id", "status")),
    Code("ticket-closed", "the ticket is closed", ("ticket_id", "status")),
    Code("ticket-escalated", "the ticket was escalated as often as it may be", ("ticket_id", "escalation")),
    Code("too-few-gifts", "fewer are in that place than wanted", ("sku", "location", "there", "wanted")),
)
"""Of Refused."""

INVALID: Final = (
    Code("bad-audience", "the description of an audience is none; the message says where"),
    Code("bad-cell", "a default of an import is not what its column takes"),
    Code("bad-encoding", "the file's encoding is not read"),
    Code("bad-file", "the file cannot be opened or written, or is no CSV file"),
    Code("bad-header", "a column of the file is unknown, cannot be given, or is there twice"),
    Code("bad-key", "the file's rows cannot be told apart by it"),
    Code("bad-rule", "the rule looks at what is set after it"),
    Code("both-or-neither", "it is given with another one, or not at all", ("other",)),
    Code("derived", "the column follows from another one", ("source",)),
    Code("empty-period", "the end is not after the start"),
    Code("has-a-zone", "the moment has a time zone"),
    Code("in-the-future", "the moment has yet to come"),
    Code("kept-by-services", "the services set this column"),
    Code("not-a-choice", "it is none of a few", ("choices",)),
    Code("not-a-column", "there is no such column", ("table",)),
    Code("not-a-moment", "it is no datetime"),
    Code("not-a-month", "it is not the first moment of a month"),
    Code("not-in-range", "it is no whole number, or out of range; None: no bound", ("least", "most")),
    Code("not-in-the-future", "the moment is over"),
    Code("not-of-stage", "it does not go with the stage", ("stage",)),
    Code("of-another-customer", "the row belongs to another customer", ("table", "key", "customer_id")),
    Code("one-or-the-other", "it is not given together with another one", ("other",)),
    Code("required", "it may not be empty here"),
    Code("same-twice", "it is the same as the other one"),
    Code("unknown-entity", "there is no entity of that name", ("unknown", "known")),
    Code("wrong-shape", "the document is of another shape", ("expected",)),
)
"""Of InvalidInput."""
