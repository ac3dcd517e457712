"""One request of a browser: who it is, in which language, what they may do; and how it is answered."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from threading import Lock
from typing import Annotated, Any, Final, cast
from urllib.parse import urlencode

from fastapi import Depends, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment
from starlette.exceptions import HTTPException

from crm_model import Actor, Crm, Record
from crm_model.entities import Customer, Operator, Task
from examples.crm_web import sessions
from examples.crm_web.attempts import Attempts
from examples.crm_web.forms import Form, read_form
from examples.crm_web.navigation import Entry
from examples.crm_web.roles import OTHERS_TASKS
from examples.crm_web.sent import Done, Sent
from examples.crm_web.sessions import Sessions
from examples.crm_web.settings import Settings
from examples.crm_web.texts import LANGUAGES, Texts, preferred
from examples.crm_web.users import User
from platform_store import Platform

LANGUAGE_COOKIE: Final = "crm_language"
FORM_ID: Final = "form_id"
MOST_STAFF: Final = 500
_YEAR: Final = 365 * 86400


@dataclass(frozen=True)
class Web:
    """What all requests share; ``app.state.web``."""

    platform: Platform
    settings: Settings
    sessions: Sessions
    attempts: Attempts
    sent: Sent
    texts: dict[str, Texts]
    templates: Environment
    navigation: tuple[Entry, ...]
    console: Lock = field(default_factory=Lock)  # one question at a time


class SignInNeeded(Exception):
    """Only for those who have signed in."""


class Visit:
    """A request. Templates have it as ``visit``, and ``t`` for :attr:`texts`."""

    def __init__(self, request: Request):
        self.request = request
        self.web: Web = request.app.state.web
        self._known = self.web.sessions.session(request.cookies.get(sessions.COOKIE))
        self.session = self._known or self.web.sessions.begin()

    @cached_property
    def user(self) -> User | None:
        """Who has signed in; None where nobody has, or their password was changed since."""
        if self.session.login is None:
            return None
        user = self.web.settings.users.get(self.session.login)
        return user if user is not None and user.mark == self.session.mark else None

    @cached_property
    def crm(self) -> Crm:
        """The CRM for who has signed in. Raises SignInNeeded."""
        if self.user is None:
            raise SignInNeeded
        address = self.request.client.host if self.request.client else None
        actor = Actor(self.user.operator_id, self.user.role, ip=address)
        settings = self.web.settings
        return Crm(self.web.platform, actor, policy=settings.policy, clock=settings.clock)

    def may(self, action: str, row: Record | None = None) -> bool:
        """Whether who has signed in may use a service, for a customer where one is given."""
        return self.web.settings.policy.permits(self.crm.actor, action, row)

    def may_close(self, task: Task) -> bool:
        """Whether a task is theirs to complete or put off: one of their own, or of whom they lead."""
        return task.assignee_id == self.crm.actor.operator_id or self.may(OTHERS_TASKS)

    @cached_property
    def only_own(self) -> bool:
        """Whether who has signed in only reaches customers of their own."""
        return self.crm.actor.role in self.web.settings.policy.own_customers

    @property
    def own(self) -> int | None:
        """Whose customers alone who has signed in reaches: their own; None where it is everybody's."""
        return self.crm.actor.operator_id if self.only_own else None

    # Names

    def customers(self, ids: Iterable[int]) -> dict[int, str]:
        """The names of customers by id, of those that are there."""
        return self._names(Customer.table, ids)

    def operators(self, ids: Iterable[int]) -> dict[int, str]:
        """The names of operators by id, of those that are there."""
        return self._names(Operator.table, ids)

    def staff(self) -> list[Operator]:
        """Everybody who works here."""
        return self.crm.find(Operator, {}, limit=MOST_STAFF)

    def _names(self, table: str, ids: Iterable[int]) -> dict[int, str]:
        found = self.web.platform.read_many(table, sorted(set(ids)), columns=["id", "name"])
        return {cast(int, row["id"]): str(row["name"]) for row in found if row is not None}

    # Language

    @cached_property
    def texts(self) -> Texts:
        """The texts of the language: ``?lang=``, the cookie, what the browser prefers."""
        asked = (self.request.query_params.get("lang"), self.request.cookies.get(LANGUAGE_COOKIE))
        language = next((one for one in asked if one in LANGUAGES), None)
        return self.web.texts[language or preferred(self.request.headers.get("accept-language", ""))]

    def languages(self) -> list[tuple[str, str]]:
        """The other languages: their codes, and what they call themselves."""
        return [(code, name) for code, name in LANGUAGES.items() if code != self.texts.language]

    def in_language(self, language: str) -> str:
        """The address of this page in a language."""
        others = [(name, value) for name, value in self.request.query_params.multi_items() if name != "lang"]
        return f"?{urlencode([*others, ('lang', language)])}"

    # Answers

    def page(self, template: str, status: int = 200, **context: Any) -> Response:
        """A page of a template, which also says what :meth:`tell` was given before."""
        told, self.session = self.session.told, replace(self.session, told=None)
        found = self.web.templates.get_template(template)
        return self._finished(HTMLResponse(found.render(visit=self, t=self.texts, told=told, **context), status))

    def form_page(self, template: str, form: Form, problem: str | None = None, **context: Any) -> Response:
        """A page with a form: as it was filled in, where it was, with what is wrong."""
        status = 422 if form.errors or problem else 200
        return self.page(template, status, form=form, problem=problem, **context)

    def once(self, form: Form, work: Callable[[], str]) -> Response:
        """Does what a form records and goes where ``work`` says; the same form sent again only goes there."""

        def done() -> Done:
            return Done(work(), self.session.told)

        form_id = form.raw(FORM_ID)[:64] or self.new_form_id()
        to, told = self.web.sent.once(self.session.csrf, form_id, done)
        self.session = replace(self.session, told=told)
        return self.go(to)

    def new_form_id(self) -> str:
        """For a form that :meth:`once` takes."""
        return secrets.token_urlsafe(12)

    def go(self, to: str) -> Response:
        """Sends the browser to another page of ours, which it gets."""
        return self._finished(RedirectResponse(to, 303))

    def tell(self, key: str, **values: object) -> None:
        """Lets the next page of this browser say something."""
        self.session = replace(self.session, told=(key, values))

    def sign_in(self, user: User) -> None:
        """From now on it is this user, in a session of another token."""
        self.session = self.web.sessions.begin(user.login, user.mark)

    def sign_out(self) -> None:
        """From now on it is nobody."""
        if self.user is not None:
            self.web.sessions.end(self.session)
        self.session = self.web.sessions.begin()

    def _finished(self, response: Response) -> Response:
        secure = self.request.url.scheme == "https"
        if self.session != self._known:
            value = self.web.sessions.cookie(self.session)
            response.set_cookie(sessions.COOKIE, value, httponly=True, samesite="lax", secure=secure)
        if self.request.query_params.get("lang") in LANGUAGES:
            response.set_cookie(
                LANGUAGE_COOKIE, self.texts.language, max_age=_YEAR, httponly=True, samesite="lax", secure=secure
            )
        return response


def visit_of(request: Request) -> Visit:
    """The visit of a request, one for each."""
    if not hasattr(request.state, "visit"):
        request.state.visit = Visit(request)
    found: Visit = request.state.visit
    return found


def signed_in(request: Request) -> Visit:
    """The visit of someone who has signed in. Raises SignInNeeded."""
    visit = visit_of(request)
    if visit.user is None:
        raise SignInNeeded
    return visit


async def posted(request: Request) -> Form:
    """The form of a request; empty where it posts none. Raises HTTPException where it is not from one of our pages."""
    if not hasattr(request.state, "form"):
        visit = visit_of(request)
        if request.method in ("GET", "HEAD"):
            request.state.form = Form({}, visit.web.settings.zone)
        else:
            form = await read_form(request, visit.web.settings.zone)
            if not visit.session.accepts(form.raw("csrf")):
                raise HTTPException(403, "form.foreign")
            request.state.form = form
    found: Form = request.state.form
    return found


AnyVisit = Annotated[Visit, Depends(visit_of)]
SignedIn = Annotated[Visit, Depends(signed_in)]
Posted = Annotated[Form, Depends(posted)]
