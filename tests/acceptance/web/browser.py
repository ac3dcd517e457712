"""A browser without a screen: it keeps cookies, and posts forms with what they hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import unescape
from html.parser import HTMLParser

import httpx2
from fastapi.testclient import TestClient

_TOKEN = re.compile(r'name="csrf" value="([^"]+)"')


class Browser:
    """Signed in or not; redirects are not followed."""

    def __init__(self, client: TestClient):
        self._client = client
        self.cookies = client.cookies

    def get(self, path: str, **headers: str) -> httpx2.Response:
        return self._client.get(path, headers=headers)

    def page(self, path: str, status: int = 200) -> str:
        """The text of a page, which has to have this status."""
        answer = self.get(path)
        assert answer.status_code == status, answer.text
        return answer.text

    def post(self, path: str, fields: Mapping[str, str | list[str]], *, token: str | None = "") -> httpx2.Response:
        """Posts a form; ``token``: the session's own where it is empty, none where it is None."""
        own = self.token() if token == "" else token
        return self._client.post(path, data={**fields, **({} if own is None else {"csrf": own})})

    def token(self) -> str:
        """The token that the forms of this visitor have."""
        found = _TOKEN.search(self._client.get("/nowhere").text) or _TOKEN.search(self._client.get("/sign-in").text)
        assert found is not None
        return unescape(found[1])

    def sign_in(self, login: str, password: str) -> httpx2.Response:
        return self.post("/sign-in", {"login": login, "password": password})


class _Fields(HTMLParser):
    """The fields of the form of a page, with what a browser would send for them if nobody touched them."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: dict[str, list[str]] = {}
        self._name, self._options, self._chosen, self._text = "", list[str](), list[str](), ""
        self._inside = self._in_text = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._inside = given.get("class") == "card form"
        elif tag == "input" and (given.get("type") != "radio" or "checked" in given):
            self._send(given["name"], re.sub("[\\r\\n]", "", given.get("value", "")))
        elif tag == "select":
            self._name, self._options, self._chosen = given["name"], [], []
        elif tag == "option":
            self._options.append(given["value"])
            self._chosen += [given["value"]] if "selected" in given else []
        elif tag == "textarea":
            self._name, self._text, self._in_text = given["name"], "", True

    def handle_data(self, data: str) -> None:
        self._text += data if self._in_text else ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._send(self._name, (self._chosen or self._options)[0])
        elif tag == "textarea":
            self._in_text = False
            text = self._text.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\n")
            self._send(self._name, text.replace("\n", "\r\n"))

    def _send(self, name: str, value: str) -> None:
        if self._inside and name != "csrf":
            self.sent.setdefault(name, []).append(value)


def form_of_page(page: str) -> dict[str, str | list[str]]:
    """What a browser sends when the form of a page is sent as it was opened, without its token."""
    fields = _Fields()
    fields.feed(page)
    return {**fields.sent}
