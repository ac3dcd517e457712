"""One query over one small scenario, as it is kept in a test, and as it is written down there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from platform_store import ColumnAttribute, JsonText
from tests.fuzz.nodes import Parameters
from tests.fuzz.scenario import Change, Flags, Scenario, Table


@dataclass(frozen=True)
class Case:
    """A query, the tables under it, and their split. ``ordered``: its ORDER BY leaves no rows tied."""

    scenario: Scenario
    flags: Flags
    sql: str
    parameters: Parameters = None
    ordered: bool = False


def written(value: object, indent: str = "") -> str:
    """The value as Python source, without what is as by default."""
    inner = indent + "    "
    if isinstance(value, Case | Scenario | Table | Change | ColumnAttribute):
        given = [
            f"{inner}{one.name}={written(getattr(value, one.name), inner)},\n"
            for one in fields(value)
            if getattr(value, one.name) != one.default
        ]
        if isinstance(value, ColumnAttribute | Change):
            return f"{type(value).__name__}({', '.join(line.strip().rstrip(',') for line in given)})"
        return f"{type(value).__name__}(\n{''.join(given)}{indent})"
    if isinstance(value, tuple) and value and isinstance(value[0], Table | Change | ColumnAttribute):
        return f"(\n{''.join(f'{inner}{written(one, inner)},{chr(10)}' for one in value)}{indent})"
    if isinstance(value, JsonText):
        return f"JsonText({str(value)!r})"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{written(key)}: {written(item)}' for key, item in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    return repr(value)
