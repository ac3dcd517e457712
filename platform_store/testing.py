"""A pytest fixture for applications: an empty platform on the embedded pair, no server needed.

In an application's ``conftest.py``::

    pytest_plugins = ["platform_store.testing"]

and in a test::

    def test_a_customer(platform):
        platform.create_table(...)

This module imports pytest, which the library itself does not need.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from platform_store.facade import Platform


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    """An empty embedded platform of this test alone."""
    with Platform.embedded(tmp_path / "platform.db") as opened:
        yield opened
