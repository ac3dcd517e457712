"""From a lead to an order, and what is sold."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import NamedTuple

from crm_model.entities.states import PROBABILITY
from crm_model.sample import dirt, words
from crm_model.sample.draw import Draw, spread
from crm_model.sample.places import CITIES
from crm_model.sample.sizes import END
from crm_model.sample.world import OPERATORS_AT_WORK, Row, World, standard

PRODUCTS = 60
LINES = 2
"""Of every order."""

_STAGES = spread({"线索": 18, "需求": 18, "方案": 15, "谈判": 12, "赢单": 20, "流失": 17})
_ORDER_STATUSES = spread({"已完成": 75, "处理中": 12, "待付款": 8, "已取消": 5})
_LINES = 205
_CENT = Decimal("0.01")


def opportunities(world: World, draw: Draw, ids: range) -> Iterator[Row]:
    """The path to a stage is in its log: what was won went through all of them, what was lost left early."""
    for number in ids:
        customer, stage, begun = world.customer(draw), draw.pick(_STAGES), draw.moment()
        closed = stage in ("赢单", "流失")
        path = ["线索", "需求", stage] if stage == "流失" else list(PROBABILITY)[: list(PROBABILITY).index(stage) + 1]
        reached = [begun + timedelta(days=9 * step) for step in range(len(path))]
        yield {
            "id": number,
            "customer_id": customer,
            "owner_id": world.owners[customer],
            "name": f"{draw.pick(words.PRODUCTS)}{draw.pick(('新建', '扩容', '续约', '迁移'))}",
            "stage": stage,
            "probability": PROBABILITY[stage],
            "amount": draw.money(7.8, 1.0),
            "expected_close": (begun + timedelta(days=draw.whole(20, 200))).date() if draw.random() < 0.9 else None,
            "closed_at": reached[-1] if closed else None,
            "source": draw.pick(("自拓", "转介绍", "活动", "网站")) if draw.random() < 0.9 else None,
            "last_stage_at": reached[-1],
            **standard(begun, reached[-1], version=len(path)),
            "needs": draw.some(words.NEEDS, 1, 3) if draw.random() < 0.8 else None,
            "lost": dirt.document(draw, _lost(draw), "价格") if stage == "流失" else None,
            "stage_log": [{"stage": one, "at": moment.isoformat()} for one, moment in zip(path, reached, strict=True)],
        }


def _lost(draw: Draw) -> Row:
    lost: Row = {"reason": draw.pick(words.LOST_REASONS)}
    if draw.random() < 0.85:
        lost["to"] = draw.pick(words.RIVALS) if draw.random() < 0.95 else None
    return lost


class Line(NamedTuple):
    """A line of an order."""

    product: int
    qty: int
    price: Decimal
    amount: Decimal


def _order_lines(order: int) -> list[Line]:
    """The same for the order itself and for its lines' own table."""
    draw = Draw(_LINES, order)
    lines = []
    for _ in range(LINES):
        product, qty = draw.whole(1, PRODUCTS), draw.whole(1, 5)
        price = draw.money(7.8 - 1.4, 1.0) + _CENT
        lines.append(Line(product, qty, price, price * qty))
    return lines


def sales_orders(world: World, draw: Draw, ids: range) -> Iterator[Row]:
    """Orders; their items are as they were placed."""
    for number in ids:
        customer, ordered, lines = world.customer(draw), draw.moment(), _order_lines(number)
        amount = sum((line.amount for line in lines), Decimal(0))
        city = draw.pick(CITIES)
        yield {
            "id": number,
            "order_no": f"SO{number:09d}",
            "customer_id": customer,
            "owner_id": world.owners[customer],
            "opportunity_id": None,
            "ordered_at": ordered,
            "amount": amount,
            "pay_method": draw.pick(("转账", "转账", "支付宝", "微信", "月结")),
            "status": draw.pick(_ORDER_STATUSES),
            **standard(ordered),
            "items": [{"code": f"P{line.product:03d}", "qty": line.qty, "price": float(line.price)} for line in lines],
            "delivery": dirt.document(draw, {"city": city, "days": draw.whole(1, 20)}, city),
            "invoice": {"type": draw.pick(("专票", "普票")), "rate": 0.06} if draw.random() < 0.7 else None,
        }


def order_items(_: World, __: Draw, ids: range) -> Iterator[Row]:
    """The lines of all orders, one order after the other."""
    for number in ids:
        order, index = (number - 1) // LINES + 1, (number - 1) % LINES
        line = _order_lines(order)[index]
        yield {
            "id": number,
            "order_id": order,
            "line_no": index + 1,
            "product_id": line.product,
            "qty": line.qty,
            "price": line.price,
            "amount": line.amount,
            **standard(END),
        }


def sales_leads(world: World, draw: Draw, ids: range) -> Iterator[Row]:
    """One in five has become a customer."""
    for number in ids:
        converted = draw.moment() if draw.random() < 0.2 else None
        phone = words.mobile(draw)
        yield {
            "id": number,
            "name": words.person(draw),
            "company": words.company(draw, draw.pick(CITIES)) if draw.random() < 0.7 else None,
            "phone": phone if draw.random() < 0.9 else dirt.redialled(draw, phone),
            "source": draw.pick(("网站", "活动", "名单", "转介绍")),
            "score": draw.whole(0, 100),
            "status": "已转化" if converted else draw.pick(("新建", "跟进", "无效")),
            "owner_id": draw.pick(OPERATORS_AT_WORK),
            "customer_id": world.customer(draw) if converted else None,
            "contact_id": None,
            "opportunity_id": None,
            "converted_at": converted,
            **standard(draw.moment()),
            "raw": {"utm": draw.pick(("baidu", "douyin", "weixin")), "页面": draw.whole(1, 9)},
            "behaviours": [_behaviour(draw) for _ in range(draw.whole(1, 6))] if draw.random() < 0.6 else None,
            "notes": [_note(draw)] if draw.random() < 0.4 else None,
            "why_not_bought": None if converted else words.said(draw, draw.pick(words.FEEDBACK_TAGS)),
        }


def _behaviour(draw: Draw) -> Row:
    return {"at": draw.moment().isoformat(), "kind": draw.pick(("打开邮件", "浏览", "下载资料", "咨询", "试用"))}


def _note(draw: Draw) -> Row:
    return {"at": draw.moment().isoformat(), "by": draw.pick(OPERATORS_AT_WORK), "text": draw.pick(words.NEXT_STEPS)}


def campaigns(_: World, draw: Draw, ids: range) -> Iterator[Row]:
    """Campaigns of a month each."""
    for number in ids:
        begins = draw.moment().replace(hour=0, minute=0, second=0, microsecond=0)
        finished = begins < END - timedelta(days=30)
        yield {
            "id": number,
            "name": f"{draw.pick(words.PRODUCTS)}{draw.pick(('春季', '年中', '周年', '校园'))}推广",
            "kind": draw.pick(("短信", "线下", "直播")),
            "starts_at": begins,
            "ends_at": begins + timedelta(days=30),
            "budget": draw.money(9.5, 0.5),
            "status": "结束" if finished else "进行中",
            "owner_id": draw.pick(OPERATORS_AT_WORK),
            **standard(begins),
            "plan": {"步骤": ["预热", "推送", "回访"]},
            "audience": {
                "when": [
                    {"input": "vip_level", "at_least": draw.whole(0, 4)},
                    {"input": "city", "is": [draw.pick(CITIES)]},
                ]
            },
            "metrics": {"发送": draw.whole(1000, 90_000), "点击率": draw.whole(1, 400) / 1000},
            "result": draw.pick(("达到预期", "转化偏低,下次缩小范围")) if finished else None,
        }


def products(_: World, draw: Draw, ids: range) -> Iterator[Row]:
    """What is sold."""
    for number in ids:
        name = words.PRODUCTS[number % len(words.PRODUCTS)]
        yield {
            "id": number,
            "code": f"P{number:03d}",
            "name": f"{name}{draw.pick(('标准版', '专业版', '旗舰版'))}{number}",
            "category": name,
            "unit_price": draw.money(6.4, 1.0),
            "status": draw.pick(("在售", "在售", "停售")),
            **standard(draw.moment()),
            "spec": {"带宽": f"{draw.pick((50, 100, 200, 500, 1000))}M", "质保月": draw.whole(6, 36)},
            "docs": [{"name": f"{name}白皮书.pdf", "uri": f"file:///docs/{number}"}],
        }
