"""The pages of the CRM: its services with their contracts, and the tables of its entities."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast

from griffe import Class, Function, Module

from crm_model.entities import MODELS
from crm_model.model import Record
from tools.reference.python import Reader, is_field, members, signature
from tools.reference.text import Anchors, Writer, fenced, page, table

SERVICES: Final = "crm.md"
ENTITIES: Final = "crm-entities.md"

_BESIDE: Final = {
    "tables": ("install", "upgrade", "fill_derived", "Upgrade"),
    "policy": ("Actor", "Policy", "Everything", "RolePolicy"),
    "model": ("Record", "Standard", "Entity", "Reference"),
    "lead_scoring": ("Scoring",),
    "service_levels": ("ServiceLevels",),
    "audience": ("Audience",),
    "rules.load": ("load_rules",),
    "rules.records": ("Rule", "Condition", "Input", "Bound", "TaskOf"),
    "tabular.report": ("ImportReport", "RowResult"),
    "queries": ("Question", "Answer", "ask"),
}
"""What stands beside the services in the package, by the module that it is imported from."""


def services(package: Module, anchors: Anchors) -> str:
    """The page of the services and of what is passed to them."""
    return page(*_service_blocks(package, anchors))


def entities(anchors: Anchors) -> str:
    """The page of the tables."""
    return page(*_entity_blocks(anchors))


def _service_blocks(package: Module, anchors: Anchors) -> Iterator[str]:
    reader = Reader(anchors)
    crm = cast(Class, package["crm.Crm"])
    common = cast(Class, package["service.Service"])
    bases = sorted((base for base in crm.mro() if base is not common), key=lambda base: base.name)
    anchors.add(SERVICES, "Crm", "Crm")
    for base in [*bases, common]:
        for member in members(base):
            anchors.add(SERVICES, f"Crm.{member.name}", f"Crm.{member.name}")
    yield "# `crm_model`: services"
    yield (
        "What holds for every service, and how they are used together, is in [docs/crm.md](../crm.md); the tables are "
        "in [crm-entities.md](crm-entities.md), the errors in [errors.md](errors.md)."
    )
    own = [(base, [one for one in members(base) if one.name in base.members]) for base in bases]
    yield "\n".join(_line(base.name, [one.name for one in found]) for base, found in own)
    yield "## `Crm`"
    yield fenced(f"crm = {signature(cast(Function, common['__init__'])).replace('__init__', 'Crm', 1)}", "py")
    yield from reader.docstring(crm, Writer(anchors, "Crm"))
    yield from reader.docstring(common, Writer(anchors, "Crm"))
    for member in members(common):
        if not is_field(member):
            yield from reader.member(member, "Crm", 3)
    for base, found in own:
        yield f"## {base.name}"
        yield from reader.docstring(base.module, Writer(anchors, "Crm"))
        yield from reader.docstring(base, Writer(anchors, "Crm"))
        for member in found:
            yield from reader.member(member, "Crm", 3)
        for other in base.module.classes.values():
            if other is not base and not other.is_alias and not other.name.startswith("_"):
                anchors.add(SERVICES, other.name, other.name)
                yield from reader.class_(other, other.name, members(other), 3)
    for module, names in _BESIDE.items():
        yield f"## `crm_model.{module}`"
        yield from reader.docstring(cast(Module, package[module]), Writer(anchors))
        for name in names:
            yield from _beside(cast(Module, package[module]), name, reader, anchors)


def _line(name: str, methods: list[str]) -> str:
    links = ", ".join(f"[{one}](#crm{one})" for one in methods)
    return f"- [{name}](#{name.lower()}): {links}"


def _beside(module: Module, name: str, reader: Reader, anchors: Anchors) -> Iterator[str]:
    found = module[name]
    if isinstance(found, Class):
        anchors.add(SERVICES, name, name)
        yield from reader.class_(found, name, members(found), 3)
        return
    anchors.add(SERVICES, f"crm_model.{name}", name)
    yield f"### `crm_model.{name}`"
    yield fenced(signature(found), "py")
    yield from reader.docstring(found, Writer(anchors))


def _entity_blocks(anchors: Anchors) -> Iterator[str]:
    package = {model.table: model for model in MODELS}
    for model in MODELS:
        anchors.add(ENTITIES, model.__name__, model.__name__)
    writer = Writer(anchors)
    yield "# `crm_model`: tables"
    yield (
        "Every entity is a class in `crm_model.entities`, a table in MySQL and a collection of the same name. Columns "
        "of MySQL hold keys, money, status and times; documents what has no fixed form. A column is NULL where the "
        "table says so; one with neither NULL nor a default has to be given. `id`, and the last four columns, are the "
        "same everywhere: the services write them."
    )
    yield "\n".join(f"- [`{model.table}`](#{model.__name__.lower()}): {_first(model)}" for model in MODELS)
    for model in package.values():
        yield from _entity(model, writer)


def _first(model: type[Record]) -> str:
    return (model.__doc__ or "").split("\n\n")[0].replace("\n", " ").strip()


def _entity(model: type[Record], writer: Writer) -> Iterator[str]:
    declared = model.declaration
    yield f"## `{model.__name__}`"
    yield f"Table and collection `{declared.name}`."
    yield writer.prose(_dedented(declared.about))
    references = {one.column: one for one in declared.references}
    documents = {column.name for column in declared.documents}
    rows = []
    for column in (*declared.mysql_columns, *declared.documents):
        reference = references.get(column.name)
        to = "" if reference is None else f"`{reference.table}`" if reference.table else f"named by `{reference.by}`"
        store = "MongoDB" if column.name in documents else "both" if declared.in_both else "MySQL"
        default = "" if column.default is None else f"`{column.default}`"
        null = "NULL" if column.nullable and not column.auto_increment else ""
        rows.append([f"`{column.name}`", f"`{column.type}`", null, default, store, to])
    yield table(["column", "type", "", "default", "store", "refers to"], rows)
    keys = [f"`{'`, `'.join(_names(one))}`" for one in declared.unique]
    indexes = [f"({', '.join(_names(one))})" for one in declared.indexes]
    yield " ".join(
        [
            f"Natural key, unique among live rows: {'; '.join(keys)}." if keys else "",
            f"Further indexes: {', '.join(indexes)}." if indexes else "",
            "Rows are never changed." if declared.append_only else "",
        ]
    ).strip()


def _names(one: str | tuple[str, ...]) -> tuple[str, ...]:
    return (one,) if isinstance(one, str) else one


def _dedented(text: str) -> str:
    first, _, rest = text.partition("\n")
    return first + "\n" + "\n".join(line.removeprefix("    ") for line in rest.split("\n"))
