"""The texts in the columns kind, status and stage that services decide by. An application may have more kinds."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

# activity.kind
VISIT: Final = "visit"
CARE: Final = "care"
GIFT: Final = "gift"
CAMPAIGN: Final = "campaign"

# feedback.kind
SURVEY: Final = "调查"
COMPLAINT: Final = "投诉"
PRAISE: Final = "表扬"
SUGGESTION: Final = "建议"
FEEDBACK_KINDS: Final = (SURVEY, COMPLAINT, PRAISE, SUGGESTION)

# feedback.status
FEEDBACK_WAITING: Final = "待处理"
FEEDBACK_CLOSED: Final = "已关闭"

# task.kind and task.status
FOLLOW_UP: Final = "回访"
TASK_WAITING: Final = "待办"
TASK_STARTED: Final = "进行中"
TASK_DONE: Final = "完成"
TASK_CANCELLED: Final = "取消"
OPEN_TASKS: Final = (TASK_WAITING, TASK_STARTED)

# opportunity.stage
LEAD: Final = "线索"
NEED: Final = "需求"
PROPOSAL: Final = "方案"
NEGOTIATION: Final = "谈判"
WON: Final = "赢单"
LOST: Final = "流失"
OPEN_STAGES: Final = (LEAD, NEED, PROPOSAL, NEGOTIATION)
PROBABILITY: Final[Mapping[str, int]] = MappingProxyType(
    {LEAD: 10, NEED: 25, PROPOSAL: 45, NEGOTIATION: 70, WON: 100, LOST: 0}
)
"""Every stage in order, with the percentage of its opportunities that is taken to be won in the end."""

# sales_order.status
ORDER_CANCELLED: Final = "已取消"
ORDER_COMPLETED: Final = "已完成"

# customer.kind, customer.status and customer.stage
PERSON: Final = "个人"
COMPANY: Final = "企业"
NORMAL: Final = "正常"
PURGED: Final = "已清除"
STEADY: Final = "稳定"
POTENTIAL: Final = "潜在"

# sales_lead.status
LEAD_NEW: Final = "新建"
LEAD_FOLLOWED: Final = "跟进"
LEAD_REJECTED: Final = "无效"
LEAD_CONVERTED: Final = "已转化"
OPEN_LEADS: Final = (LEAD_NEW, LEAD_FOLLOWED)

# ticket.status
TICKET_NEW: Final = "新建"
TICKET_STARTED: Final = "处理中"
TICKET_CLOSED: Final = "关闭"
OPEN_TICKETS: Final = (TICKET_NEW, TICKET_STARTED)

# kb_article.status
DRAFT: Final = "草稿"
PUBLISHED: Final = "发布"

# campaign.status
PLANNED: Final = "计划"
RUNNING: Final = "进行中"
FINISHED: Final = "结束"

# customer.vip_level: 0 (none) to this
HIGHEST_LEVEL: Final = 5

# vip_card.status, and places that a card or a gift can be in
CARD_IN_STOCK: Final = "库存"
CARD_IN_USE: Final = "在用"
CARD_LOST: Final = "挂失"
MAIN_STORE: Final = "总库"
AT_THE_CUSTOMER: Final = "客户处"
NOBODY_KNOWS: Final = "不明"

# stock_move.kind
COMING_IN: Final = "入库"
GOING_OUT: Final = "出库"
TRANSFER: Final = "调拨"

# approval.kind and approval.status
VIP: Final = "vip"
APPROVAL_WAITING: Final = "待审"
APPROVED: Final = "通过"
REJECTED: Final = "驳回"
