"""Names and phone numbers as they are searched by, however they were typed in."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_SIMPLIFIED: Final = (
    "张陈杨黄赵吴孙马刘许韩冯邓萧沈吕苏卢蒋叶余谭邹陆贾韦闫钟贺顾龙钱汤尹黎邵万严郑罗谢"
    "伟丽军杰娟涛刚桂华国兰红飞鹏宁辉亚凤玉莹庆云东荣贤义齐宝爱琼维岚颖诚远达业兴实发网络电讯"
    "广亿汇联盛银锋创物运贸环节资产药医机设备计软数时传图书连锁车级师学会馆饮农长泽绿"
)
_TRADITIONAL: Final = (
    "張陳楊黃趙吳孫馬劉許韓馮鄧蕭瀋呂蘇盧蔣葉餘譚鄒陸賈韋閆鐘賀顧龍錢湯尹黎邵萬嚴鄭羅謝"
    "偉麗軍傑娟濤剛桂華國蘭紅飛鵬寧輝亞鳳玉瑩慶雲東榮賢義齊寶愛瓊維嵐穎誠遠達業興實發網絡電訊"
    "廣億匯聯盛銀鋒創物運貿環節資產藥醫機設備計軟數時傳圖書連鎖車級師學會館飲農長澤綠"
)
TO_SIMPLIFIED: Final = str.maketrans(_TRADITIONAL, _SIMPLIFIED)
TO_TRADITIONAL: Final = str.maketrans(_SIMPLIFIED, _TRADITIONAL)
"""Characters that are common in names: one for one, which is not so for all characters."""

_CHINA: Final = "86"
_DIGITS: Final = frozenset("0123456789")
_MOBILE_WITH_COUNTRY: Final = re.compile(r"861[3-9]\d{9}", re.ASCII)


def name_key(name: str) -> str:
    """What a name is searched and compared by: full width, case, traditional characters and marks make no difference.

    ``name_key("ＡＢＣ（北京）科技") == name_key("abc(北京) 科技")``.
    """
    plain = unicodedata.normalize("NFKC", name).casefold().translate(TO_SIMPLIFIED)
    return plain if plain.isalnum() else "".join(character for character in plain if character.isalnum())


def phone_key(phone: str | None) -> str | None:
    """What a phone number is searched and compared by; None where there are no digits.

    Full width, separators, China's country code (``+86``, ``0086``, and ``86`` before a mobile number) and zeros in
    front make no difference; another country's code stays, with ``+``::

        phone_key("０１０-8888 6666") == phone_key("+86 (10) 88886666") == "1088886666"
        phone_key("86 138-0013-8000") == phone_key("013800138000") == "13800138000"
        phone_key("0044 20 7946 0000") == "+442079460000"
    """
    plain = unicodedata.normalize("NFKC", phone or "").strip()
    digits = "".join(character for character in plain if character in _DIGITS)
    if plain.startswith("+") or digits.startswith("00"):
        digits = digits.removeprefix("00")
        if not digits.startswith(_CHINA):
            return f"+{digits}" if digits else None
        digits = digits.removeprefix(_CHINA)
    elif _MOBILE_WITH_COUNTRY.fullmatch(digits):
        digits = digits.removeprefix(_CHINA)
    return digits.lstrip("0") or None
