"""``tables``, ``describe`` and ``drop``."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Annotated

import typer

from platform_store.cli.app import Session, command
from platform_store.cli.output import Format, print_json
from platform_store.cli.values import parse_columns
from platform_store.records import ColumnDescription, TableDescription

STORES = {"mysql": "MySQL", "mongodb": "MongoDB", "both": "both"}


@command
def tables(session: Session) -> None:
    """List the tables."""
    with session.open() as platform:
        found = [platform.describe(name) for name in platform.tables()]
    session.output.rows(
        ("table", "key", "columns", "flag", "extra"),
        [(t.name, ", ".join(t.key), len(t.columns), t.flag, t.extra) for t in found],
    )


@command
def describe(session: Session, table: Annotated[str, typer.Argument(help="The table.")]) -> None:
    """Show a table's columns, with the store each one lives in, its flag and its indexes."""
    with session.open() as platform:
        found = platform.describe(table)
    output = session.output
    if output.format is Format.JSON:
        print_json(asdict(found))
    elif output.format is Format.CSV:
        columns = [asdict(column) for column in found.columns]
        output.rows(tuple(columns[0]), [tuple(column.values()) for column in columns])
    else:
        output.rows(("column", "type", "null", "default", "lives in", "field"), [_row(c) for c in found.columns])
        output.record(_summary(found))


@command
def associate(
    session: Session,
    table: Annotated[str, typer.Argument(help="The MySQL table, or the collection, that is there.")],
    flag: Annotated[
        int | None,
        typer.Option(help="-1: every column in both stores; for a collection alone, the index of the last key column."),
    ] = None,
    columns: Annotated[
        str | None, typer.Option(metavar="SPEC", help="As load --columns: columns beyond those of MySQL's table.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would change, and change nothing.")] = False,
) -> None:
    """Adopt a MySQL table, a collection, or both of one name, as a table of two stores.

    MySQL's table gets one invisible column, _rev; nothing else changes, and applications that know nothing of this go
    on as before. What is to be known about those is shown.
    """
    declared = None if columns is None else parse_columns(columns)
    with session.open() as platform:
        adopted = platform.associate(table, columns=declared, flag=flag, dry_run=dry_run)
    output = session.output
    if output.format is not Format.TABLE:
        output.record(asdict(adopted))
        return
    output.rows(
        ("column", "type", "lives in"), [(c.name, c.type, STORES[c.placement]) for c in adopted.description.columns]
    )
    output.record(
        {
            "done" if not dry_run else "would do": "; ".join(adopted.statements) or "nothing in MySQL",
            "rows": adopted.rows,
            "documents": adopted.documents,
        }
    )
    for warning in adopted.warnings:
        output.console.print(f"note: {warning}", soft_wrap=True, markup=False)


@command
def drop(
    session: Session,
    table: Annotated[str, typer.Argument(help="The table.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Drop a table: its rows in MySQL and its collection in MongoDB."""
    if not yes and not sys.stdin.isatty():
        raise typer.BadParameter("give --yes: there is no terminal to ask on")
    with session.open() as platform:
        platform.describe(table)
        if not yes:
            typer.confirm(f"Drop {table!r} with its rows and documents?", abort=True, err=True)
        session.output.record(asdict(platform.drop_table(table)))


def _row(column: ColumnDescription) -> tuple[object, ...]:
    return (
        column.name,
        f"{column.type} {column.collation}" if column.collation else column.type,
        "yes" if column.nullable else "no",
        "AUTO_INCREMENT" if column.auto_increment else column.default,
        STORES[column.placement],
        column.field or "",
    )


def _summary(table: TableDescription) -> dict[str, object]:
    return {
        "key": ", ".join(table.key),
        "flag": "none: columns have moved since" if table.flag is None else table.flag,
        "extra fields": "yes" if table.extra else "no",
        "indexes": ", ".join(f"({', '.join(i.columns)}){' unique' if i.unique else ''}" for i in table.indexes)
        or "none",
    }
