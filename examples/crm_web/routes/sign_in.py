"""Signing in and out."""

from __future__ import annotations

import re
from typing import Final

from fastapi import APIRouter, Response

from examples.crm_web.navigation import Pages
from examples.crm_web.users import LONGEST_PASSWORD
from examples.crm_web.visit import AnyVisit, Posted

router = APIRouter()
PAGES: Final = Pages(router)

HOME: Final = "/dashboard"
_OURS: Final = re.compile(r"/(?![/\\])[^\\\x00-\x20]*")
"""A path, and nothing that a browser takes for the name of another server."""


@router.get("/")
def home(visit: AnyVisit) -> Response:
    """The first page."""
    return visit.go(HOME)


@router.get("/sign-in")
def form(visit: AnyVisit, next: str = HOME) -> Response:  # noqa: A002 - as it is in the address
    """Asks who it is."""
    return visit.page("sign_in.html", next=ours(next), login="", problem=None)


@router.post("/sign-in")
def sign_in(visit: AnyVisit, form: Posted) -> Response:
    """Lets in who knows a password."""
    login, password, to = form.raw("login").strip()[:64], form.raw("password"), ours(form.raw("next"))
    keys = (f"login {login}", f"address {visit.request.client.host if visit.request.client else ''}")
    attempts = visit.web.attempts
    if not attempts.begin(*keys):
        return visit.page("sign_in.html", 429, next=to, login=login, problem="sign_in.too_many")
    user = visit.web.settings.users.check(login, password) if len(password) <= LONGEST_PASSWORD else None
    if user is None:
        return visit.page("sign_in.html", 401, next=to, login=login, problem="sign_in.wrong")
    attempts.succeeded(*keys)
    visit.sign_in(user)
    return visit.go(to)


@router.post("/sign-out")
def sign_out(visit: AnyVisit) -> Response:
    """Forgets who it was."""
    visit.sign_out()
    return visit.go("/sign-in")


def ours(address: str) -> str:
    """An address to go on to where it is one of these pages, else the first page."""
    return address if _OURS.fullmatch(address) else HOME
