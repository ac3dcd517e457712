"""What happens with customers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from crm_model.sample import dirt, words
from crm_model.sample.customers import attachment
from crm_model.sample.draw import Draw, at, spread
from crm_model.sample.sizes import END
from crm_model.sample.world import OPERATORS_AT_WORK, Row, World, standard
from crm_model.service_levels import SERVICE_LEVELS

KINDS = spread({"visit": 28, "call": 36, "care": 10, "gift": 5, "email": 10, "meeting": 5, "campaign": 6})
RIVAL_NAMED = 0.22
"""Visits that name a rival."""
NO_SCORE = 0.08

_CHANNELS = {
    "visit": ("上门",),
    "call": ("电话",),
    "care": ("电话", "微信", "短信"),
    "gift": ("上门", "快递"),
    "email": ("邮件",),
    "meeting": ("会议室", "视频"),
    "campaign": ("短信", "微信"),
}
_FEEDBACK_KINDS = spread({"调查": 45, "投诉": 25, "表扬": 15, "建议": 15})
_FEEDBACK_STATUSES = spread({"已关闭": 60, "处理中": 22, "待处理": 18})
_SCORES = spread({1: 8, 2: 12, 3: 22, 4: 33, 5: 25})
_LEVELS = ("低", "中", "高")
_SOON = timedelta(minutes=30)


def activities(world: World, draw: Draw, ids: range) -> Iterator[Row]:
    """In order of time, more or less: some are entered days later."""
    customers, first, total = world.activity_customers, world.planted_activities + 1, len(world.activity_customers)
    random = draw.random
    for number in ids:
        customer, kind = customers[number - first], draw.pick(KINDS)
        part = (number - first) / total + (random() - 0.5) * 0.01
        occurred = at(min(max(part, 0.0), 1.0))
        if random() < dirt.TIES:
            occurred = occurred.replace(minute=0, second=0, microsecond=0)
        talk = kind in ("visit", "meeting")
        rivals = _rivals(draw) if kind == "visit" and random() < RIVAL_NAMED else None
        summary = words.visit(draw, rivals[0] if rivals else None) if kind == "visit" else words.note(draw, kind)
        yield {
            "id": number,
            "customer_id": customer,
            "operator_id": world.operator(draw, customer),
            "contact_id": customer if random() < 0.6 else None,
            "kind": kind,
            "channel": draw.pick(_CHANNELS[kind]),
            "occurred_at": occurred,
            "duration_min": draw.whole(5, 120) if talk or kind == "call" else None,
            "ref_type": None,
            "ref_id": None,
            **standard(occurred + _SOON),
            "summary": dirt.text(draw, summary) if random() < 0.97 else None,
            "competitors": _competitors(draw, rivals) if rivals else [] if kind == "visit" else None,
            "outcome": dirt.document(draw, _outcome(draw), draw.pick(words.INTENTS)) if talk else None,
            "care": dirt.document(draw, _care(draw), "好") if kind == "care" else None,
            "gift": {"sku": f"G{draw.whole(1, 30):03d}", "qty": draw.whole(1, 3)} if kind == "gift" else None,
            "gps": {"lat": 20 + int(random() * 25e5) / 1e5, "lng": 98 + int(random() * 25e5) / 1e5} if talk else None,
            "tags": draw.some(words.ACTIVITY_TAGS, 1, 2) if random() < 0.3 else None,
            "attachments": [attachment(draw, number)] if talk and random() < 0.03 else None,
            "custom": {"天气": draw.pick(("晴", "雨", "阴"))} if random() < 0.03 else None,
        }


def _rivals(draw: Draw) -> list[str]:
    first, second = draw.pick(words.RIVALS), draw.pick(words.RIVALS)
    return [first] if first == second or draw.random() < 0.8 else [first, second]


def _competitors(draw: Draw, rivals: list[str]) -> object:
    if draw.random() < dirt.WRONG_TYPES:
        return {"name": rivals[0]}
    return [{"name": rival, "quote": draw.pick(words.QUOTES), "threat": draw.pick(_LEVELS)} for rival in rivals]


def _outcome(draw: Draw) -> Row:
    part = draw.random()
    if part < 0.04:
        return {"next_step": draw.pick(words.NEXT_STEPS)}
    intent: object = draw.pick(words.INTENTS) if part > 0.06 else None if part < 0.05 else draw.whole(1, 5)
    return {"intent": intent, "next_step": draw.pick(words.NEXT_STEPS)}


def _care(draw: Draw) -> Row:
    care: Row = {"category": draw.pick(words.CARE_CATEGORIES)}
    if draw.random() < 0.9:
        care["effect"] = draw.pick(words.EFFECTS)
    return care


def feedback(world: World, draw: Draw, ids: range) -> Iterator[Row]:
    """Seven in ten were given in an activity."""
    random = draw.random
    for number in ids:
        activity: int | None
        activity, customer = world.activity(draw)
        if random() < 0.3:
            activity, customer = None, world.customer(draw)
        kind, occurred, tag = draw.pick(_FEEDBACK_KINDS), draw.moment(), draw.pick(words.FEEDBACK_TAGS)
        status = draw.pick(_FEEDBACK_STATUSES)
        tags = list(dict.fromkeys([tag, *draw.some(words.FEEDBACK_TAGS, 0, 2)]))
        yield {
            "id": number,
            "customer_id": customer,
            "operator_id": world.operator(draw, customer),
            "activity_id": activity,
            "product_id": draw.whole(1, 60) if random() < 0.5 else None,
            "kind": kind,
            "channel": draw.pick(("电话", "微信", "营业厅", "短信")),
            "score": draw.pick(_SCORES) if random() >= NO_SCORE else None,
            "status": status,
            "occurred_at": occurred,
            "resolved_at": occurred + timedelta(hours=draw.whole(1, 200)) if status == "已关闭" else None,
            **standard(occurred, version=draw.whole(1, 3)),
            "text": dirt.text(draw, words.said(draw, tag)) if random() < 0.95 else None,
            "tags": dirt.document(draw, tags, tag),
            "answers": {"是否推荐": draw.whole(0, 10)} if kind == "调查" else None,
            "product": {"name": draw.pick(words.PRODUCTS)} if random() < 0.5 else None,
            "handling": _handling(draw, occurred.isoformat()) if kind == "投诉" and status != "待处理" else None,
            "attachments": None,
        }


def _handling(draw: Draw, at_: str) -> list[Row]:
    return [{"at": at_, "by": draw.pick(OPERATORS_AT_WORK), "note": draw.pick(("已致歉", "已退费", "转网络部"))}]


def tasks(world: World, draw: Draw, ids: range) -> Iterator[Row]:
    """Half of them raised by rules, each once for a customer and a period."""
    for number in ids:
        by_rule = draw.random() < 0.5
        customer: int | None = 1 + number % world.size.customers if by_rule else world.customer(draw)
        rule, due = draw.pick(("care", "renewal", "arrears")), draw.moment()
        key = f"{rule}:{customer}:{number // world.size.customers}" if by_rule else None
        owner, status = world.owners[customer or 0], draw.pick(("待办", "进行中", "完成", "完成", "取消"))
        if not by_rule and draw.random() < 0.1:
            customer = None
        yield {
            "id": number,
            "customer_id": customer,
            "assignee_id": owner,
            "kind": draw.pick(("回访", "关怀", "续约", "催缴")),
            "title": f"{draw.pick(('回访', '联系', '拜访'))}{draw.pick(words.POSITIONS)}",
            "due_at": due,
            "remind_at": due - timedelta(days=1) if draw.random() < 0.8 else None,
            "done_at": due + timedelta(hours=draw.whole(-90, 30)) if status == "完成" else None,
            "status": status,
            "priority": draw.whole(1, 4),
            "origin": rule if by_rule else "人工",
            "dedupe_key": key,
            **standard(due - timedelta(days=7)),
            "rule": {"code": rule, "inputs": {"days": draw.whole(1, 90)}} if by_rule else None,
            "checklist": [{"item": draw.pick(words.NEXT_STEPS), "done": draw.random() < 0.5}],
            "notify": [f"op{owner:02d}"] if draw.random() < 0.3 else None,
        }


def tickets(world: World, draw: Draw, ids: range) -> Iterator[Row]:
    """Faults and requests."""
    for number in ids:
        customer, opened = world.customer(draw), draw.moment()
        closed = opened + timedelta(hours=draw.whole(1, 300)) if draw.random() < 0.7 else None
        tag, priority = draw.pick(words.FEEDBACK_TAGS), draw.whole(1, 4)
        yield {
            "id": number,
            "ticket_no": f"T{number:08d}",
            "customer_id": customer,
            "assignee_id": world.owners[customer] if draw.random() < 0.9 else None,
            "kind": draw.pick(("故障", "咨询", "变更")),
            "priority": priority,
            "status": "关闭" if closed else draw.pick(("新建", "处理中")),
            "opened_at": opened,
            "due_at": SERVICE_LEVELS.due_at(opened, priority),
            "closed_at": closed,
            "escalation": 0,
            "article_id": None,
            **standard(opened),
            "description": words.said(draw, tag),
            "thread": [{"at": opened.isoformat(), "by": world.owners[customer], "text": "已受理"}],
            "solution": {"办法": draw.pick(("重启设备", "更换光猫", "调整资费")), "分类": tag} if closed else None,
        }


def kb_articles(_: World, draw: Draw, ids: range) -> Iterator[Row]:
    """Answers that are kept."""
    for number in ids:
        product, tag = draw.pick(words.PRODUCTS), draw.pick(words.FEEDBACK_TAGS)
        yield {
            "id": number,
            "title": f"{product}{tag}问题的处理",
            "category": product,
            "status": draw.pick(("发布", "发布", "草稿")),
            "author_id": draw.pick(OPERATORS_AT_WORK),
            **standard(END - timedelta(days=draw.whole(1, 700))),
            "body": "".join(words.said(draw, tag) for _ in range(5)),
            "keywords": [product, tag],
        }
