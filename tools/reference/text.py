"""Docstrings and annotations as Markdown, with links to where a name is explained."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

_ROLE = re.compile(r":(?:meth|class|func|data|mod|attr):`(~?)([\w.]+)`")
_LITERAL = re.compile(r"``(.+?)``", re.DOTALL)
_CODE = re.compile(r"(`[^`]*`)")
_DOCUMENT = re.compile(r"\b(?:docs|config)/[\w./-]+\.(?:md|yaml)\b")
_BULLET = re.compile(r"[*-] ")


@dataclass
class Anchors:
    """Where names are explained: by their last part, and by class and last part, the page and the heading."""

    places: dict[str, str] = field(default_factory=dict)
    errors: set[str] = field(default_factory=set)

    def add(self, page: str, heading: str, *names: str) -> None:
        """The first place that a name is given counts."""
        for name in names:
            self.places.setdefault(name, f"{page}#{slug(heading)}")

    def link(self, shown: str, *names: str) -> str:
        """``shown`` as code, with a link to the first of these names that has a place."""
        place = next((self.places[name] for name in names if name in self.places), None)
        return f"`{shown}`" if place is None else f"[`{shown}`]({place})"


@dataclass(frozen=True)
class Writer:
    """Makes Markdown of the docstrings of one class or module. ``owner``: its name, which methods are looked up in."""

    anchors: Anchors
    owner: str = ""

    def prose(self, text: str) -> str:
        """Paragraphs, lists and code of a docstring. A paragraph stays one; an indented block after ``::`` is code."""
        blocks: list[str] = []
        code = False
        for block in re.split(r"\n\s*\n", text.strip("\n")):
            if code and block.startswith(" "):
                blocks.append(fenced(block, "py"))
                continue
            code = block.rstrip().endswith("::")
            block = re.sub(r"::\s*$", ":", block)
            if block.strip() != ":":
                blocks += [self.inline(part) for part in _parts(block)]
        return "\n\n".join(blocks)

    def inline(self, text: str) -> str:
        """One paragraph: roles, literals and the names of errors, outside of code."""
        text = _LITERAL.sub(lambda match: f"`{match[1]}`", text)
        text = _ROLE.sub(self._role, text)
        parts = _CODE.split(text)
        return "".join(part if part.startswith("`") else self._plain(part) for part in parts)

    def paragraph(self, text: str) -> str:
        """On one line, as a table or a list has it."""
        return self.inline(" ".join(text.split()))

    def _role(self, match: re.Match[str]) -> str:
        parts = match[2].split(".")
        last, pair = parts[-1], ".".join(parts[-2:])
        shown = last if match[1] or len(parts) > 2 else match[2]
        return self.anchors.link(shown, pair, f"{self.owner}.{last}", f"Crm.{last}", last)

    def _plain(self, text: str) -> str:
        text = _DOCUMENT.sub(lambda match: f"[{match[0]}]({from_here(match[0])})", text)
        words = "|".join(sorted(self.anchors.errors))
        return re.sub(rf"\b(?:platform_store\.)?({words})\b", lambda match: self.anchors.link(match[1], match[1]), text)


def _parts(block: str) -> Iterable[str]:
    """A paragraph on one line; of a list, all lines with their indentation, for a list is read by it."""
    if _BULLET.match(block):
        yield re.sub(r"\n +(?![*-] )", " ", block)
    else:
        yield " ".join(block.split())


def from_here(path: str) -> str:
    """The way from docs/reference to a file of the repository."""
    for prefix, there in (("docs/reference/", ""), ("docs/", "../")):
        if path.startswith(prefix):
            return there + path.removeprefix(prefix)
    return f"../../{path}"


def slug(heading: str) -> str:
    """The anchor that Git hosts give to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def fenced(code: str, language: str) -> str:
    """A block of code, without the indentation that all its lines share."""
    lines = code.strip("\n").split("\n")
    indent = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
    return "\n".join([f"```{language}", *(line[indent:].rstrip() for line in lines), "```"])


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; what is in a cell stays in it."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def page(*blocks: str) -> str:
    """A whole page of these blocks."""
    return "\n\n".join(block for block in blocks if block) + "\n"
