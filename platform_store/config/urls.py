"""Database URLs, turned into leaves and back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from platform_store.config.keys import CHARSET, KNOWN, LEAVES, PARAMETERS, PORT, hint
from platform_store.errors import ConfigError


class Url(NamedTuple):
    """The parts of a database URL, still percent-encoded but for the options' values."""

    scheme: str
    user: str
    password: str
    hosts: str
    path: str
    options: dict[str, str]

    @classmethod
    def split(cls, section: str, url: str) -> Url:
        scheme = {"mysql": r"mysql(?:\+pymysql)?", "mongodb": r"mongodb(?:\+srv)?"}[section]
        match = re.fullmatch(
            rf"({scheme})://(?:([^@/?#:\s]*)(?::([^@/?#:\s]*))?@)?([^@/?#\s]*)(?:/([^@/?#\s]*)(?:\?([^@#\s]*))?)?", url
        )
        if not match or re.search(r"%(?![0-9A-Fa-f]{2})", url):
            form = f"must have the form {section}://user:password@host:port/database"
            raise ConfigError(f"{form}, with @ : / ? # % in its parts percent-encoded", key=f"{section}.url")
        options: dict[str, str] = {}
        for item in filter(None, (match[6] or "").split("&")):
            name, equals, value = item.partition("=")
            shown = name if re.fullmatch(r"\w{1,40}", name) else "***"
            if not equals or name.lower() not in KNOWN[section]:
                reason = f"has an option that is not known or not allowed: {shown}{hint(name.lower(), KNOWN[section])}"
                raise ConfigError(reason, key=f"{section}.url")
            if name.lower() in map(str.lower, options):
                raise ConfigError(f"has the option {shown} twice", key=f"{section}.url")
            options[name] = unquote(value)
        return cls(match[1], match[2] or "", match[3] or "", match[4], match[5] or "", options)

    def masked(self) -> str:
        secret = ("authmechanismproperties", "tlscertificatekeyfilepassword")
        options = "&".join(f"{n}={'***' if n.lower() in secret else quote(v)}" for n, v in self.options.items())
        login = f"{self.user}:***@" if self.password else "***@" if self.user else ""  # alone, it may be a token
        return f"{self.scheme}://{login}{self.hosts}/{self.path}{'?' if options else ''}{options}"


def url_leaves(section: str, url: str) -> dict[str, object]:
    """What a URL says, as leaves. That of MongoDB stays a URL, less the options that are settings of ours."""
    parts = Url.split(section, url)
    texts = {"database": parts.path}
    hosts = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\],]*))(?::([0-9]+))?", parts.hosts)
    if section == "mysql":
        texts |= {"host": "", "port": "", "user": parts.user, "password": parts.password}
        if hosts:
            texts |= {"host": hosts[1] or hosts[2] or "", "port": hosts[3] or ""}
        elif parts.hosts:
            raise ConfigError("its host and port must have the form host:port", key="mysql.url")
    else:
        for host in parts.hosts.split(","):
            one = re.fullmatch(r"(?:\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(?::([0-9]{1,5}))?", host)
            if (
                not one
                or not PORT.valid(int(one[1] or 1))
                or (parts.scheme.endswith("srv") and parts.hosts != one[0].split(":")[0])
            ):
                raise ConfigError("its hosts must have the form host:port,host:port (srv: one host)", key="mongodb.url")
    leaves: dict[str, object] = {}
    ours = {name: PARAMETERS[section].get(name.lower()) for name in parts.options}
    for name, leaf in ours.items():
        if leaf:
            texts[leaf] = parts.options[name]
        elif leaf == "" and parts.options[name] != CHARSET:
            raise ConfigError(f"its option {name} can only be {CHARSET}", key="mysql.url")
    for leaf, text in texts.items():
        kind = LEAVES[section][leaf][1]
        try:
            text = unquote(text, errors="strict") if leaf in ("database", "user", "password") else text
            if section == "mongodb" and leaf.startswith("timeouts."):
                text = str(int(text) / 1000)
            value = kind.parse(text) if text else None
        except ValueError:
            value = ""
        if value is not None and not kind.valid(value):
            raise ConfigError(f"its part for {leaf} must be {kind.expected}", key=f"{section}.url") from None
        if value is not None:
            leaves[leaf] = value
    if any(leaf.startswith("tls.") for leaf in leaves):
        leaves.setdefault("tls.verify", True)
    if section == "mongodb":
        kept = "&".join(f"{n}={quote(v, safe=':,')}" for n, v in parts.options.items() if ours[n] is None)
        login = f"{parts.user}{f':{parts.password}' if parts.password else ''}@" if parts.user else ""
        tail = f"/{parts.path}{f'?{kept}' if kept else ''}"
        leaves["url"] = f"{parts.scheme}://{login}{parts.hosts}{tail}" if any(ours.values()) else url
    elif "host" not in leaves and "unix_socket" not in leaves:
        raise ConfigError("must name a host", key="mysql.url")
    return leaves


def mongodb_url(leaves: Mapping[str, Any]) -> str:
    """The URL that the fields stand for; the user is looked up in ``admin`` unless ``auth_source`` says otherwise."""
    user, host = leaves.get("user"), leaves.get("host", "")
    options = {
        "authSource": leaves.get("auth_source", "admin" if user else None),
        "replicaSet": leaves.get("replica_set"),
    }
    login = f"{quote(user, safe='')}:{quote(leaves.get('password', ''), safe='')}@".replace(":@", "@") if user else ""
    tail = "&".join(f"{name}={quote(value, safe='')}" for name, value in options.items() if value)
    address = f"{f'[{host}]' if ':' in host else host}:{leaves.get('port', 27017)}"
    return f"mongodb://{login}{address}/{'?' if tail else ''}{tail}"
