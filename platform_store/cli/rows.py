"""``read`` and ``query``."""

from __future__ import annotations

from typing import Annotated

import typer

from platform_store.cli.app import Session, command
from platform_store.cli.output import Format
from platform_store.cli.tables import STORES
from platform_store.cli.values import parse_key, parse_parameter
from platform_store.errors import RowNotFound


@command
def read(
    session: Session,
    table: Annotated[str, typer.Argument(help="The table.")],
    key: Annotated[list[str], typer.Argument(help="The key: one value for each key column.")],
    columns: Annotated[str | None, typer.Option(metavar="A,B", help="Only these columns.")] = None,
) -> None:
    """Show one row. A negative number is given after --."""
    names = None if columns is None else [name.strip() for name in columns.split(",")]
    with session.open() as platform:
        description = platform.describe(table)
        wanted = parse_key(description, key)
        row = platform.read(table, wanted, columns=names)
    if row is None:
        raise RowNotFound(table, wanted)
    if session.output.format is Format.TABLE:
        stores = {column.name: STORES[column.placement] for column in description.columns}
        found = [(name, value, stores.get(name, STORES["mongodb"])) for name, value in row.items()]
        session.output.rows(("column", "value", "lives in"), found)
    else:
        session.output.record(row)


@command
def query(
    session: Session,
    sql: Annotated[str, typer.Argument(help="One SELECT in MySQL's dialect, with %s for parameters.")],
    params: Annotated[
        list[str] | None,
        typer.Argument(help='Parameters. 3, -1.5, true, null and "text" are JSON; anything else is text as it stands.'),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say how the query was answered, and from where, instead of the rows.")
    ] = False,
) -> None:
    """Run a query and print its rows as they arrive."""
    values = [parse_parameter(text) for text in params] if params else None
    if explain:
        with session.open() as platform:
            session.output.plan(platform.explain(sql, values))
        return
    with session.open() as platform, platform.query(sql, values) as result:
        session.output.rows(result.columns, result)
