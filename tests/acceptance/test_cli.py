"""The command line: every command, its formats, its exit codes, and errors in one line without a secret."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy.engine import make_url
from typer.testing import CliRunner, Result

import crm_model.commands  # noqa: F401 (demo is a command of it)
from platform_store import ColumnAttribute, Config, Index, JsonText, Platform
from platform_store.cli import app
from platform_store.cli.output import as_json, as_text
from tests.waiting import PATIENCE, wait_until

Run = Callable[..., Result]

COLUMNS = (
    "id:BIGINT:auto,name:VARCHAR(80):required,level:TINYINT:required:default=1,credit:DECIMAL(14,2),"
    "kind:ENUM('a,b','c'),profile:JSON,born:DATE,spent:TIME(6),raw:VARBINARY(8)"
)
JSONL = """\ufeff{"id": 1, "name": "张伟", "credit": 12345678901.10, "profile": {"爱好": ["茶"]}, "born": "1990-02-03"}

{"id": 2, "name": "李娜", "level": 3, "kind": "a,b", "spent": "-100:00:00.5", "raw": "00ff", "备注": [1, 2.5]}
"""


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No stores but those a test names, and a terminal as wide as it needs."""
    for name in ("CONFIG", "MYSQL_URL", "MONGODB_URL"):
        monkeypatch.delenv(f"PLATFORM_STORE_{name}", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run() -> Run:
    """Runs a command on the embedded pair ``crm.db``; checks that nothing but an error says so."""

    def invoke(
        *arguments: str, code: int = 0, stores: tuple[str, ...] = ("--embedded", "crm.db"), **more: str
    ) -> Result:
        result = CliRunner().invoke(app, [*arguments[:1], *stores, *arguments[1:]], input=more.get("input"))
        assert result.exit_code == code, (result.output, result.exception)
        assert "Traceback" not in result.output
        if code == 1:
            assert result.stderr.startswith("error: ")
            assert result.stderr.count("\n") == 1
        return result

    return invoke


@pytest.fixture
def customer(run: Run) -> Run:
    """The same with a table that has two rows."""
    Path("in.jsonl").write_text(JSONL, encoding="utf-8")
    run("load", "customer", "in.jsonl", "--create", "--extra", "--flag", "4", "--columns", COLUMNS)
    return run


def rows(result: Result) -> list[dict[str, object]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_load_and_read_give_exact_values(customer: Run) -> None:
    assert rows(customer("read", "customer", "1", "--format", "json")) == [
        {
            "id": 1, "name": "张伟", "level": 1, "credit": "12345678901.10", "kind": None,
            "profile": {"爱好": ["茶"]}, "born": "1990-02-03", "spent": None, "raw": None,
        }
    ]  # fmt: skip
    (second,) = rows(customer("read", "customer", "2", "--format", "json"))
    assert second["spent"] == "-100:00:00.500000"
    assert (second["kind"], second["raw"], second["备注"]) == ("a,b", "00ff", [1, 2.5])


def test_read_shows_the_store_of_each_value(customer: Run) -> None:
    text = customer("read", "customer", "1").stdout
    assert "张伟" in text
    assert "NULL" in text
    assert [line.split()[-1] for line in text.splitlines() if "born" in line or "level" in line] == ["MySQL", "MongoDB"]
    assert customer("read", "customer", "2", "--columns", "name,备注", "--format", "csv").stdout_bytes.decode() == (
        'name,备注\r\n李娜,"[1, 2.5]"\r\n'
    )


def test_read_refuses_what_is_not_there(customer: Run) -> None:
    assert "no row with key 99" in customer("read", "customer", "99", code=1).stderr
    assert "not a whole number" in customer("read", "customer", "one", code=1).stderr
    assert "the key has 1 columns: id" in customer("read", "customer", "1", "2", code=1).stderr
    assert "'nothing'" in customer("read", "nothing", "1", code=1).stderr


def test_composite_and_uuid_keys(run: Run) -> None:
    Path("k.csv").write_text("who,day,note\n6f1d0000-0000-4000-8000-00000000000a,2024-02-29,闰日\n", encoding="utf-8")
    spec = "who:BINARY(16),day:DATE,note:TEXT"
    run("load", "visit", "k.csv", "--create", "--columns", spec, "--flag", "1", "--key", "who,day")
    key = ("6f1d0000-0000-4000-8000-00000000000a", "2024-02-29")
    (row,) = rows(run("read", "visit", *key, "--format", "json"))
    assert row == {"who": key[0].replace("-", ""), "day": key[1], "note": "闰日"}


def test_tables_and_describe(customer: Run) -> None:
    assert rows(customer("tables", "--format", "json")) == [
        {"table": "customer", "key": "id", "columns": 9, "flag": 4, "extra": True}
    ]
    (table,) = rows(customer("describe", "customer", "--format", "json"))
    assert isinstance(table["columns"], list)
    assert [column["placement"] for column in table["columns"]] == ["both", *["mysql"] * 4, *["mongodb"] * 4]
    listed = list(csv.DictReader(io.StringIO(customer("describe", "customer", "--format", "csv").stdout)))
    assert [column["type"] for column in listed][:4] == ["BIGINT", "VARCHAR(80)", "TINYINT", "DECIMAL(14,2)"]
    text = customer("describe", "customer").stdout
    for words in ("AUTO_INCREMENT", "MongoDB", "ENUM('a,b','c')", "_id", "flag"):
        assert words in text


def test_query(customer: Run) -> None:
    sql = "SELECT id, name, credit FROM customer WHERE level >= %s"
    assert rows(customer("query", sql, "3", "--format", "json")) == [{"id": 2, "name": "李娜", "credit": None}]
    assert customer("query", sql, "1", "--format", "csv").stdout_bytes.decode() == (
        "id,name,credit\r\n1,张伟,12345678901.10\r\n2,李娜,\r\n"
    )
    assert "张伟" in customer("query", sql, "1").stdout
    assert rows(customer("query", "SELECT id FROM customer WHERE name = %s", '"李娜"', "--format", "json")) == [
        {"id": 2}
    ]
    assert "'profile'" in customer("query", "SELECT DISTINCT profile FROM customer", code=1).stderr
    twice = customer("query", "SELECT id AS a, name AS a FROM customer", "--format", "json", code=1)
    assert "same name" in twice.stderr


@pytest.mark.parametrize(
    ("value", "as_json_value", "text"),
    [
        (Decimal("0E-30"), "0.000000000000000000000000000000", "0.000000000000000000000000000000"),
        (2**64 - 1, 2**64 - 1, "18446744073709551615"),
        (0.1, 0.1, "0.1"),
        (float("nan"), "nan", "nan"),
        (True, True, "true"),
        (b"\x00\xff", "00ff", "00ff"),
        (dt.datetime(2024, 2, 29, 8, 0, 0, 5), "2024-02-29T08:00:00.000005", "2024-02-29T08:00:00.000005"),
        (dt.timedelta(hours=-838, seconds=-1), "-838:00:01", "-838:00:01"),
        (UUID(int=5), "00000000-0000-0000-0000-000000000005", "00000000-0000-0000-0000-000000000005"),
        (JsonText("null"), None, "null"),
        ({"茶": [Decimal("1.50"), b"a"]}, {"茶": ["1.50", "61"]}, '{"茶": ["1.50", "61"]}'),
        (None, None, ""),
    ],
)
def test_values_have_one_exact_form(value: object, as_json_value: object, text: str) -> None:
    assert (as_json(value), as_text(value)) == (as_json_value, text)


def test_control_characters_do_not_reach_the_terminal(customer: Run) -> None:
    Path("evil.jsonl").write_text('{"id": 3, "name": "\\u001b[31mred\\u0007"}\n')
    customer("load", "customer", "evil.jsonl")
    assert "\\x1b[31mred\\x07" in customer("read", "customer", "3").stdout
    assert rows(customer("read", "customer", "3", "--format", "json"))[0]["name"] == "\x1b[31mred\x07"


def test_drop_asks(customer: Run) -> None:
    assert "--yes" in customer("drop", "customer", code=2).stderr
    assert rows(customer("drop", "customer", "--yes", "--format", "json")) == [
        {"table": "customer", "rows": 2, "documents": 2, "mysql_table": True, "collection": True}
    ]
    assert "customer" in customer("drop", "customer", "--yes", code=1).stderr


def test_status_recover_and_doctor(customer: Run) -> None:
    (status,) = rows(customer("status", "--format", "json"))
    assert (status["backend"], status["tables"], status["pending_entries"]) == ("embedded", 1, 0)
    assert (status["mysql"], status["mongodb"], status["set_aside"]) == (True, True, {})
    (recovered,) = rows(customer("recover", "--format", "json"))
    assert (recovered["confirmed"], recovered["remaining"], recovered["diverged"]) == (0, 0, {})
    assert all(found["ok"] for found in rows(customer("doctor", "--format", "json")))
    assert "table customer" in customer("doctor").stdout


# load


def test_csv_empty_fields_and_types(customer: Run) -> None:
    text = 'id,name,level,credit,profile,born,raw\n7,,,1e2,"{""a"": [1]}",,00FF\n8,"多\n行",2,,null,2001-01-01,\n'
    Path("in.csv").write_bytes(b"\xef\xbb\xbf" + text.replace("\n7", "\r\n7").encode())
    (counts,) = rows(customer("load", "customer", "in.csv", "--format", "json"))
    assert (counts["inserted"], counts["replaced"], counts["ignored"]) == (2, 0, 0)
    (seven,) = rows(customer("read", "customer", "7", "--format", "json"))
    assert (seven["name"], seven["level"], seven["credit"], seven["profile"]) == ("", 1, "100.00", {"a": [1]})
    assert (seven["born"], seven["raw"]) == (None, "00ff")
    assert rows(customer("read", "customer", "8", "--format", "json"))[0]["name"] == "多\n行"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.jsonl", '{"id": 3, "name": "a"}\n{"id": 4, "name"\n', "a.jsonl:2: not JSON at column"),
        ("a.jsonl", '{"id": 3, "name": "a"}\n[1]\n', "a.jsonl:2: not a JSON object"),
        ("a.jsonl", '{"id": 3, "name": "a", "level": NaN}\n', "a.jsonl:1: not JSON: NaN"),
        ("a.jsonl", '{"id": 3, "name": "a"}\n{"id": 4, "name": "\udcff"}\n', "a.jsonl:2: not UTF-8 text at byte 20"),
        ("a.jsonl", '{"id": 3, "name": "a", "raw": "xyz"}\n', "a.jsonl:1: table 'customer', column 'raw', key 3: "),
        ("a.jsonl", '\n{"name": "a"}\n\n{"name": "b", "level": 999}\n', "a.jsonl:4: table 'customer', column 'level'"),
        ("a.jsonl", '{"id": 3, "name": "a"}\n{"id": 3, "name": "b"}\n', "a.jsonl:2: table 'customer' already has"),
        ("a.csv", "id,name\n3,a\n1,b\n4,c\n", "a.csv:3: table 'customer' already has a row with key 1"),
        ("a.csv", 'id,name\n3,"a\nb"\n4,c,d\n', "a.csv:4: 3 fields, but the header has 2"),
        (
            "a.csv",
            "id,name\n3x,a\n",
            "a.csv:2: table 'customer', column 'id', key '3x': the text is not a whole number",
        ),
        ("a.csv", 'id,name\n3,"a"b\n', "a.csv:2: not CSV: "),
        ("a.csv", "id,id\n", "a.csv:1: the header names a column twice"),
        ("a.txt", "", None),
    ],
)
def test_a_bad_line_is_named_and_nothing_of_its_batch_loaded(
    customer: Run, name: str, text: str, said: str | None
) -> None:
    Path(name).write_bytes(text.encode(errors="surrogateescape"))
    if said is None:
        assert "--input-format" in customer("load", "customer", name, code=2).stderr
        return
    result = customer("load", "customer", name, code=1)
    assert said in result.stderr
    assert result.stderr.rstrip().endswith("; no row is loaded")
    with Platform.embedded("crm.db") as platform:
        assert [row["id"] for row in platform.scan("customer")] == [1, 2]


def test_earlier_batches_stay_and_a_second_run_ignores_them(customer: Run) -> None:
    lines = [json.dumps({"id": number, "name": "x" if number != 16 else None}) for number in range(11, 21)]
    Path("in.jsonl").write_text("\n".join(lines))
    said = customer("load", "customer", "in.jsonl", "--batch-size", "2", code=1).stderr
    assert "in.jsonl:6: table 'customer', column 'name', key 16: it cannot be NULL" in said
    assert "; the 4 rows up to line 4 are loaded" in said
    Path("in.jsonl").write_text("\n".join(lines).replace("null", '"y"'))
    (counts,) = rows(customer("load", "customer", "in.jsonl", "--on-conflict", "ignore", "--format", "json"))
    assert (counts["inserted"], counts["ignored"]) == (6, 4)


def test_an_error_that_names_no_row_names_its_batch(run: Run, mysql_database: str, mongodb_database: str) -> None:
    with Platform.open(mysql=mysql_database, mongodb=mongodb_database) as platform:
        columns = [ColumnAttribute("id", "INT", auto_increment=True), ColumnAttribute("code", "INT")]
        platform.create_table("unique", columns, 1, indexes=[Index(["code"], unique=True)])
    said = run(
        "load", "unique", "-", "--input-format", "csv", input="code\n1\n2\n1\n3\n",
        stores=("--mysql", mysql_database, "--mongodb", mongodb_database), code=1,
    ).stderr  # fmt: skip
    assert "stdin:2: in a row from here to line 5: " in said


def test_load_from_stdin(customer: Run) -> None:
    (counts,) = rows(
        customer("load", "customer", "-", "--input-format", "csv", "--format", "json", input="name\n王芳\n赵敏\n")
    )
    assert counts["inserted"] == 2


def test_create_accepts_the_same_table(customer: Run) -> None:
    arguments = ("--create", "--extra", "--flag", "4", "--columns", COLUMNS, "--on-conflict", "replace")
    (counts,) = rows(customer("load", "customer", "in.jsonl", *arguments, "--format", "json"))
    assert counts["replaced"] == 2
    other = ("--create", "--flag", "0", "--columns", "id:BIGINT")
    assert "customer" in customer("load", "customer", "in.jsonl", *other, code=1).stderr


def test_load_usage(customer: Run) -> None:
    assert "No such file" in customer("load", "customer", "none.jsonl", code=1).stderr
    assert "--create" in customer("load", "customer", "in.jsonl", "--flag", "1", code=2).stderr
    assert "--create" in customer("load", "new", "in.jsonl", "--create", code=2).stderr
    for spec, said in (("id", "name:TYPE"), ("id:BIGINT:odd", "'odd'"), ("id:SHOE", "SHOE")):
        arguments = ("--create", "--flag", "0", "--columns", spec)
        assert said in customer("load", "new", "in.jsonl", *arguments, code=1).stderr


# which stores, and errors


def test_stores_by_option_environment_and_file(customer: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    none = customer("tables", stores=(), code=2)
    assert "--embedded" in none.stderr
    assert "one of" in customer("tables", "--config", "x.yaml", code=2).stderr
    assert "mongodb" in customer("tables", stores=("--mysql", "mysql://u@127.0.0.1/d"), code=2).stderr
    customer("init", "other.yaml")
    assert Path("other.yaml").stat().st_mode & 0o777 == 0o600
    assert "customer" in customer("tables", stores=("--config", "other.yaml")).stdout
    assert "--force" in customer("init", "other.yaml", code=1).stderr
    customer("init", "other.yaml", "--force")
    customer("init")
    assert Config.load("config/platform.yaml") == Config.for_embedded("crm.db")
    assert "customer" in customer("tables", stores=()).stdout
    monkeypatch.setenv("PLATFORM_STORE_CONFIG", "missing.yaml")
    assert "missing.yaml" in customer("tables", stores=(), code=1).stderr
    assert "customer" in customer("tables", stores=("--config", "other.yaml")).stdout
    before = CliRunner().invoke(app, ["--embedded", "crm.db", "--format", "csv", "tables"])
    assert before.stdout_bytes.startswith(b"table,key,columns,flag,extra\r\ncustomer,id,9,4,true")


def test_unreachable_stores_are_3_and_tell_no_password(run: Run) -> None:
    stores = ("--mysql", "mysql://u:Secr3t@127.0.0.1:1/d", "--mongodb", "mongodb://m:Secr3t@127.0.0.1:1/d")
    for arguments in (("tables",), ("doctor",), ("status",), ("init",), ("demo",), ("tables", "--debug")):
        result = CliRunner().invoke(app, [*arguments, *stores])
        assert result.exit_code == 3
        assert "Secr3t" not in result.output
        assert ("Traceback" in result.output) is ("--debug" in arguments)
        where = "the stores are mysql u@127.0.0.1:1/d + mongodb 127.0.0.1:1/d"
        assert (where in result.stderr) is (arguments != ("doctor",)), arguments
    wrong = CliRunner().invoke(app, ["tables", "--mysql", "mysql://u:Secr3t@h:port/d", "--mongodb", "mongodb://h/d"])
    assert wrong.exit_code == 1
    assert "Secr3t" not in wrong.output


def test_a_wrong_password_is_told_without_it(run: Run, mysql_database: str, mongodb_database: str) -> None:
    wrong = make_url(mysql_database).set(password="Wr0ngSecret").render_as_string(hide_password=False)
    for name in ("tables", "doctor", "demo"):
        result = run(name, stores=("--mysql", wrong, "--mongodb", mongodb_database), code=1)
        assert "refuses the account" in result.stderr
        assert "Wr0ngSecret" not in result.output


def test_real_servers(customer: Run, mysql_database: str, mongodb_database: str) -> None:
    with Platform.open(mysql=mysql_database, mongodb=mongodb_database) as platform:
        expected = 0 if all(finding.ok for finding in platform.doctor()) else 3
    stores = ("--mysql", mysql_database, "--mongodb", mongodb_database)
    assert (
        str(make_url(mysql_database).password) not in customer("init", "real.yaml", stores=stores, code=expected).output
    )
    config = ("--config", "real.yaml")
    arguments = ("--create", "--extra", "--flag", "4", "--columns", COLUMNS)
    customer("load", "customer", "in.jsonl", *arguments, stores=config)
    for key in ("1", "2"):
        command = ("read", "customer", key, "--format", "json")
        assert rows(customer(*command, stores=config)) == rows(customer(*command))
    findings = rows(customer("doctor", "--format", "json", stores=config, code=expected))
    assert {"mysql version", "table customer"} <= {found["subject"] for found in findings}
    customer("drop", "customer", "--yes", stores=config)


def test_mongodb_down_is_told_by_doctor_and_status(run: Run, mysql_database: str) -> None:
    down = "mongodb://127.0.0.1:1/d?serverSelectionTimeoutMS=300&timeoutMS=1000"
    stores = ("--mysql", mysql_database, "--mongodb", down)
    (found,) = rows(run("status", "--format", "json", stores=stores, code=3))
    assert (found["mysql"], found["mongodb"]) == (True, False)
    assert "does not answer" in run("status", stores=stores, code=3).stdout
    findings = rows(run("doctor", "--format", "json", stores=stores, code=3))
    (away,) = [found for found in findings if found["subject"] == "mongodb"]
    assert not away["ok"]
    assert away["advice"]
    assert findings[-1]["subject"] == "journal"  # what waits meanwhile is told all the same


def test_help_documents_exit_codes() -> None:
    result = CliRunner().invoke(app, ["--help"])
    assert result.exit_code == 0
    for word in ("Exit codes", "130", "RFC 4180", "demo", "doctor", "recover"):
        assert word in result.stdout
    assert CliRunner().invoke(app, ["tables", "--format", "xml"]).exit_code == 2


# as a process


def process(*arguments: str) -> subprocess.Popen[bytes]:
    """The command line on the embedded pair, its output in pipes."""
    command = [sys.executable, "-c", "from platform_store.cli import main; main()", *arguments]
    pipe = subprocess.PIPE
    # unbuffered, Python itself loses what a pipe does not take at once
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.Popen([*command, "--embedded", "crm.db"], stdin=pipe, stdout=pipe, stderr=pipe, env=environment)


@pytest.mark.parametrize("chosen", ["csv", "json", "table"])
def test_a_closed_pipe_is_quiet(customer: Run, chosen: str) -> None:
    lines = "".join(f'{{"id": {number}, "name": "{"x" * 80}", "credit": 1}}\n' for number in range(10, 3000))
    customer("load", "customer", "-", "--input-format", "jsonl", input=lines)
    with process("query", "SELECT id, name, level, credit FROM customer", "--format", chosen) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.read(10)
        running.stdout.close()
        assert running.wait(PATIENCE) == 1
        assert running.stderr.read() == b""


@pytest.fixture
def interruptible() -> Iterator[None]:
    """A runner in the background may ignore SIGINT, and a child inherits that; what is handled, it takes as usual."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_is_130(customer: Run) -> None:
    with process("load", "customer", "-", "--input-format", "jsonl", "--batch-size", "1") as running:
        assert running.stdin is not None
        assert running.stderr is not None
        running.stdin.write(b'{"id": 3, "name": "a"}\n')
        running.stdin.flush()
        written = ("query", "SELECT id FROM customer WHERE id = 3", "--format", "json")
        wait_until(lambda: running.poll() is not None or bool(customer(*written).stdout), "the row is there")
        running.send_signal(signal.SIGINT)
        assert running.wait(PATIENCE) == 130
        assert b"Traceback" not in running.stderr.read()
