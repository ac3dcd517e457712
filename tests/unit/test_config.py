"""Loading, checking, masking and saving of settings."""

from __future__ import annotations

import logging
import os
import pprint
import re
import stat
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from platform_store.config import (
    KEYS,
    Config,
    EmbeddedConfig,
    JournalConfig,
    MongodbConfig,
    MysqlConfig,
    QueryConfig,
    TlsConfig,
)
from platform_store.config.urls import mongodb_url
from platform_store.errors import ConfigError

EXAMPLE = Path(__file__).parents[2] / "config" / "platform.example.yaml"
SECRET = "hunter2-Zx"
MYSQL = "mysql:\n  host: db\n  user: u\n  database: crm\n"
MONGODB = "mongodb:\n  url: mongodb://h/crm\n"
Load = Callable[[str], Config]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def from_text(text: str) -> Config:
        file = tmp_path / "platform.yaml"
        file.write_text(text, encoding="utf-8")
        return Config.load(file)

    return from_text


def mysql(config: Config) -> MysqlConfig:
    assert config.mysql is not None
    return config.mysql


def mongodb(config: Config) -> MongodbConfig:
    assert config.mongodb is not None
    return config.mongodb


# --- loading


def test_every_key_is_read(load: Load) -> None:
    config = load(
        "mysql:\n  host: db\n  port: 3307\n  unix_socket: /run/m.sock\n  user: u\n  password: p\n  database: crm\n"
        "  pool: {size: 3}\n  timeouts: {connect: 1, read: 2.5, write: 3, lock_wait: 4}\n"
        "  local_infile: false\n  tls: {ca: a.pem, cert: b.pem, key: c.pem, verify: false}\n"
        "mongodb:\n  host: m\n  port: 27018\n  user: 'a:b'\n  password: 'p@/ss%'\n"
        "  replica_set: rs0\n  auth_source: adm\n"
        "  database: crm2\n  write_concern: 2\n  journal: false\n  when_down: fail\n  pool: {size: 5}\n"
        "  timeouts: {operation: 4, server_selection: 0.5}\n  tls: {ca: d.pem, cert: e.pem}\n"
    )
    assert config.mysql == MysqlConfig(
        host="db",
        port=3307,
        unix_socket="/run/m.sock",
        user="u",
        password="p",
        database="crm",
        pool_size=3,
        connect_timeout=1,
        read_timeout=2.5,
        write_timeout=3,
        lock_wait_timeout=4,
        local_infile=False,
        tls=TlsConfig(Path("a.pem"), Path("b.pem"), Path("c.pem"), verify=False),
    )
    assert config.mongodb == MongodbConfig(
        url="mongodb://a%3Ab:p%40%2Fss%25@m:27018/?authSource=adm&replicaSet=rs0",
        database="crm2",
        write_concern=2,
        journal=False,
        when_down="fail",
        pool_size=5,
        timeout=4,
        server_selection_timeout=0.5,
        tls=TlsConfig(Path("d.pem"), Path("e.pem")),
    )
    assert load("embedded:\n  path: crm.db\n  timeouts: {busy: 2}\n").embedded == EmbeddedConfig(Path("crm.db"), 2)


def test_defaults(load: Load) -> None:
    config = load(MYSQL + MONGODB)
    assert (mysql(config).port, mysql(config).password, mysql(config).pool_size) == (3306, "", 8)
    assert (mysql(config).connect_timeout, mysql(config).read_timeout, mysql(config).write_timeout) == (5, 30, 30)
    assert (mysql(config).lock_wait_timeout, mysql(config).tls, mysql(config).charset) == (10, None, "utf8mb4")
    assert mysql(config).local_infile
    assert not MysqlConfig.from_url("mysql://u@h/d?local_infile=false").local_infile
    assert (mongodb(config).write_concern, mongodb(config).journal, mongodb(config).when_down) == (
        1,
        False,
        "queue",
    )
    assert (mongodb(config).timeout, mongodb(config).server_selection_timeout) == (10, 3)
    assert config.query == QueryConfig(max_rows=5_000_000, max_bytes=4 << 30, timeout=240)
    assert config.journal == JournalConfig(retention=10, interval=1, lease=15, max_entries=1_000_000, reaper=True)


def test_the_example_loads_and_names_every_key(monkeypatch: pytest.MonkeyPatch) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    monkeypatch.setenv("PLATFORM_STORE_MYSQL_PASSWORD", SECRET)
    monkeypatch.setenv("PLATFORM_STORE_MONGODB_PASSWORD", SECRET)
    assert set(re.findall(r"\$\{(\w+)\}", text)) >= {"PLATFORM_STORE_MYSQL_PASSWORD", "PLATFORM_STORE_MONGODB_PASSWORD"}
    config = Config.load(EXAMPLE)
    assert mysql(config).password == SECRET
    assert SECRET in mongodb(config).url
    seen: set[str] = set()
    section = part = ""
    for line in text.splitlines():
        match = re.match(r"[ #]*([a-z_]+):(?= |$)", line)  # a key counts if it is commented out, too
        name = match[1] if match else ""
        if line.lstrip("# ") == f"{name}:" and name in ("mysql", "mongodb", "embedded", "journal", "query"):
            section, part = name, ""
        elif name in ("pool", "timeouts", "tls"):
            part = name
        else:
            seen |= {f"{section}.{part}.{name}", f"{section}.{name}"} & set(KEYS)
    assert set(KEYS) <= seen


def test_the_example_shows_the_defaults(monkeypatch: pytest.MonkeyPatch, load: Load) -> None:
    monkeypatch.setenv("PLATFORM_STORE_MYSQL_PASSWORD", "")
    monkeypatch.setenv("PLATFORM_STORE_MONGODB_PASSWORD", "p")
    config, plain = Config.load(EXAMPLE), load(MYSQL + MONGODB)
    assert replace(mysql(config), host="db", user="u", tls=None) == mysql(plain)
    assert replace(mongodb(config), url="mongodb://h/crm", tls=None) == mongodb(plain)
    assert (config.journal, config.query) == (plain.journal, plain.query)


def test_a_url_in_place_of_fields(load: Load) -> None:
    config = load(
        "mysql:\n  url: mysql+pymysql://us%40er:p%40ss%2F@[::1]:3307/crm?pool_size=2&read_timeout=7\n"
        "  pool: {size: 4}\n"
        "mongodb:\n  url: mongodb://a:1,b:2/crm?replicaSet=rs0&w=1&timeoutMS=1500&maxPoolSize=9\n  write_concern: 2\n"
    )
    assert (mysql(config).host, mysql(config).port, mysql(config).user) == ("::1", 3307, "us@er")
    assert (mysql(config).password, mysql(config).database) == ("p@ss/", "crm")
    assert (mysql(config).pool_size, mysql(config).read_timeout) == (4, 7)  # a key comes before an option
    assert mongodb(config).url == "mongodb://a:1,b:2/crm?replicaSet=rs0"
    assert (mongodb(config).write_concern, mongodb(config).timeout, mongodb(config).pool_size) == (2, 1.5, 9)


def test_urls_of_each_form() -> None:
    socket = MysqlConfig.from_url("mysql://root@/crm?unix_socket=/run/m.sock&ssl_ca=/ca.pem&charset=utf8mb4")
    assert (socket.host, socket.unix_socket, socket.tls) == ("localhost", "/run/m.sock", TlsConfig(Path("/ca.pem")))
    assert MysqlConfig.from_url("mysql://u@h/%E5%BA%93").database == "库"
    srv = "mongodb+srv://u:p@cluster.example.net/crm?retryWrites=true&w=majority&appName=x"
    atlas = MongodbConfig.from_url(srv)
    assert atlas.url == "mongodb+srv://u:p@cluster.example.net/crm?retryWrites=true&appName=x"
    assert (atlas.write_concern, atlas.database) == ("majority", "crm")
    assert MongodbConfig.from_url("mongodb://%2Frun%2Fmongodb.sock/crm").database == "crm"


def test_a_section_whose_content_is_commented_out_is_no_section(load: Load) -> None:
    config = load(MYSQL + "  tls:\n  pool:\n" + MONGODB + "  tls: {}\nembedded:\n")
    assert mysql(config).tls is None
    assert mongodb(config).tls == TlsConfig()
    assert config.embedded is None


# --- the environment


def test_environment(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_PASSWORD", "12345")
    monkeypatch.setenv("A_PORT", "3309")
    monkeypatch.setenv("A_EMPTY", "")
    monkeypatch.delenv("A_UNSET", raising=False)
    text = MYSQL.replace("host: db", 'host: "${A_UNSET:-db}-${A_EMPTY:-x}1"')
    config = load(
        text
        + "  password: ${A_PASSWORD}\n  port: ${A_PORT}\n  tls: {verify: '${A_UNSET:-no}'}\n"
        "mongodb:\n  url: mongodb://h/crm\n  database: a$${b}\n  write_concern: ${A_UNSET:-3}\n".replace("a$${b}", "ab")
    )
    assert (mysql(config).host, mysql(config).password, mysql(config).port) == ("db-x1", "12345", 3309)
    assert mysql(config).tls == TlsConfig(verify=False)
    assert mongodb(config).write_concern == 3


@pytest.mark.parametrize(
    ("written", "read"),
    [("$${A}", "${A}"), ("$$${A}", "$${A}"), ("$$", "$$"), ("$A}", "$A}"), ("x$${y$${", "x${y${"), ("${A}", "v${B}")],
)
def test_escapes(load: Load, monkeypatch: pytest.MonkeyPatch, written: str, read: str) -> None:
    monkeypatch.setenv("A", "v${B}")  # what is put in is not looked at again
    assert mysql(load(MYSQL + f"  password: '{written}'\n" + MONGODB)).password == read


# --- errors


@pytest.mark.parametrize(
    ("text", "key", "line", "says"),
    [
        (MYSQL + "  port: 70000\n" + MONGODB, "mysql.port", 5, "from 1 to 65535"),
        (MYSQL + "  port: '3306'\n" + MONGODB, "mysql.port", 5, "without quotes"),
        (MYSQL + "  port: 0x10\n" + MONGODB, "mysql.port", 5, "whole number"),
        (MYSQL + "  port: 33:06\n" + MONGODB, "mysql.port", 5, "whole number"),
        (MYSQL + "  port: yes\n" + MONGODB, "mysql.port", 5, "whole number"),
        (MYSQL + "  port: 1_0\n" + MONGODB, "mysql.port", 5, "whole number"),
        (MYSQL + "  port: " + "9" * 5000 + "\n" + MONGODB, "mysql.port", 5, "whole number"),
        (MYSQL + "  password: 12345\n" + MONGODB, "mysql.password", 5, "in quotes"),
        (MYSQL + "  password: 2020-01-01\n" + MONGODB, "mysql.password", 5, "in quotes"),
        (MYSQL + "  password:\n" + MONGODB, "mysql.password", 5, "needs one value"),
        (MYSQL + "  password: [a]\n" + MONGODB, "mysql.password", 5, "needs one value"),
        (MYSQL + "  password: !!python/name:os.system x\n" + MONGODB, "mysql.password", 5, "in quotes"),
        (
            MYSQL + "  password: ${NOT_SET_A}\n" + MONGODB,
            "mysql.password",
            5,
            "environment variable NOT_SET_A is not set",
        ),
        (MYSQL + "  password: a${NOT SET}\n" + MONGODB, "mysql.password", 5, "$${"),
        (MYSQL + "  password: ${UNENDED\n" + MONGODB, "mysql.password", 5, "$${"),
        (MYSQL + "  user: v\n" + MONGODB, "mysql.user", 5, "twice, first in line 3"),
        (MYSQL + "  pasword: x\n" + MONGODB, "mysql.pasword", 5, "did you mean mysql.password?"),
        (MYSQL + "  pool_size: 1\n" + MONGODB, "mysql.pool_size", 5, "did you mean mysql.pool.size?"),
        (MYSQL + "  charset: utf8\n" + MONGODB, "mysql.charset", 5, "not a known key"),
        (MYSQL + "  <<: {port: 1}\n" + MONGODB, "mysql", 5, "not a known key"),
        (MYSQL + "  pool: 5\n" + MONGODB, "mysql.pool", 5, "must be a section"),
        (MYSQL + "  pool:\n    size: 0\n" + MONGODB, "mysql.pool.size", 6, "from 1 to 1000"),
        (MYSQL + "  timeouts:\n    read: 0\n" + MONGODB, "mysql.timeouts.read", 6, "seconds above 0"),
        (MYSQL + "  timeouts:\n    read: .inf\n" + MONGODB, "mysql.timeouts.read", 6, "seconds above 0"),
        (MYSQL + "  timeouts:\n    read: 1e300\n" + MONGODB, "mysql.timeouts.read", 6, "seconds above 0"),
        (MYSQL + "  timeouts:\n    lock_wait: 1.5\n" + MONGODB, "mysql.timeouts.lock_wait", 6, "whole number"),
        (MYSQL + "  tls:\n    verify: 1\n" + MONGODB, "mysql.tls.verify", 6, "true or false"),
        (MYSQL + "  tls:\n    ca: ''\n" + MONGODB, "mysql.tls.ca", 6, "path"),
        (MYSQL + "  tls:\n    key: k.pem\n" + MONGODB, "mysql.tls.key", 6, "mysql.tls.cert"),
        (MYSQL + "  url: mysql://u@h/d\n" + MONGODB, "mysql.host", 2, "together with mysql.url"),
        ("mysql:\n  user: u\n  database: d\n" + MONGODB, "mysql.host", 1, "missing (or url)"),
        ("\nmysql:\n  host: h\n  database: d\n" + MONGODB, "mysql.user", 2, "missing"),
        ("\nmysql:\n  host: h\n  user: d\n" + MONGODB, "mysql.database", 2, "missing"),
        ("mysql:\n  url: mysql://u@h\n" + MONGODB, "mysql.database", 1, "in the url or as a key"),
        ("mysql:\n  url: mysql://u@h/d?ssl=1\n" + MONGODB, "mysql.url", 2, "ssl; did you mean ssl_"),
        ("mysql:\n  url: mysql://u@h/d?pool_size=0\n" + MONGODB, "mysql.url", 2, "its part for pool.size"),
        ("mysql:\n  url: mysql://u@h/d?pool_size=1&POOL_SIZE=2\n" + MONGODB, "mysql.url", 2, "twice"),
        ("mysql:\n  url: mysql://u@h/d?charset=latin1\n" + MONGODB, "mysql.url", 2, "utf8mb4"),
        ("mysql:\n  url: mysql://u@h:99999/d\n" + MONGODB, "mysql.url", 2, "its part for port"),
        ("mysql:\n  url: postgresql://u@h/d\n" + MONGODB, "mysql.url", 2, "form mysql://"),
        ("mysql:\n  url: mysql://u@/d\n" + MONGODB, "mysql.url", 2, "must name a host"),
        (MYSQL + "mongodb:\n  url: mongodb://h/crm\n  write_concern: 0\n", "mongodb.write_concern", 7, '"majority"'),
        (MYSQL + "mongodb:\n  url: mongodb://h/crm\n  write_concern: most\n", "mongodb.write_concern", 7, '"majority"'),
        (MYSQL + "mongodb:\n  url: mongodb://h/crm\n  write_concern: true\n", "mongodb.write_concern", 7, '"majority"'),
        (MYSQL + "mongodb:\n  url: mongodb://h/crm\n  when_down: wait\n", "mongodb.when_down", 7, '"queue" or "fail"'),
        (MYSQL + "mongodb:\n  url: mongodb://h/crm\n  journal: 1\n", "mongodb.journal", 7, "true or false"),
        (MYSQL + "mongodb:\n  url: mongodb://h/crm\n  host: x\n", "mongodb.host", 7, "together with mongodb.url"),
        (MYSQL + "mongodb:\n  url: mongodb://h/crm\n  database: a.b\n", "mongodb.database", 7, "database name"),
        (MYSQL + "mongodb:\n  url: mongodb://h/\n", "mongodb.database", 5, "missing"),
        (MYSQL + "mongodb:\n  url: mongodb://h:0/d\n", "mongodb.url", 6, "host:port"),
        (MYSQL + "mongodb:\n  url: mongodb://h,,i/d\n", "mongodb.url", 6, "host:port"),
        (MYSQL + "mongodb:\n  url: mongodb+srv://h,i/d\n", "mongodb.url", 6, "one host"),
        (MYSQL + "mongodb:\n  url: mongodb://h/d?w=0\n", "mongodb.url", 6, "write_concern"),
        (MYSQL + "mongodb:\n  url: mongodb://h/d?timeoutMS=x\n", "mongodb.url", 6, "timeouts.operation"),
        (
            MYSQL + "mongodb:\n  url: mongodb://h/d?readPreference=secondary\n",
            "mongodb.url",
            6,
            "not allowed: readPreference",
        ),
        (MYSQL + "mongodb:\n  url: mongodb://h/d?replicaSte=r\n", "mongodb.url", 6, "did you mean replicaset?"),
        (MYSQL + "mongodb:\n  database: d\n", "mongodb.url", 5, "missing (or host)"),
        (MYSQL + "mongodb:\n  host: h\n  database: d\n  password: p\n", "mongodb.password", 8, "mongodb.user"),
        (MYSQL + MONGODB + "  tls:\n    key: k.pem\n", "mongodb.tls.key", 8, "one PEM file"),
        (MYSQL + "mongodb:\n  url: mongodb://h/d?tlsCAFile=x\n  tls: {}\n", "mongodb.tls", 7, "tlsCAFile"),
        (MYSQL, "mongodb", 1, "missing"),
        (MONGODB, "mysql", 1, "missing"),
        ("{}\n", "mysql", 1, "missing"),
        (MYSQL + MONGODB + "embedded:\n  path: x.db\n", "embedded", 7, "together"),
        ("embedded: {}\n", "embedded.path", 1, "missing"),
        ("embedded:\n  path: ''\n", "embedded.path", 2, "path"),
        ("embeded:\n  path: x.db\n", "embeded", 1, "did you mean embedded?"),
        ("embedded:\n  path: x.db\nembedded:\n  path: y.db\n", "embedded", 3, "twice, first in line 1"),
        ("- a\n", None, 1, "sections"),
        ("", None, 1, "sections"),
        ("mysql:\n  host: 'x\n", None, 3, "not valid YAML"),
        ("mysql:\n\thost: x\n", None, 2, "not valid YAML"),
        ("mysql: &a\n  host: *b\n", None, 2, "not valid YAML"),
        ("a: 1\n---\nb: 1\n", None, 2, "not valid YAML"),
        ("a: 1\nb: \x01\n", None, 2, "not valid YAML"),
        ("a: " + "[" * 3000, None, 1, "not valid YAML"),
    ],
)
def test_errors_name_key_line_and_file(load: Load, tmp_path: Path, text: str, key: str, line: int, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(text)
    error = caught.value
    assert (error.key, error.line, error.path) == (key, line, str(tmp_path / "platform.yaml"))
    assert says in error.reason
    assert "\n" not in str(error)
    if key and line:
        assert str(error).startswith(f"{error.path}:{line}: {key}: ")


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_bytes(b"mysql:\n  host: \xff\n")
    with pytest.raises(ConfigError, match="not UTF-8") as caught:
        Config.load(tmp_path / "s.yaml")
    assert caught.value.line == 2


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.yaml", tmp_path):
        with pytest.raises(ConfigError, match="cannot be read") as caught:
            Config.load(path)
        assert caught.value.path == str(path)


@pytest.mark.parametrize(
    "text",
    [
        "mysql:\n  url: mysql://u:@@SECRET@h/d\n",
        "mysql:\n  url: mysql://u:SECRET/x@h/d\n",
        "mysql:\n  url: mysql://u:SECRET?x@h/d\n",
        "mysql:\n  url: mysql://u:SECRET#x@h/d\n",
        "mysql:\n  url: mysql://u:SECRET%zz@h/d\n",
        "mysql:\n  url: mysql://u:SECRET%ff@h/d\n",
        "mysql:\n  url: mysql://u:a:SECRET@h/d\n",
        "mysql:\n  url: mysql://u:SECRET\n",
        "mysql:\n  url: mysql://u:x@[SECRET/d\n",
        "mysql:\n  url: mysql://u:SECRET@h:x/d\n",
        "mysql:\n  url: mysql://u:SECRET@h/d?SECRET\n",
        "mysql:\n  url: mysql://u:SECRET@h/d?x-SECRET=1\n",
        "mysql:\n  url: ${A_SECRET}\n",
        "mysql:\n  port: ${A_SECRET}\n",
        "mysql:\n  host: ${A_SECRET}/\n",
        "mysql:\n  tls: {verify: '${A_SECRET}'}\n",
        "mysql: mysql://u:SECRET@h/d\n",
        "mysql:\n  user: u\n  password: *SECRET\n",
        "mysql:\n  user: u\n  password: !SECRET x\n",
        "mysql:\n  user: u\n  password: !SECRET!x x\n",
        "mysql:\n  user: u\n  password: %SECRET\n",
        "mysql:\n  user: u\n  password: '\\SECRET\n",
        "mysql:\n  user: u\n  password: ${SECRET\n",
        "mysql:\n  password:SECRET\n  user: u\n",
        "mysql:\n  password: &SECRET x\n  user: &SECRET y\n",
        "mysql:\n  {mysql://u:SECRET@h/d}: x\n",
        "mongodb:\n  url: mongodb://u:SECRET@h:x/d\n",
        "mongodb:\n  url: mongodb://u:SECRET@@h/d\n",
        "mongodb:\n  when_down: SECRET\n",
        "mongodb:\n  write_concern: SECRET\n",
    ],
)
def test_no_error_holds_a_secret(load: Load, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("A_SECRET", SECRET)
    with pytest.raises(ConfigError) as caught:
        load(text.replace("SECRET", SECRET).replace("A_" + SECRET, "A_SECRET"))
    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__  # so no traceback shows what it came from


def test_dataclasses_check_their_values() -> None:
    good = MysqlConfig(host="h", user="u", database="d")
    with pytest.raises(ConfigError, match=r"mysql.pool.size"):
        replace(good, pool_size=0)
    with pytest.raises(ConfigError, match=r"mysql.tls.ca"):
        replace(good, tls=TlsConfig(ca="x"))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"mysql.port"):
        replace(good, port=None)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"mongodb.url"):
        MongodbConfig(url="mongodb://h/d?w=1", database="d")
    with pytest.raises(ConfigError, match=r"embedded.path"):
        EmbeddedConfig("x")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="missing"):
        Config(mysql=good)
    with pytest.raises(FrozenInstanceError):
        good.port = 1  # type: ignore[misc]
    assert hash(good) == hash(replace(good))


# --- masking


def test_nothing_shown_holds_a_secret(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = Config.from_urls(
        mysql=f"mysql://platform:{SECRET}@127.0.0.1/crm",
        mongodb=f"mongodb://platform:{SECRET}@127.0.0.1:27017/crm?authMechanismProperties=AWS_SESSION_TOKEN:{SECRET}"
        f"&tlsCertificateKeyFilePassword={SECRET}&replicaSet=rs0",
    )
    logging.getLogger("test").warning("%s %r", config, config.mongodb)
    shown = [
        str(config),
        repr(config),
        f"{config!r}",
        f"{config}",
        pprint.pformat(config),
        config.describe(),
        caplog.text,
    ]
    for text in (*shown, repr(config.mysql), str(config.mongodb)):
        assert SECRET not in text
    assert "password='***'" in repr(config)
    assert "platform:***@127.0.0.1:27017/crm" in repr(config)
    assert "replicaSet=rs0" in repr(config)
    assert config.describe() == "mysql platform@127.0.0.1:3306/crm + mongodb 127.0.0.1:27017/crm"
    assert Config.for_embedded(tmp_path / "x.db").describe() == f"embedded {tmp_path / 'x.db'}"
    assert repr(MysqlConfig(host="h", user="u", database="d")).startswith("MysqlConfig(host='h', port=3306, user='u'")


# --- saving


def saved(config: Config, path: Path) -> str:
    config.save(path)
    assert Config.load(path) == config
    return path.read_text(encoding="utf-8")


def test_what_came_from_the_environment_is_kept_so(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET", SECRET)
    monkeypatch.setenv("A_PORT", "3333")
    config = load(
        MYSQL + "  password: ${A_SECRET}\n  port: ${A_PORT}\n  pool: {size: 8}\n"
        "mongodb:\n  url: mongodb://u:${A_SECRET}@h/crm?w=2\n  tls:\n    ca: ${A_UNSET:-ca.pem}\n"
    )
    out = tmp_path / "saved.yaml"
    text = saved(config, out)
    assert SECRET not in text
    assert text.startswith("#")
    assert yaml.safe_load(text) == {
        "mysql": {
            "host": "db",
            "port": "${A_PORT}",
            "user": "u",
            "password": "${A_SECRET}",
            "database": "crm",
            "pool": {"size": 8},
        },
        "mongodb": {"url": "mongodb://u:${A_SECRET}@h/crm?w=2", "tls": {"ca": "${A_UNSET:-ca.pem}", "verify": True}},
    }
    again = Config.load(out)
    changed = replace(
        again,
        mysql=replace(mysql(again), host="other", pool_size=3),
        mongodb=replace(mongodb(again), write_concern="majority", database="crm2"),
    )
    text = saved(changed, out)  # what did not change keeps its text through another load
    assert SECRET not in text
    assert "other" in text
    monkeypatch.setenv("A_SECRET", "rotated")
    assert mysql(Config.load(out)).password == "rotated"


def test_fields_of_mongodb_are_kept_as_fields(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET", "p@ss:/?#%")
    config = load(MYSQL + "mongodb:\n  host: h\n  user: u\n  password: ${A_SECRET}\n  database: d\n")
    assert mongodb(config).url == "mongodb://u:p%40ss%3A%2F%3F%23%25@h:27017/?authSource=admin"
    text = saved(replace(config, mongodb=replace(mongodb(config), database="e")), tmp_path / "s.yaml")
    assert yaml.safe_load(text)["mongodb"] == {"host": "h", "user": "u", "password": "${A_SECRET}", "database": "e"}
    moved = replace(config, mongodb=replace(mongodb(config), url="mongodb://other/"))
    assert yaml.safe_load(saved(moved, tmp_path / "s.yaml"))["mongodb"] == {"url": "mongodb://other/", "database": "d"}


def test_urls_given_in_python_keep_their_references(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET", SECRET)
    config = Config.from_urls(mysql="mysql://u:${A_SECRET}@h/d?ssl_ca=/a.pem", mongodb="mongodb://u:${A_SECRET}@h/d")
    assert mysql(config).password == SECRET
    assert SECRET not in saved(config, tmp_path / "s.yaml")
    parts = replace(config, mysql=replace(mysql(config), host="i", tls=None))
    assert yaml.safe_load(saved(parts, tmp_path / "s.yaml"))["mysql"]["host"] == "i"
    saved(replace(config, mysql=replace(mysql(config), tls=None)), tmp_path / "s.yaml")
    saved(replace(config, mysql=replace(mysql(config), tls=TlsConfig(verify=False))), tmp_path / "s.yaml")
    with pytest.raises(ConfigError, match=r"mysql.url: environment variable NOT_SET_A is not set"):
        Config.from_urls(mysql="mysql://u:${NOT_SET_A}@h/d", mongodb="mongodb://h/d")


def test_embedded_is_saved(tmp_path: Path) -> None:
    saved(Config.for_embedded(tmp_path / "${x} 客户.db"), tmp_path / "s.yaml")
    saved(Config(embedded=EmbeddedConfig(Path("x.db"), busy_timeout=0.25)), tmp_path / "s.yaml")


odd = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12) | st.sampled_from(
    [
        "${HOME}",
        "$${",
        "$$${A}",
        "1e3",
        "yes",
        "~",
        "null",
        "0123",
        "2020-01-01",
        "#x",
        "a: b",
        "- a",
        "'\"\\",
        "\x85\u2028\ufeff",
        "\r\n",
        "  x ",
        "=",
        "<<",
    ]
)


@pytest.mark.parametrize("password", ["\x85", "a\u2028b", "\ufeff", "a\nb ", "'\"", " "])
def test_line_breaks_in_a_password_survive(tmp_path: Path, password: str) -> None:
    mysql = MysqlConfig(host="h", user="u", password=password, database="d")
    saved(Config(mysql=mysql, mongodb=MongodbConfig.from_url("mongodb://h/d")), tmp_path / "odd.yaml")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    password=odd,
    mongo_password=odd,
    timeout=st.floats(1e-6, 86400, allow_subnormal=False),
    pool=st.integers(1, 1000),
    concern=st.just("majority") | st.integers(1, 50),
    ca=st.none() | st.sampled_from([Path("a b.pem"), Path("/${x}/%.pem")]),
)
def test_any_password_survives_a_round_trip(
    tmp_path: Path, password: str, mongo_password: str, timeout: float, pool: int, concern: object, ca: Path | None
) -> None:
    tls = TlsConfig(ca=ca) if ca else None
    config = Config(
        mysql=MysqlConfig(host="h", user="u", password=password, database="库", read_timeout=timeout, tls=tls),
        mongodb=MongodbConfig(
            url=mongodb_url({"host": "h", "user": "ü:@", "password": mongo_password}),
            database="d",
            pool_size=pool,
            timeout=timeout,
            write_concern=concern,  # type: ignore[arg-type]
            tls=tls,
        ),
        journal=JournalConfig(retention=timeout, max_entries=pool, reaper=ca is None),
        query=QueryConfig(timeout=timeout, max_rows=pool),
    )
    path = tmp_path / "round.yaml"
    saved(config, path)
    first = path.read_bytes()
    Config.load(path).save(path)
    assert Config.load(path) == config
    assert path.read_bytes() == first


def test_mode_is_private_whatever_the_umask_and_the_file_before(tmp_path: Path) -> None:
    target = tmp_path / "s.yaml"
    target.write_text("old")
    target.chmod(0o644)
    for mask in (0, 0o777):
        before = os.umask(mask)
        try:
            Config.for_embedded("x.db").save(target)
        finally:
            os.umask(before)
        assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["s.yaml"]


def test_the_file_is_private_before_anything_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modes: list[int] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        modes.append(os.fstat(descriptor).st_mode)
        real(descriptor)

    made: list[int] = []
    real_open = os.open

    def opened(path: str, flags: int, mode: int = 0o777, **others: int) -> int:
        made.append(mode if flags & os.O_CREAT else 0)
        assert not flags & os.O_CREAT or flags & os.O_EXCL
        return real_open(path, flags, mode, **others)

    monkeypatch.setattr(os, "open", opened)
    monkeypatch.setattr(os, "fsync", fsync)
    Config.for_embedded("x.db").save(tmp_path / "s.yaml")
    assert [mode for mode in made if mode] == [0o600]
    assert [stat.S_ISDIR(mode) for mode in modes] == [False, True]  # the file before it is renamed, then its directory


def test_a_symbolic_link_is_replaced_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    link = tmp_path / "s.yaml"
    link.symlink_to(victim)
    Config.for_embedded("x.db").save(link)
    assert victim.read_text() == "mine"
    assert not link.is_symlink()


@pytest.mark.parametrize("step", ["replace", "fsync", "fchmod"])
def test_a_failure_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    target = tmp_path / "s.yaml"
    target.write_text("old")

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(ConfigError, match="cannot be written: No space left on device") as caught:
        Config.for_embedded("x.db").save(target)
    assert caught.value.path == str(target)
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["s.yaml"]


def test_an_interrupt_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        Config.for_embedded("x.db").save(tmp_path / "s.yaml")
    assert os.listdir(tmp_path) == []


def test_saving_where_it_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "absent" / "s.yaml", tmp_path / "folder"):
        with pytest.raises(ConfigError, match="cannot be written"):
            Config.for_embedded("x.db").save(path)
    assert os.listdir(tmp_path) == ["folder"]
    assert os.listdir(tmp_path / "folder") == []
