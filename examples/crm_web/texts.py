"""Every text of the pages, in Chinese and English: the files in ``texts``, in which both stand side by side."""

from __future__ import annotations

from collections.abc import ItemsView, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

LANGUAGES: Final = {"zh": "中文", "en": "English"}
"""Codes, and how each calls itself."""
DEFAULT: Final = "zh"
FILES: Final = Path(__file__).parent / "texts"


@dataclass(frozen=True)
class Texts:
    """The texts of one language."""

    language: str
    _texts: Mapping[str, str]

    def __call__(self, key: str, /, **values: object) -> str:
        """A text with values in its places. Raises KeyError for a text that is in no file."""
        return self._texts[key].format(**values)

    def items(self) -> ItemsView[str, str]:
        """Every key and text."""
        return self._texts.items()

    def word(self, value: object) -> str:
        """A kind, status or stage as this language has it; one that nobody has translated stays as it is."""
        return "" if value is None else self._texts.get(f"word.{value}", str(value))

    def find(self, key: str) -> str | None:
        """A text without values, or None."""
        return self._texts.get(key)


def load_texts(files: Path = FILES) -> dict[str, Texts]:
    """All texts by language. Raises ValueError for a text that is there twice, or lacks a language."""
    found: dict[str, dict[str, str]] = {language: {} for language in LANGUAGES}
    for path in sorted(files.glob("*.yaml")):
        for key, both in yaml.safe_load(path.read_text(encoding="utf-8")).items():
            if key in found[DEFAULT] or set(both) != set(LANGUAGES):
                raise ValueError(f"{path.name}: {key!r} is there twice, or not in each language")
            for language, text in both.items():
                found[language][key] = text
    return {language: Texts(language, texts) for language, texts in found.items()}


def preferred(accept_language: str) -> str:
    """The language that a browser asks for first, of those there are."""
    wishes = []
    for place, one in enumerate(accept_language.split(",")):
        name, _, quality = one.strip().partition(";q=")
        language = name.split("-")[0].strip().lower()
        if language in LANGUAGES:
            wishes.append((-_number(quality), place, language))
    return min(wishes)[2] if wishes else DEFAULT


def _number(quality: str) -> float:
    try:
        return float(quality or 1)
    except ValueError:
        return 0.0
