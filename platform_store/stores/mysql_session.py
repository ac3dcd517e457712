"""One leased connection to MySQL: statements, packed together where no answer is waited for, and streamed results."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from platform_store.errors import OutcomeUnknown, PlatformStoreError, Unavailable
from platform_store.stores.base import DuplicateKey, Parameters, StaleAssociation
from platform_store.stores.mysql_driver import Connection, Cursor, stream, translated
from platform_store.stores.mysql_wire import RowSplitter, Split

_BEGIN = "START TRANSACTION"
_MAX_STATEMENT = 512 * 1024  # characters of one multi-row statement, and of statements packed together


class DuplicateRow(DuplicateKey):
    """A row of :meth:`MysqlSession.insert_rows` is a duplicate; ``before`` rows are in, by statements before its own.

    They are the transaction's own, and so nothing that the duplicate could be a duplicate of.
    """

    def __init__(self, before: int):
        super().__init__()
        self.before = before


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

    sql: str
    parameters: Sequence[object] = ()
    judge: Callable[[Answer], None] | None = None
    failed: Callable[[Exception], Exception] | None = None


class MysqlSession:
    """One leased connection. Every method translates the driver's errors.

    Statements whose answer nobody waits for are put off, and go out in one packet with the next one: a write waits for
    the network twice, not six times. They are answered in order, and the first that fails ends the packet. COMMIT is
    never among them.
    """

    def __init__(self, raw: Connection):
        self._raw = raw
        self._later: list[Statement] = []

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
        """Sends what was put off."""
        if self._later:
            self.run()

    def run(self, *statements: Statement) -> list[Answer]:
        """Sends what was put off, and these statements; returns the answers to these."""
        waiting, self._later = [*self._later, *statements], []
        answers: list[Answer] = []
        with translated():
            texts = [self._text(statement.sql, statement.parameters) for statement in waiting]
        if sum(map(len, texts)) > _MAX_STATEMENT:
            for statement, text in zip(waiting, texts, strict=True):
                answers += self._exchange(text, [statement])
        elif waiting:
            answers = self._exchange("; ".join(texts), waiting)
        return answers[len(waiting) - len(statements) :]

    def _exchange(self, text: str, statements: Sequence[Statement]) -> list[Answer]:
        """One packet, and the answer to each of its statements."""
        answers: list[Answer] = []
        fault: Exception | None = None
        with self._raw.cursor() as cursor:
            try:
                with translated():
                    cursor.execute(text)
                    while True:
                        answer = Answer(tuple(cursor.fetchall()), cursor.rowcount, cursor.lastrowid or 0)
                        judge = statements[len(answers)].judge
                        answers.append(answer)
                        if judge is not None and fault is None:
                            fault = _raised_by(judge, answer)
                        if not cursor.nextset():
                            break
            except (PlatformStoreError, DuplicateKey, StaleAssociation) as error:
                if fault is None:
                    failed = statements[len(answers)].failed
                    fault = error if failed is None or isinstance(error, Unavailable) else failed(error)
        if fault is not None:
            raise fault
        return answers

    def _text(self, sql: str, parameters: Sequence[object]) -> str:
        with self._raw.cursor() as cursor:
            return str(cursor.mogrify(sql, tuple(parameters)))

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> tuple[tuple[Any, ...], ...]:
        return self.run(Statement(sql, parameters))[0].rows

    def verbatim(self, text: str) -> tuple[tuple[Any, ...], ...]:
        """The rows of a statement that is sent as it is: it has no placeholders, and ``%`` means itself."""
        self.flush()
        return self._exchange(text, [Statement(text)])[0].rows

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

        A row is its part of the VALUES list and the parameters of that part. Raises DuplicateRow.

        The values of one statement are consecutive: InnoDB gives a simple insert its whole range at once, whatever
        ``innodb_autoinc_lock_mode`` says (MySQL manual, "AUTO_INCREMENT Handling in InnoDB").
        """
        self.flush()
        numbers: list[int] = []
        with self._raw.cursor() as cursor:
            head = cursor.mogrify(head, ())
            for parts in _statements(cursor.mogrify(template, tuple(row)) for template, row in rows):
                try:
                    with translated():
                        cursor.execute(head + ", ".join(parts))
                except DuplicateKey:
                    raise DuplicateRow(len(numbers)) from None
                first = cursor.lastrowid or 0
                numbers.extend(range(first, first + len(parts)))
        return numbers

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
        self._raw.abandon()


def _raised_by(judge: Callable[[Answer], None], answer: Answer) -> Exception | None:
    """What ``judge`` makes of an answer; the answers after it are still to be read."""
    try:
        judge(answer)
    except (PlatformStoreError, StaleAssociation) as error:
        return error
    return None


def _statements(parts: Iterable[str]) -> Iterator[list[str]]:
    """The parts of a VALUES list, divided into statements of bounded size."""
    statement: list[str] = []
    size = 0
    for part in parts:
        statement.append(part)
        size += len(part)
        if size >= _MAX_STATEMENT:
            yield statement
            statement, size = [], 0
    if statement:
        yield statement


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
