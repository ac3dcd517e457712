"""What goes over the wire: the statements that PyMySQL sends and the commands that PyMongo sends, by their heads."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pymongo import monitoring
from pymysql.connections import Connection
from pymysql.constants import COMMAND

_LITERAL = re.compile(r"""'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*\"""", re.DOTALL)
_SOURCE = re.compile(r"\b(?:FROM|JOIN) ([\w$.]+)", re.IGNORECASE)
_TABLE = re.compile(r"\b(INTO|FROM|UPDATE|TABLE(?: IF (?:NOT )?EXISTS)?) ([\w$.]+)", re.IGNORECASE)
_LOCK = re.compile(r" (FOR UPDATE|FOR SHARE|LOCK IN SHARE MODE)\b", re.IGNORECASE)
_WITH_TABLE = {"SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE", "CREATE", "ALTER", "DROP"}
_OTHER_COMMANDS = {COMMAND.COM_PING: "PING", COMMAND.COM_INIT_DB: "USE"}


@dataclass
class Sent:
    """What was sent, in order; each entry is one round trip."""

    sql: list[str] = field(default_factory=list)
    mongodb: list[str] = field(default_factory=list)


class _Listener(monitoring.CommandListener):
    """Passes on the commands of every client made after it was registered, in the thread that gives them."""

    def __init__(self) -> None:
        self.receivers: list[Callable[[str], None]] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        for receive in list(self.receivers):
            receive(f"{event.command_name} {event.command.get(event.command_name)}")

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Of no interest."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Of no interest."""


_listener = _Listener()
monitoring.register(_listener)  # PyMongo has no way to tell a client that exists already


@contextlib.contextmanager
def sent(*, all_threads: bool = False) -> Iterator[Sent]:
    """Writes down what is sent inside: ``"INSERT INTO card"``, ``"COMMIT"``; ``"update card"``, ``"find card"``.

    By this thread, or by all. Several statements in one packet are one entry, divided by ``"; "``. Of MongoDB's clients
    it knows those made after this module was imported.
    """
    collected, thread = Sent(), threading.get_ident()

    def receive(into: list[str], text: str) -> None:
        if all_threads or threading.get_ident() == thread:
            into.append(text)

    original: Callable[[Any, int, str | bytes], None] = Connection._execute_command  # type: ignore[attr-defined]

    def execute_command(connection: Any, command: int, sql: str | bytes) -> None:
        other = _OTHER_COMMANDS.get(command, str(command))
        receive(collected.sql, head(sql) if command == COMMAND.COM_QUERY else other)
        original(connection, command, sql)

    def receive_mongodb(text: str) -> None:
        receive(collected.mongodb, text)

    Connection._execute_command = execute_command  # type: ignore[attr-defined]
    _listener.receivers.append(receive_mongodb)
    try:
        yield collected
    finally:
        _listener.receivers.remove(receive_mongodb)
        Connection._execute_command = original  # type: ignore[attr-defined]


def head(packet: str | bytes) -> str:
    """What the statements of one packet do, and to which table."""
    text = packet.decode("utf-8", "replace") if isinstance(packet, bytes) else packet
    statements = " ".join(_LITERAL.sub("?", text).split()).split(";")
    return "; ".join(_head(statement.strip()) for statement in statements if statement.strip())


def _head(statement: str) -> str:
    verb = statement.split(" ", 1)[0].upper()
    if verb not in _WITH_TABLE:
        return statement
    plain = statement.replace("`", "")
    if verb == "SELECT":
        sources, lock = ", ".join(dict.fromkeys(_SOURCE.findall(plain))), _LOCK.search(plain)
        return verb + (f" FROM {sources}" if sources else "") + (f" {lock[1].upper()}" if lock else "")
    table = _TABLE.search(plain)
    if table is None:
        return verb
    word = table[1].upper()
    return f"{verb} {table[2]}" if word == verb else f"{verb} {word} {table[2]}"
