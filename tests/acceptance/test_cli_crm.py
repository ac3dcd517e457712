"""The commands of the CRM, and how the command line finds those of applications."""

from __future__ import annotations

import csv
import json
import logging
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import crm_model.commands  # noqa: F401  (adds its commands)
from crm_model import Crm, install
from crm_model.entities import Customer
from crm_model.sample import SIZES, Size
from platform_store import Platform
from platform_store.cli import app, load_commands

Run = Callable[..., Result]

ROOT = Path(__file__).parents[2]
LITTLE = Size("S", 700, 3_000, 500, 500)
DEFAULTS = ("kind=企业", "status=正常", "stage=潜在", "source=导入", "credit_limit=0", "owner_id=7")


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No stores but those a test names, and a terminal as wide as it needs."""
    for name in ("CONFIG", "MYSQL_URL", "MONGODB_URL"):
        monkeypatch.delenv(f"PLATFORM_STORE_{name}", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run() -> Run:
    """Runs a command on the embedded pair ``crm.db``."""

    def invoke(*arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(app, [*arguments[:1], "--embedded", "crm.db", *arguments[1:]])
        assert result.exit_code == code, (result.output, result.exception)
        assert "Traceback" not in result.output
        return result

    return invoke


def record(result: Result) -> dict[str, object]:
    (line,) = result.stdout.splitlines()
    found: dict[str, object] = json.loads(line)
    return found


@pytest.fixture
def crm(run: Run) -> Run:
    """The same with the tables of the CRM, and operator 7."""
    with Platform.embedded("crm.db") as platform:
        install(platform)
        columns = {"login": "op07", "name": "经理", "role": "客户经理", "region": "北京", "status": "在职"}
        stamps = dict.fromkeys(("created_at", "updated_at"), Crm(platform, 1).clock())
        platform.write("operator", {"id": 7, **columns, **stamps})
    return run


def import_(run: Run, *arguments: str, code: int = 0) -> Result:
    given = [part for default in DEFAULTS for part in ("--default", default)]
    return run("crm-import", "customer", *arguments, "--operator", "7", *given, "--format", "json", code=code)


def test_the_sample_goes_into_empty_tables_only(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SIZES, "S", LITTLE)
    loaded = record(run("crm-sample", "--format", "json"))
    assert loaded["rows"] == 16_979
    with Platform.embedded("crm.db") as platform:
        platform.update("customer", 700, {"name": "改过"})
        tables = len(platform.tables())
    assert loaded["tables"] in (tables, tables - 1), "an entity may have no sample"
    refused = run("crm-sample", code=1)
    assert "these have rows: operator, customer, " in refused.stderr
    assert "platform-store drop TABLE" in refused.stderr
    with Platform.embedded("crm.db") as platform:
        assert (platform.read("customer", 700) or {})["name"] == "改过"


def test_a_file_is_imported_and_exported(crm: Run) -> None:
    Path("in.csv").write_text("编号,客户名称,custom.网点数,无用\nA1,张伟,3,x\nA2,李娜,,y\n,无号,,z\n", encoding="gbk")
    mapping = ("--column", "编号=cust_no", "--column", "无用=")
    seen = import_(crm, "in.csv", *mapping, "--dry-run", code=3)
    assert (record(seen)["inserted"], record(seen)["rejected"]) == (2, 1)
    with Platform.embedded("crm.db") as platform:
        assert list(platform.scan("customer")) == []
    done = import_(crm, "in.csv", *mapping, "--report", "report.csv", code=3)
    assert record(done) == {
        "table": "customer", "key": "cust_no", "encoding": "gb18030",
        "inserted": 2, "updated": 0, "revived": 0, "unchanged": 0, "duplicate": 0, "rejected": 1,
    }  # fmt: skip
    assert done.stderr == "line 4: rejected: 编号: is empty, and must not be\n"
    with open("report.csv", encoding="utf-8-sig", newline="") as stream:
        assert [row["outcome"] for row in csv.DictReader(stream)] == ["inserted", "inserted", "rejected"]
    with Platform.embedded("crm.db") as platform:
        (first, _) = Crm(platform, 1).find(Customer, {})
        assert (first.name, first.custom, first.owner_id) == ("张伟", {"网点数": 3}, 7)
    columns = ("--columns", "cust_no,name,custom.网点数", "--where", "cust_no=A1", "--labels", "--no-bom")
    exported = crm("crm-export", "customer", "out.csv", *columns, "--format", "json")
    assert record(exported) == {"table": "customer", "rows": 1, "file": "out.csv"}
    assert Path("out.csv").read_bytes().decode() == "客户编号,客户名称,自定义字段.网点数\r\nA1,张伟,3\r\n"
    assert record(import_(crm, "out.csv"))["unchanged"] == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("crm-import", "customers", "in.csv", "--operator", "7"), 2, "is no table of the CRM"),
        (("crm-import", "audit_log", "in.csv", "--operator", "7"), 2, "written by services alone"),
        (("crm-import", "customer", "in.csv"), 2, "operator"),
        (("crm-import", "customer", "none.csv", "--operator", "7"), 1, "none.csv: No such file"),
        (("crm-import", "customer", "in.csv", "--operator", "7"), 1, "'星座' is no column of customer"),
        (("crm-import", "customer", "in.csv", "--operator", "7", "--column", "星座"), 2, "write NAME=VALUE"),
        (("crm-import", "customer", "in.csv", "--operator", "7", "--zone", "Mars/Base"), 2, "is no time zone"),
        (("crm-export", "customer", "out.csv", "--where", "星座=1"), 1, "'星座' is no column"),
        (("crm-export", "customer", "out.csv", "--where", "vip_level=much"), 1, "vip_level: not a number"),
        (("crm-export", "customer", "out.csv", "--where", "custom.a=1"), 1, "'custom.a': only whole columns"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(crm: Run, arguments: tuple[str, ...], code: int, message: str) -> None:
    Path("in.csv").write_text("客户编号,星座\nA1,狮子\n", encoding="utf-8")
    result = crm(*arguments, code=code)
    assert message in " ".join(result.stderr.replace("│", " ").split())


def test_the_package_names_its_commands() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["entry-points"]["platform_store.commands"] == {"crm": "crm_model.commands"}


def test_commands_of_applications(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A module that cannot be imported costs its own commands only."""
    (tmp_path / "shop_commands.py").write_text(
        "from platform_store.cli.app import Session, command\n\n"
        "@command\ndef shop_tables(session: Session) -> None:\n"
        '    """Count the tables."""\n'
        "    with session.open() as platform:\n"
        '        session.output.record({"tables": len(platform.tables())})\n'
    )
    information = tmp_path / "shop-1.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: shop\nVersion: 1\n")
    (information / "entry_points.txt").write_text(
        "[platform_store.commands]\nbroken = shop_is_not_there\nshop = shop_commands\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    before = list(app.registered_commands)
    try:
        with caplog.at_level(logging.WARNING, "platform_store"):
            load_commands()
        assert "no commands from shop_is_not_there" in caplog.text
        result = CliRunner().invoke(app, ["shop-tables", "--embedded", str(tmp_path / "a.db"), "--format", "json"])
        assert result.stdout == '{"tables": 0}\n'
    finally:
        app.registered_commands[:] = before
