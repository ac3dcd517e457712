"""One leased connection to MySQL: statements, packed together where no answer is waited for, and streamed results."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from platform_store.errors import OutcomeUnknown, PlatformStoreError, TransientError, Unavailable
from platform_store.stores.base import DuplicateKey, Parameters, StaleAssociation
from platform_store.stores.mysql_driver import Connection, Cursor, stream, translated
from platform_store.stores.mysql_literals import fill
from platform_store.stores.mysql_wire import RowSplitter, Split

_BEGIN = "START TRANSACTION"
_MAX_STATEMENT = 512 * 1024  # bytes of one multi-row statement
_MAX_PACKET = _MAX_STATEMENT + 128 * 1024  # bytes of statements packed together


class Answer(NamedTuple):
    """What the server said to one statement. ``matched``: rows found (not only those changed), or returned."""

    rows: tuple[tuple[Any, ...], ...]
    matched: int
    last_id: int  # the first AUTO_INCREMENT value that it allocated


class Statement(NamedTuple):
    """A statement and what becomes of its answer.

    ``judge`` sees the answer, and may raise. ``failed`` sees the error in its place (ours, not the driver's), once the
    connection is free for other statements, and gives the one to be raised.
    """

    sql: str | bytes  # bytes: with its values, to be sent as it is
    parameters: Sequence[object] = ()
    judge: Callable[[Answer], None] | None = None
    failed: Callable[[Exception], Exception] | None = None


class MysqlSession:
    """One leased connection. Every method translates the driver's errors.

    Statements whose answer nobody waits for are put off, and go out in one packet with the next one: a write waits for
    the network twice, not six times. They are answered in order, and the first that fails ends the packet. COMMIT is
    never among them.

    A packet may also be sent while its answers are left for later: the server works while the caller does. Whatever is
    done next takes them first.
    """

    def __init__(self, raw: Connection):
        self._raw = raw
        self._later: list[Statement] = []
        self._sent: Sequence[Statement] = ()  # and not answered yet

    @property
    def server(self) -> str:
        """Which server this is, and since when it runs: another value means another server, or a restart."""
        return self._raw.server

    @property
    def mariadb(self) -> bool:
        return self._raw.mariadb

    @property
    def sql_mode(self) -> str:
        """The one that it had when it was leased."""
        return self._raw.session_mode

    @property
    def uploads(self) -> bool:
        """Whether :meth:`upload` is worth an attempt."""
        return self._raw.uploads

    @property
    def thread(self) -> int:
        """The server's number for the connection."""
        return int(self._raw.thread_id())  # type: ignore[no-untyped-call]

    @property
    def alive(self) -> bool:
        """Whether the connection has not been given up."""
        return bool(self._raw.open)

    def later(self, statement: Statement) -> None:
        """Sends the statement together with the next one."""
        self._later.append(statement)

    def flush(self) -> None:
        """Sends what was put off, and takes every answer."""
        self.send()
        self._receive()

    def send(self) -> None:
        """Sends what was put off; its answers are taken with the next statement's."""
        self._run()

    def run(self, *statements: Statement) -> list[Answer]:
        """Sends what was put off, and these statements; returns the answers to these."""
        self._later += statements
        answers = self._run()
        answers += self._receive()
        return answers[len(answers) - len(statements) :]

    def _run(self) -> list[Answer]:
        """Sends what was put off, and leaves the last packet's answers for later; returns the others."""
        waiting, self._later = self._later, []
        with translated():
            texts = [self._text(statement.sql, statement.parameters) for statement in waiting]
        self._receive()
        answers: list[Answer] = []
        if sum(map(len, texts)) > _MAX_PACKET:
            for statement, text in zip(waiting, texts, strict=True):
                answers += self._receive()
                self._send(text, [statement])
        elif waiting:
            self._send(b"; ".join(texts), waiting)
        return answers

    def _send(self, text: bytes, statements: Sequence[Statement]) -> None:
        """Sends one packet."""
        with translated():
            self._raw.send(text)
        self._sent = statements

    def _receive(self) -> list[Answer]:
        """The answer to each statement of the packet that was sent last."""
        statements, self._sent = self._sent, ()
        answers: list[Answer] = []
        fault: Exception | None = None
        try:
            with translated():
                while len(answers) < len(statements):
                    answer = Answer(*self._raw.receive())
                    judge = statements[len(answers)].judge
                    answers.append(answer)
                    if judge is not None and fault is None:
                        fault = _raised_by(judge, answer)
        except (PlatformStoreError, DuplicateKey, StaleAssociation) as error:
            if fault is None:
                failed = statements[len(answers)].failed
                fault = error if failed is None or isinstance(error, Unavailable) else failed(error)
        if fault is not None:
            raise fault
        return answers

    def drain(self) -> None:
        """Takes the answers that are left, whatever they are. Raises only where the whole transaction is lost."""
        self._sent = [Statement(b"") for _ in self._sent]
        try:
            self._receive()
        except (TransientError, Unavailable):
            raise
        except (PlatformStoreError, DuplicateKey, StaleAssociation):
            pass  # it is about to be undone

    def _text(self, sql: str | bytes, parameters: Sequence[object]) -> bytes:
        return sql if isinstance(sql, bytes) else fill(sql.encode(), parameters)

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> tuple[tuple[Any, ...], ...]:
        return self.run(Statement(sql, parameters))[0].rows

    def verbatim(self, text: str) -> tuple[tuple[Any, ...], ...]:
        """The rows of a statement that is sent as it is: it has no placeholders, and ``%`` means itself."""
        return self.run(Statement(text.encode()))[0].rows

    def attempt(self, text: str, refusals: Container[int]) -> bool:
        """Runs a statement as it is; False where the server refuses it with one of these error numbers."""
        self.flush()
        with translated():
            return self._raw.attempt(text, refusals)

    def upload(self, text: str, data: bytes) -> bool:
        """Runs a LOAD DATA LOCAL of ``data``; False where the server takes none."""
        self.flush()
        with translated():
            return self._raw.upload(text, data)

    def warned(self) -> tuple[int, ...]:
        """The numbers of the last statement's warnings and notes."""
        if not self._raw.warning_count:
            return ()
        return tuple(code for _, code, _ in self.verbatim("SHOW WARNINGS"))

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> int:
        """Runs a statement; returns the rows it matched (not only those it changed)."""
        return self.run(Statement(sql, parameters))[0].matched

    def insert_rows(self, head: str, rows: Sequence[tuple[str, Sequence[object]]]) -> list[int]:
        """Multi-row INSERT in statements of bounded size; returns each row's AUTO_INCREMENT value.

        A row is its part of the VALUES list and the parameters of that part. Raises DuplicateKey.

        The values of one statement are consecutive: InnoDB gives a simple insert its whole range at once, whatever
        ``innodb_autoinc_lock_mode`` says (MySQL manual, "AUTO_INCREMENT Handling in InnoDB").
        """
        numbers: list[int] = []
        statements = inserts(head, rows)
        self.send()
        with translated():
            following = next(statements, None)  # made while the server is at work
        self._receive()
        while following is not None:
            self._send(following[0], [Statement(following[0])])
            with translated():
                following = next(statements, None)
            (answer,) = self._receive()
            numbers.extend(range(answer.last_id, answer.last_id + answer.matched))
        return numbers

    def send_rows(
        self,
        head: str,
        rows: Sequence[tuple[str, Sequence[object]]],
        failed: Callable[[int, Exception], Exception],
    ) -> None:
        """As :meth:`insert_rows`, of rows that MySQL gives no number; the last statement is only sent.

        ``failed`` is also told how many rows are in, by statements before.
        """
        before = 0
        with translated():
            for statement, count in inserts(head, rows):
                self.later(Statement(statement, failed=partial(failed, before)))
                self.send()
                before += count

    def begin(self) -> None:
        self.later(Statement(_BEGIN))

    def forget(self, sql: str) -> bool:
        """Drops what was put off, from the statement ``sql`` on if it is there: whether it never was sent."""
        for number, statement in enumerate(self._later):
            if statement.sql == sql:
                del self._later[number:]
                return True
        self._later.clear()
        return False

    def commit(self, table: str, operation: str) -> None:
        """COMMIT as a statement of its own. OutcomeUnknown where the connection dies before the answer."""
        self.flush()
        try:
            with translated():
                self._raw.commit()
        except Unavailable:
            self._raw.abandon()
            raise OutcomeUnknown(table, operation) from None

    def rollback(self) -> None:
        """Rolls back, and never raises: a connection that cannot is closed, which rolls back on the server."""
        if self.forget(_BEGIN) or not self._raw.open:
            return
        try:
            self.drain()
            with translated():
                self._raw.rollback()
        except PlatformStoreError:
            self._raw.abandon()
        except BaseException:  # interrupted before the answer was read: the next statement would take it for its own
            self._raw.abandon()
            raise

    def stream(self, sql: str, parameters: Parameters | None) -> Cursor:
        """Runs a statement whose rows are read as they are asked for."""
        self.flush()
        return stream(self._raw, sql, parameters)

    def columns(self, sql: str, parameters: Sequence[object], codes: Sequence[str], size: int, overhead: int) -> Split:
        """The rows of a statement as the server sends them, up to a size; a rest costs the connection.

        Raises StaleAssociation where the columns are not of these codes (see :class:`Wire`).
        """
        self.flush()
        statement = self._text(sql, parameters)
        with translated():
            number, wire = self._raw.prepared(statement)
            if list(wire.codes) != list(codes):
                self._raw.abandon()
                raise StaleAssociation(f"the columns are {list(wire.codes)}, not {list(codes)}")
            found = RowSplitter(wire).split(size, overhead)
            if found.ended:
                self._raw.forget_prepared(number)
            else:
                self._raw.abandon()
        return found

    def hanger_up(self) -> Callable[[], None]:
        """What ends the connection as it is now from another thread, without the server's help; may be called late."""
        return self._raw.hanger_up()

    def abandon(self) -> None:
        self._later.clear()
        self._sent = ()
        self._raw.abandon()


def _raised_by(judge: Callable[[Answer], None], answer: Answer) -> Exception | None:
    """What ``judge`` makes of an answer; the answers after it are still to be read."""
    try:
        judge(answer)
    except (PlatformStoreError, StaleAssociation) as error:
        return error
    return None


def inserts(head: str, rows: Iterable[tuple[str, Sequence[object]]]) -> Iterator[tuple[bytes, int]]:
    """Multi-row INSERTs of bounded size, and how many rows each has. A row beyond the bound has one of its own."""
    start = fill(head.encode(), ())
    templates: dict[str, bytes] = {}
    parts: list[bytes] = []
    size = 0
    for template, row in rows:
        encoded = templates.get(template) or templates.setdefault(template, template.encode())
        part = fill(encoded, row)
        if parts and size + len(part) > _MAX_STATEMENT:
            yield start + b", ".join(parts), len(parts)
            parts, size = [], 0
        parts.append(part)
        size += len(part)
    if parts:
        yield start + b", ".join(parts), len(parts)


class ResultStream:
    """The rows of one SELECT, unbuffered, in a read-only transaction on a connection of its own."""

    def __init__(self, lease: contextlib.ExitStack, session: MysqlSession, cursor: Cursor):
        self._lease, self._session, self._cursor = lease, session, cursor
        self._exhausted = False
        self.columns = tuple(column[0] for column in cursor.description or ())

    def __iter__(self) -> Iterator[tuple[object, ...]]:
        with translated():
            while (row := self._cursor.fetchone()) is not None:
                yield row
        self._exhausted = True

    def close(self) -> None:
        """Ends the statement. An unread rest is not drained: the connection is dropped instead."""
        if self._exhausted:
            self._cursor.close()
            self._session.rollback()
        else:
            self._session.abandon()
        self._lease.close()
