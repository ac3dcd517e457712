"""All pages together."""

from __future__ import annotations

from pathlib import Path
from typing import Final, cast

import griffe

from tools.reference import command_line, configuration, crm, errors, library, operation
from tools.reference.text import Anchors, page

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = Path("docs/reference")

_INDEX: Final = page(
    "# Reference",
    "Generated from the docstrings and parsers of the code by `make docs`; a test fails where a page is not as the "
    "code is. What these things are for is told in the [README](../../README.md) and the pages of [docs](..).",
    "- [The library](platform_store.md): every public name of `platform_store`\n"
    "- [Errors](errors.md): when each is raised, what it carries, and what to do\n"
    "- [The command line](command-line.md): each command of `platform-store`, its options and exit codes\n"
    "- [Configuration](configuration.md): every key\n"
    "- [Operation](operation.md): what `status()` tells, and every message of the log\n"
    "- [The CRM: services](crm.md): every service of `crm_model` with its contract\n"
    "- [The CRM: tables](crm-entities.md): every entity, its columns and the store that each lives in",
)


def load(package: str) -> griffe.Module:
    """A package as its source says; nothing of it is imported."""
    found = griffe.load(
        package,
        search_paths=[ROOT],
        docstring_parser="google",
        docstring_options={"warnings": False},
        allow_inspection=False,
    )
    return cast(griffe.Module, found)


def pages() -> dict[str, str]:
    """The text of each page. It is made twice: the second time every name has a place to link to."""
    platform_store, crm_model = load("platform_store"), load("crm_model")
    anchors = Anchors()
    for _ in range(2):
        made = {
            "README.md": _INDEX,
            errors.NAME: errors.write(platform_store, crm_model, anchors),
            library.NAME: library.write(platform_store, anchors),
            command_line.NAME: command_line.write(),
            configuration.NAME: configuration.write(ROOT),
            operation.NAME: operation.write(platform_store, ROOT, anchors),
            crm.ENTITIES: crm.entities(anchors),
            crm.SERVICES: crm.services(crm_model, anchors),
        }
    return made
