"""Rows as documents, loaded into tables of MySQL and MariaDB."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any, TypeAlias

from platform_store.association import Association, Column, KeyValues
from platform_store.errors import Conflict, ValueRejected
from platform_store.stores import mysql_ddl as ddl
from platform_store.stores import mysql_sql as sql
from platform_store.stores.base import DuplicateKey
from platform_store.stores.bulk import JobPart, Layout, TableIndex
from platform_store.stores.jobs import as_text, no_such_part
from platform_store.stores.mysql import MysqlConnections
from platform_store.stores.mysql_bulk import MysqlRowSource, remove_rows
from platform_store.stores.mysql_images import ImageReader
from platform_store.stores.mysql_session import MysqlSession
from platform_store.stores.mysql_upload import RowsText, Texts
from platform_store.stores.mysql_values import ColumnText

Document: TypeAlias = Mapping[str, Any]
_BEFORE = "SAVEPOINT before_load"
_BACK = "ROLLBACK TO SAVEPOINT before_load"


class MysqlRowTarget:
    """See :class:`platform_store.stores.bulk.RowTarget`."""

    def __init__(self, connections: MysqlConnections):
        self._connections = connections
        self._loader: Loader | None = None  # the last one, which remembers values

    def _loading(self, association: Association) -> Loader:
        loader = self._loader
        if loader is None or loader.association != association:
            loader = self._loader = Loader(association)
        return loader

    def create(self, layout: Layout) -> None:
        from platform_store.stores.mysql_create import create_plain

        with self._connections.bulk() as session:
            session.execute(create_plain(layout.association, layout.comments, self._connections.literal))

    def index(self, layout: Layout, index: TableIndex) -> None:
        statement = ddl.create_plain_index(layout.association, index)
        with self._connections.dedicated() as session:  # it takes the time it needs
            try:
                session.execute(statement)
            except DuplicateKey:
                raise Conflict(
                    f"rows hold the same values in the columns of its unique index {index.name}",
                    table=layout.association.name,
                ) from None

    def load(
        self,
        layout: Layout,
        documents: Sequence[Document],
        *,
        clear: tuple[KeyValues | None, KeyValues | None] | None,
        job: JobPart | None = None,
    ) -> None:
        association = layout.association
        loader = self._loading(association)
        columns = loader.texts(documents)
        with self._connections.bulk() as session:
            data = loader.upload(columns) if session.uploads and documents else None
            session.execute("START TRANSACTION")
            if clear is not None:
                condition, parameters = sql.range_sql(association, None, clear[1], clear[0])
                session.execute(sql.delete_rows(association, condition), parameters)
            if documents:
                _load(session, loader, columns, data, documents)
            if job is not None:
                _remember(session, job)
            session.commit(association.name, "")

    def load_images(self, layout: Layout, images: Sequence[bytes], *, job: JobPart) -> bool:
        loader = self._loading(layout.association)
        with self._connections.bulk() as session:
            columns = loader.image_texts(images) if session.uploads else None
            if columns is None:
                return False
            data = loader.upload(columns)
            session.execute("START TRANSACTION")
            if not session.upload(loader.load, data) or session.warned():
                session.rollback()
                return False
            _remember(session, job)
            session.commit(layout.association.name, "")
        return True

    def remove(self, layout: Layout, keys: Sequence[KeyValues]) -> int:
        association = layout.association
        with self._connections.bulk() as session:
            session.execute("START TRANSACTION")
            removed = remove_rows(session, association, keys)
            session.commit(association.name, "")
        return removed


class MysqlTables(MysqlRowSource, MysqlRowTarget):
    """See :class:`platform_store.stores.bulk.Tables`."""

    def __init__(self, connections: MysqlConnections):
        MysqlRowSource.__init__(self, connections)
        MysqlRowTarget.__init__(self, connections)


class Loader(RowsText):
    """Turns documents into rows of one table, and refuses whatever would be lost on the way."""

    def __init__(self, association: Association):
        self.association = association
        written = [column for column in association.columns if not column.generated]
        self._keys = [column for column in written if column.key]
        self._others = [column for column in written if not column.key]
        columns = [*self._keys, *self._others]
        self._texts = {column.name: ColumnText(column.type) for column in columns}
        self._known = {"_id", *(column.field for column in association.document_columns)}
        self._images = ImageReader.of(columns, self._column) if len(columns) == len(association.columns) else None
        super().__init__(
            association.name, [column.name for column in columns], [self._texts[c.name].form for c in columns]
        )

    def texts(self, documents: Sequence[Document]) -> list[Texts]:
        """Column by column. Raises ValueRejected."""
        unknown = set().union(*documents) - self._known
        if unknown:
            raise self._unknown(documents, unknown)
        try:
            keys = self._key_texts([document["_id"] for document in documents])
            plain = [one if type(one) is dict else dict(one) for one in documents]
            others = (self._column(one, list(map(dict.get, plain, repeat(one.field)))) for one in self._others)
            return [*keys, *others]
        except ValueRejected as error:
            raise self._refused(documents) or error.at(self.association.name, None, None) from None

    def image_texts(self, images: Sequence[bytes]) -> list[Texts] | None:
        """As :meth:`texts`, of documents' BSON; None where it has to be decoded for that."""
        return None if self._images is None else self._images.columns(images)

    def _key_texts(self, identifiers: Sequence[Any]) -> Iterator[Texts]:
        if len(self.association.key_columns) == 1:
            columns: list[Sequence[Any]] = [identifiers]
        else:
            fields = tuple(column.field for column in self.association.key_columns)
            if not all(isinstance(one, dict) and tuple(one) == fields for one in identifiers):
                raise ValueRejected(f"_id is not a document of the fields {list(fields)}")
            columns = [[one[field] for one in identifiers] for field in fields]
        for column, values in zip(self.association.key_columns, columns, strict=True):
            if not column.generated:
                yield self._column(column, values)

    def _column(self, column: Column, values: Sequence[Any]) -> Texts:
        text = self._texts[column.name]
        plain = text.plain(values)
        if plain is not None:
            return list(plain)
        if column.type.base == "CHAR" and any(type(one) is str and one.endswith(" ") for one in values):
            raise ValueRejected(f"{column.type.ddl} does not keep trailing spaces")
        return text.texts(values)

    def _unknown(self, documents: Sequence[Document], unknown: set[str]) -> ValueRejected:
        document = next(document for document in documents if unknown & set(document))
        field = next(field for field in document if field in unknown)
        return ValueRejected(
            "the table has no column for this field", table=self.association.name, column=field, key=document["_id"]
        )

    def _refused(self, documents: Sequence[Document]) -> ValueRejected | None:
        """The first value that its column does not hold."""
        for document in documents:
            for column in self._others:
                try:
                    self._column(column, [document.get(column.field)])
                except ValueRejected as error:
                    return error.at(self.association.name, column.name, document["_id"])
            try:
                list(self._key_texts([document["_id"]]))
            except ValueRejected as error:
                return error.at(self.association.name, "_id", document["_id"])
        return None

    def misfit(self, document: Document) -> str | None:
        """The column that could hold a document's value in another form only."""
        for column in self._others:
            value = document.get(column.field)
            if value is None:
                if not column.nullable:
                    return column.name
                continue
            stored = column.codec.stored_from_bson(value)
            try:
                if column.codec.check(stored) == stored:
                    continue
            except ValueRejected:
                pass
            return column.name
        return None


def _remember(session: MysqlSession, job: JobPart) -> None:
    number, part, state, done = job
    if not session.execute(sql.UPDATE_PART, [as_text(state), done, number, part]):
        raise no_such_part(number, part)


def _load(
    session: MysqlSession,
    loader: Loader,
    columns: Sequence[Texts],
    data: bytes | None,
    documents: Sequence[Document],
) -> None:
    """LOAD DATA LOCAL makes warnings of errors; then, and where it is not allowed, the same rows go by INSERT."""
    session.execute(_BEFORE)
    if data is not None and session.upload(loader.load, data) and not session.warned():
        return
    session.execute(_BACK)
    try:
        _insert(session, loader, columns)
    except (ValueRejected, DuplicateKey) as error:
        session.execute(_BACK)
        raise _located(session, loader, columns, documents, error) from None


def _insert(session: MysqlSession, loader: Loader, columns: Sequence[Texts]) -> None:
    for statement in loader.inserts(columns):
        session.verbatim(statement)
        warned = session.warned()
        if warned:
            raise ValueRejected(f"MySQL would change a value (warning {warned[0]})")


def _located(
    session: MysqlSession,
    loader: Loader,
    columns: Sequence[Texts],
    documents: Sequence[Document],
    error: Exception,
) -> Exception:
    """The same error at the first row that MySQL refuses, found by halves. What goes in on the way is rolled back."""
    while len(documents) > 1:
        half = len(documents) // 2
        try:
            _insert(session, loader, [texts[:half] for texts in columns])
        except (ValueRejected, DuplicateKey) as own:
            error, documents, columns = own, documents[:half], [texts[:half] for texts in columns]
        else:
            documents, columns = documents[half:], [texts[half:] for texts in columns]
    if isinstance(error, DuplicateKey):
        error = ValueRejected("another row has its key, or the same values in a unique index")
    assert isinstance(error, ValueRejected)
    return error.at(loader.table, loader.misfit(documents[0]), documents[0]["_id"])
