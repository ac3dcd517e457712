"""The application: one call makes it of a platform and settings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import Depends, FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp

from examples.crm_web.attempts import Attempts
from examples.crm_web.problems import answer_problems
from examples.crm_web.routes import ALL
from examples.crm_web.security import SecurityHeaders
from examples.crm_web.sent import Sent
from examples.crm_web.sessions import Sessions
from examples.crm_web.settings import Settings
from examples.crm_web.templating import environment
from examples.crm_web.texts import load_texts
from examples.crm_web.visit import Web, posted
from platform_store import Platform

STATIC = Path(__file__).parent / "static"


class Application(FastAPI):
    """Its headers are on every answer: Starlette's own page for an error stands outside of all added middleware."""

    def build_middleware_stack(self) -> ASGIApp:
        return SecurityHeaders(super().build_middleware_stack())


def create_app(platform: Platform, settings: Settings) -> FastAPI:
    """The application on an open platform with the tables of the CRM; closes the platform when it ends.

    Its endpoints are plain functions, which run in threads: the library waits for its stores.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(platform.close)

    # Nothing describes the routes to strangers, and no address is completed with a host that a request has named.
    app = Application(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.state.web = Web(
        platform,
        settings,
        Sessions(settings.secret_key),
        Attempts(),
        Sent(),
        load_texts(),
        environment(settings.zone),
        tuple(entry for pages in ALL for entry in pages.entries),
    )
    for pages in ALL:
        app.include_router(pages.router, dependencies=[Depends(posted)])
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    answer_problems(app)
    return app
