"""A page in Chromium that notices what a user would not: complaints of the browser, and requests to others."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import ConsoleMessage, Page, Request

from examples.crm_web.roles import Role
from tests.browser.site import Site

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]

_AXE = "tags => axe.run({runOnly: tags, resultTypes: ['violations']})"

_OUT_OF_REACH = """() => {
    const cut = link => {
        for (let one = link.parentElement; one; one = one.parentElement)
            if (getComputedStyle(one).overflowX == "hidden"
                && link.getBoundingClientRect().right > one.getBoundingClientRect().right + 1) return true;
        return false;
    };
    const squeezed = value => value.innerText.trim().length > 2 && value.clientWidth > 0
        && value.clientWidth < 2 * parseFloat(getComputedStyle(value).fontSize);
    const told = (what, found) => found.map(one => `${what}: ${one.outerHTML.slice(0, 120)}`);
    return [
        ...told("cut off", [...document.querySelectorAll("main a, main button")].filter(cut)),
        ...told("squeezed", [...document.querySelectorAll("main dd, main td")].filter(squeezed)),
    ];
}"""


class Tab:
    """One page of a browser with an empty profile, on a site.

    ``complaints``: errors and warnings of the console (a violation of the content security policy is one), errors of
    scripts, and requests to another host. ``expected_status``: of answers that the console may tell of.

    Args:
        shots: where pictures go, if anywhere.
    """

    def __init__(self, page: Page, site: Site, shots: Path | None):
        self.page, self.site, self._shots = page, site, shots
        self.complaints: list[str] = []
        self.expected_status: set[int] = set()
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        page.on("request", self._request)

    def go(self, path: str) -> None:
        """Opens a page, which has to be there."""
        answer = self.page.goto(f"{self.site.url}{path}")
        assert answer is not None
        assert answer.status == 200, f"{path}: {answer.status}"

    def sign_in(self, role: Role) -> None:
        """By the form."""
        login, password = self.site.people[role]
        self.go("/sign-in")
        self.page.fill("input[name=login]", login)
        self.page.fill("input[name=password]", password)
        self.page.click("main button")

    def speak(self, language: str) -> None:
        """Opens the present page in a language."""
        self.go(f"/sign-in?lang={language}")

    def look(self, name: str) -> list[str]:
        """What is wrong with the page; takes a picture of it."""
        if self._shots is not None:
            language = self.page.evaluate("document.documentElement.lang")[:2]
            width = self.page.evaluate("innerWidth")
            stores = "embedded" if self.site.embedded else "servers"
            self.page.screenshot(path=self._shots / f"{name}-{language}-{width}-{stores}.png", full_page=True)
        wide = self._too_wide()
        return [*self._barriers(), *self._out_of_reach(), *([f"{wide} pixels too wide"] if wide else [])]

    def _too_wide(self) -> int:
        """By how many pixels the page is wider than the window."""
        width: int = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        return width

    def _out_of_reach(self) -> list[str]:
        """Links that end where nobody can scroll to, and values that are squeezed to a column of characters."""
        found: list[str] = self.page.evaluate(_OUT_OF_REACH)
        return found

    def _barriers(self) -> list[str]:
        """What axe finds in the way of people who see or use the page otherwise."""
        self.page.evaluate(AXE_SCRIPT)
        found: dict[str, Any] = self.page.evaluate(_AXE, RULES)
        return [
            f"{one['id']}: {node['html'][:160]} ({node.get('failureSummary', '')[:200]})"
            for one in found["violations"]
            for node in one["nodes"]
        ]

    def _console(self, message: ConsoleMessage) -> None:
        expected = any(f"status of {status}" in message.text for status in self.expected_status)
        if message.type in ("error", "warning") and not expected:
            self.complaints.append(f"console: {message.text}")

    def _request(self, request: Request) -> None:
        own = urlsplit(self.site.url).netloc
        if urlsplit(request.url).netloc != own:
            self.complaints.append(f"request: {request.url}")
