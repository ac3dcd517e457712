"""Services of the CRM as work for processes of their own; a child imports no more than this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from unittest.mock import patch

from crm_model import Crm
from crm_model.entities import BillingCustomer, Customer
from crm_model.names import name_key
from platform_store import Platform, Transaction
from tests.faults.child import Work


@dataclass(frozen=True)
class Serve:
    """``Crm(platform, actor).NAME(...)``; returns the ``id`` of what that returns, where it has one."""

    name: str
    arguments: tuple[Any, ...]
    options: Mapping[str, Any]
    actor: int = 1

    def __call__(self, platform: Platform) -> object:
        result = getattr(Crm(platform, self.actor), self.name)(*self.arguments, **self.options)
        return getattr(result, "id", result)


def serve(name: str, *arguments: Any, actor: int = 1, **options: Any) -> Serve:
    """As in ``serve("bind_vip_card", customer.id, card.card_no)``."""
    return Serve(name, arguments, options, actor)


@dataclass(frozen=True)
class Unlocked:
    """Work whose transactions read without locks."""

    work: Work

    def __call__(self, platform: Platform) -> object:
        read, find = Transaction.read, Transaction.find

        def unlocked_read(tx: Transaction, *arguments: Any, for_update: bool = False, **options: Any) -> Any:
            return read(tx, *arguments, **options)

        def unlocked_find(tx: Transaction, *arguments: Any, for_update: bool = False, **options: Any) -> Any:
            return find(tx, *arguments, **options)

        with patch.object(Transaction, "read", unlocked_read), patch.object(Transaction, "find", unlocked_find):
            return self.work(platform)


@dataclass(frozen=True)
class PromotedInTwo:
    """What ``promote_billing_customer`` does, in two transactions: the customer first, then the account."""

    account: BillingCustomer

    def __call__(self, platform: Platform) -> object:
        crm, account = Crm(platform, 1), self.account
        customer = crm.add(
            Customer(
                cust_no=account.boss_no,
                name=account.name,
                name_key=name_key(account.name),
                kind="个人",
                status="正常",
                phone=account.phone,
                credit_limit=Decimal("0.00"),
                stage="稳定",
                source="计费系统",
                owner_id=1,
            )
        )
        crm.edit(BillingCustomer, account.id, customer_id=customer.id, promoted_at=customer.created_at)
        return customer.id
