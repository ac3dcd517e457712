"""What a module of pages brings."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter


@dataclass(frozen=True)
class Entry:
    """A place in the navigation: a path, the key of its text, and the service that one must be permitted to see it."""

    path: str
    text: str
    action: str


@dataclass(frozen=True)
class Pages:
    """Routes, and their entries in the navigation, in order."""

    router: APIRouter
    entries: tuple[Entry, ...] = ()
