"""The house itself: staff, gifts, stock and the audit log."""

from __future__ import annotations

from collections.abc import Iterator

from crm_model.sample import words
from crm_model.sample.draw import Draw, at
from crm_model.sample.places import PROVINCES
from crm_model.sample.world import OPERATORS, OPERATORS_AT_WORK, Row, World, standard

GIFTS = 30
STOCK_ELSEWHERE = 20
"""How many of a gift are in another place than the main store, at most."""
_LEADERS = 4


def operators(_: World, draw: Draw, ids: range) -> Iterator[Row]:
    """A few lead the others."""
    for number in ids:
        leader = number <= _LEADERS
        yield {
            "id": number,
            "login": f"op{number:02d}",
            "name": words.person(draw),
            "role": "主管" if leader else "客户经理",
            "manager_id": None if leader else 1 + number % _LEADERS,
            "region": draw.pick(PROVINCES),
            "status": "在职" if draw.random() < 0.95 else "离职",
            **standard(at(0.0)),
        }


def gifts(_: World, draw: Draw, ids: range) -> Iterator[Row]:
    """What is given away."""
    for number in ids:
        yield {
            "id": number,
            "sku": f"G{number:03d}",
            "name": f"{draw.pick(('保温杯', '雨伞', '茶叶', '充电宝', '台历', '🎁礼盒'))}{number}",
            "unit_cost": draw.money(3.8, 0.6),
            "stock_qty": draw.whole(STOCK_ELSEWHERE, 500),
            **standard(at(0.0)),
            "spec": {"颜色": draw.pick(("红", "蓝", "灰")), "重量g": draw.whole(50, 2000)},
        }


def gift_stocks(_: World, draw: Draw, ids: range) -> Iterator[Row]:
    """Every other gift is in a shop, too."""
    for number in ids:
        yield {
            "id": number,
            "gift_id": 2 * number,
            "location": draw.pick(("东区营业厅", "西区营业厅")),
            "qty": draw.whole(1, STOCK_ELSEWHERE),
            **standard(at(0.0)),
        }


def stock_moves(world: World, draw: Draw, ids: range) -> Iterator[Row]:
    """Gifts that come in and go out, in order of time."""
    total = stock_move_count(world.size.customers)
    for number in ids:
        coming = draw.random() < 0.2
        yield {
            "id": number,
            "item_type": "gift",
            "item_id": draw.whole(1, GIFTS),
            "qty": draw.whole(50, 200) if coming else draw.whole(1, 5),
            "kind": "入库" if coming else "出库",
            "from_loc": None if coming else "总库",
            "to_loc": "总库" if coming else None,
            "operator_id": draw.pick(OPERATORS_AT_WORK),
            "at": at(number / total),
            "document": {"单号": f"K{number:07d}", "经手": draw.pick(words.POSITIONS)},
        }


def stock_move_count(customers: int) -> int:
    """One for two customers."""
    return customers // 2


def audit_log(world: World, draw: Draw, ids: range) -> Iterator[Row]:
    """Changes of customers, in order of time."""
    total = audit_count(world.size.customers)
    for number in ids:
        before = draw.whole(0, 4)
        yield {
            "id": number,
            "actor_id": draw.whole(1, OPERATORS),
            "action": draw.pick(("update", "update", "approve", "merge")),
            "entity": "customer",
            "entity_id": world.customer(draw),
            "at": at(number / total),
            "trace_id": f"{draw.source.getrandbits(128):032x}",
            "before_state": {"vip_level": before},
            "after_state": {"vip_level": before + 1},
            "meta": {
                "ip": f"10.0.{draw.whole(0, 9)}.{draw.whole(1, 254)}",
                "reason": draw.pick(("复核", "申请", "规则")),
            },
        }


def audit_count(customers: int) -> int:
    """Three for two customers."""
    return customers * 3 // 2
