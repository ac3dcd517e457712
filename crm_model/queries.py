"""Ten questions that the business asks, each over both stores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from crm_model.errors import InvalidInput
from platform_store import Platform


@dataclass(frozen=True)
class Question:
    """A question, and the SELECT over logical tables that answers it. ``ordered``: its ORDER BY leaves no ties."""

    number: int
    about: str
    sql: str
    tables: tuple[str, ...]
    ordered: bool = False


@dataclass(frozen=True)
class Answer:
    """What a question was answered: the names of the columns, and the rows."""

    question: Question
    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]


def ask(platform: Platform, number: int) -> Answer:
    """Asks one of the ten; they are short answers, held in memory.

    Raises InvalidInput where there is no question of that number, platform_store.NotSupported where the embedded pair
    cannot answer it: it needs a MySQL.
    """
    question = next((one for one in QUESTIONS if one.number == number), None)
    if question is None:
        raise InvalidInput(
            "number",
            "not-in-range",
            f"there are the questions 1 to {len(QUESTIONS)}, not {number}",
            least=1,
            most=len(QUESTIONS),
        )
    with platform.query(question.sql) as result:
        return Answer(question, result.columns, tuple(result))


QUESTIONS: Final = (
    Question(
        1,
        "VIP customers of Beijing whose last visit was about 联通",
        "SELECT c.id,v.summary FROM customer c JOIN activity v ON v.customer_id=c.id "
        "WHERE c.city='北京' AND c.vip_level>=3 AND c.del_token=0 AND v.kind='visit' AND v.summary LIKE '%联通%' "
        "AND v.occurred_at=(SELECT MAX(x.occurred_at) FROM activity x WHERE x.customer_id=c.id AND x.kind='visit')",
        ("customer", "activity"),
    ),
    Question(
        2,
        "operators whose customers complain of prices, worst first",
        "SELECT o.id,o.name,COUNT(*) n,AVG(f.score) s FROM feedback f JOIN operator o ON o.id=f.operator_id "
        "WHERE JSON_CONTAINS(f.tags,'\"价格\"') GROUP BY o.id,o.name HAVING COUNT(*)>=5 ORDER BY s,o.id",
        ("feedback", "operator"),
        ordered=True,
    ),
    Question(
        3,
        "the next page of a customer's timeline",
        "SELECT id,kind,occurred_at,summary FROM activity WHERE customer_id=674 AND (occurred_at<'2026-05-01' "
        "OR (occurred_at='2026-05-01' AND id<9)) AND del_token=0 ORDER BY occurred_at DESC,id DESC LIMIT 50",
        ("activity",),
        ordered=True,
    ),
    Question(
        4,
        "open opportunities without a sign of interest lately, by weighted amount",
        "SELECT p.id,p.amount*p.probability/100 w FROM opportunity p WHERE p.stage IN('方案','谈判') "
        "AND NOT EXISTS(SELECT 1 FROM activity v WHERE v.customer_id=p.customer_id AND v.occurred_at>='2026-05-01' "
        "AND JSON_VALUE(v.outcome,'$.intent')='高') ORDER BY w DESC,p.id LIMIT 20",
        ("opportunity", "activity"),
        ordered=True,
    ),
    Question(
        5,
        "to whom sales were lost over the price",
        "SELECT JSON_VALUE(lost,'$.to') rival,COUNT(*) n,SUM(amount) m FROM opportunity "
        "WHERE stage='流失' AND JSON_VALUE(lost,'$.reason')='价格' GROUP BY rival ORDER BY m DESC",
        ("opportunity",),
    ),
    Question(
        6,
        "what open complaints are about",
        "SELECT t.tag,COUNT(*) n,AVG(f.score) s FROM feedback f "
        "JOIN JSON_TABLE(f.tags,'$[*]' COLUMNS(tag VARCHAR(32) PATH '$')) t "
        "WHERE f.kind='投诉' AND f.status<>'已关闭' GROUP BY t.tag",
        ("feedback",),
    ),
    Question(
        7,
        "accounts worth becoming customers: good payers with a leased line",
        "SELECT boss_no,arpu_3m FROM billing_customer WHERE customer_id IS NULL AND arpu_3m>=200 AND arrears=0 "
        "AND tenure_months>=12 AND JSON_SEARCH(services,'one','专线',NULL,'$[*].code') IS NOT NULL "
        "ORDER BY arpu_3m DESC,id LIMIT 100",
        ("billing_customer",),
        ordered=True,
    ),
    Question(
        8,
        "customers about to renew who complained of the service, with what they bought",
        "SELECT c.id,MAX(s.ordered_at) r,COUNT(s.id) f,SUM(s.amount) m FROM customer c "
        "LEFT JOIN sales_order s ON s.customer_id=c.id AND s.status='已完成' WHERE JSON_CONTAINS(c.tags,'\"续约期\"') "
        "AND EXISTS(SELECT 1 FROM feedback f WHERE f.customer_id=c.id AND f.score<=2 AND f.text LIKE '%服务%') "
        "GROUP BY c.id ORDER BY m DESC,c.id LIMIT 50",
        ("customer", "sales_order", "feedback"),
        ordered=True,
    ),
    Question(
        9,
        "what customers spend at 联通, by city",
        "SELECT city,COUNT(*) n,AVG(CAST(JSON_VALUE(extension,'$.competitor_spend.\"联通\"') AS DECIMAL(12,2))) a "
        "FROM customer WHERE JSON_VALUE(extension,'$.competitor_spend.\"联通\"') IS NOT NULL GROUP BY city",
        ("customer",),
    ),
    Question(
        10,
        "whether care reaches customers that have broken with us",
        "SELECT JSON_VALUE(a.care,'$.effect') e,COUNT(DISTINCT a.customer_id) n FROM activity a "
        "JOIN customer c ON c.id=a.customer_id WHERE a.kind='care' AND c.stage='破裂' GROUP BY e",
        ("activity", "customer"),
    ),
)
