"""A connection to MySQL that tells the operation under way of each request: what its statements do, not their text."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Container, Iterator, Sequence
from typing import Final

from platform_store.attempts import Request, under_way
from platform_store.stores.base import Parameters
from platform_store.stores.mysql_driver import Cursor
from platform_store.stores.mysql_session import Answer, MysqlSession, Statement
from platform_store.stores.mysql_wire import Split

_VERB: Final = re.compile(
    r"[\s(]*(ALTER|CALL|COMMIT|CREATE|DELETE|DESCRIBE|DROP|EXPLAIN|INSERT|KILL|LOAD|LOCK|RELEASE|RENAME|REPLACE|ROLLBACK|"
    r"SAVEPOINT|SELECT|SET|SHOW|START|TABLE|UNLOCK|UPDATE|VALUES|WITH)\b",
    re.IGNORECASE,
)
_SUMMARY: Final = 255  # characters, as the conventions have it


class WatchedSession(MysqlSession):
    """As :class:`MysqlSession`. A packet of statements is one request."""

    _request: Request | None = None

    def _send(self, text: bytes, statements: Sequence[Statement]) -> None:
        request = self._begun([statement.sql for statement in statements])
        with _failing(request):
            super()._send(text, statements)
        self._request = request  # its answer is still to come

    def _receive(self) -> list[Answer]:
        request, self._request = self._request, None
        with _failing(request):
            answers = super()._receive()
        if request is not None:
            request.end(rows=sum(len(answer.rows) for answer in answers))
        return answers

    def commit(self, table: str, operation: str) -> None:
        with self._one("COMMIT"):
            super().commit(table, operation)

    def attempt(self, text: str, refusals: Container[int]) -> bool:
        with self._one(text):
            return super().attempt(text, refusals)

    def upload(self, text: str, data: bytes) -> bool:
        with self._one(text):
            return super().upload(text, data)

    def stream(self, sql: str, parameters: Parameters | None) -> Cursor:
        with self._one(sql):
            return super().stream(sql, parameters)

    def columns(self, sql: str, parameters: Sequence[object], codes: Sequence[str], size: int, overhead: int) -> Split:
        with self._one(sql):
            return super().columns(sql, parameters, codes, size, overhead)

    def abandon(self) -> None:
        request, self._request = self._request, None
        if request is not None:
            request.end(error="abandoned")
        super().abandon()

    @contextlib.contextmanager
    def _one(self, sql: str) -> Iterator[None]:
        """A statement that goes alone, after those put off."""
        self.flush()
        request = self._begun([sql])
        with _failing(request):
            yield
        if request is not None:
            request.end()

    def _begun(self, statements: Sequence[str | bytes]) -> Request | None:
        operation = under_way.get()
        if operation is None:
            return None
        system = "mariadb" if self.mariadb else "mysql"
        return operation.request(system, _summary(statements), statements=len(statements))


@contextlib.contextmanager
def _failing(request: Request | None) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        if request is not None:
            request.end(error=type(error).__name__, code=getattr(error, "code", None))
        raise


def _summary(statements: Sequence[str | bytes]) -> str:
    return "; ".join(map(_verb, statements))[:_SUMMARY]


def _verb(statement: str | bytes) -> str:
    """The first word of a statement, where it is one of MySQL's."""
    head = statement[:40]
    found = _VERB.match(head.decode("ascii", "replace") if isinstance(head, bytes) else head)
    return found[1].upper() if found else "other"
