"""Which columns of which entities refer to a table, as their declarations say: a new entity cannot be forgotten."""

from __future__ import annotations

from dataclasses import dataclass

from crm_model.entities import MODELS
from crm_model.model import Standard


@dataclass(frozen=True)
class Link:
    """A column of an entity whose rows can change that refers to a table.

    ``by``: the column that says so, where it refers to other tables, too; "" where it always does.
    """

    model: type[Standard]
    column: str
    table: str
    by: str = ""

    @property
    def name(self) -> str:
        """Such as ``activity.customer_id``."""
        return f"{self.model.table}.{self.column}"

    @property
    def prefix(self) -> tuple[str, ...]:
        """What an index begins with that finds rows by it."""
        return (self.by, self.column) if self.by else (self.column,)

    @property
    def order(self) -> tuple[str, ...]:
        """The rest of such an index: rows come in this order without being sorted."""
        for index in self.model.declaration.all_indexes:
            if index.columns[: len(self.prefix)] == self.prefix:
                return tuple(name for name in index.columns[len(self.prefix) :] if name != "id")
        return ()

    def where(self, key: object) -> dict[str, object]:
        """The condition of the rows that refer to the row ``key``."""
        return {self.by: self.table, self.column: key} if self.by else {self.column: key}


def links_to(table: str) -> tuple[Link, ...]:
    """Every way in which rows that can change refer to rows of a table.

    Append-only rows, such as the audit log's, tell what was, and refer to it as it was.
    """
    return tuple(
        Link(model, reference.column, table, reference.by)
        for model in MODELS
        if issubclass(model, Standard)
        for reference in model.declaration.references
        if reference.by or reference.table == table
    )
