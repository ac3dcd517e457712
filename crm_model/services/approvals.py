"""Requests that someone else decides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crm_model.changes import Changes
from crm_model.documents import entries
from crm_model.entities import Approval, Customer
from crm_model.entities.states import APPROVAL_WAITING, APPROVED, HIGHEST_LEVEL, REJECTED, VIP
from crm_model.errors import InvalidInput, NotFound, Refused
from crm_model.service import Service
from platform_store import TransientError


class Approvals(Service):
    """Requests for a VIP level, which have one applicant and one other operator who decides."""

    def apply_vip(
        self, customer_id: int, level: int, *, form: Mapping[str, Any] | None = None, comment: str | None = None
    ) -> Approval:
        """Asks for a VIP level, up or down, for a customer; returns the request, which waits for a decision.

        Args:
            level: 0 (none) to 5.
            form: what was filled in, such as the reasons.
            comment: the first of the comments.

        Raises:
            InvalidInput: it is no level.
            NotFound: there is no such customer, or it is archived.
            Refused: the customer has this level, or another request for a level waits already.
        """
        if isinstance(level, bool) or not isinstance(level, int) or not 0 <= level <= HIGHEST_LEVEL:
            raise InvalidInput(
                "level",
                "not-in-range",
                f"a VIP level is a whole number from 0 to {HIGHEST_LEVEL}, not {level!r}",
                least=0,
                most=HIGHEST_LEVEL,
            )

        def work(changes: Changes) -> Approval:
            customer = changes.customer(customer_id)
            if customer.vip_level == level:
                raise Refused(
                    "level-held",
                    f"customer {customer.id} has VIP level {level}; apply for another one",
                    customer_id=customer.id,
                    level=level,
                )
            for open_ in changes.rows(
                Approval, {"subject_id": customer.id, "kind": VIP, "status": APPROVAL_WAITING}, limit=1
            ):
                raise Refused(
                    "approval-waiting",
                    f"approval {open_.id} asks for VIP level {open_.requested} of customer {customer.id}; "
                    "have it decided first",
                    approval_id=open_.id,
                    customer_id=customer.id,
                )
            return changes.add(
                Approval(
                    kind=VIP,
                    subject_id=customer.id,
                    requested=str(level),
                    applicant_id=changes.actor.operator_id,
                    status=APPROVAL_WAITING,
                    form=None if form is None else dict(form),
                    comments=_with_comment(changes, None, comment),
                )
            )

        return self.run("apply_vip", work)

    def approve_vip(self, approval_id: int, approve: bool = True, comment: str | None = None) -> Approval:
        """Decides a request for a VIP level, for good; an approved level is the customer's at once.

        Args:
            approve: False rejects it; so can one for a customer that is archived meanwhile.
            comment: is added to the comments.

        Raises:
            NotFound: there is no such request for a VIP level, or the customer is archived.
            Refused: it is decided already, which the message tells with who did; or the actor is the applicant.
        """

        def work(changes: Changes) -> Approval:
            approval, customer = _held(changes, approval_id, archived=not approve)
            _check_open_to(changes.actor.operator_id, approval)
            if approve:
                changes.change(customer, vip_level=_level(approval))
            return changes.change(
                approval,
                status=APPROVED if approve else REJECTED,
                approver_id=changes.actor.operator_id,
                decided_at=changes.at,
                comments=_with_comment(changes, approval.comments, comment),
            )

        return self.run("approve_vip", work)


def _held(changes: Changes, approval_id: int, *, archived: bool) -> tuple[Approval, Customer]:
    """A request for a level, locked after its customer. ``archived``: even where the customer is."""
    seen = changes.tx.read(Approval.table, approval_id, columns=["kind", "subject_id"])
    if seen is None or seen["kind"] != VIP:
        raise NotFound(Approval.table, approval_id)
    subject = seen["subject_id"]
    assert isinstance(subject, int)
    customer = changes.customer(subject, archived=archived)
    approval = changes.row(Approval, approval_id)
    if approval.subject_id != customer.id:
        raise TransientError("mysql", f"approval {approval_id} has just gone to another customer")
    return approval, customer


def _check_open_to(operator_id: int, approval: Approval) -> None:
    if approval.status != APPROVAL_WAITING:
        raise Refused(
            "approval-decided",
            f"approval {approval.id} was decided by operator {approval.approver_id} at {approval.decided_at} "
            f"({approval.status}); apply anew for another decision",
            approval_id=approval.id,
            status=approval.status,
        )
    if approval.applicant_id == operator_id:
        raise Refused(
            "own-approval",
            f"approval {approval.id}: operator {operator_id} has applied for it; someone else must decide it",
            approval_id=approval.id,
            operator_id=operator_id,
        )


def _level(approval: Approval) -> int:
    """What is asked for. Raises Refused where it is no level: requests can come from elsewhere."""
    if approval.requested in map(str, range(HIGHEST_LEVEL + 1)):
        return int(approval.requested)
    raise Refused(
        "approval-unreadable",
        f"approval {approval.id} asks for {approval.requested!r}, which is no VIP level; reject it",
        approval_id=approval.id,
    )


def _with_comment(changes: Changes, comments: Any, comment: str | None) -> Any:
    if comment is None:
        return comments
    said = {"at": changes.at.isoformat(), "by": changes.actor.operator_id, "text": comment}
    return [*entries(comments), said]
