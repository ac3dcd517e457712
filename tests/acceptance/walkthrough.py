"""Documents whose commands are run: ``sql`` blocks on MySQL, ``console`` blocks in a shell, in the order of the text.

``python -m tests.acceptance.walkthrough docs/adopting.md`` writes into the document what its commands print, on the
servers of PLATFORM_STORE_MYSQL_URL and PLATFORM_STORE_MONGODB_URL.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from bson import json_util
from pymongo import MongoClient

from tests.servers.databases import fresh_mongodb_database, fresh_sql_database, sql_connection

_BLOCK = re.compile(r"^```(sql|console|javascript)\n(.*?)^```$", re.M | re.S)
_STATUS = re.compile(r" # exits with (\d+)$")
_TIMES = re.compile(
    r"[\d.,]+(?= s\b| rows/s| seconds?\b)"
    r"|(?<=\S) {2,}[\d.]+ *$"  # the last column of jobs
    r"|(?<=^seconds) +.*$"  # of migrate
    r"|(?m:(?<=^ )\w+ +\d+ +\d+(?= +\d+ +ok$))",  # tables, rows and rows/s of verify
    re.M,
)


class WentWrong(Exception):
    """A command ended otherwise than the document says."""


def run(document: str, mysql: str, mongodb: str, folder: Path) -> str:
    """The document with what its commands print on these databases, which are empty. Raises WentWrong."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PLATFORM_STORE_")},
        "PLATFORM_STORE_MYSQL_URL": mysql,
        "PLATFORM_STORE_MONGODB_URL": mongodb,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "118",
        "PYTHONUTF8": "1",
    }

    def ran(block: re.Match[str]) -> str:
        kind, text = block.groups()
        if kind == "sql":
            _sql(mysql, text)
        elif kind == "javascript":
            _insert_many(mongodb, text)
        else:
            text = "".join(_printed(line, folder, environment) for line in _commands(text))
        return f"```{kind}\n{text}```"

    return _BLOCK.sub(ran, document)


def without_times(document: str) -> str:
    """What is the same in every run: for comparison only."""
    return re.sub(r" {2,}|─+", " ", _TIMES.sub("…", document))


def _commands(text: str) -> list[str]:
    return [line.removeprefix("$ ") for line in text.splitlines() if line.startswith("$ ")]


def _printed(line: str, folder: Path, environment: dict[str, str]) -> str:
    status = _STATUS.search(line)
    done = subprocess.run(
        ["bash", "-c", line], cwd=folder, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    if done.returncode != (int(status[1]) if status else 0):
        raise WentWrong(f"{line}: {done.returncode}\n{done.stdout}{done.stderr}")
    said = done.stderr if done.returncode == 1 else done.stdout  # progress is not of the document
    lines = [one.rstrip() for one in said.strip("\n").splitlines()]
    return "".join(f"{one}\n" for one in [f"$ {line}", *lines])


def _sql(url: str, text: str) -> None:
    with sql_connection(url) as connection, connection.cursor() as cursor:
        for statement in text.split(";\n"):
            if statement.strip():
                cursor.execute(statement)


def _insert_many(url: str, text: str) -> None:
    with MongoClient[dict[str, object]](url) as client:
        for name, documents in re.findall(r"^db\.(\w+)\.insertMany\((\[.*?\])\)$", text, re.M | re.S):
            client.get_default_database()[name].insert_many(json_util.loads(documents))


def main(file: str) -> None:
    path = Path(file)
    servers = os.environ["PLATFORM_STORE_MYSQL_URL"], os.environ["PLATFORM_STORE_MONGODB_URL"]
    with fresh_sql_database(servers[0]) as mysql, fresh_mongodb_database(servers[1]) as mongodb:
        path.write_text(run(path.read_text("utf-8"), mysql, mongodb, Path.cwd()), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
