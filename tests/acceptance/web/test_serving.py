"""The program: what it makes at its first start, and that it serves and ends."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from crm_model import Crm, install
from crm_model.entities import Operator
from examples.crm_web.__main__ import first_users, main, prepare
from examples.crm_web.roles import Role
from examples.crm_web.users import UsersError
from platform_store import Index, Platform

ROOT = Path(__file__).parents[3]
_LINE = re.compile(r"^  (\w+) +(\S{12}) ")
_TOKEN = re.compile(r'name="csrf" value="([^"]+)"')


def staff(platform: Platform) -> None:
    """A manager, two in sales, and one who has left."""
    install(platform)
    crm = Crm(platform, 0)
    for login, role, status in (
        ("left", "主管", "离职"),
        ("boss", "主管", "在职"),
        ("first", "客户经理", "在职"),
        ("second", "客户经理", "在职"),
    ):
        crm.add(Operator(login=login, name=login, role=role, region="北京", status=status))


@contextmanager
def serving(data: Path) -> Iterator[tuple[str, list[str]]]:
    """The program in a process of its own: its address, and what it printed before it served."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "examples.crm_web", "--data", str(data), "--port", str(port), "--zone", "UTC"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said: list[str] = []
            address = f"http://127.0.0.1:{port}"
            for line in process.stdout:
                said.append(line.rstrip("\n"))
                if line.startswith(address):
                    break
            yield address, said
        finally:
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=60)
    assert errors == ""


def get(address: str, cookies: httpx2.Cookies | None = None) -> httpx2.Response:
    """A page, as soon as there is somebody to answer."""
    with httpx2.Client(transport=httpx2.HTTPTransport(retries=6), cookies=cookies) as client:
        return client.get(address)


def test_tables_of_an_older_version_are_brought_up(tmp_path: Path) -> None:
    with Platform.embedded(tmp_path / "crm.db") as platform:
        install(platform)
        platform.drop_index("feedback", Index(["occurred_at"]))
        prepare(platform, sample=False)
        assert Index(["occurred_at"]) in platform.describe("feedback").indexes


def test_it_serves_and_ends(tmp_path: Path) -> None:
    with Platform.embedded(tmp_path / "crm.db") as platform:
        staff(platform)
    with serving(tmp_path) as (address, said):
        passwords = {found[1]: found[2] for line in said if (found := _LINE.match(line))}
        assert list(passwords) == ["boss", "first", "second"]
        shown = get(f"{address}/sign-in")
        token = _TOKEN.search(shown.text)
        assert token is not None
        given = {"csrf": token[1], "login": "first", "password": passwords["first"]}
        done = httpx2.post(f"{address}/sign-in", data=given, cookies=shown.cookies)
        assert done.status_code == 303
        assert "Customers" in httpx2.get(f"{address}/customers?lang=en", cookies=done.cookies).text
    with serving(tmp_path) as (address, said):
        assert not any(password in line for line in said for password in passwords.values()), "they are shown once"
        assert any(line.split()[:2] == ["boss", "主管"] for line in said)
        assert any("users.yaml" in line and "remove it" in line for line in said)
        assert get(f"{address}/customers", done.cookies).status_code == 200, "the key is kept"


def test_first_users(tmp_path: Path) -> None:
    with Platform.embedded(tmp_path / "crm.db") as platform:
        prepare(platform, sample=False)
        with pytest.raises(UsersError, match="--sample"):
            list(first_users(platform))
        staff(platform)
        prepare(platform, sample=True)
        found = [(operator.login, role) for operator, role in first_users(platform)]
        assert found == [("boss", Role.MANAGER), ("first", Role.SALES), ("second", Role.SERVICE)]
        assert Crm(platform, 0).search_customers().customers == (), "somebody works here: no sample is wanted"


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--mysql", "mysql+pymysql://u:secret@127.0.0.1/x"], "both mysql= and mongodb="),
        (["--config", "nowhere.yaml"], "nowhere.yaml"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, options: list[str], why: str) -> None:
    with pytest.raises(SystemExit) as raised:
        main(["--data", str(tmp_path), *options])
    assert str(raised.value).startswith("crm_web: ")
    assert why in str(raised.value)
    assert "secret" not in str(raised.value)


def test_the_proxy_that_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Platform.embedded(tmp_path / "crm.db") as platform:
        staff(platform)
    served: list[object] = []
    monkeypatch.setattr("uvicorn.run", lambda _, **options: served.append(options["forwarded_allow_ips"]))
    for arguments in ([], ["--trust-proxy", "10.0.0.9"]):
        main(["--data", str(tmp_path), *arguments])
    assert served == ["127.0.0.1", "10.0.0.9"]
