"""``demo``: the life of one customer table, with every step's result checked."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import typer
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from platform_store.cli.app import Session, command
from platform_store.cli.output import Format, as_text, grid
from platform_store.cli.tables import STORES
from platform_store.config import Config
from platform_store.errors import NotSupported, PlatformStoreError, ValueRejected
from platform_store.facade import Platform
from platform_store.records import ColumnAttribute, Index, WriteCounts

TABLE = "demo_customer"
_COLUMNS = [
    ColumnAttribute("id", "BIGINT", auto_increment=True),
    ColumnAttribute("name", "VARCHAR(80)", nullable=False),
    ColumnAttribute("city", "VARCHAR(40)"),
    ColumnAttribute("vip_level", "TINYINT", default=0),
    ColumnAttribute("credit_limit", "DECIMAL(14,2)"),
    ColumnAttribute("profile", "JSON"),
    ColumnAttribute("tags", "JSON"),
    ColumnAttribute("last_visit", "TEXT"),
]
_QUERY = (
    "SELECT name, credit_limit, JSON_VALUE(profile, '$.company') AS company FROM demo_customer "
    "WHERE city = %s AND vip_level >= %s ORDER BY id"
)
_REFUSED_QUERY = "SELECT name FROM demo_customer FOR UPDATE"
_FLAG = 4  # credit_limit is the last column in MySQL
_ZHANG: dict[str, object] = {
    "name": "张伟",
    "city": "上海",
    "vip_level": 3,
    "credit_limit": Decimal("50000.00"),
    "profile": {"hobbies": ["茶", "围棋"], "company": "远景科技"},
    "tags": ["老客户", "华东"],
    "last_visit": "希望了解年度框架合同的折扣。",
    "备注": "只在下午接电话",
}
_OTHERS: list[dict[str, object]] = [
    {"name": "李娜", "city": "北京", "vip_level": 5, "credit_limit": Decimal("120000.50"), "tags": ["重点"]},
    {"name": "王芳", "city": "上海", "vip_level": 1, "profile": {"hobbies": ["摄影"]}, "生日": "05-12"},
    {"name": "刘洋", "city": "成都", "credit_limit": Decimal("8000.00"), "last_visit": "已寄样品。"},
    {"name": "陈静", "city": "上海", "vip_level": 4, "credit_limit": Decimal("76000.00"), "tags": ["新客户"]},
]


@command
def demo(session: Session) -> None:
    """Run the main job: a customer table created, written, read, changed, queried, deleted and dropped.

    Without options it needs no server: an embedded pair in a temporary file. With --mysql and --mongodb, or --config,
    the same runs on real servers, in a table of its own that is dropped at the end. Every step's result is checked.
    """
    if session.output.format is not Format.TABLE:
        raise typer.BadParameter("the demo is told in text: leave --format out")
    named = session.settings.named()
    with tempfile.TemporaryDirectory(prefix="platform-store-") as directory:
        config = named or Config.for_embedded(Path(directory) / "demo.db")
        with Platform.open(config) as platform, _dropped_at_the_end(platform):
            _Story(platform, session.output.console).tell(config.describe() if named else "an embedded pair, no server")


@contextmanager
def _dropped_at_the_end(platform: Platform) -> Iterator[None]:
    """Refuses where the table or its collection exists; drops what the demo made, however it ends."""
    if TABLE in platform.tables() or next(platform.read_collection(TABLE), None) is not None:
        raise PlatformStoreError(
            f"a table or collection {TABLE!r} exists already, and the demo leaves it alone; "
            f"one that a killed demo left goes with: platform-store drop {TABLE}"
        )
    platform.create_table(TABLE, _COLUMNS, _FLAG, extra=True, indexes=[Index(["city"])])
    try:
        yield
    finally:
        if TABLE in platform.tables():
            platform.drop_table(TABLE)


class _Story:
    """The chapters, in order. Each prints what it does and checks what comes back."""

    def __init__(self, platform: Platform, console: Console):
        self._platform, self._console = platform, console
        self._chapter = 0

    def tell(self, where: str) -> None:
        self._console.print("platform_store demo: one customer table, split between two stores", style="bold")
        self._console.print(f"on {where}", markup=False, soft_wrap=True)
        self._created()
        key = self._written()
        self._read(key)
        self._changed(key)
        self._queried()
        self._deleted(key)
        self._dropped()
        self._console.print("\nEvery step gave what it must.", style="bold green")

    def _created(self) -> None:
        self._heading(f"Created {TABLE}, flag {_FLAG}: columns 0 to {_FLAG} in MySQL, the others in MongoDB")
        columns = self._platform.describe(TABLE).columns
        self._grid(("column", "type", "lives in"), [(c.name, c.type, STORES[c.placement]) for c in columns])
        placements = [column.placement for column in columns]
        _check("the placements", placements, ["both", *["mysql"] * _FLAG, *["mongodb"] * (len(columns) - _FLAG - 1)])

    def _written(self) -> object:
        self._heading("Written: one row with write(), four with write_many()")
        key = self._platform.write(TABLE, _ZHANG)
        counts = self._platform.write_many(TABLE, _OTHERS)
        _check("the counts", counts, WriteCounts(inserted=len(_OTHERS)))
        self._say(f"write() returned key {key}; write_many() inserted {counts.inserted}")
        return key

    def _read(self, key: object) -> None:
        self._heading(f"Read: key {key} is one row")
        row = self._platform.read(TABLE, key)
        _check("the row", row, {"id": key, **_ZHANG})
        self._fields(row)
        self._say("What MySQL holds of it:")
        mysql_columns = [c.name for c in self._platform.describe(TABLE).columns if c.placement != "mongodb"]
        self._fields(self._platform.read(TABLE, key, columns=mysql_columns))
        self._say("What MongoDB holds of it, 备注 among it, which no column declares:")
        documents = {document["_id"]: document for document in self._platform.read_collection(TABLE)}
        _check("the number of documents", len(documents), 1 + len(_OTHERS))
        document = documents[key]
        _check("the document's fields", set(document), {"_id", "profile", "tags", "last_visit", "备注"})
        self._fields(document)

    def _changed(self, key: object) -> None:
        self._heading("Changed: one column in each store, in one step")
        changes = {"vip_level": 4, "profile": {"hobbies": ["茶", "围棋", "徒步"], "company": "远景科技"}}
        self._platform.update(TABLE, key, changes)
        changed = self._platform.read(TABLE, key, columns=list(changes))
        _check("the changed columns", changed, changes)
        self._fields(changed)
        self._say("A value that does not fit is refused, and nothing is written, in neither store:")
        try:
            self._platform.update(TABLE, key, {"vip_level": 999, "profile": {}})
        except ValueRejected as error:
            self._refusal(error)
        else:
            raise PlatformStoreError("demo: the bad value was not refused")
        _check("the row after the refusal", self._platform.read(TABLE, key), {"id": key, **_ZHANG, **changes})

    def _queried(self) -> None:
        self._heading("Queried: one SELECT over both stores")
        self._say(f"{_QUERY}  <- '上海', 3")
        with self._platform.query(_QUERY, ["上海", 3]) as result:
            columns, rows = result.columns, result.all()
        _check("the answer", rows, [("张伟", Decimal("50000.00"), "远景科技"), ("陈静", Decimal("76000.00"), None)])
        self._grid(columns, rows)
        self._say("What is not answered is refused by name, never answered wrongly:")
        try:
            self._platform.query(_REFUSED_QUERY)
        except NotSupported as error:
            self._refusal(error)
            _check("that the error names the construct", "FOR UPDATE" in str(error), True)
        else:
            raise PlatformStoreError("demo: the query was not refused")

    def _deleted(self, key: object) -> None:
        self._heading("Deleted: one key, then a range")
        _check("delete()", self._platform.delete(TABLE, key), True)
        _check("the deleted row", self._platform.read(TABLE, key), None)
        first, second, *_ = (row["id"] for row in self._platform.scan(TABLE, columns=["id"]))
        count = self._platform.delete_range(TABLE, first, second)
        _check("delete_range()", count, 2)
        left = [(row["id"], row["name"]) for row in self._platform.scan(TABLE)]
        _check("the rows left", [name for _, name in left], ["刘洋", "陈静"])
        _check("the documents left", len(list(self._platform.read_collection(TABLE))), len(left))
        self._say(f"delete() removed key {key}, delete_range() keys {first} to {second}; left in both stores:")
        self._grid(("id", "name"), left)

    def _dropped(self) -> None:
        self._heading("Dropped")
        removed = self._platform.drop_table(TABLE)
        _check("what was removed", (removed.rows, removed.mysql_table, removed.collection), (2, True, True))
        _check("that the table is gone", TABLE in self._platform.tables(), False)
        self._say(f"removed {removed.rows} rows and {removed.documents} documents, the table and the collection")

    def _heading(self, text: str) -> None:
        self._chapter += 1
        self._console.print(f"\n{self._chapter}. {text}", style="bold", markup=False)

    def _say(self, text: str) -> None:
        self._print(text, 3)

    def _refusal(self, error: PlatformStoreError) -> None:
        self._print(f"{type(error).__name__}: {error}", 5, "yellow")

    def _fields(self, row: Mapping[str, object] | None) -> None:
        for name, value in (row or {}).items():
            self._print(f"{name} = {as_text(value)}", 5)

    def _grid(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        self._print(grid(columns, rows), 3)

    def _print(self, what: str | Table, indent: int, style: str = "none") -> None:
        shape = Text(what, style) if isinstance(what, str) else what
        self._console.print(Padding(shape, (0, 0, 0, indent), expand=False))


def _check(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise PlatformStoreError(f"demo: {what} must be {expected!r}, not {found!r}")
