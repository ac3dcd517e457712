"""What a page says where something is wrong, in its own language."""

from __future__ import annotations

import logging
from typing import Final
from urllib.parse import urlencode

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from crm_model import CrmError, InvalidInput, NotFound, NotPermitted, Refused
from examples.crm_web.texts import Texts
from examples.crm_web.visit import SignInNeeded, visit_of
from platform_store import (
    Conflict,
    LimitExceeded,
    NotSupported,
    OutcomeUnknown,
    PlatformStoreError,
    TransientError,
    Unavailable,
    ValueRejected,
)

_log = logging.getLogger("crm_web")
_STATUS: Final[tuple[tuple[type[PlatformStoreError], int], ...]] = (
    (NotFound, 404),
    (NotPermitted, 403),
    (Refused, 409),
    (Conflict, 409),
    (InvalidInput, 400),
    (ValueRejected, 400),
    (LimitExceeded, 422),
    (NotSupported, 501),
    (Unavailable, 503),
    (TransientError, 503),
    (OutcomeUnknown, 503),
)
REFUSALS: Final = (Refused, InvalidInput, Conflict, ValueRejected, NotFound)
"""What the page of a form catches, shows above the fields by :func:`explained`, and keeps what was typed in."""


def status_of(error: PlatformStoreError) -> int:
    """The HTTP status of an error; 500 for what should not happen."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def explained(error: PlatformStoreError, texts: Texts) -> str:
    """An error in words that someone at work understands."""
    match error:
        case NotFound(merged_into=int(winner)):
            return texts("problem.merged", id=winner)
        case NotFound(archived=True):
            return texts("problem.archived")
        case InvalidInput(field=field) | ValueRejected(column=str(field)):
            return texts("problem.field", field=texts.find(f"field.{field}") or field, reason=_reason(error, texts))
        case Refused():
            return texts("problem.refused", reason=_reason(error, texts))
        case Conflict():
            return texts("problem.conflict")
        case OutcomeUnknown():
            return texts("problem.unknown")
        case NotSupported():
            return texts("problem.real_servers")
        case _:
            return texts(f"problem.{status_of(error)}")


def _reason(error: PlatformStoreError, texts: Texts) -> str:
    """What stands in the way: the services say it in English, and by a code that there may be a text for."""
    match error:
        case CrmError(code=code, details=details) if texts.find(f"reason.{code}"):
            return texts(f"reason.{code}", **details)
        case ValueRejected(longest=int(most)):
            return texts("form.longest", most=most)
    return str(error)


def sign_in_address(request: Request) -> str:
    """Where to sign in, to come back to this page where one can get it."""
    if request.method != "GET" or request.url.path == "/":
        return "/sign-in"
    query = f"?{request.url.query}" if request.url.query else ""
    return f"/sign-in?{urlencode({'next': request.url.path + query})}"


def answer_problems(app: FastAPI) -> None:
    """Every error of the CRM, the library and the routes becomes a page."""

    async def shown(request: Request, status: int, message: str) -> Response:
        return visit_of(request).page("problem.html", status, message=message)

    async def library(request: Request, error: Exception) -> Response:
        assert isinstance(error, PlatformStoreError)
        if status_of(error) >= 500:
            _log.error("%s: %s", type(error).__name__, error)
        return await shown(request, status_of(error), explained(error, visit_of(request).texts))

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        texts = visit_of(request).texts
        message = texts.find(error.detail) or texts.find(f"problem.{error.status_code}") or texts("problem.400")
        return await shown(request, error.status_code, message)

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        status = 404 if any(one["loc"][0] == "path" for one in error.errors()) else 400
        return await shown(request, status, visit_of(request).texts(f"problem.{status}"))

    async def unexpected(request: Request, _: Exception) -> Response:
        return await shown(request, 500, visit_of(request).texts("problem.500"))  # the server logs what was raised

    async def signing_in(request: Request, _: Exception) -> Response:
        return visit_of(request).go(sign_in_address(request))

    app.add_exception_handler(PlatformStoreError, library)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(SignInNeeded, signing_in)
    app.add_exception_handler(Exception, unexpected)
