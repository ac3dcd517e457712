"""The page of the settings: the keys from the table that checks them, the words from the example file's comments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, Final

from platform_store.config import (
    KEYS,
    EmbeddedConfig,
    JournalConfig,
    MongodbConfig,
    MysqlConfig,
    QueryConfig,
    TlsConfig,
)
from platform_store.config.keys import LEAVES
from tools.reference.text import page, table

NAME: Final = "configuration.md"
_EXAMPLE: Final = Path("config/platform.example.yaml")
_PARTS: Final = {
    part._section: part for part in (MysqlConfig, MongodbConfig, EmbeddedConfig, JournalConfig, QueryConfig)
}
_LINE: Final = re.compile(r"( *)([a-z_]+):(?: +(?!#)\S+)*(?: +# (.*))?")

_INTRODUCTION: Final = """\
A YAML file ([`Platform.open`](platform_store.md#platformopen), `platform-store --config`), with the sections `mysql`
and `mongodb`, or `embedded` alone. [config/platform.example.yaml](../../config/platform.example.yaml) is one to copy,
with all keys, how URLs and `${NAME}` are written, and which option of a URL is which key. An unknown key, a wrong type
and a value out of range are a [`ConfigError`](errors.md#configerror) that names the file, the line and the key."""


def write(root: Path) -> str:
    """The page."""
    comments = described((root / _EXAMPLE).read_text("utf-8"))
    blocks = ["# Configuration", _INTRODUCTION]
    for section, leaves in LEAVES.items():
        rows = []
        for leaf, (attribute, kind) in leaves.items():
            key = f"{section}.{leaf}"
            rows.append([f"`{key}`", kind.expected, _default(section, attribute), comments.get(key, "")])
        blocks += [f"## `{section}`", table(["key", "value", "default", "meaning"], rows)]
    return page(*blocks)


def described(text: str) -> dict[str, str]:
    """For each key the comment behind it, which may go on in the lines below, in the same column."""
    found: dict[str, str] = {}
    parents: list[tuple[int, str]] = []
    column = key = None
    for line in text.splitlines():
        if column is not None and key and line[:column].isspace() and line[column : column + 2] == "# ":
            found[key] += f" {line[column + 2 :]}"
            continue
        column = key = None
        match = _LINE.fullmatch(re.sub(r"^( *)# ?", r"\1", line))
        if match is None:
            continue
        parents = [parent for parent in parents if parent[0] < len(match[1])]
        parents.append((len(match[1]), match[2]))
        key = ".".join(name for _, name in parents)
        if match[3] and key in KEYS:
            found[key] = match[3]
            column = line.rindex("# ", 0, len(line) - len(match[3]))
    return found


def _default(section: str, attribute: str) -> str:
    part: Any = TlsConfig if attribute.startswith("tls.") else _PARTS[section]
    for one in fields(part):
        if one.name == attribute.removeprefix("tls."):
            return "no default" if one.default is MISSING else _shown(one.default)
    return "none"


def _shown(value: Any) -> str:
    return "none" if value in (None, "") else f"`{str(value).lower() if isinstance(value, bool) else value}`"


def undescribed(root: Path) -> Iterator[str]:
    """The keys that the example file says nothing of."""
    comments = described((root / _EXAMPLE).read_text("utf-8"))
    return (key for key in KEYS if key not in comments)
