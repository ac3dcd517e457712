"""``Platform``: the one object applications hold. It builds the stores and delegates; no behaviour lives here."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from platform_store.adoption import Adopter
from platform_store.catalog import Catalog
from platform_store.config import Config
from platform_store.delete import Deleter
from platform_store.doctor import Doctor
from platform_store.errors import ConfigError
from platform_store.facade.building import attendants, build_stores
from platform_store.facade.moving import Moving
from platform_store.facade.reading import Reading
from platform_store.journal import Journal
from platform_store.migration.migrate import Migrator
from platform_store.migration.move import Mover
from platform_store.query.run import Querier
from platform_store.read import Reader, Runner
from platform_store.reaper import Reaper
from platform_store.records import (
    Adoption,
    ColumnAttribute,
    Finding,
    Index,
    Key,
    OnConflict,
    Placement,
    Recovered,
    Removed,
    Row,
    Status,
    TableDescription,
    WriteCounts,
)
from platform_store.recovery import Recovery
from platform_store.schema import Schema
from platform_store.transaction import Transaction, Transactions
from platform_store.verify.verifier import Verifier
from platform_store.write import Writer

__all__ = ["Platform", "build_stores"]

T = TypeVar("T")


class Platform(Reading, Moving):
    """One store made of MySQL and MongoDB, or of one SQLite file.

    Open it with :meth:`open` or :meth:`embedded`, and close it, or use it as a context manager. An open platform is
    safe to share between threads and survives a fork; any number of processes may work on the same stores.

    Every method may raise :class:`~platform_store.errors.Unavailable` (a store cannot be reached) and
    :class:`~platform_store.errors.TransientError` (nothing was written; the same call may succeed if tried again),
    and :class:`~platform_store.errors.SchemaError` for a table that is in no association.
    """

    def __init__(self, config: Config):
        """Connects the stores that ``config`` describes. Applications call :meth:`open` or :meth:`embedded`."""
        self._config = config
        self._rows, self._documents = build_stores(config)
        self._journal = Journal(
            self._rows,
            self._documents,
            config.journal,
            require_documents=config.mongodb is not None and config.mongodb.when_down == "fail",
            outcome_timeout=config.mysql.outcome_timeout if config.mysql is not None else 0.0,
        )
        self._recovery: Recovery | None = None
        self._reaper: Reaper | None = None
        self._runner = Runner()
        with ExitStack() as undo:
            undo.callback(self.close)
            self._catalog = Catalog(self._rows)
            undo.pop_all()
        self._schema = Schema(self._rows, self._documents, self._catalog)
        self._adopter = Adopter(self._rows, self._documents, self._catalog)
        self._writer = Writer(self._rows, self._documents, self._catalog, self._journal)
        self._reader = Reader(self._rows, self._documents, self._catalog, self._runner)
        self._deleter = Deleter(self._rows, self._documents, self._catalog, self._journal)
        self._transactions = Transactions(self._rows, self._documents, self._catalog, self._journal)
        self._querier = Querier(self._rows, self._documents, self._catalog, config.query)
        self._mover = Mover(
            self._rows, self._documents, self._catalog, self._journal, max_entries=config.journal.max_entries
        )
        self._verifier = Verifier(self._rows, self._documents, self._catalog, self._journal)
        self._migrator = Migrator(self._rows, self._documents, config)
        self._doctor = Doctor(self._rows, self._documents, self._catalog)
        self._recovery, self._reaper = attendants(self._rows, self._documents, self._catalog, self._journal, config)
        if self._reaper is not None:
            self._journal.attend = self._reaper.ensure
            self._reaper.ensure()

    # Opening and closing

    @classmethod
    def open(
        cls,
        config: str | os.PathLike[str] | Config | None = None,
        *,
        mysql: str | None = None,
        mongodb: str | None = None,
        save_to: str | os.PathLike[str] | None = None,
    ) -> Platform:
        """Opens the stores of a configuration.

        Args:
            config: a YAML file's path, or a :class:`Config`.
            mysql, mongodb: URLs, instead of ``config``.
            save_to: a YAML file to write the configuration to once the stores are open (mode 0600, atomic; values
                that came as ``${ENV}`` are kept so).

        Raises:
            ConfigError: naming the key and the line; also for servers that cannot carry the guarantees.
            Unavailable: MySQL cannot be reached. MongoDB may be down: writes are kept in the journal meanwhile.
        """
        platform = cls(_config_of(config, mysql, mongodb))
        with ExitStack() as undo:
            undo.callback(platform.close)
            if save_to is not None:
                platform._config.save(save_to)
            undo.pop_all()
        return platform

    @classmethod
    def embedded(cls, path: str | os.PathLike[str]) -> Platform:
        """Opens the embedded pair: one SQLite file, made where there is none. For trying out, tests, small tools."""
        return cls(Config.for_embedded(Path(path)))

    def close(self) -> None:
        """Ends the threads of this platform, and closes every connection. May be called again."""
        if self._reaper is not None:
            self._reaper.close()
        self._runner.close()
        self._journal.close()
        self._documents.close()
        self._rows.close()

    def __enter__(self) -> Platform:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Platform {self._config.describe()}>"

    # Tables

    def create_table(
        self,
        name: str,
        columns: Iterable[ColumnAttribute],
        flag: int,
        *,
        key: Sequence[str] | None = None,
        extra: bool = False,
        indexes: Iterable[Index] = (),
        if_not_exists: bool = False,
    ) -> None:
        """Creates a logical table: a MySQL table and the MongoDB collection of the same name.

        Args:
            columns: the columns in order, the key columns first.
            flag: index of the last column kept in MySQL; the columns after it live in MongoDB; -1 puts every column
                in both. It covers the whole key.
            key: names of the leading columns that are the primary key (default: the first column).
            extra: whether rows may have undeclared fields; they go to the document.
            indexes: over MySQL columns (made in MySQL) or over document columns (made in MongoDB, never unique).
            if_not_exists: accept an existing table of the same definition.

        A collection that exists already is reused, and never dropped where a failed creation is undone.

        Raises:
            SchemaError: before anything is created.
            NotSupported: what the embedded pair cannot carry.
        """
        self._schema.create_table(
            name, columns, flag, key=key, extra=extra, indexes=indexes, if_not_exists=if_not_exists
        )

    def associate(
        self,
        name: str,
        *,
        columns: Iterable[ColumnAttribute] | None = None,
        flag: int | None = None,
        dry_run: bool = False,
    ) -> Adoption:
        """Adopts an existing MySQL table and/or the collection of the same name.

        MySQL's own columns, key and defaults are taken as they are; the table gets one invisible column ``_rev``.

        Args:
            columns: all columns of the logical table; those MySQL lacks live in MongoDB. Needed for a collection alone.
            flag: as for :meth:`create_table`; must fit what MySQL has. -1: every column in both.
            dry_run: report only.

        Raises:
            SchemaError: the table has no usable key, or a column that cannot be carried.
        """
        return self._adopter.associate(name, columns=columns, flag=flag, dry_run=dry_run)

    def tables(self) -> list[str]:
        """The names of the live tables in association, in order."""
        return sorted(association.name for association in self._catalog.all() if association.state == "live")

    def describe(self, name: str) -> TableDescription:
        """A table's columns with their types and placement, key, flag and indexes, as the catalog has them now."""
        self._catalog.reload(name)
        return self._catalog.get(name).describe()

    def add_column(self, table: str, column: ColumnAttribute, to: Placement) -> None:
        """Adds a column at the end. ``to``: "mysql", "mongodb" or "both". Rows that exist get its default, or NULL.

        On a table with extra fields it hides those of its name.

        Raises NotSupported where rows exist and the column is NOT NULL without a default, or in MongoDB with one.
        """
        self._schema.add_column(table, column, to)

    def add_index(self, table: str, index: Index) -> None:
        """Adds an index to a table that may have rows; does nothing where it has it already.

        It is made in MySQL over columns kept there, and in MongoDB over document columns. Where it was interrupted,
        call it again.

        Raises SchemaError for columns of both stores, a unique index in MongoDB, or a column that is being moved;
        Conflict where rows have equal values in a unique one.
        """
        self._schema.add_index(table, index)

    def drop_column(self, table: str, column: str) -> None:
        """Drops a column with its values, in both stores."""
        self._schema.drop_column(table, column)

    def rename_column(self, table: str, old: str, new: str) -> None:
        """Renames a column. A document column keeps the field name it had in the documents (see ``describe``)."""
        self._schema.rename_column(table, old, new)

    def drop_table(self, name: str) -> Removed:
        """Drops both halves and returns what was removed. Raises SchemaError; after a failure, call it again."""
        return self._schema.drop_table(name)

    def drop_collection(self, name: str, *, discard_document_columns: bool = False) -> Removed:
        """Drops a collection.

        For a table in association it is refused (SchemaError) unless ``discard_document_columns``: then its document
        columns and extra fields become NULL, NOT NULL or not, and the rows stay.
        """
        return self._schema.drop_collection(name, discard_document_columns=discard_document_columns)

    # Rows

    def write(self, table: str, row: Row, *, on_conflict: OnConflict = "error") -> Key:
        """Inserts one row and returns its key (a tuple for a composite key).

        Args:
            row: a mapping, or a sequence of :class:`ColumnValue`.
            on_conflict: what to do where the key is taken: "error" raises RowExists, "replace" replaces the whole
                row (omitted columns take their defaults), "ignore" leaves it.

        When it returns, the row is in both stores for every later read. When it raises, it is in neither.

        Raises:
            ValueRejected: unknown or missing column, NULL in a NOT NULL column, a value that does not fit, a document
                over 16 MB. Names table, column and key; nothing was written.
            RowExists: the key is taken.
            Conflict: another row holds the same values in a unique index.
            OutcomeUnknown: the connection died during COMMIT.
        """
        return self._writer.write(table, row, on_conflict=on_conflict)

    def write_many(
        self, table: str, rows: Iterable[Row], *, on_conflict: OnConflict = "error", batch_size: int = 1000
    ) -> WriteCounts:
        """Inserts rows in batches of ``batch_size``, each one transaction; returns how many were written and how.

        Raises what :meth:`write` raises. The failing batch is absent as a whole; the batches before it stay, and a
        note on the error says how many rows they hold.
        """
        return self._writer.write_many(table, rows, on_conflict=on_conflict, batch_size=batch_size)

    def update(self, table: str, key: Key, changes: Row, *, expect: Mapping[str, object] | None = None) -> None:
        """Replaces whole columns of one row.

        Args:
            changes: the columns to set, extra fields included. Key columns cannot change.
            expect: values the row must have; compared under its lock.

        Raises RowNotFound, Conflict (naming the columns that are not as expected), ValueRejected, OutcomeUnknown.
        """
        self._writer.update(table, key, changes, expect=expect)

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Several changes that become true together or not at all::

            with platform.transaction() as tx:
                tx.update("account", 1, {"balance": 5}, expect={"balance": 10})
                tx.write("booking", {"account": 1, "amount": 5})

        Only what is called on ``tx`` belongs to it; reads through it see its changes. Leaving the block commits, an
        exception rolls back. A call that raised has changed nothing, and the transaction may go on without it; after a
        TransientError it is lost as a whole.

        Raises:
            TransientError: a deadlock or a lock wait; nothing was written. :meth:`run_transaction` tries again.
            OutcomeUnknown: the connection died during COMMIT.
            NotSupported: a transaction inside a transaction of the same thread.
        """
        return self._transactions.begin()

    def run_transaction(self, work: Callable[[Transaction], T]) -> T:
        """Runs ``work(tx)`` in a transaction and returns its result; again, up to ten times, after a TransientError.

        ``work`` must have no effect of its own besides what it does through ``tx``.
        """
        return self._transactions.run(work)

    def delete(self, table: str, key: Key) -> bool:
        """Deletes a row from both stores; whether it was there."""
        return self._deleter.delete(table, key)

    def delete_range(self, table: str, start: Key | None, stop: Key | None) -> int:
        """Deletes the rows from ``start`` to ``stop``, both included (None is open), in one transaction; how many."""
        return self._deleter.delete_range(table, start, stop)

    # Operation

    def recover(self, operation_id: str | None = None) -> Recovered:
        """Finishes everything that waits: brings every journal entry to MongoDB, undoes bulk writes that never ended.

        A thread of every open platform does so in the background; this does it now, and tries again what MongoDB had
        refused. It also accepts a MySQL that was restored from an older copy, and counts what is lost: see
        docs/consistency.md. Safe at any time, in any number of processes.

        Args:
            operation_id: of an :class:`OutcomeUnknown`: ``committed`` of the result says what became of it.

        Raises Unavailable where a store is.
        """
        if self._recovery is None:
            return Recovered(0, 0)
        return self._recovery.recover(operation_id)

    def status(self) -> Status:
        """Which stores answer, how many tables there are, and what waits in the journal for MongoDB, and why."""
        return self._doctor.status()

    def doctor(self) -> list[Finding]:
        """Checks servers, settings, privileges and tables, and says how to mend what is wrong."""
        return self._doctor.findings()


def _config_of(config: str | os.PathLike[str] | Config | None, mysql: str | None, mongodb: str | None) -> Config:
    if config is None:
        if mysql is None or mongodb is None:
            raise ConfigError("give a configuration, or both mysql= and mongodb=")
        return Config.from_urls(mysql=mysql, mongodb=mongodb)
    if mysql is not None or mongodb is not None:
        raise ConfigError("give a configuration or URLs, not both")
    return config if isinstance(config, Config) else Config.load(config)
