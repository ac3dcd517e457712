"""Names and sentences: whole phrases, so that texts read as people write them."""

from __future__ import annotations

from typing import Final

from crm_model.sample.draw import Draw, spread

SURNAMES: Final = spread(
    {
        **dict(zip("王李张刘陈", (72, 72, 68, 54, 45), strict=True)),
        **dict.fromkeys("杨黄赵吴周", 20),
        **dict.fromkeys("徐孙马朱胡郭何林高罗", 13),
        **dict.fromkeys("郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈", 5),
        **dict.fromkeys(("欧阳", "上官", "司马", "诸葛", "𠮷"), 1),
    }
)
_GIVEN_FIRST: Final = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华建国文志海晓雨子佳欣宇浩思嘉俊"
_GIVEN_SECOND: Final = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超霞平刚英华玉国文辉鹏飞龙波斌峰琴云莲梅兰凤"
_BRANDS: Final = (
    *("远景", "恒达", "新联", "华盛", "瑞丰", "金鼎", "天宇", "博雅", "中科", "宏图", "鑫源", "德润", "汇通", "长风"),
    *("百川", "启明", "九州", "海蓝", "正泰", "云帆", "聚力", "万和", "东升", "同创", "锦绣", "赛维", "ABC", "3D"),
    *("E联", "QY", "K2", "亿达", "立信", "泽丰", "银河", "绿源"),
)
INDUSTRIES: Final = ("制造", "物流", "教育", "医疗", "餐饮", "零售", "建筑", "软件", "金融", "农业", "传媒", "政务")
_TRADES: Final = (
    "科技",
    "贸易",
    "物流",
    "实业",
    "建筑工程",
    "网络",
    "医药",
    "餐饮管理",
    "传媒",
    "教育",
    "机电设备",
)
_FORMS: Final = ("有限公司", "有限公司", "有限公司", "股份有限公司", "有限责任公司", "集团")
_MOBILE: Final = ("134", "135", "136", "137", "138", "139", "150", "151", "158", "159", "182", "187", "188", "198")
POSITIONS: Final = ("总经理", "信息部主任", "采购经理", "财务总监", "办公室主任", "运维工程师", "行政专员")
HOBBIES: Final = ("喝茶", "围棋", "登山", "摄影", "书法", "钓鱼", "羽毛球", "自驾", "烹饪", "听戏", "跑步", "🏸")
HABITS: Final = ("上午接待来访", "下午三点以后方便", "只用微信联系", "不喜欢电话", "先约秘书", "出差较多")
RIVALS: Final = spread({"联通": 50, "电信": 38, "广电": 12})
FOUR_BYTES: Final = ("😀", "👍", "📞", "🎁", "𠮷", "🙏")
PRODUCTS: Final = ("专线", "云桌面", "5G套餐", "企业宽带", "短信平台", "物联网卡", "视频会议", "云主机", "集团彩铃")

CUSTOMER_TAGS: Final = ("重点", "续约期", "价格敏感", "老客户", "转介绍", "多网点", "关键人变动", "决策慢", "付款及时")
ACTIVITY_TAGS: Final = ("首次", "回访", "高层", "技术交流", "催款", "续约", "投诉处理", "演示")
FEEDBACK_TAGS: Final = ("价格", "服务", "网络", "账单", "速度", "态度", "合约", "覆盖")
QUOTES: Final = ("报价低两成", "承诺免费安装", "送半年云存储", "已上门测试", "方案较完整", "关系较深")
INTENTS: Final = spread({"高": 25, "中": 45, "低": 30})
NEXT_STEPS: Final = ("发送报价", "安排演示", "约高层会面", "提交合同", "等待预算", "再次回访")
EFFECTS: Final = spread({"好": 40, "一般": 35, "无效": 15, "反感": 10})
CARE_CATEGORIES: Final = ("生日", "节日", "续约前", "投诉后", "开业", "住院")
LOST_REASONS: Final = spread({"价格": 40, "服务": 15, "功能": 15, "关系": 15, "预算取消": 15})
NEEDS: Final = ("扩容带宽", "统一通信", "降低成本", "上云", "网点组网", "安全防护", "移动办公")

_MET: Final = (
    "上门拜访{who},",
    "与{who}当面沟通,",
    "到客户办公室见到{who},",
    "应约拜访{who},",
    "陪同事拜访{who},",
)
_TALK: Final = (
    "介绍了{what}的新资费,客户比较满意,希望下个季度给出长期合约的优惠。",
    "客户反映{what}近期不稳定,已转网络部安排工程师一周之内检测。",
    "客户计划年底扩建,{what}的需求预计增加一倍以上。",
    "讨论{what}的续约条件,对方要求三天之内给出书面方案。",
    "客户对{what}的账单有疑问,逐项解释之后表示理解。",
    "确认{what}的安装时间,施工当天需要物业配合。",
    "对方下个月换负责人,{what}的合同先不签,需要提前认识接任的同事。",
)
_RIVAL: Final = (
    "{rival}上周来访,{quote}。",
    "提到{rival}{quote},建议尽快回应。",
    "桌上放着{rival}的方案,据说{quote}。",
    "客户正在和{rival}谈,对方{quote}。",
)
_SAID: Final = {
    "价格": (
        "套餐价格太贵,同样的服务别家便宜得多。",
        "续约涨价没有提前说明,价格不能接受。",
        "价格合适,比去年划算。",
    ),
    "服务": ("服务热线打了三次才接通,服务态度要改进。", "客户经理服务很耐心,问题当天解决。", "上门服务迟到两个小时。"),
    "网络": ("办公楼三层信号弱,打电话断断续续。", "晚上网络很卡,视频会议开不了。", "换了设备以后网络稳定多了。"),
    "账单": ("账单里多了一项没订过的业务,要求退费。", "电子账单看不懂,希望每月发送说明。", "账单清楚,没有问题。"),
    "速度": ("下载速度达不到合同写的带宽。", "开通速度很快,当天就用上了。", "上传速度慢,文件传不上去。"),
    "态度": ("营业厅人员态度冷淡,问什么都说不知道。", "安装师傅态度很好,还帮忙整理了线路。", "电话回访语气生硬。"),
    "合约": ("合约期太长,提前解约还要付违约金。", "合约条款写得不清楚。", "合约到期前有人提醒,很好。"),
    "覆盖": ("新厂区没有覆盖,工人都用别家的卡。", "地下车库没有信号。", "仓库覆盖加强以后满意。"),
}
_NOTES: Final = {
    "call": ("电话回访{who},{what}使用正常。", "{who}来电咨询{what},已答复。", "致电{who},无人接听,改日再联系。"),
    "care": ("向{who}致以节日问候。", "{who}生日,送上祝福并了解{what}使用情况。", "服务关怀:询问{what}近况。"),
    "gift": ("赠送{who}礼品一份,当面签收。", "邮寄礼品给{who},物流已签收。"),
    "email": ("邮件发送{what}报价单给{who}。", "{who}回信确认{what}方案。", "群发{what}升级通知。"),
    "meeting": ("与{who}召开{what}项目例会。", "{what}方案评审会,{who}提出三点修改意见。"),
    "campaign": ("短信推送{what}优惠活动。", "邀请{who}参加{what}体验日。"),
}


def person(draw: Draw) -> str:
    """A person's name."""
    second = draw.pick(_GIVEN_SECOND) if draw.random() < 0.8 else ""
    return draw.pick(SURNAMES) + draw.pick(_GIVEN_FIRST) + second


def company(draw: Draw, city: str) -> str:
    """A company's name."""
    name = draw.pick(_BRANDS) + draw.pick(_TRADES) + draw.pick(_FORMS)
    return f"{name}({city})" if draw.random() < 0.1 else city + name


def mobile(draw: Draw) -> str:
    """A mobile number: eleven digits."""
    return f"{draw.pick(_MOBILE)}{int(draw.random() * 100_000_000):08d}"


def visit(draw: Draw, rival: str | None) -> str:
    """What was said on a visit."""
    text = draw.pick(_MET).format(who=draw.pick(POSITIONS)) + draw.pick(_TALK).format(what=draw.pick(PRODUCTS))
    return text if rival is None else text + draw.pick(_RIVAL).format(rival=rival, quote=draw.pick(QUOTES))


def note(draw: Draw, kind: str) -> str:
    """What was said on another occasion."""
    return draw.pick(_NOTES[kind]).format(who=draw.pick(POSITIONS), what=draw.pick(PRODUCTS))


def said(draw: Draw, tag: str) -> str:
    """What a customer said about us."""
    return draw.pick(_SAID[tag])
