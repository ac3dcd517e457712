"""The console script ``platform-store``. One small module for each group of commands; ``app`` holds what they share.

An application adds commands of its own by a module that uses :mod:`platform_store.cli.app` and an entry point::

    [project.entry-points."platform_store.commands"]
    shop = "shop.commands"
"""

from __future__ import annotations

import io
import logging
import sys
from importlib.metadata import entry_points

from platform_store.cli import (  # noqa: F401  (each adds its commands to the app)
    load,
    migrate,
    move,
    operation,
    rows,
    tables,
    verify,
)
from platform_store.cli.app import app

__all__ = ["app", "load_commands", "main"]

_GROUP = "platform_store.commands"


def main() -> None:
    """Runs the command line. JSON and CSV are UTF-8 wherever they go, whatever the locale says."""
    if isinstance(sys.stdout, io.TextIOWrapper) and not sys.stdout.isatty():
        sys.stdout.reconfigure(encoding="utf-8")
    logging.basicConfig(format="warning: %(message)s", level=logging.WARNING)
    load_commands()
    app()


def load_commands() -> None:
    """Adds the commands of applications that are installed. One that cannot be imported costs its own commands only."""
    for point in entry_points(group=_GROUP):
        try:
            point.load()
        except ImportError as error:
            logging.getLogger("platform_store").warning("no commands from %s: %s", point.value, error)
