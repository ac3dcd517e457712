"""Writes into pages what their commands print: ``python -m tests.documents docs/how-to/adopt.md ...``.

The servers are those of PLATFORM_STORE_MYSQL_URL and PLATFORM_STORE_MONGODB_URL.
"""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.documents.page import read
from tests.documents.run import Servers, needs_servers, run
from tests.servers.databases import fresh_mongodb_database, fresh_sql_database


def write(path: Path) -> None:
    """Brings one page up to date."""
    page = read(path.resolve())
    lines = page.text.splitlines()
    with ExitStack() as stack:
        servers = None
        if needs_servers(page):
            mysql = stack.enter_context(fresh_sql_database(os.environ["PLATFORM_STORE_MYSQL_URL"]))
            mongodb = stack.enter_context(fresh_mongodb_database(os.environ["PLATFORM_STORE_MONGODB_URL"]))
            servers = Servers(mysql, mongodb)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        found = list(run(page, folder, servers))
    for one in reversed(found):
        if not one.agrees:
            print(one.name)
            lines[one.line - 1 : one.line - 1 + len(one.shown)] = one.printed
    path.write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        write(Path(name))
