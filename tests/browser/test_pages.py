"""Every page at both widths and in both languages: it fits, everybody can use it, and it can be looked at."""

from __future__ import annotations

import pytest

from examples.crm_web.roles import Role
from tests.browser.conftest import DESKTOP, PHONE, OpenTab

PAGES = {
    "dashboard": "/dashboard",
    "customers": "/customers",
    "customers-none": "/customers?text=nobody",
    "customer": "/customers/674",
    "visit": "/customers/674/visit",
    "feedback": "/customers/674/feedback",
    "edit": "/customers/674/edit",
    "new-customer": "/new-customer",
    "reminders": "/reminders",
    "funnel": "/reports/funnel",
    "satisfaction": "/reports/satisfaction",
    "satisfaction-operator": "/reports/satisfaction?by=operator&months=6",
    "sales": "/reports/sales",
    "rfm": "/reports/rfm",
    "rfm-cell": "/reports/rfm?r=5&f=5",
    "churn": "/reports/churn",
    "duplicates": "/duplicates",
    "compare": "/duplicates/394/1182",
    "stores": "/customers/88/stores",
    "stores-activity": "/customers/88/stores?table=activity",
    "console": "/console",
}


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_page_fits_and_everybody_can_use_it(open_tab: OpenTab, size: tuple[int, int], language: str) -> None:
    tab = open_tab(size)
    tab.speak(language)
    problems = tab.look("sign-in")
    tab.sign_in(Role.MANAGER)
    for name, path in PAGES.items():
        tab.go(path)
        problems += [f"{name}: {problem}" for problem in tab.look(name)]
    assert not problems, "\n".join(problems)
