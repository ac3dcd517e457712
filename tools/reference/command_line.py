"""The page of the commands, from the program's own parsers."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import Any, get_args

import typer

from platform_store.cli import app, load_commands
from tools.reference.text import page, slug, table

NAME = "command-line.md"

_INTRODUCTION = """\
`--help` behind a command's name says the same. Every command takes the options of the first section, before or after
its name."""


def write() -> str:
    """The page."""
    load_commands()
    program = typer.main.get_command(app)
    commands: dict[str, Any] = program.commands  # type: ignore[attr-defined]  # an application is a group
    hints = {name: _annotations(command.callback) for name, command in commands.items()}
    every = next(iter(hints.values()))
    shared = {parameter.name: parameter for parameter in program.params if parameter.name in every}
    summary = table(
        ["command", ""], [[f"[`{name}`](#{slug(_heading(name))})", _first(one.help)] for name, one in commands.items()]
    )
    blocks = ["# The command line", _INTRODUCTION, summary, "## Options of every command"]
    blocks += [_options(shared.values(), every), *_paragraphs(getattr(program, "epilog", "") or "")]
    for name, command in commands.items():
        own = [parameter for parameter in command.params if parameter.name not in shared]
        blocks += [f"## `{_heading(name)}`", f"```text\n{_usage(name, own, hints[name])}\n```"]
        blocks += [*_paragraphs(command.help or ""), _options(own, hints[name])]
    return page(*blocks)


def _heading(name: str) -> str:
    return f"platform-store {name}"


def _usage(name: str, parameters: Iterable[Any], hints: dict[str, Any]) -> str:
    words = [_heading(name)]
    for one in parameters:
        if _is_argument(one):
            words.append(_argument(one) if one.required else f"[{_argument(one)}]")
        elif one.required:
            words.append(f"{one.opts[0]} {_value(one, hints[one.name])}")
    return " ".join([*words, "[OPTIONS]"])


def _argument(parameter: Any) -> str:
    return str(parameter.name).upper() + ("..." if parameter.nargs == -1 else "")


def _is_argument(parameter: Any) -> bool:
    return bool(parameter.param_type_name == "argument")


def _options(parameters: Iterable[Any], hints: dict[str, Any]) -> str:
    rows = []
    for one in parameters:
        value = "" if _is_argument(one) else _value(one, hints[one.name])
        names = [_argument(one)] if _is_argument(one) else [*one.opts, *one.secondary_opts]
        shown = f"`{', '.join(names)}{f' {value}' if value else ''}`"
        rows.append([shown, " ".join([one.help or "", _remark(one, value)]).strip()])
    return table(["", "meaning"], rows) if rows else ""


def _remark(parameter: Any, value: str) -> str:
    remarks = []
    if parameter.required and not _is_argument(parameter):
        remarks.append("Required.")
    if parameter.multiple:
        remarks.append("May be repeated.")
    default = parameter.default.value if isinstance(parameter.default, Enum) else parameter.default
    if default not in (None, False, "") and (value or _is_argument(parameter)):
        remarks.append(f"Default: `{default}`.")
    return " ".join(remarks)


def _value(parameter: Any, annotation: Any) -> str:
    """What stands for an option's value; nothing for a switch."""
    if parameter.is_flag:
        return ""
    if parameter.metavar:
        return str(parameter.metavar)
    kind = next((one for one in (get_args(annotation) or (annotation,)) if one is not NoneType), annotation)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "|".join(str(one.value) for one in kind)
    return {int: "N", float: "N", Path: "FILE"}.get(kind, "TEXT")


def _annotations(callback: Any) -> dict[str, Any]:
    """The types that the parameters of a command were written with, without Typer's own part of them."""
    parameters = inspect.signature(callback).parameters.values()
    return {one.name: get_args(one.annotation)[0] for one in parameters if one.name != "ctx"}


def _first(text: str) -> str:
    return " ".join(text.split("\n\n")[0].split())


def _paragraphs(text: str) -> list[str]:
    return [" ".join(part.split()) for part in text.split("\n\n") if part.strip()]
