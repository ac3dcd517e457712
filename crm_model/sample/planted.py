"""Rows that each acceptance query must find, and others that it must miss by a hair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from crm_model.names import name_key
from crm_model.sample.dirt import JSON_NULL
from crm_model.sample.sizes import TIMELINE_CUSTOMER
from crm_model.sample.world import OPERATORS, Row, standard

FOUND: Final[Mapping[int, Sequence[object]]] = {
    1: (1, 2, 7),
    2: (OPERATORS,),
    3: (1, 2, 3, 5, 6, 7, 8, 13),
    4: (1, 3, 4, 5),
    5: ("鹏博士",),
    6: ("携号转网",),
    7: ("B000000001", "B000000002"),
    8: (14, 17),
    9: ("三沙",),
    10: ("显著改善",),
}
"""By the number of the query: values of its first column."""
MISSED: Final[Mapping[int, Sequence[object]]] = {
    1: (3, 4, 5, 6, 8, 9),
    3: (4, 9, 10, 11, 12),
    4: (2, 6),
    7: tuple(f"B{number:09d}" for number in range(3, 11)),
    8: (15, 16),
}

_FIRST = datetime(2026, 5, 1)
_BIG = Decimal("9000000.00")


def planted() -> dict[str, list[Row]]:
    """By table, with the ids 1, 2, ..."""
    tables = {
        "customer": _customers(),
        "billing_customer": _billing_customers(),
        "activity": _activities(),
        "feedback": _feedback(),
        "opportunity": _opportunities(),
        "sales_order": _sales_orders(),
    }
    for rows in tables.values():
        for number, row in enumerate(rows, 1):
            assert row["id"] == number
    return tables


def _customers() -> list[Row]:
    beijing: Row = {"province": "北京", "city": "北京"}
    sansha: Row = {"province": "海南", "city": "三沙"}
    spends: list[object] = [
        {"competitor_spend": {"联通": 1000}},
        {"competitor_spend": {"联通": "2000"}},
        {"competitor_spend": {"电信": 1, "联通": 3000.5}},
        {"competitor_spend": {"联通": None}},
        {"competitor_spend": {"电信": 9}},
    ]
    changes: list[Row] = [
        {**beijing, "vip_level": 3},
        {**beijing, "vip_level": 5},
        {**beijing, "vip_level": 4},
        {**beijing, "vip_level": 2},
        {**beijing, "vip_level": 3, "del_token": 5},
        {**beijing, "vip_level": 3},
        {**beijing, "vip_level": 4},
        {"province": "上海", "city": "上海", "vip_level": 5},
        {**beijing, "vip_level": 3},
        *({} for _ in range(10, 14)),
        {"tags": ["重点", "续约期"]},
        {"tags": ["续约期"]},
        {"tags": ["续约"]},
        {"tags": "续约期"},
        *({**sansha, "extension": extension} for extension in (*spends, None, JSON_NULL)),
        {"extension": {"competitor_spend": {"联通": {"年": 9}}}},  # NULL to MariaDB, a text to MySQL
        {"stage": "破裂"},
        {"stage": "破裂"},
        {},
    ]
    return [_customer(number, **change) for number, change in enumerate(changes, 1)]


def _customer(number: int, **changes: Any) -> Row:
    name = f"样例客户{number}"
    return {
        "id": number,
        "cust_no": f"C{number:08d}",
        "name": name,
        "name_key": name_key(name),
        "kind": "企业",
        "status": "正常",
        "phone": None,
        "phone_key": None,
        "id_hash": None,
        "province": "安徽",
        "city": "合肥",
        "industry": "制造",
        "vip_level": 0,
        "credit_limit": Decimal("5000.00"),
        "satisfaction": None,
        "stage": "稳定",
        "source": "自拓",
        "owner_id": OPERATORS,
        "parent_id": None,
        "merged_into": None,
        **standard(_FIRST - timedelta(days=900)),
        **dict.fromkeys(("profile", "extension", "agreements", "tags", "custom", "attachments")),
        **changes,
    }


def _activities() -> list[Row]:
    rival, nothing, high = "客户提到联通报价更低。", "例行拜访。", {"intent": "高"}
    better = {"effect": "显著改善"}
    before = _FIRST - timedelta(milliseconds=1)
    rows: list[Row] = [
        *_timeline(),
        {"customer_id": TIMELINE_CUSTOMER, "kind": "call", "occurred_at": before, "summary": "零点之前😀"},
        *_visits(1, nothing, rival),
        *_visits(2, rival),
        *_visits(2, nothing),  # at the same moment
        *_visits(3, rival, nothing),
        *_visits(4, nothing, rival),
        *_visits(5, rival),
        *_visits(6, rival, None),
        *_visits(7, nothing, rival),
        {"customer_id": 7, "kind": "call", "occurred_at": _FIRST + timedelta(days=9), "summary": rival},
        *_visits(8, rival),
        {"customer_id": 9, "kind": "call", "occurred_at": _FIRST, "summary": rival},
        *_others(_FIRST, {"customer_id": 11, "outcome": high}),
        *_others(before, {"customer_id": 12, "outcome": high}),
        *_others(
            _FIRST,
            {"customer_id": 13, "outcome": "高"},
            {"customer_id": 13, "outcome": {"intent": None}},
            {"customer_id": 13, "outcome": {"intent": ["高"]}},
            {"customer_id": 13, "outcome": {}},
            {"customer_id": 13, "outcome": JSON_NULL},
            {"customer_id": 13},
            {"customer_id": 8, "outcome": {"intent": "高 "}},
        ),
        *_others(
            before,
            {"customer_id": 26, "kind": "care", "care": better},
            {"customer_id": 26, "kind": "care", "care": better},
            {"customer_id": 27, "kind": "care", "care": better},
            {"customer_id": 28, "kind": "care", "care": better},
            {"customer_id": 26, "kind": "care"},
            {"customer_id": 27, "kind": "call", "care": better},
        ),
    ]
    return [_activity(number, row) for number, row in enumerate(rows, 1)]


def _timeline() -> list[Row]:
    """Twelve activities of one moment, one of them archived, one without a summary."""
    rows: list[Row] = [
        {"customer_id": TIMELINE_CUSTOMER, "kind": "call", "occurred_at": _FIRST, "summary": f"零点{number}"}
        for number in range(1, 13)
    ]
    rows[3]["del_token"] = 4
    rows[4]["summary"] = None
    return rows


def _visits(customer: int, *summaries: str | None) -> list[Row]:
    """On one day after the other."""
    return [
        {"customer_id": customer, "kind": "visit", "occurred_at": _FIRST + timedelta(days=day), "summary": summary}
        for day, summary in enumerate(summaries)
    ]


def _others(moment: datetime, *rows: Row) -> list[Row]:
    """Meetings, unless they say otherwise."""
    return [{"kind": "meeting", "occurred_at": moment, **row} for row in rows]


def _activity(number: int, changes: Row) -> Row:
    documents = ("summary", "competitors", "outcome", "care", "gift", "gps", "tags", "attachments", "custom")
    return {
        "id": number,
        "customer_id": 0,
        "operator_id": OPERATORS,
        "contact_id": None,
        "kind": "",
        "channel": "电话",
        "occurred_at": _FIRST,
        "duration_min": None,
        "ref_type": None,
        "ref_id": None,
        **standard(_FIRST),
        **dict.fromkeys(documents),
        **changes,
    }


def _feedback() -> list[Row]:
    bad: Row = {"score": 2, "text": "服务很差。"}
    complaint: Row = {"kind": "投诉", "status": "待处理", "tags": ["携号转网", "价格"]}
    rows: list[Row] = [
        {"customer_id": 10, "score": 1, "tags": ["价格", "服务"]},
        {"customer_id": 10, "score": 2, "tags": ["服务", "价格"]},
        {"customer_id": 10, "score": 3, "tags": ["价格"]},
        {"customer_id": 10, "tags": ["价格"]},
        {"customer_id": 10, "score": 5, "tags": "价格"},
        {"customer_id": 10, "score": 5, "tags": ["价格战"]},
        {"customer_id": 10, "score": 1, **complaint},
        {"customer_id": 11, "score": 4, **complaint, "status": "处理中", "tags": ["携号转网", None, 7]},
        {"customer_id": 11, "score": 5, **complaint, "status": "已关闭"},
        {"customer_id": 11, "score": 5, **complaint, "kind": "建议"},
        {"customer_id": 14, **bad},
        {"customer_id": 15, **bad, "score": 3},
        {"customer_id": 15, **bad, "text": "价格太贵。"},
        {"customer_id": 15, **bad, "text": None},
        {"customer_id": 15, **bad, "score": None},
        {"customer_id": 16, **bad},
        {"customer_id": 17, **bad, "score": 1},
    ]
    return [_one_feedback(number, row) for number, row in enumerate(rows, 1)]


def _one_feedback(number: int, changes: Row) -> Row:
    return {
        "id": number,
        "customer_id": 0,
        "operator_id": OPERATORS,
        "activity_id": None,
        "product_id": None,
        "kind": "调查",
        "channel": "电话",
        "score": None,
        "status": "已关闭",
        "occurred_at": _FIRST,
        "resolved_at": None,
        **standard(_FIRST),
        **dict.fromkeys(("text", "tags", "answers", "product", "handling", "attachments")),
        **changes,
    }


def _opportunities() -> list[Row]:
    lost: Row = {"stage": "流失", "probability": 0, "amount": Decimal("1234.56")}
    rows: list[Row] = [
        {"customer_id": 10, "stage": "谈判", "probability": 90},
        {"customer_id": 11, "stage": "谈判", "probability": 90},
        {"customer_id": 12, "stage": "方案", "probability": 50},
        {"customer_id": 13, "stage": "方案", "probability": 50},
        {"customer_id": 10, "stage": "方案", "probability": 45, "amount": _BIG / 45 * 50},
        {"customer_id": 10, "stage": "赢单", "probability": 100},
        {"customer_id": 8, "stage": "方案", "probability": 30},
        {"customer_id": 10, **lost, "lost": {"reason": "价格", "to": "鹏博士"}},
        {"customer_id": 11, **lost, "lost": {"to": "鹏博士", "reason": "价格"}},
        {"customer_id": 12, **lost, "lost": {"reason": "价格"}},
        {"customer_id": 12, **lost, "lost": {"reason": "服务", "to": "鹏博士"}},
        {"customer_id": 12, **lost, "lost": "价格"},
        {"customer_id": 12, "stage": "谈判", "probability": 1, "lost": {"reason": "价格", "to": "鹏博士"}},
    ]
    return [_opportunity(number, row) for number, row in enumerate(rows, 1)]


def _opportunity(number: int, changes: Row) -> Row:
    return {
        "id": number,
        "customer_id": 0,
        "owner_id": OPERATORS,
        "name": f"样例商机{number}",
        "stage": "",
        "probability": 0,
        "amount": _BIG,
        "expected_close": None,
        "closed_at": None,
        "source": None,
        "last_stage_at": _FIRST,
        **standard(_FIRST),
        **dict.fromkeys(("needs", "lost", "stage_log")),
        **changes,
    }


def _billing_customers() -> list[Row]:
    line = [{"code": "专线", "since": "2020-01"}]
    rows: list[Row] = [
        {"services": line},
        {"services": [{"code": "宽带"}, {"since": "2019-07", "code": "专线"}]},
        {"services": line, "arrears": Decimal("0.01")},
        {"services": line, "tenure_months": 11},
        {"services": line, "customer_id": 28, "promoted_at": _FIRST},
        {"services": [{"code": "宽带"}]},
        {"services": [{"name": "专线"}]},
        {"services": {"code": "专线"}, "arpu_3m": Decimal("199.99")},
        {"services": JSON_NULL},
        {"services": None},
    ]
    return [_billing_customer(number, row) for number, row in enumerate(rows, 1)]


def _billing_customer(number: int, changes: Row) -> Row:
    return {
        "id": number,
        "boss_no": f"B{number:09d}",
        "name": f"样例账户{number}",
        "phone": "13800000000",
        "plan_code": "商务399",
        "arpu_3m": Decimal("88888.88"),
        "tenure_months": 12,
        "arrears": Decimal("0.00"),
        "customer_id": None,
        "promoted_at": None,
        **standard(_FIRST),
        "usage_log": None,
        "services": None,
        **changes,
    }


def _sales_orders() -> list[Row]:
    rows: list[Row] = [
        {"customer_id": 14, "amount": _BIG},
        {"customer_id": 14, "amount": Decimal("0.01")},
        {"customer_id": 14, "status": "已取消"},
        {"customer_id": 17, "amount": _BIG / 2},
        {"customer_id": 15},
    ]
    return [_sales_order(number, row) for number, row in enumerate(rows, 1)]


def _sales_order(number: int, changes: Row) -> Row:
    return {
        "id": number,
        "order_no": f"SO{number:09d}",
        "customer_id": 0,
        "owner_id": OPERATORS,
        "opportunity_id": None,
        "ordered_at": _FIRST + timedelta(hours=number),
        "amount": _BIG,
        "pay_method": "转账",
        "status": "已完成",
        **standard(_FIRST),
        **dict.fromkeys(("items", "delivery", "invoice")),
        **changes,
    }
