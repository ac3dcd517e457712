"""What a process pays before its first row: the import, and opening both stores."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Final

from benchmarks.harness import Prepared, Scenario, Size, Variant
from benchmarks.live import Pair
from platform_store import ColumnAttribute

_MYSQL, _MONGODB = "BENCHMARK_MYSQL_URL", "BENCHMARK_MONGODB_URL"
_TIMEOUT = 60.0
DRIVERS: Final = "both drivers"
LIBRARY: Final = "library"

_IMPORTS: Final = {
    DRIVERS: "import pymysql, pymongo",
    "python alone": "pass",
    LIBRARY: "import platform_store",
}
_OPENS: Final = {
    DRIVERS: f"""
import os, pymongo
from sqlalchemy.engine import make_url
from tests.servers.databases import connect_sql
url = os.environ["{_MYSQL}"]
with connect_sql(url, database=make_url(url).database) as connection, connection.cursor() as cursor:
    cursor.execute("SELECT * FROM one WHERE id = 1")
    with pymongo.MongoClient(os.environ["{_MONGODB}"]) as client:
        client.get_default_database()["one"].find_one({{"_id": 1}})
""",
    LIBRARY: f"""
import os
from platform_store import Platform
with Platform.open(mysql=os.environ["{_MYSQL}"], mongodb=os.environ["{_MONGODB}"]) as platform:
    assert platform.read("one", 1)
""",
}


def _imported(_: Pair, size: Size) -> Prepared:
    return _programs({name: _program(program, {}) for name, program in _IMPORTS.items()}, size)


def _opened(pair: Pair, size: Size) -> Prepared:
    with pair.platform() as platform:
        columns = [ColumnAttribute("id", "INT"), ColumnAttribute("word", "VARCHAR(20)")]
        platform.create_table("one", columns, flag=0, if_not_exists=True)
        platform.write("one", {"id": 1, "word": "one"}, on_conflict="replace")
    urls = {_MYSQL: pair.mysql_url, _MONGODB: pair.mongodb_url}
    return _programs({name: _program(program, urls) for name, program in _OPENS.items()}, size)


def _programs(programs: dict[str, Callable[[object], object]], size: Size) -> Prepared:
    variants = [Variant(name, program) for name, program in programs.items()]
    return Prepared(variants, lambda _: [None] * size.calls, lambda: None)


def _program(text: str, environment: dict[str, str]) -> Callable[[object], object]:
    """A Python process from beginning to end. Passwords go through its environment, where no list shows them."""
    command = [sys.executable, "-c", text]
    return lambda _: subprocess.run(command, env={**os.environ, **environment}, timeout=_TIMEOUT, check=True)


START_SCENARIOS: Final = (
    Scenario("start-import", "a Python process that imports and ends", "p50", Size(10, 1), _imported),
    Scenario("start-open", "a Python process that opens both, reads a row and ends", "p50", Size(10, 1), _opened),
)
