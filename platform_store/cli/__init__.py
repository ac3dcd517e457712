"""The console script ``platform-store``. One small module for each group of commands; ``app`` holds what they share."""

from __future__ import annotations

import io
import logging
import sys

from platform_store.cli import (  # noqa: F401  (each adds its commands to the app)
    demo,
    load,
    migrate,
    move,
    operation,
    rows,
    tables,
    verify,
)
from platform_store.cli.app import app

__all__ = ["app", "main"]


def main() -> None:
    """Runs the command line. JSON and CSV are UTF-8 wherever they go, whatever the locale says."""
    if isinstance(sys.stdout, io.TextIOWrapper) and not sys.stdout.isatty():
        sys.stdout.reconfigure(encoding="utf-8")
    logging.basicConfig(format="warning: %(message)s", level=logging.WARNING)
    app()
