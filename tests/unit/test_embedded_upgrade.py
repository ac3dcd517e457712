"""Files of earlier versions."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from platform_store import ColumnAttribute, Platform


def test_a_file_from_before_there_were_jobs(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with Platform.embedded(path) as platform:
        platform.create_table("card", [ColumnAttribute("id", "INT"), ColumnAttribute("doc", "JSON")], flag=0)
        platform.write("card", {"id": 1, "doc": ["老"]})
    connection = sqlite3.connect(path)
    connection.executescript(
        "DROP TABLE platform_store_job; DROP TABLE platform_store_job_part; PRAGMA user_version = 1"
    )
    connection.close()
    with Platform.embedded(path) as platform:
        assert platform.read("card", 1) == {"id": 1, "doc": ["老"]}
        platform.update("card", 1, {"doc": ["neu"]})
        assert platform._rows.jobs.all() == []
