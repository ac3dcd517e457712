"""``Crm``: all services in one object."""

from __future__ import annotations

from crm_model.services.analysis import Analysis
from crm_model.services.approvals import Approvals
from crm_model.services.billing import Billing
from crm_model.services.campaigns import Campaigns
from crm_model.services.card_stock import CardStock
from crm_model.services.cards import Cards
from crm_model.services.duplicates import Duplicates
from crm_model.services.efficiency import Efficiencies
from crm_model.services.exporting import Exporting
from crm_model.services.gifts import Gifts
from crm_model.services.importing import Importing
from crm_model.services.knowledge import Knowledge
from crm_model.services.leads import Leads
from crm_model.services.merging import Merging
from crm_model.services.overview import Overview
from crm_model.services.pipeline import Pipeline
from crm_model.services.privacy import Privacy
from crm_model.services.records import Records
from crm_model.services.reports import Reports
from crm_model.services.rules import Rules
from crm_model.services.search import Search
from crm_model.services.tasks import Tasks
from crm_model.services.tickets import Tickets


class Crm(
    Analysis,
    Approvals,
    Billing,
    Campaigns,
    CardStock,
    Cards,
    Duplicates,
    Efficiencies,
    Exporting,
    Gifts,
    Importing,
    Knowledge,
    Leads,
    Merging,
    Overview,
    Pipeline,
    Privacy,
    Records,
    Reports,
    Rules,
    Search,
    Tasks,
    Tickets,
):
    """The CRM on an open platform, for one operator at work::

        crm = Crm(platform, actor=7)
        crm.log_visit(674, summary="谈了专线续约", outcome={"intent": "高"})
        crm.customer_360(674)

    Each service is one transaction with its audit entries; where it raises, nothing has changed. Beside its own errors
    (:mod:`crm_model.errors`) each may raise those of :class:`platform_store.Platform`, NotPermitted where the policy
    does not let the operator do so, and InvalidInput for a parameter that is not what its description says.

    A parameter that ends in ``_id`` is the ``id`` of a live row of the entity that it names (owner, assignee: an
    operator); one that is called like a column is what that column holds, and is checked as the column is. Moments are
    in UTC without saying so, to the millisecond; money is in yuan.
    """
