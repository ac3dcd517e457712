"""The CRM domain package on top of platform_store."""
