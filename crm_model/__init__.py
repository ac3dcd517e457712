"""A CRM on platform_store: structured facts in MySQL, visit logs, feedback and custom fields in MongoDB.

:class:`Crm` is the entry point, :func:`install` makes its tables; the entities are in :mod:`crm_model.entities`.
"""

from crm_model.crm import Crm
from crm_model.entities import ENTITIES, MODELS
from crm_model.errors import CrmError, InvalidInput, NotFound, NotPermitted, Refused
from crm_model.model import Entity, Record, Standard
from crm_model.policy import Actor, Everything, Policy, RolePolicy
from crm_model.tables import Upgrade, fill_derived, install, upgrade

__all__ = [
    "ENTITIES",
    "MODELS",
    "Actor",
    "Crm",
    "CrmError",
    "Entity",
    "Everything",
    "InvalidInput",
    "NotFound",
    "NotPermitted",
    "Policy",
    "Record",
    "Refused",
    "RolePolicy",
    "Standard",
    "Upgrade",
    "fill_derived",
    "install",
    "upgrade",
]
