"""The CRM domain package on top of platform_store: its entities, and sample data for them."""

from crm_model.entities import ENTITIES
from crm_model.entity import Entity
from crm_model.tables import install

__all__ = ["ENTITIES", "Entity", "install"]
