"""Creating the tables of the entities."""

from __future__ import annotations

from collections.abc import Collection

from crm_model.entities import ENTITIES
from platform_store import Platform


def install(platform: Platform, tables: Collection[str] | None = None) -> None:
    """Creates the tables of all entities, or of those named; one that is there already stays as it is.

    Raises SchemaError where a table of the name is there with another definition.
    """
    collation = binary_collation(platform)
    for entity in ENTITIES:
        if tables is None or entity.name in tables:
            platform.create_table(
                entity.name,
                entity.attributes(collation),
                entity.flag,
                indexes=entity.all_indexes,
                if_not_exists=True,
            )


def binary_collation(platform: Platform) -> str:
    """The server's collation that compares utf8mb4 text byte by byte, trailing spaces included."""
    if platform.status().backend == "embedded":
        return "utf8mb4_0900_bin"
    version = str(platform.query("SELECT VERSION()").scalar())
    return "utf8mb4_nopad_bin" if "mariadb" in version.lower() else "utf8mb4_0900_bin"
