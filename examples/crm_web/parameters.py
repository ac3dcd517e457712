"""What addresses hold, checked: anything else is answered with 404 (in a path) or 400."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from pydantic import BeforeValidator, Field

LARGEST = 2**63 - 1
"""Of a BIGINT."""


def _empty_is_none(value: object) -> object:
    return None if value == "" else value


Id = Annotated[int, Path(ge=1, le=LARGEST)]
"""The ``id`` of a row."""
MaybeId = Annotated[Annotated[int, Field(ge=1, le=LARGEST)] | None, BeforeValidator(_empty_is_none)]
"""The same, or nothing, as an empty choice of a form has it."""
