"""Seeded customers: six columns for MySQL, three for the document, about 1 KB in all."""

from __future__ import annotations

import datetime
import random
from collections.abc import Sequence
from decimal import Decimal
from statistics import mean
from typing import Any, TypeAlias

import bson

from platform_store import ColumnAttribute

CustomerRow: TypeAlias = dict[str, Any]

SEED = 42
MYSQL_COLUMNS = ("id", "name", "phone", "vip_level", "credit_limit", "created_at")
DOCUMENT_COLUMNS = ("profile", "notes", "visits")
COLUMNS = (
    ColumnAttribute("id", "BIGINT"),
    ColumnAttribute("name", "VARCHAR(80)", nullable=False),
    ColumnAttribute("phone", "VARCHAR(20)"),
    ColumnAttribute("vip_level", "TINYINT", nullable=False, default=0),
    ColumnAttribute("credit_limit", "DECIMAL(12,2)"),
    ColumnAttribute("created_at", "DATETIME"),
    ColumnAttribute("profile", "JSON"),
    ColumnAttribute("notes", "TEXT"),
    ColumnAttribute("visits", "JSON"),
)
FLAG = len(MYSQL_COLUMNS) - 1

_SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗"
_GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉建国文志海"
_CITIES = ("北京", "上海", "广州", "深圳", "成都", "杭州", "武汉", "西安", "南京", "重庆")
_HOBBIES = ("喝茶", "围棋", "登山", "摄影", "书法", "钓鱼", "羽毛球", "自驾", "烹饪", "听戏")
_INDUSTRIES = ("制造", "物流", "教育", "医疗", "餐饮", "零售", "建筑", "软件")
_RIVALS = ("联通", "电信", "广电")
_INTENTS = ("高", "中", "低")
_SENTENCES = (
    "客户对目前的套餐资费比较满意,希望下个季度能给出长期合约的优惠方案。",
    "反映办公楼三层信号偏弱,已转网络部安排工程师在一周之内上门检测。",
    "负责人下个月调任,需要提前与接任的同事建立联系,以免续约中断。",
    "竞争对手上周来访并报出更低的价格,建议尽快安排一次高层会面。",
    "客户计划在年底之前扩建数据中心,专线带宽预计要增加一倍以上。",
    "曾投诉账单明细不清,经解释后表示理解,后续请每月主动发送说明。",
    "喜欢在下午三点以后接待来访,到访之前请先与秘书确认会议室。",
    "对云桌面产品很感兴趣,已经预约技术人员下周二做现场演示。",
)
_SENTENCES_IN_NOTES = 9
_EPOCH = datetime.datetime(2024, 1, 1)
_YEAR = 365 * 24 * 3600


def customer(number: int) -> CustomerRow:
    """The customer of this key, always the same one."""
    draw = random.Random(SEED << 32 | number)
    return {
        "id": number,
        "name": draw.choice(_SURNAMES) + "".join(draw.choices(_GIVEN, k=2)),
        "phone": f"13{draw.randrange(10**9):09d}",
        "vip_level": draw.choices(range(6), (55, 18, 12, 8, 5, 2))[0],
        "credit_limit": Decimal(draw.randrange(10**8)).scaleb(-2),
        "created_at": _EPOCH + datetime.timedelta(seconds=draw.randrange(_YEAR)),
        "profile": profile(draw),
        "notes": "".join(draw.choices(_SENTENCES, k=_SENTENCES_IN_NOTES)),
        "visits": [_visit(draw) for _ in range(draw.randint(1, 3))],
    }


def customers(first: int, count: int) -> list[CustomerRow]:
    """Customers of consecutive keys."""
    return [customer(number) for number in range(first, first + count)]


def profile(draw: random.Random) -> dict[str, Any]:
    """A profile, as a customer has one and an update gives a new one."""
    return {
        "city": draw.choice(_CITIES),
        "industry": draw.choice(_INDUSTRIES),
        "hobbies": draw.sample(_HOBBIES, k=3),
        "employees": draw.randrange(5, 5000),
        "satisfaction": draw.randrange(10, 51) / 10,
        "competitor_spend": {draw.choice(_RIVALS): draw.randrange(100, 100_000)},
    }


def _visit(draw: random.Random) -> dict[str, Any]:
    at = _EPOCH + datetime.timedelta(seconds=draw.randrange(_YEAR))
    return {
        "at": at.isoformat(),
        "by": draw.randrange(1, 41),
        "minutes": draw.randrange(5, 120),
        "intent": draw.choice(_INTENTS),
    }


def sizes(rows: Sequence[CustomerRow]) -> tuple[float, float]:
    """Mean bytes of a row's MySQL columns, as text, and of its document, as BSON with its ``_id``."""
    mysql = mean(sum(len(str(row[name]).encode()) for name in MYSQL_COLUMNS) for row in rows)
    return mysql, mean(len(bson.encode({"_id": row["id"], **_document(row)})) for row in rows)


def _document(row: CustomerRow) -> dict[str, Any]:
    return {name: row[name] for name in DOCUMENT_COLUMNS}
