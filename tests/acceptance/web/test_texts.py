"""Both languages have everything, and the pages use what there is."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

import pytest

from crm_model import codes
from examples.crm_web import texts
from examples.crm_web.templating import TEMPLATES
from examples.crm_web.texts import LANGUAGES, load_texts, preferred
from tests.acceptance.web.browser import Browser

CODE = Path(texts.__file__).parent


def test_both_languages_have_the_same() -> None:
    loaded = load_texts()
    chinese, english = (dict(loaded[language].items()) for language in LANGUAGES)
    assert chinese.keys() == english.keys()
    for key, text in chinese.items():
        assert text.strip(), key
        assert english[key].strip(), key
        assert _places(text) == _places(english[key]), key


def _places(text: str) -> set[str | None]:
    return {place for _, place, _, _ in Formatter().parse(text)} - {None}


def test_every_text_that_is_named_is_there() -> None:
    keys = set(dict(load_texts()["en"].items()))
    for path in TEMPLATES.rglob("*.html"):
        for key in re.findall(r'\bt\([\'"]([\w.]+)[\'"](?! ~)', path.read_text(encoding="utf-8")):
            assert key in keys, (path.name, key)
    sections = {key.split(".")[0] for key in keys}
    for path in CODE.rglob("*.py"):
        for key in re.findall(r'"([a-z_]+\.[a-z_0-9]+)"', path.read_text(encoding="utf-8")):
            if key.split(".")[0] in sections and not key.endswith((".html", ".css", ".yaml")):
                assert key in keys, (path.name, key)


def test_reasons_are_codes_of_the_crm_and_say_what_comes_with_them() -> None:
    details = {one.name: set(one.details) for one in (*codes.REFUSED, *codes.INVALID)}
    for key, text in load_texts()["en"].items():
        if key.startswith("reason."):
            assert _places(text) <= details[key.removeprefix("reason.")], key


def test_no_text_is_left_over() -> None:
    used = "".join(path.read_text(encoding="utf-8") for path in (*TEMPLATES.rglob("*.html"), *CODE.rglob("*.py")))
    built = tuple(re.findall(r"""["']([a-z]+\.[a-z_]*)(?:\{|["'] ~)""", used))
    for key in dict(load_texts()["en"].items()):
        assert key.startswith(built) or re.search(rf"""["']{re.escape(key)}["']""", used), key


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", "zh"),
        ("en", "en"),
        ("de, en-GB;q=0.8, zh;q=0.7", "en"),
        ("en;q=0.5, zh-CN", "zh"),
        ("fr", "zh"),
        ("en;q=nonsense, ;;;", "en"),
        ("zh;q=0.1, en;q=nan", "zh"),
    ],
)
def test_what_a_browser_prefers(given: str, expected: str) -> None:
    assert preferred(given) == expected


def test_the_language_is_switched_and_kept(browser: Browser) -> None:
    assert '<html lang="en">' in browser.page("/sign-in")
    chinese = browser.page("/sign-in?lang=zh&next=%2Freminders")
    assert '<html lang="zh-CN">' in chinese
    assert 'href="?next=%2Freminders&amp;lang=en"' in chinese
    assert '<html lang="zh-CN">' in browser.page("/sign-in"), "by the cookie"
    assert '<html lang="zh-CN">' in browser.page("/sign-in?lang=tlh")
    assert '<html lang="en">' in browser.page("/sign-in?lang=en")
    assert "没有找到" in browser.page("/nowhere?lang=zh", 404)


def test_pages_in_chinese(manager: Browser) -> None:
    for path, words in (
        ("/customers?lang=zh", "新增客户"),
        ("/customers/674", "互动时间线"),
        ("/customers/674/visit", "记录拜访"),
        ("/customers/674/feedback", "未评分"),
        ("/customers/674/edit", "自定义字段"),
        ("/reminders", "我的提醒"),
    ):
        assert words in manager.page(path)
