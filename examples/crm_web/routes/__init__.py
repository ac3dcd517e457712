"""The pages, a module for each kind."""

from typing import Final

from examples.crm_web.navigation import Pages
from examples.crm_web.routes import (
    console,
    contacts,
    customer_value,
    customers,
    dashboard,
    duplicates,
    editing,
    reminders,
    reports,
    sign_in,
    stores,
)

ALL: Final[tuple[Pages, ...]] = (
    sign_in.PAGES,
    dashboard.PAGES,
    customers.PAGES,
    editing.PAGES,
    contacts.PAGES,
    reminders.PAGES,
    reports.PAGES,
    customer_value.PAGES,
    duplicates.PAGES,
    stores.PAGES,
    console.PAGES,
)
"""In the order of the navigation."""
