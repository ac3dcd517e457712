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
from platform_store.facade.building import attendants, build_stores, config_of
from platform_store.facade.moving import Moving
from platform_store.facade.operating import Operating
from platform_store.facade.reading import Reading
from platform_store.facade.watching import telemetry_of, watch
from platform_store.journal import Journal
from platform_store.migration.migrate import Migrator
from platform_store.migration.move import Mover
from platform_store.query.run import Querier
from platform_store.read import Reader, Runner
from platform_store.reaper import Reaper
from platform_store.records import (
    Adoption,
    ColumnAttribute,
    Index,
    Key,
    OnConflict,
    Placement,
    Removed,
    Row,
    TableDescription,
    WriteCounts,
)
from platform_store.schema import Schema
from platform_store.transaction import Transaction, Transactions
from platform_store.verify.verifier import Verifier
from platform_store.write import Writer

__all__ = ["Platform", "build_stores"]

T = TypeVar("T")


class Platform(Reading, Moving, Operating):
    """One store made of MySQL and MongoDB, or of one SQLite file.

    Open it with :meth:`open` or :meth:`embedded`, and close it, or use it as a context manager. An open platform is
    safe to share between threads and survives a fork; any number of processes may work on the same stores.

    Every method may raise :class:`~platform_store.errors.Unavailable` (a store cannot be reached) and
    :class:`~platform_store.errors.TransientError` (nothing was written; the same call may succeed if tried again),
    :class:`~platform_store.errors.SchemaError` for a table that is in no association or a column that is not there, and
    :class:`~platform_store.errors.ValueRejected` for a key that is none of the table's, and for a parameter that is not
    what its description says.

    In all methods ``table`` (or ``name``) is the name of a logical table, ``key`` the value of its primary key, or a
    tuple of them for a composite one, and ``job`` the number of a long operation, as :meth:`jobs` shows it. Times are
    in seconds.
    """

    def __init__(self, config: Config, *, tracer_provider: object | None = None, meter_provider: object | None = None):
        """Connects the stores that ``config`` describes. Applications call :meth:`open` or :meth:`embedded`."""
        self._config = config
        telemetry = telemetry_of(config, tracer_provider, meter_provider)
        self._rows, self._documents = build_stores(config, watched=telemetry is not None)
        self._journal = Journal(
            self._rows,
            self._documents,
            config.journal,
            require_documents=config.mongodb is not None and config.mongodb.when_down == "fail",
            outcome_timeout=config.mysql.outcome_timeout if config.mysql is not None else 0.0,
        )
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
        self._recovery, self._reaper, self._holder = attendants(
            self._rows, self._documents, self._catalog, self._journal, config
        )
        if self._reaper is not None:
            self._journal.attend = self._reaper.ensure
            self._reaper.ensure()
        if telemetry is not None:
            watch(self, telemetry)

    # Opening and closing

    @classmethod
    def open(
        cls,
        config: str | os.PathLike[str] | Config | None = None,
        *,
        mysql: str | None = None,
        mongodb: str | None = None,
        save_to: str | os.PathLike[str] | None = None,
        tracer_provider: object | None = None,
        meter_provider: object | None = None,
    ) -> Platform:
        """Opens the stores of a configuration.

        Args:
            config: a YAML file's path, or a :class:`Config`.
            mysql, mongodb: URLs, instead of ``config``.
            save_to: a YAML file to write the configuration to once the stores are open (mode 0600, atomic; values
                that came as ``${ENV}`` are kept so).
            tracer_provider, meter_provider: OpenTelemetry's, for spans and metrics (docs/how-to/observe.md); default:
                those of the process, where it uses OpenTelemetry.

        Raises:
            ConfigError: naming the key and the line; also for servers that cannot carry the guarantees.
            Unavailable: MySQL cannot be reached. MongoDB may be down: writes are kept in the journal meanwhile.
        """
        platform = cls(
            config_of(config, mysql, mongodb), tracer_provider=tracer_provider, meter_provider=meter_provider
        )
        with ExitStack() as undo:
            undo.callback(platform.close)
            if save_to is not None:
                platform._config.save(save_to)
            undo.pop_all()
        return platform

    @classmethod
    def embedded(cls, path: str | os.PathLike[str]) -> Platform:
        """Opens the embedded pair, for trying out, tests, small tools: one SQLite file at ``path``, made if absent."""
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
        """Adds a column at the end. Rows that exist get its default, or NULL.

        On a table with extra fields it hides those of its name. Where it was interrupted, call it again.

        Args:
            column: of a name that no column has.
            to: "mysql", "mongodb" or "both".

        Raises:
            SchemaError: the column is there already, or cannot be declared so.
            NotSupported: rows exist and the column is NOT NULL without a default, or in MongoDB with one.
        """
        self._schema.add_column(table, column, to)

    def add_index(self, table: str, index: Index) -> None:
        """Adds an ``index`` to a table that may have rows; does nothing where it has it already.

        It is made in MySQL over columns kept there, and in MongoDB over document columns. Where it was interrupted,
        call it again.

        Raises:
            SchemaError: for columns of both stores, a unique index in MongoDB, or a column that is being moved.
            Conflict: rows have equal values in a unique one.
        """
        self._schema.add_index(table, index)

    def drop_index(self, table: str, index: Index) -> None:
        """Drops one of the indexes that :meth:`describe` tells, in whichever store it is. Rows stay as they are.

        A unique ``index`` is dropped like any other, and from then on rows may have equal values in its columns. Where
        it was interrupted, call it again.

        Raises SchemaError, and changes nothing, for the primary key, an index that the table does not have or that was
        made past the library, one over a column that is being moved, and one that a foreign key in MySQL needs.
        """
        self._schema.drop_index(table, index)

    def drop_column(self, table: str, column: str) -> None:
        """Drops a ``column`` with its values, in both stores. Where it was interrupted, call it again.

        Raises SchemaError for a key column, one that an index has (:meth:`drop_index` drops it), the last one, or one
        that is being moved.
        """
        self._schema.drop_column(table, column)

    def rename_column(self, table: str, old: str, new: str) -> None:
        """Renames a column from ``old`` to ``new``. Its field in the documents keeps its name (see :meth:`describe`).

        Raises SchemaError where there is a column of the new name, or the column is being moved.
        """
        self._schema.rename_column(table, old, new)

    def drop_table(self, name: str) -> Removed:
        """Drops a table, both halves of it, and returns what was removed. Where it was interrupted, call it again."""
        return self._schema.drop_table(name)

    def drop_collection(self, name: str, *, discard_document_columns: bool = False) -> Removed:
        """Drops a collection; returns what was removed.

        Args:
            name: of the collection, whether a table of this name is in association or not.
            discard_document_columns: for a table in association: its document columns and extra fields become NULL,
                NOT NULL or not, and the rows stay.

        Raises SchemaError where there is no such collection, and for a table in association without
        ``discard_document_columns``.
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
        """Inserts rows in batches, each one transaction; returns how many were written and how.

        Args:
            rows: consumed batch by batch; memory is bounded by a few of them.
            on_conflict: as for :meth:`write`.
            batch_size: rows of a batch.

        Raises what :meth:`write` raises. The failing batch is absent as a whole; the batches before it stay, and a
        note on the error says how many rows they hold.

        An iterator is asked for a row only when the batch before it is written. Of a list or tuple, which has them all,
        another thread checks the next batch while the stores take this one: it is the faster way. So it is with
        ``on_conflict="error"`` and a table that has columns in MongoDB, where a thread is to be had.
        """
        return self._writer.write_many(table, rows, on_conflict=on_conflict, batch_size=batch_size)

    def update(self, table: str, key: Key, changes: Row, *, expect: Mapping[str, object] | None = None) -> None:
        """Replaces whole columns of one row.

        Args:
            changes: the columns to set, extra fields included. Key columns cannot change.
            expect: values the row must have; compared under its lock.

        Raises RowNotFound; Conflict, naming the columns that are not as expected, or for a unique index; ValueRejected
        as :meth:`write` does, and for a key column among the changes; OutcomeUnknown.
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
        """Deletes a row from both stores; returns whether it was there.

        Raises Conflict where a foreign key of MySQL's refers to it, OutcomeUnknown.
        """
        return self._deleter.delete(table, key)

    def delete_range(self, table: str, start: Key | None, stop: Key | None) -> int:
        """Deletes the rows from ``start`` to ``stop``, both included (None is open), in one transaction.

        Returns how many there were. Raises Conflict where a foreign key of MySQL's refers to one, OutcomeUnknown.
        """
        return self._deleter.delete_range(table, start, stop)
