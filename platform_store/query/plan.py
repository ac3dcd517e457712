"""How a query was answered: what ``explain`` returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class SourcePlan:
    """How a query came by the document columns of one table reference.

    Attributes:
        table: its name.
        alias: what the statement calls it.
        from_mongodb: the columns that were fetched.
        pushed_to_mysql: the conditions that MySQL was asked for; "" where all rows were.
        pushed_to_mongodb: the conditions that MongoDB was asked for; "" where all documents were.
        narrowed_by: the other references, by alias, whose rows decided which rows of this one matter.
        way: "keys" (MySQL's keys, looked up in MongoDB), "scan" (the collection is read) or "groups" (MongoDB groups
            the documents, and MySQL its groups).
        why: what made it the cheaper one.
        estimated_rows: rows that were expected to be fetched.
        staged_rows: rows that went to the scratch table.
        staged_bytes: bytes of them.
        seconds: what fetching and staging them took.
    """

    table: str
    alias: str
    from_mongodb: tuple[str, ...]
    pushed_to_mysql: str
    pushed_to_mongodb: str
    narrowed_by: tuple[str, ...]
    way: Literal["keys", "scan", "groups"]
    why: str
    estimated_rows: int
    staged_rows: int
    staged_bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class QueryPlan:
    """What a query did, as ``explain`` reports it. Printed, it is a text for people.

    Attributes:
        statement: what was executed.
        unchanged: whether that is the query itself, one store holding all that is needed.
        sources: the references that documents were fetched for, in the order in which that was done.
        in_mysql: the other references to logical tables, by alias.
        steps: seconds by the name of the step, in order.
        rows: of the result.
    """

    statement: str
    unchanged: bool
    sources: tuple[SourcePlan, ...]
    in_mysql: tuple[str, ...]
    steps: Mapping[str, float]
    rows: int

    def __str__(self) -> str:
        lines = [f"{self.rows} rows; {', '.join(f'{name} {1e3 * time:.1f} ms' for name, time in self.steps.items())}"]
        if self.unchanged:
            lines.append("executed as it is: one store holds every column that is needed")
        for source in self.sources:
            lines += [
                f"{source.alias} (table {source.table}): {', '.join(source.from_mongodb)} from MongoDB",
                f"  by {source.way}: {source.why}",
                f"  asked of MySQL:   {source.pushed_to_mysql or 'all rows'}"
                + "".join(f", narrowed by {alias}" for alias in source.narrowed_by),
                f"  asked of MongoDB: {source.pushed_to_mongodb or 'all documents'}",
                f"  staged {source.staged_rows} rows ({source.estimated_rows} estimated), {source.staged_bytes} bytes, "
                f"in {1e3 * source.seconds:.1f} ms",
            ]
        lines += [f"{alias}: all from MySQL" for alias in self.in_mysql]
        return "\n".join([*lines, f"executed: {self.statement}"])
