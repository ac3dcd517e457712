"""Every setting as a *leaf*: its dotted key, the attribute it fills, what it may hold, and where a URL states it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

CHARSET = "utf8mb4"


class Kind(NamedTuple):
    """What a leaf holds. ``style``: how YAML must write it, "text" (quotes allowed), "plain" (a bare word), "any"."""

    expected: str
    parse: Callable[[str], object]
    valid: Callable[[object], bool]
    style: str


def _text(expected: str, pattern: str) -> Kind:
    return Kind(expected, str, lambda v: isinstance(v, str) and re.fullmatch(pattern, v) is not None, "text")


def _whole(low: int, high: int) -> Kind:
    def parse(text: str) -> object:
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
            raise ValueError
        return int(text)

    return Kind(f"a whole number from {low} to {high}", parse, lambda v: type(v) is int and low <= v <= high, "plain")


def _parse_seconds(text: str) -> object:
    if not re.fullmatch(r"[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?", text):
        raise ValueError
    return float(text)


def _parse_boolean(text: str) -> object:
    if text.lower() not in ("true", "false", "yes", "no", "on", "off"):
        raise ValueError
    return text.lower() in ("true", "yes", "on")


_DAY = 86_400
_NAME = r"[^\x00-\x1f\x7f\ud800-\udfff]"
_WORD = _text("text of at least one character, without control characters", f"{_NAME}+")
_HOST = _text("a host name or an IP address, without a port", r"[^\x00-\x20\x7f\ud800-\udfff/@?#,%\[\]]+")
_SECRET = _text("text without NUL characters", r"[^\x00\ud800-\udfff]*")
PORT = _whole(1, 65_535)
_SECONDS = Kind(
    f"a number of seconds above 0 and up to {_DAY}",
    _parse_seconds,
    lambda v: isinstance(v, int | float) and not isinstance(v, bool) and 0 < v <= _DAY,
    "plain",
)
_LONG_SECONDS = Kind(
    f"a number of seconds above 0 and up to {366 * _DAY}",
    _parse_seconds,
    lambda v: isinstance(v, int | float) and not isinstance(v, bool) and 0 < v <= 366 * _DAY,
    "plain",
)
_BOOLEAN = Kind("true or false", _parse_boolean, lambda v: isinstance(v, bool), "plain")
_PATH = Kind(
    "the path of a file",
    Path,
    lambda v: isinstance(v, Path) and bool(v.name and re.fullmatch(f"{_NAME}+", str(v))),
    "text",
)
_CONCERN = Kind(
    '"majority" or a whole number from 1 to 50',
    lambda text: text if text == "majority" else _whole(1, 50).parse(text),
    lambda v: v == "majority" or (type(v) is int and 1 <= v <= 50),
    "any",
)
TLS = {leaf: (leaf, _PATH) for leaf in ("tls.ca", "tls.cert", "tls.key")} | {"tls.verify": ("tls.verify", _BOOLEAN)}
LEAVES: dict[str, dict[str, tuple[str, Kind]]] = {  # section -> leaf -> (attribute, "" if it only feeds the URL; kind)
    "mysql": {
        "url": ("", _SECRET),
        "host": ("host", _HOST),
        "port": ("port", PORT),
        "unix_socket": ("unix_socket", _WORD),
        "user": ("user", _WORD),
        "password": ("password", _SECRET),
        "database": ("database", _text("a database name of 1 to 64 characters", f"{_NAME}{{1,64}}")),
        "pool.size": ("pool_size", _whole(1, 1000)),
        "timeouts.connect": ("connect_timeout", _SECONDS),
        "timeouts.read": ("read_timeout", _SECONDS),
        "timeouts.write": ("write_timeout", _SECONDS),
        "timeouts.lock_wait": ("lock_wait_timeout", _whole(1, _DAY)),
        "timeouts.outcome": ("outcome_timeout", _SECONDS),
        "local_infile": ("local_infile", _BOOLEAN),
        **TLS,
    },
    "mongodb": {
        "url": ("url", _SECRET),
        "host": ("", _HOST),
        "port": ("", PORT),
        "user": ("", _WORD),
        "password": ("", _SECRET),
        "replica_set": ("", _WORD),
        "auth_source": ("", _WORD),
        "database": (
            "database",
            _text(
                'a database name of 1 to 63 characters other than / \\ . " $ and space',
                r'[^\x00-\x20\x7f\ud800-\udfff/\\."$]{1,63}',
            ),
        ),
        "write_concern": ("write_concern", _CONCERN),
        "journal": ("journal", _BOOLEAN),
        "when_down": ("when_down", _text('"queue" or "fail"', "queue|fail")),
        "pool.size": ("pool_size", _whole(1, 1000)),
        "timeouts.operation": ("timeout", _SECONDS),
        "timeouts.apply": ("apply_timeout", _SECONDS),
        "timeouts.server_selection": ("server_selection_timeout", _SECONDS),
        **TLS,
    },
    "embedded": {"path": ("path", _PATH), "timeouts.busy": ("busy_timeout", _SECONDS)},
    "journal": {
        "retention": ("retention", _SECONDS),
        "interval": ("interval", _SECONDS),
        "lease": ("lease", _SECONDS),
        "tombstones": ("tombstones", _LONG_SECONDS),
        "max_entries": ("max_entries", _whole(1, 10**12)),
        "max_bytes": ("max_bytes", _whole(1, 10**15)),
        "reaper": ("reaper", _BOOLEAN),
    },
    "query": {
        "max_rows": ("max_rows", _whole(1, 10**12)),
        "max_bytes": ("max_bytes", _whole(1, 10**15)),
        "timeout": ("timeout", _SECONDS),
    },
}
KEYS: tuple[str, ...] = tuple(f"{section}.{leaf}" for section, leaves in LEAVES.items() for leaf in leaves)
"""Every key a configuration file may hold, dotted."""

CONNECTION = {  # the leaves that a URL stands for
    "mysql": ("host", "port", "unix_socket", "user", "password"),
    "mongodb": ("host", "port", "user", "password", "replica_set", "auth_source"),
    "embedded": (),
    "journal": (),
    "query": (),
}
PARAMETERS: dict[str, dict[str, str]] = {  # options of a URL, in lower case, that are settings of ours
    "mysql": {
        attribute: leaf for leaf, (attribute, _) in LEAVES["mysql"].items() if "timeout" in leaf or "pool" in leaf
    }
    | {f"ssl_{leaf[4:]}": leaf for leaf in TLS}
    | {"unix_socket": "unix_socket", "local_infile": "local_infile", "charset": ""},
    "mongodb": {"w": "write_concern", "journal": "journal", "maxpoolsize": "pool.size"}
    | {"timeoutms": "timeouts.operation", "serverselectiontimeoutms": "timeouts.server_selection"},
}
_OPTIONS = """appname authmechanism authmechanismproperties authsource compressors connecttimeoutms directconnection
    heartbeatfrequencyms loadbalanced localthresholdms maxconnecting maxidletimems minpoolsize replicaset retryreads
    retrywrites servermonitoringmode srvmaxhosts srvservicename ssl tls tlsallowinvalidcertificates
    tlsallowinvalidhostnames tlscafile tlscertificatekeyfile tlscertificatekeyfilepassword tlscrlfile
    tlsdisableocspendpointcheck tlsinsecure waitqueuetimeoutms zlibcompressionlevel"""
KNOWN = {  # what the library decides itself, such as readPreference, is not here
    "mysql": frozenset(PARAMETERS["mysql"]),
    "mongodb": frozenset(PARAMETERS["mongodb"]) | frozenset(re.findall(r"\w+", _OPTIONS)),
}


def hint(name: str, known: frozenset[str] | Mapping[str, str]) -> str:
    near = difflib.get_close_matches(name, list(known), 1)
    return f"; did you mean {known[near[0]] if isinstance(known, Mapping) else near[0]}?" if near else ""
