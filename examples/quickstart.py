"""The library in one page: a customer table whose columns live in two stores, used as one.

Runs without a server on the embedded pair. For real servers, put ``Platform.open(mysql="mysql+pymysql://...",
mongodb="mongodb://...")`` or ``Platform.open("config/platform.yaml")`` in the place of ``Platform.embedded(...)``.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from platform_store import ColumnAttribute, Index, Platform, ValueRejected


def main() -> None:
    """Creates the table, writes, changes, reads and queries a row."""
    with tempfile.TemporaryDirectory() as directory, Platform.embedded(Path(directory) / "crm.db") as platform:
        platform.create_table(
            "customer",
            [
                ColumnAttribute("id", "BIGINT", auto_increment=True),
                ColumnAttribute("name", "VARCHAR(80)", nullable=False),
                ColumnAttribute("vip_level", "TINYINT", default=0),
                ColumnAttribute("profile", "JSON"),
            ],
            flag=2,  # columns 0 to 2 live in MySQL, the others in MongoDB
            extra=True,  # rows may have undeclared fields; they live in MongoDB
            indexes=[Index(["vip_level"])],
        )

        key = platform.write("customer", {"name": "张伟", "vip_level": 3, "profile": {"hobbies": ["茶"]}})
        platform.write_many("customer", [{"name": "李娜", "vip_level": 5}, {"name": "王芳", "备注": "新客户"}])
        platform.update("customer", key, {"profile": {"hobbies": ["茶", "棋"]}})
        print("one row:", platform.read("customer", key))

        try:
            platform.update("customer", key, {"vip_level": 999})
        except ValueRejected as error:
            print("refused:", error)

        with platform.query("SELECT name, vip_level FROM customer WHERE vip_level >= %s ORDER BY id", [3]) as result:
            print("query:", result.all())

        platform.delete("customer", key)
        print("left:", list(platform.scan("customer")))


if __name__ == "__main__":
    main()
