"""A CRM told from end to end on sample data; every step's result is checked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from crm_model.crm import Crm
from crm_model.entities import ENTITIES
from crm_model.errors import Refused
from crm_model.policy import Actor
from crm_model.sample.sizes import END
from crm_model.story.customer import customer
from crm_model.story.data import imported, loaded, purged
from crm_model.story.numbers import asked, numbers
from crm_model.story.page import Page
from platform_store import Platform

__all__ = ["tell"]


def tell(platform: Platform, console: Console, where: str) -> None:
    """Tells it on a pair of stores without the tables of the CRM, which are there while it lasts.

    Raises Refused where they are there, CrmError where a step does not give what it must.
    """
    page = Page(console)
    page.title("A CRM over MySQL and MongoDB: its life on sample data", where)
    with _dropped_at_the_end(platform):
        crm = Crm(platform, Actor(7, "客户经理", reason="演示"), clock=lambda: END)
        loaded(crm, page)
        someone = customer(crm, page)
        numbers(crm, page)
        asked(crm, page)
        imported(crm, page)
        purged(crm, page, someone)
    page.end("Every step gave what it must. The tables are dropped.")


@contextmanager
def _dropped_at_the_end(platform: Platform) -> Iterator[None]:
    """Refuses where a table or its collection is there; drops what was made, however the story ends."""
    names = [entity.name for entity in ENTITIES]
    there = [
        name for name in names if name in platform.tables() or next(platform.read_collection(name), None) is not None
    ]
    if there:
        raise Refused(
            "tables-exist",
            f"the tables of the CRM exist already ({', '.join(there[:3])}...), and the demo leaves them alone: "
            "give databases without them; what a killed demo left goes with platform-store drop TABLE",
            tables=there,
        )
    try:
        yield
    finally:
        for name in set(names) & set(platform.tables()):
            platform.drop_table(name)
