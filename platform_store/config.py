"""Settings: YAML or URLs -> validated, immutable dataclasses, and back to a file. Describes connections, makes none.

Every setting is a *leaf*, a dotted key such as ``mysql.pool.size``; :data:`_KEYS` lists them all with the attribute
each one fills. A file, a URL and a dataclass are each turned into leaves of one section and compared as such. No error
message and no ``repr`` holds a value: keys, lines, limits and the names of environment variables only.
"""

from __future__ import annotations

import difflib
import os
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple
from urllib.parse import quote, unquote

import yaml

from platform_store.errors import ConfigError


class _Kind(NamedTuple):
    """What a leaf holds. ``style``: how YAML must write it, "text" (quotes allowed), "plain" (a bare word), "any"."""

    expected: str
    parse: Callable[[str], object]
    valid: Callable[[object], bool]
    style: str


def _text(expected: str, pattern: str) -> _Kind:
    return _Kind(expected, str, lambda v: isinstance(v, str) and re.fullmatch(pattern, v) is not None, "text")


def _whole(low: int, high: int) -> _Kind:
    def parse(text: str) -> object:
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
            raise ValueError
        return int(text)

    return _Kind(f"a whole number from {low} to {high}", parse, lambda v: type(v) is int and low <= v <= high, "plain")


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
_PORT = _whole(1, 65_535)
_SECONDS = _Kind(
    f"a number of seconds above 0 and up to {_DAY}",
    _parse_seconds,
    lambda v: isinstance(v, int | float) and not isinstance(v, bool) and 0 < v <= _DAY,
    "plain",
)
_BOOLEAN = _Kind("true or false", _parse_boolean, lambda v: isinstance(v, bool), "plain")
_PATH = _Kind(
    "the path of a file",
    Path,
    lambda v: isinstance(v, Path) and bool(v.name and re.fullmatch(f"{_NAME}+", str(v))),
    "text",
)
_CONCERN = _Kind(
    '"majority" or a whole number from 1 to 50',
    lambda text: text if text == "majority" else _whole(1, 50).parse(text),
    lambda v: v == "majority" or (type(v) is int and 1 <= v <= 50),
    "any",
)
_TLS = {leaf: (leaf, _PATH) for leaf in ("tls.ca", "tls.cert", "tls.key")} | {"tls.verify": ("tls.verify", _BOOLEAN)}
_KEYS: dict[str, dict[str, tuple[str, _Kind]]] = {  # section -> leaf -> (attribute, "" if it only feeds the URL; kind)
    "mysql": {
        "url": ("", _SECRET),
        "host": ("host", _HOST),
        "port": ("port", _PORT),
        "unix_socket": ("unix_socket", _WORD),
        "user": ("user", _WORD),
        "password": ("password", _SECRET),
        "database": ("database", _text("a database name of 1 to 64 characters", f"{_NAME}{{1,64}}")),
        "pool.size": ("pool_size", _whole(1, 1000)),
        "timeouts.connect": ("connect_timeout", _SECONDS),
        "timeouts.read": ("read_timeout", _SECONDS),
        "timeouts.write": ("write_timeout", _SECONDS),
        "timeouts.lock_wait": ("lock_wait_timeout", _whole(1, _DAY)),
        **_TLS,
    },
    "mongodb": {
        "url": ("url", _SECRET),
        "host": ("", _HOST),
        "port": ("", _PORT),
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
        "timeouts.server_selection": ("server_selection_timeout", _SECONDS),
        **_TLS,
    },
    "embedded": {"path": ("path", _PATH), "timeouts.busy": ("busy_timeout", _SECONDS)},
}
KEYS: tuple[str, ...] = tuple(f"{section}.{leaf}" for section, leaves in _KEYS.items() for leaf in leaves)
"""Every key a configuration file may hold, dotted."""

_CONNECTION = {  # the leaves that a URL stands for
    "mysql": ("host", "port", "unix_socket", "user", "password"),
    "mongodb": ("host", "port", "user", "password", "replica_set", "auth_source"),
    "embedded": (),
}
_PARAMETERS: dict[str, dict[str, str]] = {  # options of a URL, in lower case, that are settings of ours
    "mysql": {attribute: leaf for leaf, (attribute, _) in _KEYS["mysql"].items() if "timeout" in leaf or "pool" in leaf}
    | {f"ssl_{leaf[4:]}": leaf for leaf in _TLS}
    | {"unix_socket": "unix_socket", "charset": ""},
    "mongodb": {"w": "write_concern", "journal": "journal", "maxpoolsize": "pool.size"}
    | {"timeoutms": "timeouts.operation", "serverselectiontimeoutms": "timeouts.server_selection"},
}
_OPTIONS = """appname authmechanism authmechanismproperties authsource compressors connecttimeoutms directconnection
    heartbeatfrequencyms loadbalanced localthresholdms maxconnecting maxidletimems minpoolsize replicaset retryreads
    retrywrites servermonitoringmode srvmaxhosts srvservicename ssl tls tlsallowinvalidcertificates
    tlsallowinvalidhostnames tlscafile tlscertificatekeyfile tlscertificatekeyfilepassword tlscrlfile
    tlsdisableocspendpointcheck tlsinsecure waitqueuetimeoutms zlibcompressionlevel"""
_KNOWN = {  # what the library decides itself, such as readPreference, is not here
    "mysql": frozenset(_PARAMETERS["mysql"]),
    "mongodb": frozenset(_PARAMETERS["mongodb"]) | frozenset(re.findall(r"\w+", _OPTIONS)),
}


@dataclass(frozen=True, repr=False)
class _Part:
    """A dataclass whose ``repr`` shows no secret and whose values are checked against :data:`_KEYS`."""

    _section: ClassVar[str] = ""

    def __repr__(self) -> str:
        shown = (f"{f.name}={self._shown(f.name)}" for f in fields(self) if f.repr)
        return f"{type(self).__name__}({', '.join(shown)})"

    def _shown(self, name: str) -> str:
        return repr(getattr(self, name))

    def __post_init__(self) -> None:
        defaults = {f.name: f.default for f in fields(self)} | dict.fromkeys(("tls.ca", "tls.cert", "tls.key"))
        for leaf, (attribute, kind) in _KEYS.get(self._section, {}).items():
            value = _attribute(self, attribute) if attribute else None
            if attribute and not (value is None and defaults.get(attribute) is None) and not kind.valid(value):
                raise ConfigError(f"must be {kind.expected}", key=f"{self._section}.{leaf}")


@dataclass(frozen=True, repr=False)
class TlsConfig(_Part):
    """TLS to one store. ``ca`` None: the system's authorities. ``key`` None: ``cert`` holds the private key too."""

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    verify: bool = True


@dataclass(frozen=True, repr=False, kw_only=True)
class MysqlConfig(_Part):
    """How to reach MySQL. Times are in seconds; ``tls`` None: unencrypted unless the server insists."""

    _section: ClassVar[str] = "mysql"
    charset: ClassVar[str] = "utf8mb4"

    host: str
    port: int = 3306
    user: str
    password: str = ""
    database: str
    unix_socket: str | None = None
    pool_size: int = 8
    connect_timeout: float = 5.0
    read_timeout: float = 30.0
    write_timeout: float = 30.0
    lock_wait_timeout: int = 10
    tls: TlsConfig | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.tls and self.tls.key and not self.tls.cert:
            raise ConfigError("needs mysql.tls.cert beside it", key="mysql.tls.key")

    def _shown(self, name: str) -> str:
        return "'***'" if name == "password" and self.password else super()._shown(name)

    @classmethod
    def from_url(cls, url: str) -> MysqlConfig:
        """From ``mysql://user:password@host:port/database?option=value`` (or ``mysql+pymysql://``)."""
        return cls(**_attributes("mysql", {"url": url}))

    def describe(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"mysql {self.user}@{self.unix_socket or f'{host}:{self.port}'}/{self.database}"


@dataclass(frozen=True, repr=False, kw_only=True)
class MongodbConfig(_Part):
    """How to reach MongoDB. ``url`` goes to the driver as it is; ``timeout`` bounds every operation, in seconds.

    ``when_down``: "queue" keeps writes in the journal while MongoDB is away, "fail" refuses them at once.
    """

    _section: ClassVar[str] = "mongodb"

    url: str
    database: str
    write_concern: Literal["majority"] | int = "majority"
    journal: bool = True
    timeout: float = 10.0
    server_selection_timeout: float = 3.0
    pool_size: int = 16
    when_down: Literal["queue", "fail"] = "queue"
    tls: TlsConfig | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _url_leaves("mongodb", self.url)
        for name in _Url.split("mongodb", self.url).options:
            if name.lower() in _PARAMETERS["mongodb"]:
                raise ConfigError(f"option {name} is an attribute of its own: use from_url", key="mongodb.url")
            if self.tls and name.lower().startswith(("tls", "ssl")) and name.lower() not in ("tls", "ssl"):
                raise ConfigError(f"cannot be given together with the URL's option {name}", key="mongodb.tls")
        if self.tls and self.tls.key:
            raise ConfigError(
                "is not used: give one PEM file with certificate and private key as cert", key="mongodb.tls.key"
            )

    def _shown(self, name: str) -> str:
        return repr(_Url.split("mongodb", self.url).masked()) if name == "url" else super()._shown(name)

    @classmethod
    def from_url(cls, url: str) -> MongodbConfig:
        """From ``mongodb://user:password@host:port/database?option=value`` (or ``mongodb+srv://``)."""
        return cls(**_attributes("mongodb", {"url": url}))

    def describe(self) -> str:
        return f"mongodb {_Url.split('mongodb', self.url).hosts}/{self.database}"


@dataclass(frozen=True, repr=False)
class EmbeddedConfig(_Part):
    """The embedded pair: one SQLite file, relative to the working directory. ``busy_timeout``: seconds for its lock."""

    _section: ClassVar[str] = "embedded"

    path: Path
    busy_timeout: float = 10.0

    def describe(self) -> str:
        return f"embedded {self.path}"


class _Origin(NamedTuple):
    """A leaf as it was given. ``raw``: its text before ``${ENV}``."""

    raw: str
    line: int | None = None
    style: str = "any"
    value: object = None


@dataclass(frozen=True, repr=False, kw_only=True)
class Config(_Part):
    """Either ``mysql`` and ``mongodb``, or ``embedded``. Equal if the settings are; where they came from is ignored."""

    mysql: MysqlConfig | None = None
    mongodb: MongodbConfig | None = None
    embedded: EmbeddedConfig | None = None
    _source: Mapping[str, _Origin] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.embedded and (self.mysql or self.mongodb):
            raise ConfigError("cannot be given together with mysql or mongodb", key="embedded")
        for name in () if self.embedded else ("mysql", "mongodb"):
            if getattr(self, name) is None:
                raise ConfigError("is missing: give mysql and mongodb, or embedded alone", key=name)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Config:
        """Reads and checks a YAML file; every error names the file, and the key and line where there is one."""
        lines: dict[str, int] = {}
        found: dict[str, _Origin] = {}
        present: set[str] = set()
        with _in_file(path, lines):
            text = ""
            try:
                text = Path(path).read_text(encoding="utf-8-sig")
                root = yaml.compose(text, Loader=yaml.SafeLoader)
            except OSError as error:
                raise ConfigError(f"cannot be read: {error.strerror}") from None
            except UnicodeDecodeError as error:
                raise ConfigError("is not UTF-8 text", line=error.object.count(b"\n", 0, error.start) + 1) from None
            except (yaml.YAMLError, RecursionError) as error:
                mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None) or "unreadable"
                problem = re.sub(r"'(?!:')[^']*'|\"[^\"]*\"", "...", problem)  # it may quote a part of a value
                line = mark.line if mark else text.count("\n", 0, getattr(error, "position", 0))
                raise ConfigError(f"is not valid YAML: {problem}", line=line + 1) from None
            if not isinstance(root, yaml.MappingNode):
                raise ConfigError("must hold the sections mysql and mongodb, or embedded", line=1)
            _walk(root, "", found, lines, present)
            return cls._build(found, present)

    @classmethod
    def from_urls(cls, *, mysql: str, mongodb: str) -> Config:
        """From two URLs. ``${ENV}`` in them is replaced, as in a file, and kept by :meth:`save`."""
        found = {"mysql.url": _Origin(mysql), "mongodb.url": _Origin(mongodb)}
        return cls._build(found, {"mysql", "mongodb"})

    @classmethod
    def for_embedded(cls, path: str | os.PathLike[str]) -> Config:
        return cls(embedded=EmbeddedConfig(Path(path)))

    @classmethod
    def _build(cls, found: Mapping[str, _Origin], present: set[str]) -> Config:
        source = {key: origin._replace(value=_value(key, origin)) for key, origin in found.items()}
        parts: dict[str, Any] = {}
        for part in (MysqlConfig, MongodbConfig, EmbeddedConfig):
            section = part._section
            if section in present:
                leaves = {leaf: origin.value for leaf, origin in _within(section, source).items()}
                if f"{section}.tls" in present:
                    leaves.setdefault("tls.verify", True)
                parts[section] = part(**_attributes(section, leaves))
        return cls(**parts, _source=source)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes a file that :meth:`load` turns into an equal Config: mode 0600 from its creation, all or nothing.

        A value that came from a file or a URL and is unchanged is written as it was given, ``${ENV}`` included; a URL
        counts as one value. A symbolic link at ``path`` is replaced, not followed.
        """
        tree: dict[str, Any] = {}
        for part in (self.mysql, self.mongodb, self.embedded):
            for leaf, value in _saved(part, _within(part._section, self._source)).items() if part else ():
                node, *parents = tree, part._section if part else "", *leaf.split(".")
                for parent in parents[:-1]:
                    node = node.setdefault(parent, {})
                node[parents[-1]] = value
        text = yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, default_flow_style=False, width=2**30)
        with _in_file(path, None):
            try:
                _write_private(Path(path), (_HEADER + text).encode())
            except OSError as error:
                raise ConfigError(f"cannot be written: {error.strerror}") from None

    def describe(self) -> str:
        """One line that says where the data is, without a secret."""
        return " + ".join(part.describe() for part in (self.mysql, self.mongodb, self.embedded) if part)


_HEADER = """\
# Settings of platform_store. Keep this file private: it may hold passwords.
# ${NAME} is replaced by the environment variable NAME, ${NAME:-text} has a default, $${ is a literal ${.
# Settings that are not listed have their defaults.
"""


class _Url(NamedTuple):
    """The parts of a database URL, still percent-encoded but for the options' values."""

    scheme: str
    user: str
    password: str
    hosts: str
    path: str
    options: dict[str, str]

    @classmethod
    def split(cls, section: str, url: str) -> _Url:
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
            if not equals or name.lower() not in _KNOWN[section]:
                reason = (
                    f"has an option that is not known or not allowed: {shown}{_hint(name.lower(), _KNOWN[section])}"
                )
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


def _url_leaves(section: str, url: str) -> dict[str, object]:
    """What a URL says, as leaves. That of MongoDB stays a URL, less the options that are settings of ours."""
    parts = _Url.split(section, url)
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
                or not _PORT.valid(int(one[1] or 1))
                or (parts.scheme.endswith("srv") and parts.hosts != one[0].split(":")[0])
            ):
                raise ConfigError("its hosts must have the form host:port,host:port (srv: one host)", key="mongodb.url")
    leaves: dict[str, object] = {}
    ours = {name: _PARAMETERS[section].get(name.lower()) for name in parts.options}
    for name, leaf in ours.items():
        if leaf:
            texts[leaf] = parts.options[name]
        elif leaf == "" and parts.options[name] != MysqlConfig.charset:
            raise ConfigError(f"its option {name} can only be {MysqlConfig.charset}", key="mysql.url")
    for leaf, text in texts.items():
        kind = _KEYS[section][leaf][1]
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


def _mongodb_url(leaves: Mapping[str, Any]) -> str:
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


def _attributes(section: str, leaves: Mapping[str, Any]) -> dict[str, Any]:
    """The leaves of a section as arguments of its dataclass."""
    if "url" in leaves:
        for leaf in _CONNECTION[section]:
            if leaf in leaves:
                raise ConfigError(f"cannot be given together with {section}.url", key=f"{section}.{leaf}")
        own_tls = any(leaf.startswith("tls.") for leaf in leaves)
        said = _url_leaves(section, leaves["url"])
        said = {leaf: value for leaf, value in said.items() if not (own_tls and leaf.startswith("tls."))}
        leaves = {**said, **leaves, **({"url": said["url"]} if "url" in said else {})}
    elif section == "mongodb" and "host" in leaves:
        for leaf, needed in (("password", "user"), ("auth_source", "user")):
            if leaf in leaves and needed not in leaves:
                raise ConfigError(f"needs mongodb.{needed} beside it", key=f"mongodb.{leaf}")
        leaves = {**leaves, "url": _mongodb_url(leaves)}
    if section == "mysql" and "unix_socket" in leaves:
        leaves = {"host": "localhost", **leaves}
    for leaf in {"mysql": ("host", "user", "database"), "mongodb": ("url", "database")}.get(section, ("path",)):
        if leaf not in leaves:
            other = {"host": " (or url)", "url": " (or host)"}.get(
                leaf, " (in the url or as a key)" if "url" in leaves else ""
            )
            raise ConfigError(f"is missing{other}", key=f"{section}.{leaf}")
    tls = {leaf.removeprefix("tls."): value for leaf, value in leaves.items() if leaf.startswith("tls.")}
    plain = {_KEYS[section][leaf][0]: value for leaf, value in leaves.items() if not leaf.startswith("tls.")}
    plain.pop("", None)
    return {**plain, "tls": TlsConfig(**tls)} if tls else plain


def _attribute(part: object, path: str) -> Any:
    for name in path.split("."):
        part = getattr(part, name, None)
    return part


def _within(section: str, source: Mapping[str, _Origin]) -> dict[str, _Origin]:
    return {key.partition(".")[2]: origin for key, origin in source.items() if key.startswith(section + ".")}


def _hint(name: str, known: frozenset[str] | Mapping[str, str]) -> str:
    near = difflib.get_close_matches(name, list(known), 1)
    return f"; did you mean {known[near[0]] if isinstance(known, Mapping) else near[0]}?" if near else ""


def _walk(
    node: yaml.MappingNode, prefix: str, found: dict[str, _Origin], lines: dict[str, int], present: set[str]
) -> None:
    """Collects the leaves below a mapping and the line of every key; refuses keys that are unknown or there twice."""
    names = {key[len(prefix) :].partition(".")[0] for key in KEYS if key.startswith(prefix)}
    for key_node, value in node.value:
        name = key_node.value if isinstance(key_node, yaml.ScalarNode) else ""
        key, line = f"{prefix}{name}", key_node.start_mark.line + 1
        if name not in names:
            near = {n: prefix + n for n in names}
            near |= {a: f"{prefix}{leaf}" for leaf, (a, _) in _KEYS.get(prefix[:-1], {}).items() if a}
            shown = key if re.fullmatch(r"[\w-]{1,40}", name) else prefix.rstrip(".") or None
            raise ConfigError(f"is not a known key{_hint(name, near)}", key=shown, line=line)
        if key in lines:
            raise ConfigError(f"is given twice, first in line {lines[key]}", key=key, line=line)
        lines[key] = line
        if key in KEYS:
            if not isinstance(value, yaml.ScalarNode) or value.tag.endswith(":null"):
                raise ConfigError("needs one value", key=key, line=line)
            style = "typed" if not value.tag.endswith(":str") else "quoted" if value.style else "any"
            found[key] = _Origin(value.value, line, style)
        elif isinstance(value, yaml.MappingNode):
            present.add(key)
            _walk(value, key + ".", found, lines, present)
        elif not value.tag.endswith(":null"):  # a section with everything in it commented out is no section
            raise ConfigError("must be a section", key=key, line=line)


_REFERENCE = re.compile(r"\$\$\{|\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\})?")


def _value(key: str, origin: _Origin) -> object:
    """The checked value of a leaf, environment variables put in."""

    def replacement(match: re.Match[str]) -> str:
        name, default = match[1], match[2]
        if match[0] == "$${":
            return "${"
        if name is None:
            raise ConfigError("has a '${' that is not ${NAME} or ${NAME:-default}; a literal one is $${", **place)
        if name not in os.environ and default is None:
            raise ConfigError(f"environment variable {name} is not set", **place)
        return os.environ.get(name, "") or default or ""

    place: dict[str, Any] = {"key": key, "line": origin.line}
    section, _, leaf = key.partition(".")
    kind = _KEYS[section][leaf][1]
    if origin.style == {"text": "typed", "plain": "quoted"}.get(kind.style) and "${" not in origin.raw:
        quotes = "in quotes" if kind.style == "text" else "without quotes"
        raise ConfigError(f"must be {kind.expected}; write it {quotes}", **place)
    try:
        value = kind.parse(_REFERENCE.sub(replacement, origin.raw))
    except ValueError:
        value = None
    if not kind.valid(value):
        raise ConfigError(f"must be {kind.expected}", **place)
    return value


def _flat(part: _Part) -> dict[str, object]:
    leaves = {leaf: _attribute(part, attribute) for leaf, (attribute, _) in _KEYS[part._section].items() if attribute}
    return {leaf: value for leaf, value in leaves.items() if value is not None}


def _saved(part: _Part, given: Mapping[str, _Origin]) -> dict[str, object]:
    """The leaves to write: what was given, as it was given if unchanged, and what differs from the defaults."""
    section, flat = part._section, _flat(part)
    attributes = {f.name: f.default for f in fields(part) if f.default is not MISSING}
    base = {leaf: attributes[attribute] for leaf, (attribute, _) in _KEYS[section].items() if attribute in attributes}
    out: dict[str, object] = {}
    if "url" in given:
        said = _url_leaves(section, str(given["url"].value))
        same = all(flat.get(leaf) == (base | said).get(leaf) for leaf in ("url", *_CONNECTION[section]))
        if same and not ("tls.verify" in said and "tls.verify" not in flat):
            out["url"] = given["url"].raw
            base |= said
            flat.pop("url", None)
    elif section == "mongodb" and "host" in given:
        said = {leaf: given[leaf].value for leaf in _CONNECTION[section] if leaf in given}
        if _mongodb_url(said) == flat["url"]:
            out |= {leaf: _raw(given[leaf]) for leaf in said}
            del flat["url"]
    tls = {leaf: value for leaf, value in flat.items() if leaf.startswith("tls.")}
    if tls != {leaf: value for leaf, value in base.items() if leaf.startswith("tls.")}:
        base = {leaf: value for leaf, value in base.items() if leaf not in tls}
    for leaf, value in flat.items():
        if leaf in given and given[leaf].value == value:
            out[leaf] = _raw(given[leaf])
        elif leaf not in base or base[leaf] != value:
            out[leaf] = str(value).replace("${", "$${") if isinstance(value, str | Path) else value
    return out


def _raw(origin: _Origin) -> object:
    return origin.raw if "${" in origin.raw or isinstance(origin.value, str | Path) else origin.value


@contextmanager
def _in_file(path: str | os.PathLike[str], lines: Mapping[str, int] | None) -> Iterator[None]:
    """Adds the file, and the line of the key or of the section it is missing from, to a ConfigError."""
    try:
        yield
    except ConfigError as error:
        line, key = error.line, error.key or ""
        while line is None and lines is not None:
            line, key = lines.get(key, None if key else 1), key.rpartition(".")[0]
        raise ConfigError(error.reason, key=error.key, line=line, path=os.fspath(path)) from None


def _write_private(path: Path, data: bytes) -> None:
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    temporary = f".{secrets.token_hex(8)}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with open(os.open(temporary, flags, 0o600, dir_fd=directory), "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path.name, src_dir_fd=directory, dst_dir_fd=directory)
        os.fsync(directory)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=directory)
        os.close(directory)
