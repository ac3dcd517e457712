"""Queries: which stores a SELECT needs, and the result it streams."""
