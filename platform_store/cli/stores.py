"""Which stores a command works on: options, then the environment, then the usual file."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields, replace
from pathlib import Path

import typer

from platform_store.cli.output import Format
from platform_store.config import Config

USUAL = Path("config/platform.yaml")


@dataclass(frozen=True)
class Settings:
    """The options that every command takes, as they were given."""

    config: Path | None = None
    mysql: str | None = None
    mongodb: str | None = None
    embedded: Path | None = None
    output_format: Format | None = None
    debug: bool = False

    def __repr__(self) -> str:
        return "<Settings>"  # the URLs may hold passwords

    def over(self, before: Settings) -> Settings:
        """These options, and those given before the command's name where these leave something open."""
        return replace(before, **{f.name: value for f in fields(self) if (value := getattr(self, f.name))})

    def named(self) -> Config | None:
        """The stores that the options name. One URL may come from the environment where the other is an option."""
        if sum((self.config is not None, self.embedded is not None, bool(self.mysql or self.mongodb))) > 1:
            raise typer.BadParameter("give one of: --config; --embedded; --mysql and --mongodb")
        if self.config is not None:
            return Config.load(self.config)
        if self.embedded is not None:
            return Config.for_embedded(self.embedded)
        return self._from_urls() if self.mysql or self.mongodb else None

    def config_or_default(self) -> Config:
        """The stores that the options name, else the environment, else the usual file."""
        found = self.named()
        if found is not None:
            return found
        path = os.environ.get("PLATFORM_STORE_CONFIG")
        if path:
            return Config.load(path)
        if os.environ.get("PLATFORM_STORE_MYSQL_URL") or os.environ.get("PLATFORM_STORE_MONGODB_URL"):
            return self._from_urls()
        if USUAL.exists():
            return Config.load(USUAL)
        raise typer.BadParameter(
            "no stores are named: give --config FILE, --mysql URL with --mongodb URL, or --embedded FILE"
        )

    def _from_urls(self) -> Config:
        mysql = self.mysql or os.environ.get("PLATFORM_STORE_MYSQL_URL")
        mongodb = self.mongodb or os.environ.get("PLATFORM_STORE_MONGODB_URL")
        if not mysql or not mongodb:
            raise typer.BadParameter(f"--{'mongodb' if mysql else 'mysql'} is missing: both stores are needed")
        return Config.from_urls(mysql=mysql, mongodb=mongodb)
