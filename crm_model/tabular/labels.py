"""What people call the columns: the headers of CSV files, in Chinese and English."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Final

LABELS: Final[Mapping[str, Sequence[str]]] = {
    "id": ("ID",),
    "created_at": ("创建时间",),
    "updated_at": ("更新时间",),
    "del_token": ("归档标记",),
    "version": ("版本",),
    "name": ("名称", "姓名", "名字"),
    "name_key": ("检索名",),
    "kind": ("类型", "类别"),
    "status": ("状态",),
    "phone": ("电话", "手机", "手机号", "手机号码", "联系电话", "电话号码", "mobile", "telephone", "phone number"),
    "title": ("标题", "主题", "subject"),
    "channel": ("渠道", "方式"),
    "source": ("来源",),
    "stage": ("阶段",),
    "amount": ("金额", "总金额"),
    "tags": ("标签",),
    "custom": ("自定义字段", "自定义"),
    "attachments": ("附件",),
    "occurred_at": ("发生时间", "时间", "日期", "date"),
    "due_at": ("截止时间", "到期时间"),
    "priority": ("优先级",),
    "customer_id": ("客户ID",),
    "owner_id": ("负责人ID", "客户经理ID"),
    "operator_id": ("经办人ID",),
    "contact_id": ("联系人ID",),
    "assignee_id": ("责任人ID",),
    "opportunity_id": ("商机ID",),
    "product_id": ("产品ID",),
    "spec": ("规格",),
    "docs": ("资料",),
    # operator
    "login": ("账号", "登录名", "工号"),
    "role": ("角色",),
    "manager_id": ("上级ID",),
    "region": ("区域", "地区"),
    # customer
    "cust_no": ("客户编号", "客户号", "客户编码", "customer no", "customer number"),
    "id_hash": ("证件摘要",),
    "province": ("省份", "省"),
    "city": ("城市", "市", "地市"),
    "industry": ("行业", "所属行业"),
    "vip_level": ("VIP等级", "VIP级别", "贵宾等级", "vip"),
    "credit_limit": ("信用额度", "授信额度"),
    "satisfaction": ("满意度",),
    "parent_id": ("上级客户ID",),
    "merged_into": ("并入客户ID",),
    "profile": ("画像",),
    "extension": ("扩展信息",),
    "agreements": ("协议",),
    # contact
    "email": ("邮箱", "电子邮箱", "电子邮件", "mail"),
    "birthday": ("生日", "出生日期"),
    "is_primary": ("主要联系人", "首要联系人"),
    "im": ("即时通讯",),
    "preferences": ("偏好",),
    # billing_customer
    "boss_no": ("计费账号", "BOSS编号", "BOSS号"),
    "plan_code": ("套餐", "套餐编码"),
    "arpu_3m": ("近三月ARPU", "ARPU"),
    "tenure_months": ("在网月数", "网龄"),
    "arrears": ("欠费", "欠费金额"),
    "promoted_at": ("转为客户时间",),
    "usage_log": ("用量",),
    "services": ("业务",),
    # vip_card
    "card_no": ("卡号",),
    "level": ("级别", "等级"),
    "location": ("存放地", "位置"),
    "bound_at": ("绑定时间",),
    "moves": ("流转记录",),
    # approval
    "subject_id": ("对象ID",),
    "requested": ("申请值",),
    "applicant_id": ("申请人ID",),
    "approver_id": ("审批人ID",),
    "decided_at": ("审批时间",),
    "form": ("表单",),
    "comments": ("意见",),
    # activity
    "duration_min": ("时长分钟", "时长", "时长（分钟）"),
    "ref_type": ("关联类型",),
    "ref_id": ("关联ID",),
    "summary": ("纪要", "摘要", "内容", "备注"),
    "competitors": ("竞品",),
    "outcome": ("结果",),
    "care": ("关怀",),
    "gift": ("礼品",),
    "gps": ("定位",),
    # feedback
    "activity_id": ("活动ID",),
    "score": ("评分", "得分", "分数"),
    "resolved_at": ("解决时间",),
    "text": ("反馈内容", "内容"),
    "answers": ("答卷",),
    "product": ("产品",),
    "handling": ("处理经过",),
    # task
    "remind_at": ("提醒时间",),
    "origin": ("起因",),
    "dedupe_key": ("去重键",),
    "rule": ("规则",),
    "checklist": ("清单",),
    "notify": ("通知人",),
    # opportunity
    "probability": ("成功率", "概率", "赢率"),
    "expected_close": ("预计成交日", "预计成交日期", "预计签约日期"),
    "closed_at": ("关闭时间",),
    "last_stage_at": ("进入阶段时间",),
    "needs": ("需求",),
    "lost": ("流失原因",),
    "stage_log": ("阶段记录",),
    # sales_order, order_item
    "order_no": ("订单号", "订单编号"),
    "ordered_at": ("下单时间", "订单日期"),
    "pay_method": ("支付方式", "付款方式"),
    "items": ("明细",),
    "delivery": ("配送",),
    "invoice": ("发票",),
    "order_id": ("订单ID",),
    "line_no": ("行号",),
    "qty": ("数量",),
    "price": ("单价",),
    # sales_lead
    "company": ("公司", "单位"),
    "converted_at": ("转化时间",),
    "raw": ("原始信息",),
    "behaviours": ("行为",),
    "why_not_bought": ("未购原因",),
    # product, gift, stock_move
    "code": ("产品编码", "编码"),
    "category": ("分类", "类别"),
    "unit_price": ("单价",),
    "sku": ("礼品编码", "SKU"),
    "unit_cost": ("单位成本", "成本"),
    "stock_qty": ("库存", "库存数量"),
    "item_type": ("物品类型",),
    "item_id": ("物品ID",),
    "from_loc": ("调出地",),
    "to_loc": ("调入地",),
    "at": ("时间",),
    "document": ("单据",),
    # campaign
    "starts_at": ("开始时间",),
    "ends_at": ("结束时间",),
    "budget": ("预算",),
    "plan": ("方案",),
    "audience": ("对象",),
    "metrics": ("成效",),
    # ticket, kb_article
    "ticket_no": ("工单号", "工单编号"),
    "opened_at": ("受理时间",),
    "description": ("描述", "内容"),
    "thread": ("往来",),
    "solution": ("解决办法",),
    "author_id": ("作者ID",),
    "body": ("正文", "内容"),
    "keywords": ("关键词",),
    # audit_log
    "actor_id": ("操作人ID",),
    "action": ("操作",),
    "entity": ("表",),
    "entity_id": ("行ID",),
    "trace_id": ("操作编号",),
    "before_state": ("变更前",),
    "after_state": ("变更后",),
    "meta": ("附注",),
}
"""By column, the label that an export gives it first."""

OWN_LABELS: Final[Mapping[tuple[str, str], Sequence[str]]] = {
    ("customer", "name"): ("客户名称", "客户姓名", "名称", "姓名", "客户名"),
    ("contact", "name"): ("姓名", "联系人", "联系人姓名", "名字"),
    ("contact", "title"): ("职务", "职位"),
    ("operator", "name"): ("姓名",),
    ("sales_lead", "name"): ("姓名", "线索名称"),
    ("kb_article", "category"): ("分类", "类别"),
}
"""By table and column: instead of those above."""


def labels(table: str, column: str) -> Sequence[str]:
    """What people call a column of a table, the usual label first; none where it is nobody's but an application's."""
    return OWN_LABELS.get((table, column)) or LABELS.get(column, ())


def normal(header: str) -> str:
    """What headers are compared by: ``Cust No``, ``cust_no`` and ``ＣＵＳＴ－ＮＯ`` are the same."""
    plain = unicodedata.normalize("NFKC", header).casefold()
    return "".join(character for character in plain if character.isalnum())
