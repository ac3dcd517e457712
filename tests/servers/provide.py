"""Choose the real servers for a test session: given URLs, else containers, else private servers."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

import pymongo.errors
import pymysql
from sqlalchemy.exc import ArgumentError

from tests.servers import containers, private
from tests.servers.binaries import ServersUnavailable
from tests.servers.databases import mongodb_version, sql_version
from tests.servers.private import MARIADB_URL, MONGODB_URL, MYSQL_URL

URL_VARIABLES = {"mysql": MYSQL_URL, "mariadb": MARIADB_URL, "mongodb": MONGODB_URL}
REQUIRE = "PLATFORM_STORE_REQUIRE_SERVERS"
NONE_WANTED = "PLATFORM_STORE_NO_SERVERS"


class UnreachableServer(Exception):
    """A URL was given and nothing answers there: testing something else instead would hide it."""


@dataclass(frozen=True)
class Servers:
    """The servers of a session: a URL each or the reason why there is none, where from, and which versions."""

    mysql_url: str | None
    mongodb_url: str | None
    mariadb_url: str | None
    source: str
    versions: Mapping[str, str] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)

    @property
    def mysql_is_mariadb(self) -> bool:
        """Whether MariaDB stands in for MySQL, so that nothing was tested on MySQL."""
        return "mariadb" in self.versions.get("mysql", "").lower()

    def url(self, name: str) -> str | None:
        """The URL of ``mysql``, ``mariadb`` or ``mongodb``."""
        return {"mysql": self.mysql_url, "mariadb": self.mariadb_url, "mongodb": self.mongodb_url}[name]

    def header(self) -> list[str]:
        """Lines for the head of a test report."""
        lines = [f"real servers: {self.source}"]
        if self.versions:
            lines.append("  " + ", ".join(f"{name} {version}" for name, version in self.versions.items()))
        if self.mysql_is_mariadb:
            lines.append(f"  *** MariaDB STANDS IN FOR MySQL: {self.reasons.get('mysql', 'as configured')} ***")
        lines += [f"  {name} MISSING: {reason}" for name, reason in self.reasons.items() if self.url(name) is None]
        return lines


def provide(resources: contextlib.ExitStack) -> Servers:
    """Return the servers to test on; what must end with the session is entered into ``resources``."""
    given = {name: os.environ[variable] for name, variable in URL_VARIABLES.items() if os.environ.get(variable)}
    if given:
        return _from_environment(given)
    try:
        urls = containers.start_containers(resources)
    except ServersUnavailable as error:
        return _from_private(why_no_containers=error.reason)
    return _servers(urls, "containers", {name: _version(name, url) for name, url in urls.items()}, {})


def none(source: str, reason: str) -> Servers:
    """No servers, for one reason."""
    return _servers({}, source, {}, dict.fromkeys(URL_VARIABLES, reason))


def required() -> bool:
    """Whether a missing server is a failure (as in CI) rather than a reason to skip."""
    return os.environ.get(REQUIRE) == "1"


def _from_environment(given: Mapping[str, str]) -> Servers:
    versions = {}
    for name, url in given.items():
        try:
            versions[name] = _version(name, url)
        except (pymysql.MySQLError, pymongo.errors.PyMongoError, ArgumentError, OSError) as error:
            raise UnreachableServer(f"{URL_VARIABLES[name]} is given but cannot be reached: {error}") from None
    reasons = {
        name: f"{variable} is not set, and URLs of other servers are"
        for name, variable in URL_VARIABLES.items()
        if name not in given
    }
    return _servers(given, "URLs given in the environment", versions, reasons)


def _from_private(why_no_containers: str) -> Servers:
    source = f"private servers in .servers/ ({why_no_containers})"
    try:
        started = private.start()
    except OSError as error:
        return none("none", f"{why_no_containers}; private servers: {error}")
    urls = {name: started.environment[key] for name, key in URL_VARIABLES.items() if key in started.environment}
    versions = {name: started.versions.get(name, started.versions.get("mariadb", "unknown")) for name in urls}
    return _servers(urls, source if urls else "none", versions, started.reasons)


def _version(name: str, url: str) -> str:
    return mongodb_version(url) if name == "mongodb" else sql_version(url)


def _servers(urls: Mapping[str, str], source: str, versions: Mapping[str, str], reasons: Mapping[str, str]) -> Servers:
    return Servers(urls.get("mysql"), urls.get("mongodb"), urls.get("mariadb"), source, versions, reasons)
