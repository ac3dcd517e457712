"""Configuration files: YAML into leaves with their lines, ``${ENV}`` put in, and private, atomic writing."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from platform_store.config.keys import KEYS, LEAVES, hint
from platform_store.errors import ConfigError

HEADER = """\
# Settings of platform_store. Keep this file private: it may hold passwords.
# ${NAME} is replaced by the environment variable NAME, ${NAME:-text} has a default, $${ is a literal ${.
# Settings that are not listed have their defaults.
"""


class Origin(NamedTuple):
    """A leaf as it was given. ``raw``: its text before ``${ENV}``."""

    raw: str
    line: int | None = None
    style: str = "any"
    value: object = None


def walk(
    node: yaml.MappingNode, prefix: str, found: dict[str, Origin], lines: dict[str, int], present: set[str]
) -> None:
    """Collects the leaves below a mapping and the line of every key; refuses keys that are unknown or there twice."""
    names = {key[len(prefix) :].partition(".")[0] for key in KEYS if key.startswith(prefix)}
    for key_node, value in node.value:
        name = key_node.value if isinstance(key_node, yaml.ScalarNode) else ""
        key, line = f"{prefix}{name}", key_node.start_mark.line + 1
        if name not in names:
            near = {n: prefix + n for n in names}
            near |= {a: f"{prefix}{leaf}" for leaf, (a, _) in LEAVES.get(prefix[:-1], {}).items() if a}
            shown = key if re.fullmatch(r"[\w-]{1,40}", name) else prefix.rstrip(".") or None
            raise ConfigError(f"is not a known key{hint(name, near)}", key=shown, line=line)
        if key in lines:
            raise ConfigError(f"is given twice, first in line {lines[key]}", key=key, line=line)
        lines[key] = line
        if key in KEYS:
            if not isinstance(value, yaml.ScalarNode) or value.tag.endswith(":null"):
                raise ConfigError("needs one value", key=key, line=line)
            style = "typed" if not value.tag.endswith(":str") else "quoted" if value.style else "any"
            found[key] = Origin(value.value, line, style)
        elif isinstance(value, yaml.MappingNode):
            present.add(key)
            walk(value, key + ".", found, lines, present)
        elif not value.tag.endswith(":null"):  # a section with everything in it commented out is no section
            raise ConfigError("must be a section", key=key, line=line)


_REFERENCE = re.compile(r"\$\$\{|\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\})?")


def checked_value(key: str, origin: Origin) -> object:
    """The checked value of a leaf, environment variables put in."""

    def replacement(match: re.Match[str]) -> str:
        name, default = match[1], match[2]
        if match[0] == "$${":
            return "${"
        if name is None:
            raise ConfigError("has a '${' that is not ${NAME} or ${NAME:-default}; a literal one is $${", **place)
        if name not in os.environ and default is None:
            raise ConfigError(f"environment variable {name} is not set", **place)
        return os.environ.get(name, "") or default or ""

    place: dict[str, Any] = {"key": key, "line": origin.line}
    section, _, leaf = key.partition(".")
    kind = LEAVES[section][leaf][1]
    if origin.style == {"text": "typed", "plain": "quoted"}.get(kind.style) and "${" not in origin.raw:
        quotes = "in quotes" if kind.style == "text" else "without quotes"
        raise ConfigError(f"must be {kind.expected}; write it {quotes}", **place)
    try:
        value = kind.parse(_REFERENCE.sub(replacement, origin.raw))
    except ValueError:
        value = None
    if not kind.valid(value):
        raise ConfigError(f"must be {kind.expected}", **place)
    return value


class _Dumper(yaml.SafeDumper):
    """Writes text that holds line breaks of any kind, NEL among them, in double quotes: folding would change it."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if text.isprintable() else '"')


_Dumper.add_representer(str, _represent_text)


def dumped(tree: Mapping[str, Any]) -> str:
    """A tree of sections as YAML, one line for each value."""
    return yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=2**30)


@contextmanager
def in_file(path: str | os.PathLike[str], lines: Mapping[str, int] | None) -> Iterator[None]:
    """Adds the file, and the line of the key or of the section it is missing from, to a ConfigError."""
    try:
        yield
    except ConfigError as error:
        line, key = error.line, error.key or ""
        while line is None and lines is not None:
            line, key = lines.get(key, None if key else 1), key.rpartition(".")[0]
        raise ConfigError(error.reason, key=error.key, line=line, path=os.fspath(path)) from None


def write_private(path: Path, data: bytes) -> None:
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    temporary = f".{secrets.token_hex(8)}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with open(os.open(temporary, flags, 0o600, dir_fd=directory), "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path.name, src_dir_fd=directory, dst_dir_fd=directory)
        os.fsync(directory)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=directory)
        os.close(directory)
