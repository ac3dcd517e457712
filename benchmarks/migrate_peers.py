"""Other tools doing the same migration: run by the interpreter of an environment that has one of them installed.

    python benchmarks/migrate_peers.py TOOL to-mongodb|to-mysql SOURCE TARGET

dlt: ``pip install dlt pymysql sqlalchemy pymongo``; its only way to MongoDB is a destination of one's own.
omnidbm: ``pip install omnidbm pymysql``; 0.1.5 needs what ``_mend_omnidbm`` does to move a row at all.

The databases are named by PEER_MYSQL_URL and PEER_MONGODB_URL. It imports nothing of the library.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from typing import Any


def main() -> None:
    tool, direction, source, target = sys.argv[1:]
    mysql, mongodb = os.environ["PEER_MYSQL_URL"], os.environ["PEER_MONGODB_URL"]
    {"dlt": _dlt, "omnidbm": _omnidbm}[tool](direction, source, target, mysql, mongodb)


def _dlt(direction: str, source: str, target: str, mysql: str, mongodb: str) -> None:
    import dlt
    import pymongo

    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    collections = pymongo.MongoClient[dict[str, Any]](mongodb).get_default_database()
    with tempfile.TemporaryDirectory() as folder:
        if direction == "to-mongodb":
            from dlt.sources.sql_database import sql_table

            def sink(items: Any, table: Any) -> None:  # noqa: ARG001 - as dlt calls it
                collections[target].insert_many([{"_id": item.pop("id"), **item} for item in _plain(items)])

            destination = dlt.destination(sink, batch_size=5000, loader_file_format="typed-jsonl", name="mongo")
            pipeline = dlt.pipeline("peer", pipelines_dir=folder, destination=destination)
            pipeline.run(sql_table(credentials=mysql, table=source, chunk_size=5000), table_name=target)
        else:

            def documents() -> Iterator[list[dict[str, Any]]]:
                page: list[dict[str, Any]] = []
                for document in collections[source].find():
                    document["id"] = document.pop("_id")
                    document["balance"] = document["balance"].to_decimal() if "balance" in document else None
                    page.append(document)
                    if len(page) == 5000:
                        yield page
                        page = []
                yield page

            destination = dlt.destinations.sqlalchemy(mysql)
            database = mysql.rsplit("/", 1)[1].split("?")[0]
            pipeline = dlt.pipeline("peer", pipelines_dir=folder, destination=destination, dataset_name=database)
            pipeline.run(dlt.resource(documents, name=target, write_disposition="append"))


def _plain(items: Any) -> Iterator[dict[str, Any]]:
    """What PyMongo has no BSON for, and the columns of dlt's own."""
    import datetime
    import decimal

    from bson.decimal128 import Decimal128

    for item in items:
        plain = {}
        for name, value in item.items():
            if name.startswith("_dlt"):
                continue
            if isinstance(value, decimal.Decimal):
                value = Decimal128(value)
            elif isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
                value = datetime.datetime.combine(value, datetime.time())
            plain[name] = value
        yield plain


def _omnidbm(direction: str, source: str, target: str, mysql: str, mongodb: str) -> None:
    from omnidbm.core.models import ConnectorConfig, TableSpec, TransferConfig
    from omnidbm.core.pipeline import run_transfer

    _mend_omnidbm()
    rows, documents = ConnectorConfig(uri=mysql.replace("mysql+pymysql", "mysql")), ConnectorConfig(uri=mongodb)
    first, second = (rows, documents) if direction == "to-mongodb" else (documents, rows)
    run_transfer(TransferConfig(first, second, [TableSpec(source, target)], drop_first=direction == "to-mysql"))


def _mend_omnidbm() -> None:
    """It asks the number that PyMySQL's executemany returns for its ``rowcount``, and PyMongo to write a Decimal."""
    import decimal

    from bson.decimal128 import Decimal128
    from omnidbm.connectors import mongo
    from pymysql.cursors import DictCursor

    class Count(int):
        rowcount = property(int)

    cursors: Any = DictCursor
    executed, plain = cursors.executemany, mongo.from_jsonable

    def executemany(self: Any, query: str, arguments: Any) -> Any:
        return Count(executed(self, query, arguments) or 0)

    def from_jsonable(value: Any) -> Any:
        document = plain(value)
        return {
            name: Decimal128(one) if isinstance(one, decimal.Decimal) else one
            for name, one in document.items()
            if name != "id"
        } | {"_id": document["id"]}

    cursors.executemany = executemany
    mongo.from_jsonable = from_jsonable


if __name__ == "__main__":
    main()
