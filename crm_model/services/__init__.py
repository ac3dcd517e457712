"""The services: one module for each part of the CRM, each a class on :class:`crm_model.service.Service`."""
