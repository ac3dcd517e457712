"""Settings: YAML or URLs -> validated, immutable dataclasses, and back to a file. Describes connections, makes none.

Every setting is a *leaf*, a dotted key such as ``mysql.pool.size``; :data:`keys.LEAVES` lists them all with the
attribute each one fills. A file, a URL and a dataclass are each turned into leaves of one section and compared as
such. No error message and no ``repr`` holds a value: keys, lines, limits and the names of environment variables only.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Literal

import yaml

from platform_store.config.files import HEADER, Origin, checked_value, dumped, in_file, walk, write_private
from platform_store.config.keys import CHARSET, CONNECTION, KEYS, LEAVES, PARAMETERS
from platform_store.config.urls import Url, mongodb_url, url_leaves
from platform_store.errors import ConfigError

__all__ = [
    "KEYS",
    "Config",
    "EmbeddedConfig",
    "JournalConfig",
    "MongodbConfig",
    "MysqlConfig",
    "QueryConfig",
    "TlsConfig",
]


@dataclass(frozen=True, repr=False)
class _Part:
    """A dataclass whose ``repr`` shows no secret and whose values are checked against :data:`LEAVES`."""

    _section: ClassVar[str] = ""

    def __repr__(self) -> str:
        shown = (f"{f.name}={self._shown(f.name)}" for f in fields(self) if f.repr)
        return f"{type(self).__name__}({', '.join(shown)})"

    def _shown(self, name: str) -> str:
        return repr(getattr(self, name))

    def __post_init__(self) -> None:
        defaults = {f.name: f.default for f in fields(self)} | dict.fromkeys(("tls.ca", "tls.cert", "tls.key"))
        for leaf, (attribute, kind) in LEAVES.get(self._section, {}).items():
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
    """How to reach MySQL. Times are in seconds; ``tls`` None: encrypted where the server offers it, and not checked.

    ``outcome_timeout``: how long a write looks for the outcome of its COMMIT after the connection died during it.
    ``local_infile``: whether queries may send what they fetched from MongoDB by LOAD DATA LOCAL, where the server takes
    it; no file of this machine is ever read for it.
    """

    _section: ClassVar[str] = "mysql"
    charset: ClassVar[str] = CHARSET

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
    outcome_timeout: float = 15.0
    local_infile: bool = True
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

    A write is durable at its commit in MySQL. ``write_concern`` and ``journal`` are what it then waits for in MongoDB,
    for ``apply_timeout`` seconds at most; they decide how soon other tools see the document, never its safety.
    ``when_down``: "queue" keeps writes in the journal while MongoDB is away, "fail" refuses them at once.
    """

    _section: ClassVar[str] = "mongodb"

    url: str
    database: str
    write_concern: Literal["majority"] | int = 1
    journal: bool = False
    timeout: float = 10.0
    apply_timeout: float = 2.0
    server_selection_timeout: float = 3.0
    pool_size: int = 16
    when_down: Literal["queue", "fail"] = "queue"
    tls: TlsConfig | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        url_leaves("mongodb", self.url)
        for name in Url.split("mongodb", self.url).options:
            if name.lower() in PARAMETERS["mongodb"]:
                raise ConfigError(f"option {name} is an attribute of its own: use from_url", key="mongodb.url")
            if self.tls and name.lower().startswith(("tls", "ssl")) and name.lower() not in ("tls", "ssl"):
                raise ConfigError(f"cannot be given together with the URL's option {name}", key="mongodb.tls")
        if self.tls and self.tls.key:
            raise ConfigError(
                "is not used: give one PEM file with certificate and private key as cert", key="mongodb.tls.key"
            )

    def _shown(self, name: str) -> str:
        return repr(Url.split("mongodb", self.url).masked()) if name == "url" else super()._shown(name)

    @classmethod
    def from_url(cls, url: str) -> MongodbConfig:
        """From ``mongodb://user:password@host:port/database?option=value`` (or ``mongodb+srv://``)."""
        return cls(**_attributes("mongodb", {"url": url}))

    @property
    def hosts(self) -> str:
        """The servers of the URL, with their ports where it has them, divided by commas."""
        return Url.split("mongodb", self.url).hosts

    def describe(self) -> str:
        return f"mongodb {self.hosts}/{self.database}"


@dataclass(frozen=True, repr=False)
class EmbeddedConfig(_Part):
    """The embedded pair: one SQLite file, relative to the working directory. ``busy_timeout``: seconds for its lock."""

    _section: ClassVar[str] = "embedded"

    path: Path
    busy_timeout: float = 10.0

    def describe(self) -> str:
        return f"embedded {self.path}"


@dataclass(frozen=True, repr=False, kw_only=True)
class JournalConfig(_Part):
    """How the journal is looked after, by a thread of each platform. Times are in seconds; none decides what is safe.

    ``retention``: how long an entry stays at least, so that the outcome of a lost COMMIT can be told by it.
    ``interval``: between two rounds of the thread; ``lease``: after which another process takes over from a dead one.
    ``tombstones``: how long a deleted row's document stays marked as deleted before it goes.
    ``max_entries``, ``max_bytes``: where so much waits for MongoDB, writes fail instead of adding to it.
    ``reaper``: False starts no thread; then somebody has to call ``recover()``, or another process has a thread.
    """

    _section: ClassVar[str] = "journal"

    retention: float = 10.0
    interval: float = 1.0
    lease: float = 15.0
    tombstones: float = 86_400.0
    max_entries: int = 1_000_000
    max_bytes: int = 1 << 30
    reaper: bool = True


@dataclass(frozen=True, repr=False, kw_only=True)
class QueryConfig(_Part):
    """What one query may take. ``timeout`` is in seconds, and ends where the first row of the result is there.

    ``max_rows``, ``max_bytes``: of documents brought into MySQL's scratch tables; they bound its temporary space.
    """

    _section: ClassVar[str] = "query"

    max_rows: int = 5_000_000
    max_bytes: int = 4 << 30
    timeout: float = 240.0


@dataclass(frozen=True, repr=False, kw_only=True)
class Config(_Part):
    """Settings: either ``mysql`` and ``mongodb``, or ``embedded``; docs/reference/configuration.md has every key.

    ``journal`` and ``query`` are for the two servers alone. Configurations are equal if the settings are; where they
    came from is ignored. None shows a password in its ``repr``. Raises ConfigError where it is made of what does not
    fit.
    """

    mysql: MysqlConfig | None = None
    mongodb: MongodbConfig | None = None
    embedded: EmbeddedConfig | None = None
    journal: JournalConfig = field(default_factory=JournalConfig)
    query: QueryConfig = field(default_factory=QueryConfig)
    _source: Mapping[str, Origin] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.embedded and (self.mysql or self.mongodb):
            raise ConfigError("cannot be given together with mysql or mongodb", key="embedded")
        if self.embedded and self.journal != JournalConfig():
            raise ConfigError("is for mysql and mongodb: the embedded pair has none", key="journal")
        if self.embedded and self.query != QueryConfig():
            raise ConfigError("is for mysql and mongodb: the embedded pair stages nothing", key="query")
        for name in () if self.embedded else ("mysql", "mongodb"):
            if getattr(self, name) is None:
                raise ConfigError("is missing: give mysql and mongodb, or embedded alone", key=name)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Config:
        """Reads and checks the YAML file at ``path``.

        Raises ConfigError, which names the file, and the key and line where there is one.
        """
        lines: dict[str, int] = {}
        found: dict[str, Origin] = {}
        present: set[str] = set()
        with in_file(path, lines):
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
            walk(root, "", found, lines, present)
            return cls._build(found, present)

    @classmethod
    def from_urls(cls, *, mysql: str, mongodb: str) -> Config:
        """From two URLs, ``mysql`` and ``mongodb``. ``${ENV}`` in them is replaced, and kept by :meth:`save`.

        Raises ConfigError, which names the part of the URL that is wrong.
        """
        found = {"mysql.url": Origin(mysql), "mongodb.url": Origin(mongodb)}
        return cls._build(found, {"mysql", "mongodb"})

    @classmethod
    def for_embedded(cls, path: str | os.PathLike[str]) -> Config:
        """For the embedded pair, in the SQLite file at ``path``."""
        return cls(embedded=EmbeddedConfig(Path(path)))

    @classmethod
    def _build(cls, found: Mapping[str, Origin], present: set[str]) -> Config:
        source = {key: origin._replace(value=checked_value(key, origin)) for key, origin in found.items()}
        parts: dict[str, Any] = {}
        for part in (MysqlConfig, MongodbConfig, EmbeddedConfig, JournalConfig, QueryConfig):
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

        Raises ConfigError where it cannot be written.
        """
        tree: dict[str, Any] = {}
        for part in (self.mysql, self.mongodb, self.embedded, self.journal, self.query):
            for leaf, value in _saved(part, _within(part._section, self._source)).items() if part else ():
                node, *parents = tree, part._section if part else "", *leaf.split(".")
                for parent in parents[:-1]:
                    node = node.setdefault(parent, {})
                node[parents[-1]] = value
        text = dumped(tree)
        with in_file(path, None):
            try:
                write_private(Path(path), (HEADER + text).encode())
            except OSError as error:
                raise ConfigError(f"cannot be written: {error.strerror}") from None

    def describe(self) -> str:
        """One line that says where the data is, without a secret."""
        return " + ".join(part.describe() for part in (self.mysql, self.mongodb, self.embedded) if part)


def _attributes(section: str, leaves: Mapping[str, Any]) -> dict[str, Any]:
    """The leaves of a section as arguments of its dataclass."""
    if "url" in leaves:
        for leaf in CONNECTION[section]:
            if leaf in leaves:
                raise ConfigError(f"cannot be given together with {section}.url", key=f"{section}.{leaf}")
        own_tls = any(leaf.startswith("tls.") for leaf in leaves)
        said = url_leaves(section, leaves["url"])
        said = {leaf: value for leaf, value in said.items() if not (own_tls and leaf.startswith("tls."))}
        leaves = {**said, **leaves, **({"url": said["url"]} if "url" in said else {})}
    elif section == "mongodb" and "host" in leaves:
        for leaf, needed in (("password", "user"), ("auth_source", "user")):
            if leaf in leaves and needed not in leaves:
                raise ConfigError(f"needs mongodb.{needed} beside it", key=f"mongodb.{leaf}")
        leaves = {**leaves, "url": mongodb_url(leaves)}
    if section == "mysql" and "unix_socket" in leaves:
        leaves = {"host": "localhost", **leaves}
    required = {"mysql": ("host", "user", "database"), "mongodb": ("url", "database"), "embedded": ("path",)}
    for leaf in required.get(section, ()):
        if leaf not in leaves:
            other = {"host": " (or url)", "url": " (or host)"}.get(
                leaf, " (in the url or as a key)" if "url" in leaves else ""
            )
            raise ConfigError(f"is missing{other}", key=f"{section}.{leaf}")
    tls = {leaf.removeprefix("tls."): value for leaf, value in leaves.items() if leaf.startswith("tls.")}
    plain = {LEAVES[section][leaf][0]: value for leaf, value in leaves.items() if not leaf.startswith("tls.")}
    plain.pop("", None)
    return {**plain, "tls": TlsConfig(**tls)} if tls else plain


def _attribute(part: object, path: str) -> Any:
    for name in path.split("."):
        part = getattr(part, name, None)
    return part


def _within(section: str, source: Mapping[str, Origin]) -> dict[str, Origin]:
    return {key.partition(".")[2]: origin for key, origin in source.items() if key.startswith(section + ".")}


def _flat(part: _Part) -> dict[str, object]:
    leaves = {leaf: _attribute(part, attribute) for leaf, (attribute, _) in LEAVES[part._section].items() if attribute}
    return {leaf: value for leaf, value in leaves.items() if value is not None}


def _saved(part: _Part, given: Mapping[str, Origin]) -> dict[str, object]:
    """The leaves to write: what was given, as it was given if unchanged, and what differs from the defaults."""
    section, flat = part._section, _flat(part)
    attributes = {f.name: f.default for f in fields(part) if f.default is not MISSING}
    base = {leaf: attributes[attribute] for leaf, (attribute, _) in LEAVES[section].items() if attribute in attributes}
    out: dict[str, object] = {}
    if "url" in given:
        said = url_leaves(section, str(given["url"].value))
        same = all(flat.get(leaf) == (base | said).get(leaf) for leaf in ("url", *CONNECTION[section]))
        if same and not ("tls.verify" in said and "tls.verify" not in flat):
            out["url"] = given["url"].raw
            base |= said
            flat.pop("url", None)
    elif section == "mongodb" and "host" in given:
        said = {leaf: given[leaf].value for leaf in CONNECTION[section] if leaf in given}
        if mongodb_url(said) == flat["url"]:
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


def _raw(origin: Origin) -> object:
    return origin.raw if "${" in origin.raw or isinstance(origin.value, str | Path) else origin.value
