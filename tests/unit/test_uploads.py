"""A server that asks for files gets none: what a connection sends is what it was given, and only once."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pymysql
import pytest

from platform_store.config import MysqlConfig
from platform_store.errors import Unavailable
from platform_store.stores import mysql_driver
from platform_store.stores.mysql_driver import Connection

OK = b"\0\0\0\2\0\0\0"
SECRET = "the contents of a file"
DATA = b"x" * 200_000
GREETING = (
    b"\x0a8.0.0\0" + struct.pack("<I", 1) + b"12345678\0"
    + struct.pack("<HBHHB", 0xFFFF & ~0x0800, 45, 2, 0x0008 | 0x0020, 21) + b"\0" * 10
    + b"123456789012\0mysql_native_password\0"
)  # fmt: skip  # protocol version 10, without TLS


class Hostile:
    """A server that takes every account, and asks for a file where ``asks`` says so; what it was sent then."""

    def __init__(self, file: Path, asks: Callable[[bytes], bool]):
        self._file, self._asks = str(file).encode(), asks
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.received: list[bytes] = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._listening.close()
        self._thread.join(10)

    def _serve(self) -> None:
        with contextlib.suppress(OSError, EOFError):
            self._line, _ = self._listening.accept()
            with self._line:
                self._send(0, GREETING)
                self._read()
                self._send(2, OK)
                while True:
                    self._answer(self._read()[1])

    def _answer(self, request: bytes) -> None:
        if not self._asks(request):
            self._send(1, OK)
            return
        self._send(1, b"\xfb" + self._file)
        while True:
            number, packet = self._read()
            if not packet:
                break
            self.received.append(packet)
        self._send((number + 1) % 256, OK)

    def _send(self, number: int, packet: bytes) -> None:
        self._line.sendall(struct.pack("<I", len(packet))[:3] + bytes([number]) + packet)

    def _read(self) -> tuple[int, bytes]:
        head = self._exactly(4)
        return head[3], self._exactly(int.from_bytes(head[:3], "little"))

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self._line.recv(size - len(data))
            if not part:
                raise EOFError
            data += part
        return data


class Trusting(Connection):
    """Asks the server nothing about itself."""

    def _identity(self) -> str:
        self.uploads = True
        return "server"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text(SECRET)
    return path


@contextlib.contextmanager
def hostile(file: Path, asks: Callable[[bytes], bool]) -> Iterator[Hostile]:
    server = Hostile(file, asks)
    try:
        yield server
    finally:
        server.close()


def connect(server: Hostile, *, packed: bool = False) -> Connection:
    config = MysqlConfig(host="127.0.0.1", port=server.port, user="u", database="d", read_timeout=1)
    return Trusting(**mysql_driver.settings(config, ["SET a = 1"], packed=packed))


def use(server: Hostile, *, packed: bool) -> None:
    with mysql_driver.translated():
        connection = connect(server, packed=packed)
        connection.query("START TRANSACTION")
        mysql_driver.stream(connection, "SELECT 1", None)


@pytest.mark.parametrize("packed", [False, True], ids=["for queries", "for writing"])
@pytest.mark.parametrize("request_", [b"SET NAMES", b"SET a", b"SELECT 1", b"START"])
def test_it_is_sent_nothing_that_was_not_promised(file: Path, packed: bool, request_: bytes) -> None:
    with hostile(file, lambda request: request[1:].startswith(request_)) as server, pytest.raises(Unavailable):
        use(server, packed=packed)
    # To PyMySQL the first answer of all is no question: it goes on, with requests (COM_QUERY).
    assert [packet for packet in server.received if packet[:1] != b"\3"] == []


def test_it_is_sent_what_was_promised_whatever_it_asks_for(file: Path) -> None:
    with hostile(file, lambda request: b"LOAD" in request) as server:
        connection = connect(server)
        assert connection.upload("LOAD DATA LOCAL INFILE 'rows' INTO TABLE t", DATA)
        with pytest.raises(pymysql.OperationalError):
            connection.query("LOAD DATA LOCAL INFILE 'rows' INTO TABLE t")
        assert not connection.open
    assert b"".join(server.received) == DATA


def test_what_was_promised_and_not_asked_for_is_forgotten(file: Path) -> None:
    with hostile(file, lambda request: b"SELECT" in request) as server:
        connection = connect(server)
        assert connection.upload("LOAD DATA LOCAL INFILE 'rows' INTO TABLE t", DATA)
        with pytest.raises(pymysql.OperationalError):
            connection.query("SELECT 1")
    assert server.received == []


def test_it_is_not_offered_where_the_configuration_says_no(file: Path) -> None:
    config = MysqlConfig(host="h", user="u", database="d", local_infile=False)
    assert not mysql_driver.settings(config, [], packed=False)["local_infile"]
    assert not mysql_driver.settings(MysqlConfig(host="h", user="u", database="d"), [], packed=True)["local_infile"]
    assert mysql_driver.settings(MysqlConfig(host="h", user="u", database="d"), [], packed=False)["local_infile"]
    assert file.read_text() == SECRET
