"""A page of Markdown: its blocks of code, its headings, its links, and what it names in passing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

RUNNABLE = {"python", "console", "sql", "javascript"}
_COMMENT = re.compile(r"<!-- *(.*?) *-->", re.S)
_HIDDEN = re.compile(rf"<!-- ({'|'.join(sorted(RUNNABLE))})\n(.*)-->", re.S)
_NOTE = re.compile(r"(not run|file|on): (.+)", re.S)
_HTML_LINK = re.compile(r"(?:href|src)=\"([^\"]+)\"")


@dataclass
class Block:
    """A block of code; ``line`` counts from 1 and is that of its first line of code."""

    kind: str
    text: str
    line: int
    file: str | None = None
    not_run: str | None = None
    prints: Block | None = None
    hidden: bool = False


@dataclass
class Page:
    """A page as its author wrote it."""

    path: Path
    text: str
    blocks: list[Block] = field(default_factory=list)
    anchors: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    code: list[str] = field(default_factory=list)
    """What stands between backquotes in a line of text."""
    servers_configured: bool = False

    def run_blocks(self) -> Iterator[Block]:
        """The blocks that are to be run, in order."""
        return (block for block in self.blocks if block.kind in RUNNABLE and block.not_run is None)


def read(path: Path) -> Page:
    """Reads a page."""
    page = Page(path, path.read_text("utf-8"))
    notes: dict[str, str] = {}
    before: Block | None = None
    for token in MarkdownIt("commonmark").enable("table").parse(page.text):
        if token.type == "fence":
            before = _fence(page, token, notes, before)
            notes = {}
        elif token.type == "html_block":
            notes |= _html(page, token)
        elif token.type == "inline":
            _inline(page, token)
        elif token.type == "heading_open":
            page.anchors.append("")  # its text is the next token
        if token.type != "fence":
            before = None
    return page


def _fence(page: Page, token: Token, notes: dict[str, str], before: Block | None) -> Block:
    assert token.map is not None
    block = Block(token.info.strip(), token.content, token.map[0] + 2, notes.get("file"), notes.get("not run"))
    page.blocks.append(block)
    if block.kind == "text" and before is not None and before.kind == "python" and not notes:
        before.prints = block
    return block


def _html(page: Page, token: Token) -> dict[str, str]:
    """The notes of a comment for the block that follows it."""
    assert token.map is not None
    page.links += _HTML_LINK.findall(token.content)
    hidden = _HIDDEN.match(token.content)
    if hidden:
        page.blocks.append(Block(hidden[1], hidden[2], token.map[0] + 2, hidden=True))
        return {}
    found = {}
    for comment in _COMMENT.findall(token.content):
        note = _NOTE.fullmatch(comment)
        if note is None:
            continue
        found[note[1]] = note[2]
    page.servers_configured |= found.pop("on", None) == "servers"
    return found


def _inline(page: Page, token: Token) -> None:
    inside = token.children or []
    page.links += [str(child.attrs["href"]) for child in inside if child.type == "link_open"]
    page.links += [str(child.attrs["src"]) for child in inside if child.type == "image"]
    page.links += [
        link for child in inside if child.type == "html_inline" for link in _HTML_LINK.findall(child.content)
    ]
    page.code += [child.content for child in inside if child.type == "code_inline"]
    if page.anchors and page.anchors[-1] == "":
        words = "".join(child.content for child in inside if child.type in ("text", "code_inline"))
        page.anchors[-1] = _anchor(words, page.anchors)


def _anchor(heading: str, taken: list[str]) -> str:
    """The anchor that GitHub gives a heading."""
    plain = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
    repeated = sum(re.fullmatch(rf"{re.escape(plain)}(-\d+)?", one) is not None for one in taken)
    return f"{plain}-{repeated}" if repeated else plain
