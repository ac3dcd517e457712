"""One suite over every backend: the embedded pair, MySQL + MongoDB, MariaDB + MongoDB."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from platform_store import Platform

BACKENDS = (
    "embedded",
    pytest.param("mysql", marks=pytest.mark.real),
    pytest.param("mariadb", marks=pytest.mark.real),
)


@dataclass(frozen=True)
class Backend:
    """One pair of stores of this test alone. ``open`` gives a further platform on it, as another process would.

    ``stores``: what another process opens it by: the file of the embedded pair, or the URLs.
    """

    name: str
    open: Callable[[], Platform]
    stores: Mapping[str, str] = field(default_factory=dict)

    @property
    def real(self) -> bool:
        return self.name != "embedded"


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    name: str = request.param
    if name == "embedded":
        path = str(tmp_path / "pair.db")
        return Backend(name, lambda: Platform.embedded(path), {"path": path})
    mysql = request.getfixturevalue(f"{name}_database")
    mongodb = request.getfixturevalue("mongodb_database")
    return Backend(name, lambda: Platform.open(mysql=mysql, mongodb=mongodb), {"mysql": mysql, "mongodb": mongodb})


@pytest.fixture
def platform(backend: Backend) -> Iterator[Platform]:
    with backend.open() as opened:
        yield opened
