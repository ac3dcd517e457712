"""A small web application on crm_model: ``python -m examples.crm_web`` serves it."""

from examples.crm_web.app import create_app
from examples.crm_web.settings import Settings

__all__ = ["Settings", "create_app"]
