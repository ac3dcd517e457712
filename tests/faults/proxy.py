"""A proxy on loopback in front of a server: it loses requests and answers, holds, delays or cuts connections.

Of MySQL's and MongoDB's protocols it knows just enough to tell which statement or command a request is. Connections
through it are not encrypted: the offer of TLS is taken out of MySQL's greeting.
"""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Literal, Self

import bson

from tests.waiting import PATIENCE

Action = Literal["drop_reply", "drop_request", "hold"]
Protocol = Literal["mysql", "mongodb"]

_CHUNK = 1 << 16
_COM_QUERY = 3
_OP_MSG = 2013
_CLIENT_SSL = 0x0800


class Armed:
    """An action that waits for its request, and then happens once."""

    def __init__(self, action: Action, matches: Callable[[bytes], bool], skip: int, changed: threading.Condition):
        self.action = action
        self.happened = False
        self._matches, self._skip, self._changed = matches, skip, changed
        self.taken = self.released = False

    def wait(self, seconds: float = PATIENCE) -> None:
        """Waits until it has happened: the request is dropped, or its answer is dropped or held. TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.happened, seconds):
                raise TimeoutError(f"no request was met by {self.action} within {seconds} s")

    def release(self) -> None:
        """Lets go of a held answer."""
        with self._changed:
            self.released = True
            self._changed.notify_all()

    def take(self, text: bytes) -> bool:
        """Whether this is the request waited for. Called under the lock."""
        if self.taken or not self._matches(text):
            return False
        self._skip -= 1
        self.taken = self._skip < 0
        return self.taken


class Proxy:
    """Listens on a port of its own; a context manager. ``latency``: seconds by which every answer is late."""

    def __init__(self, target: int | tuple[str, int], *, protocol: Protocol = "mysql") -> None:
        """``target``: the server's port on 127.0.0.1, or its host and port."""
        self.latency = 0.0
        self._target = ("127.0.0.1", target) if isinstance(target, int) else target
        self._protocol = protocol
        self._changed = threading.Condition()
        self._flowing, self._closed = True, False
        self._armed: list[Armed] = []
        self._links: set[_Link] = set()
        self._threads: list[threading.Thread] = []
        self._held = _bound(0)  # keeps the port while nobody listens on it
        self.port: int = self._held.getsockname()[1]
        self._listener: socket.socket | None = None
        self.accept()

    def arm(self, action: Action, matches: bytes | Callable[[bytes], bool], *, skip: int = 0) -> Armed:
        """Does something to the next request that matches, after ``skip`` that do; just once.

        Args:
            action: "drop_reply" forwards the request, waits for the answer and closes the connection instead of
                passing it on; "drop_request" closes the connection without forwarding; "hold" keeps the answer until
                :meth:`Armed.release`.
            matches: whole words of the request's text (``b"COMMIT"`` is no part of ``SET AUTOCOMMIT``), or a predicate
                on it. The text is a statement's, or a MongoDB command's name and first argument: ``b"update card"``.
        """
        predicate = _has_words(matches) if isinstance(matches, bytes) else matches
        armed = Armed(action, predicate, skip, self._changed)
        with self._changed:
            self._armed.append(armed)
        return armed

    @property
    def connections(self) -> int:
        """How many are open."""
        with self._changed:
            return len(self._links)

    def cut_all(self) -> None:
        """Closes every connection."""
        with self._changed:
            links = list(self._links)
        for link in links:
            link.close()

    def refuse(self) -> None:
        """Refuses new connections, as a server that does not run; those that are open stay."""
        if self._listener is not None:
            with contextlib.suppress(OSError):  # a second shutdown
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None

    def accept(self) -> None:
        """Takes new connections again."""
        if self._listener is None and not self._closed:
            self._listener = _bound(self.port)
            self._listener.listen(128)
            self._run(self._take_connections, self._listener)

    def hang(self) -> None:
        """From now on nothing is passed on, in any direction; connections are still taken."""
        self._let_flow(False)

    def resume(self) -> None:
        """Undoes :meth:`hang`; what was sent meanwhile is passed on."""
        self._let_flow(True)

    def close(self) -> None:
        """Closes everything. May be called again."""
        self._closed = True
        self.refuse()
        self.cut_all()
        for thread in self._threads:
            thread.join(10)
        self._held.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _let_flow(self, flowing: bool) -> None:
        with self._changed:
            self._flowing = flowing
            self._changed.notify_all()

    def _run(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True, name=f"proxy-{self.port}")
        self._threads = [*(old for old in self._threads if old.is_alive()), thread]
        thread.start()

    def _take_connections(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:  # it was closed
                return
            try:
                server = socket.create_connection(self._target, timeout=5)
            except OSError:  # the server does not run: nor does, to the client, the proxy
                client.close()
                continue
            server.settimeout(None)
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            link = _Link(client, server, self._changed)
            with self._changed:
                self._links.add(link)
            self._run(self._pass, link, self._requests)
            self._run(self._pass, link, self._answers)
            if self._closed:
                link.close()

    def _pass(self, link: _Link, work: Callable[[_Link], None]) -> None:
        with contextlib.suppress(OSError):  # an end was closed
            work(link)
        link.close()
        with self._changed:
            self._links.discard(link)

    def _requests(self, link: _Link) -> None:
        buffer = bytearray()
        while chunk := link.client.recv(_CHUNK):
            buffer += chunk
            while (length := self._length(buffer)) is not None and len(buffer) >= length:
                message = bytes(buffer[:length])
                del buffer[:length]
                armed = self._match(message)
                if armed is not None and armed.action == "drop_request":
                    self._note(armed)
                    link.close()
                    return
                with self._changed:
                    link.awaited = armed
                if not self._wait_for_flow(link):
                    return
                link.server.sendall(message)

    def _answers(self, link: _Link) -> None:
        greeted = self._protocol != "mysql"
        buffer = b""
        while chunk := link.server.recv(_CHUNK):
            if not greeted:
                buffer += chunk
                if (length := self._length(buffer)) is None or len(buffer) < length:
                    continue
                chunk, greeted = _without_tls(buffer), True
            with self._changed:
                armed, link.awaited = link.awaited, None
            if armed is not None and armed.action == "drop_reply":
                self._note(armed)
                link.close()
                return
            if armed is not None:
                self._note(armed)
                if not link.wait(lambda armed=armed: armed.released):  # type: ignore[misc]
                    return
            if self.latency:
                link.wait(lambda: False, self.latency)
            if not self._wait_for_flow(link):
                return
            link.client.sendall(chunk)

    def _wait_for_flow(self, link: _Link) -> bool:
        return link.wait(lambda: self._flowing)

    def _note(self, armed: Armed) -> None:
        with self._changed:
            armed.happened = True
            self._changed.notify_all()

    def _match(self, message: bytes) -> Armed | None:
        if not self._armed:
            return None
        text = _statement(message) if self._protocol == "mysql" else _command(message)
        if text is None:
            return None
        with self._changed:
            found = next((armed for armed in self._armed if armed.take(text)), None)
            if found is not None:
                self._armed.remove(found)
            return found

    def _length(self, buffer: bytes | bytearray) -> int | None:
        """The length of the first message, as far as its head is there."""
        if len(buffer) < 4:
            return None
        if self._protocol == "mysql":
            return 4 + int.from_bytes(buffer[:3], "little")
        return int.from_bytes(buffer[:4], "little")


class _Link:
    """One connection: its two ends, and the action that waits for the next answer."""

    def __init__(self, client: socket.socket, server: socket.socket, changed: threading.Condition):
        self.client, self.server = client, server
        self.awaited: Armed | None = None
        self._changed, self._closed = changed, False

    def wait(self, condition: Callable[[], bool], seconds: float | None = None) -> bool:
        """Waits for ``condition``; False where the connection is closed meanwhile."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or condition(), seconds)
            return not self._closed

    def close(self) -> None:
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._changed.notify_all()
        for end in (self.client, self.server):
            with contextlib.suppress(OSError):  # the other side was faster
                end.shutdown(socket.SHUT_RDWR)
            end.close()


def _bound(port: int) -> socket.socket:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    return bound


def _has_words(words: bytes) -> Callable[[bytes], bool]:
    pattern = re.compile(rb"(?<!\w)" + re.escape(words) + rb"(?!\w)")
    return lambda text: pattern.search(text) is not None


def _statement(message: bytes) -> bytes | None:
    """The text of a MySQL statement; a packet that begins no command is numbered otherwise than 0."""
    return message[5:] if len(message) > 5 and message[3] == 0 and message[4] == _COM_QUERY else None


def _command(message: bytes) -> bytes | None:
    """Name and first argument of a MongoDB command."""
    if struct.unpack_from("<i", message, 12)[0] != _OP_MSG:
        return None
    body = 21  # after the head (16), the flags (4) and the kind of the first section, which is the body
    if message[20] != 0:
        return None
    length = int.from_bytes(message[body : body + 4], "little")
    name, argument = next(iter(bson.decode(message[body : body + length]).items()))
    return f"{name} {argument}".encode()


def _without_tls(greeting: bytes) -> bytes:
    """MySQL's greeting without the offer of TLS: after the version come a number (4), a nonce (8) and a zero."""
    capabilities = greeting.index(b"\0", 5) + 1 + 4 + 8 + 1
    (offered,) = struct.unpack_from("<H", greeting, capabilities)
    return greeting[:capabilities] + struct.pack("<H", offered & ~_CLIENT_SSL) + greeting[capabilities + 2 :]
