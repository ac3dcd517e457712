"""What the forms offer: the texts that the sample and the services have in columns of a few."""

from __future__ import annotations

from typing import Final

from crm_model.entities import states

CUSTOMER_KINDS: Final = (states.COMPANY, states.PERSON)
STATUSES: Final = ("正常", "停用", "黑名单")
WORKING: Final = "在职"
"""The status of an operator who has not left."""
VIP_LEVELS: Final = range(states.HIGHEST_LEVEL + 1)
STAGES: Final = ("潜在", "开发", "稳定", "续约", "沉睡", "破裂")
SOURCES: Final = ("自拓", "转介绍", "电话", "活动", "网站")
INTENTS: Final = ("高", "中", "低")
VISIT_CHANNELS: Final = ("上门", "营业厅", "视频")
FEEDBACK_KINDS: Final = states.FEEDBACK_KINDS
FEEDBACK_CHANNELS: Final = ("电话", "微信", "营业厅", "短信")
SCORES: Final = range(1, 6)
ACTIVITY_KINDS: Final = ("visit", "call", "care", "gift", "email", "meeting", "campaign")

RIVALS_AT_ONCE: Final = 2
"""Rows for competitors in the form of a visit."""
EMPTY_ROWS: Final = 3
"""Rows for new custom fields in the form of a customer."""
LONGEST_NOTE: Final = 400
"""Characters of what was done about a feedback."""
