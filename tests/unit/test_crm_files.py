"""CSV files as records, and their headers: encodings, line ends, what is broken, and what columns are called."""

from __future__ import annotations

import io
import tracemalloc
from datetime import UTC
from pathlib import Path
from typing import cast

import pytest

from crm_model import InvalidInput
from crm_model.entities import MODELS, Contact, Customer, OrderItem, Task
from crm_model.model import Standard
from crm_model.tabular.files import GB18030, UTF_8, CsvFile, detected, encoding_of, opened
from crm_model.tabular.header import Header
from crm_model.tabular.labels import labels, normal
from crm_model.tabular.seen import SeenKeys


def records(data: bytes, encoding: str = UTF_8) -> list[tuple[int, list[str]] | tuple[int, str]]:
    """The line and the cells of each record, or what is wrong with it."""
    found = CsvFile(io.BytesIO(data), encoding).records()
    return [(one.line, one.cells) if one.problem is None else (one.line, one.problem) for one in found]


def of(data: bytes) -> str:
    return detected(io.BytesIO(data))


def test_line_ends_of_every_kind_and_empty_lines() -> None:
    data = b"a,b\r\n1,2\n\n3,4\r5,6\r\n,\r\n \r\n7,8"
    assert records(data) == [
        (1, ["a", "b"]),
        (2, ["1", "2"]),
        (4, ["3", "4"]),
        (5, ["5", "6"]),
        (7, [" "]),
        (8, ["7", "8"]),
    ]


def test_quoted_cells_keep_what_is_in_them() -> None:
    data = 'a,"b, ""c""","一\r\n二\r三\n"\r\nd,e,f\r\n'.encode()
    assert records(data) == [(1, ["a", 'b, "c"', "一\r\n二\r三\n"]), (5, ["d", "e", "f"])]


def test_lines_are_the_same_wherever_reading_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    data = 'a,"x\r\ny"\r\rb,😀\r\n\r\nc,d\n'.encode()
    whole = records(data)
    for chunk in range(1, len(data)):
        monkeypatch.setattr("crm_model.tabular.files._CHUNK", chunk)
        assert records(data) == whole


def test_broken_quotes_cost_their_own_record() -> None:
    assert records(b'a,b\n1,"x"y\n3,4\n5,"z\n6,7\n') == [
        (1, ["a", "b"]),
        (2, "a quote inside a quoted cell has to be written twice"),
        (3, ["3", "4"]),
        (4, "a quote is opened and never closed: what comes after it could not be read"),
    ]


def test_a_byte_that_is_no_text_is_told_with_its_line() -> None:
    data = "编号,名称\n1,张伟\n2,".encode() + b"\xd5\xc5\n" + "3,李娜\n".encode()
    assert records(data)[2:] == [(3, "not UTF-8: byte 3 of line 3"), (4, ["3", "李娜"])]
    data = "编号,名称\n1,张伟\n2,".encode(GB18030) + b"\xff\n" + "3,李娜\n".encode(GB18030)
    assert records(data, GB18030)[2:] == [(3, "not GB18030: byte 3 of line 3"), (4, ["3", "李娜"])]
    inside = '1,"一\n'.encode() + b"\xd5\n" + '三"\n4,五\n'.encode()
    assert records(inside) == [(1, "not UTF-8: byte 1 of line 2"), (4, ["4", "五"])]


def test_nul_characters_are_told() -> None:
    assert records(b"a,b\n1,x\0y\n2,z\n") == [(1, ["a", "b"]), (2, "a NUL character in line 2"), (3, ["2", "z"])]


def test_bytes_order_marks_are_no_part_of_the_header() -> None:
    assert records("\ufeff编号\n".encode()) == [(1, ["编号"])]
    assert records("\ufeff编号\n".encode(GB18030), GB18030) == [(1, ["编号"])]


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (b"", UTF_8),
        (b"id,name\n1,x\n", UTF_8),
        ("\ufeff编号,名称\n".encode(), UTF_8),
        ("编号,名称\n1,张\n".encode(), UTF_8),
        ("编号,名称\n1,张\n".encode(GB18030), GB18030),
        ("id,name\n" + "1,x\n" * 50_000 + "2,龘😀\n", UTF_8),
        ("id,name\n" + "1,x\n" * 50_000 + "2,龘😀\n", GB18030),
        ("x" * ((1 << 16) - 1) + "一", UTF_8),
        ("id,name\n1,联通\n", GB18030),
        ("只有\ufffd\ufffd\ufffd三个".encode(), UTF_8),
        ("编号,名称\n1,张".encode()[:-1], UTF_8),
    ],
)
def test_the_encoding_is_seen(data: bytes | str, encoding: str) -> None:
    assert of(data if isinstance(data, bytes) else data.encode(encoding)) == encoding


def test_utf_16_is_refused_with_the_way_out() -> None:
    with pytest.raises(InvalidInput, match="save it as UTF-8"):
        of("编号".encode("utf-16"))


def test_names_of_encodings() -> None:
    assert [encoding_of(name) for name in ("UTF8", "utf-8-sig", "GBK", "gb2312", "GB18030")] == [
        UTF_8, UTF_8, GB18030, GB18030, GB18030,
    ]  # fmt: skip
    with pytest.raises(InvalidInput, match="latin-1"):
        encoding_of("latin-1")


def test_a_file_that_is_no_csv_is_refused_before_it_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crm_model.tabular.files._LONGEST", 1000)
    with pytest.raises(InvalidInput, match="longer than 1000 bytes"):
        records(b"x" * (1 << 20))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="No such file"):
        opened(tmp_path / "nothing.csv")


def test_memory_is_bounded_however_long_the_file(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    with path.open("wb") as stream:
        for _ in range(8):
            stream.write(b"12345678,abcdefgh,xyz\r\n" * 30_000)
    with path.open("rb") as stream:
        tracemalloc.start()
        try:
            assert sum(1 for _ in CsvFile(stream, UTF_8).records()) == 8 * 30_000
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 2_500_000, f"{peak} bytes for a file of 5.5 MB"


def test_keys_that_were_seen() -> None:
    seen = SeenKeys()
    for line in range(20_000):
        assert seen.first((f"C{line}",), line + 2) is None
    assert [seen.first((f"C{line}",), 9) for line in (0, 7, 19_999)] == [2, 9, 20_001]
    assert seen.first(("1", "2"), 5) is None
    assert seen.first(("1,2",), 6) is None
    assert seen.first((1, 2), 7) is None


def names(model: type[Standard], *headers: str, **given: str | None) -> list[str | None]:
    found = Header(model, UTC).targets(headers, given)
    return [None if one is None else one.name for one in found]


def test_headers_in_chinese_english_and_by_mapping() -> None:
    assert names(Customer, "客户编号", "Name", "ＶＩＰ等级", "手机号", "credit limit", "负责人") == [
        "cust_no", "name", "vip_level", "phone", "credit_limit", "owner_id.login",
    ]  # fmt: skip
    assert names(Customer, "编号", "custom.网点数", "自定义.开票 方式", "无关", "", 编号="cust_no", 无关=None) == [
        "cust_no", "custom.网点数", "custom.开票 方式", None, None,
    ]  # fmt: skip
    assert names(Contact, "客户编号", "姓名", "职务") == ["customer_id.cust_no", "name", "title"]
    assert names(OrderItem, "订单号", "行号") == ["order_id.order_no", "line_no"]


@pytest.mark.parametrize(
    ("headers", "given", "reason"),
    [
        (["客户编号", "星座"], {}, "'星座' is no column of customer"),
        (["客户编号", "cust_no"], {}, "'客户编号' and 'cust_no' are both for cust_no"),
        (["负责人", "owner_id"], {}, "both for owner_id"),
        (["custom", "custom.a"], {}, "both for custom"),
        (["custom.a", "自定义.a"], {}, "both for custom"),
        (["客户编号"], {"名字": "name"}, "no column '名字'; it has 客户编号"),
        (["客户编号"], {"客户编号": "number"}, "'客户编号' is no column"),
        (["name.a"], {}, "has no part 'a'"),
        (["owner_id.name"], {}, "has no part 'name'"),
        (["name_key"], {}, "cannot be given"),
        (["version"], {}, "cannot be given"),
        (["merged_into"], {}, "cannot be given"),
    ],
)
def test_headers_that_cannot_be(headers: list[str], given: dict[str, str | None], reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        names(Customer, *headers, **given)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.table)
def test_every_label_stands_for_one_column(model: type[Standard]) -> None:
    header = Header(model, UTC)
    for column in model.fields:
        for label in (column, *labels(model.table, column)):
            full = header._by_name[normal(label)]
            assert full == column, f"{label} of {model.table}"


def test_an_entity_without_a_natural_key_in_every_row() -> None:
    assert names(cast(type[Standard], Task), "ID", "标题", "状态") == ["id", "title", "status"]
