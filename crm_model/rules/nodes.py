"""A YAML file read with its lines: every error names the file, the line, the key and what is wrong.

A JSON document is read alike.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection
from decimal import Decimal
from pathlib import Path
from typing import Final, Self

import yaml

from crm_model.model import Json
from platform_store import ConfigError

_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]{1,2})?")
_TEXT_TAG: Final = "tag:yaml.org,2002:str"
_BOOLEAN_TAG: Final = "tag:yaml.org,2002:bool"


class Node:
    """A value in the file, under a key. What it is asked for and is not, it refuses with a ConfigError."""

    def __init__(self, node: yaml.Node, path: str, key: str):
        self._node, self._path, self.key = node, path, key

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """The root of a file."""
        shown = os.fspath(path)
        try:
            root = yaml.compose(Path(path).read_text(encoding="utf-8-sig"), Loader=yaml.SafeLoader)
        except OSError as error:
            raise ConfigError(f"cannot be read: {error.strerror}", path=shown) from None
        except UnicodeDecodeError:
            raise ConfigError("is not UTF-8 text", path=shown) from None
        except (yaml.YAMLError, RecursionError) as error:
            mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
            line = mark.line + 1 if mark else None
            raise ConfigError(f"is not valid YAML: {problem or 'unreadable'}", line=line, path=shown) from None
        if root is None:
            raise ConfigError("is empty", path=shown)
        return cls(root, shown, "")

    @classmethod
    def of(cls, document: Json, key: str) -> Self:
        """A JSON document. Its errors name the key alone."""
        try:
            root = yaml.compose(json.dumps(document, ensure_ascii=False, default=str), Loader=yaml.SafeLoader)
        except yaml.YAMLError:
            raise ConfigError("is not a document that can be read", key=key) from None
        assert root is not None, "JSON is never empty"
        return cls(root, "", key)

    def error(self, reason: str) -> ConfigError:
        """To raise."""
        if not self._path:
            return ConfigError(reason, key=self.key or None)
        return ConfigError(reason, key=self.key or None, line=self._node.start_mark.line + 1, path=self._path)

    def named(self, key: str) -> Self:
        """The same value, known under another key."""
        return type(self)(self._node, self._path, key)

    def mapping(self, known: Collection[str], required: Collection[str] = ()) -> dict[str, Self]:
        """The values under its keys, none of them twice."""
        if not isinstance(self._node, yaml.MappingNode):
            raise self.error(f"must be a mapping with {_listed(known)}")
        found: dict[str, Self] = {}
        for key_node, value in self._node.value:
            name = key_node.value if isinstance(key_node, yaml.ScalarNode) else "?"
            key = f"{self.key}.{name}".lstrip(".")
            if name not in known:
                raise type(self)(key_node, self._path, key).error(f"is not known; it can be {_listed(known)}")
            if name in found:
                raise type(self)(key_node, self._path, key).error("is there twice")
            found[name] = type(self)(value, self._path, key)
        for name in required:
            if name not in found:
                raise self.error(f"lacks {name}")
        return found

    def one_of(self, known: Collection[str]) -> tuple[str, Self]:
        """The only key of a mapping, and its value."""
        found = self.mapping(known)
        if len(found) != 1:
            raise self.error(f"must have exactly one of {_listed(known)}")
        return next(iter(found.items()))

    def items(self) -> list[Self]:
        if not isinstance(self._node, yaml.SequenceNode):
            raise self.error("must be a list")
        return [type(self)(value, self._path, f"{self.key}[{index}]") for index, value in enumerate(self._node.value)]

    def text(self, longest: int) -> str:
        """A text that says something."""
        if not isinstance(self._node, yaml.ScalarNode) or self._node.tag != _TEXT_TAG:
            raise self.error("must be a text")
        value: str = self._node.value
        if not value.strip() or len(value) > longest:
            raise self.error(f"must be a text of 1 to {longest} characters")
        return value

    def texts(self, longest: int) -> list[str]:
        """A text, or a list of them."""
        if not isinstance(self._node, yaml.SequenceNode):
            return [self.text(longest)]
        if not self._node.value:
            raise self.error("must not be empty")
        return [one.text(longest) for one in self.items()]

    def choice(self, known: Collection[str]) -> str:
        if not isinstance(self._node, yaml.ScalarNode) or self._node.value not in known:
            raise self.error(f"must be {_listed(known, 'or')}")
        value: str = self._node.value
        return value

    def amount(self) -> Decimal:
        """A number, to the hundredth."""
        if not isinstance(self._node, yaml.ScalarNode) or not _NUMBER.fullmatch(self._node.value):
            raise self.error("must be a number of two decimal places at most, such as 1000 or 3.50")
        if self._node.tag == _TEXT_TAG:
            raise self.error("must be a number, without quotes")
        return Decimal(self._node.value)

    def amount_within(self, lowest: Decimal, highest: Decimal) -> Decimal:
        value = self.amount()
        if not lowest <= value <= highest:
            raise self.error(f"must be from {lowest} to {highest}")
        return value

    def whole(self, lowest: int, highest: int) -> int:
        value = self.amount_within(Decimal(lowest), Decimal(highest))
        if value != int(value):
            raise self.error("must be a whole number")
        return int(value)

    def boolean(self) -> bool:
        if not isinstance(self._node, yaml.ScalarNode) or self._node.tag != _BOOLEAN_TAG:
            raise self.error("must be true or false")
        return self._node.value.lower() in ("true", "yes", "on")

    def is_text(self) -> bool:
        return isinstance(self._node, yaml.ScalarNode) and self._node.tag == _TEXT_TAG


def _listed(names: Collection[str], last: str = "and") -> str:
    *first, final = sorted(names)
    return f"{', '.join(first)} {last} {final}" if first else final
