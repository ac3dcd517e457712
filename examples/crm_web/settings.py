"""What the application is given beside the platform."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from crm_model import RolePolicy
from examples.crm_web.roles import POLICY
from examples.crm_web.users import Users


def utc_now() -> datetime:
    """The present moment as the CRM has it: in UTC without saying so."""
    return datetime.now(UTC).replace(tzinfo=None)


@dataclass(frozen=True)
class Settings:
    """Settings of one application.

    Args:
        users: who may sign in.
        secret_key: signs the session cookies; whoever knows it is everybody.
        policy: what each role may do.
        zone: of the moments in the pages.
        clock: gives the present moment, in UTC without saying so.
    """

    users: Users
    secret_key: str
    policy: RolePolicy = POLICY
    zone: tzinfo = UTC
    clock: Callable[[], datetime] = utc_now
