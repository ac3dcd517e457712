"""The application as it is served, in a thread, on sample data."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import uvicorn

from examples.crm_web import Settings, create_app
from examples.crm_web.__main__ import first_users, prepare
from examples.crm_web.roles import Role
from examples.crm_web.users import load_users, make_users
from platform_store import Platform
from tests.waiting import wait_until

NOW = datetime(2026, 6, 15, 8)
"""When the sample ends."""


@dataclass(frozen=True)
class Site:
    """Where the application is served, and who may sign in: login and password by role."""

    url: str
    people: dict[Role, tuple[str, str]]
    embedded: bool


@contextlib.contextmanager
def served(platform: Platform, folder: Path, *, embedded: bool) -> Iterator[Site]:
    """The application on an open platform, which it closes at the end."""
    prepare(platform, sample=True)
    users = folder / "users.yaml"
    passwords = make_users(users, first_users(platform))
    loaded = load_users(users)
    people = {user.role: (login, password) for login, password in passwords.items() if (user := loaded.get(login))}
    app = create_app(platform, Settings(loaded, "a key of the tests alone", clock=lambda: NOW))
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started or not thread.is_alive(), "the application is served")
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Site(f"http://127.0.0.1:{port}", people, embedded)
    finally:
        server.should_exit = True
        thread.join()
