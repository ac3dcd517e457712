"""How data come and go."""

from __future__ import annotations

import io

from crm_model.crm import Crm
from crm_model.entities import MODELS, Activity, AuditLog, Customer
from crm_model.sample import Size, load
from crm_model.story.page import Page, check, refused
from crm_model.tables import install

SIZE = Size("demo", 700, 3_000, 500, 500)

_DIRTY = """\
客户编号,名称,电话,VIP等级,信用额度,来源,custom.网点数
N0001,黄山茶业（有限）公司,０５５９－２３１１０００,２,"¥12,000.00",展会,12
N0002,歙县砚台厂,,1,1.2万元,展会,
N0001,黄山茶业,,,,展会,
,无名氏,,,,,
N0003,徽州酒楼,13800000000,9,0,,3
N0004,屯溪老街客栈,13900000000,1,0.005,,
N0005,"=HYPERLINK(""http://example.com"")",,0,0,,
"""
_DEFAULTS = {"kind": "企业", "status": "正常", "stage": "潜在", "source": "导入", "credit_limit": "0", "owner_id": "7"}


def loaded(crm: Crm, page: Page) -> None:
    """The tables, and made-up rows."""
    page.heading("The tables of the CRM, with sample data")
    install(crm.platform)
    counts = load(crm.platform, SIZE)
    shown = []
    for model in MODELS[:6]:
        declared = model.declaration
        columns = "both" if declared.in_both else f"{len(declared.mysql_columns)} + {len(declared.documents)}"
        shown.append((model.table, columns, counts.get(model.table, 0)))
    page.rows(("table", "columns in MySQL + MongoDB", "rows"), shown)
    page.say(f"and {len(MODELS) - len(shown)} more; {sum(counts.values()):,} rows in all")
    (row,) = crm.platform.query("SELECT COUNT(*) FROM customer").all()
    check("the customers", row[0], SIZE.customers)


def imported(crm: Crm, page: Page) -> None:
    """A file as someone has typed it in, in GB18030."""
    page.heading("A CSV file as people write them, in GB18030: looked at, then brought in")
    opened = crm.import_csv(Customer, io.BytesIO(_DIRTY.encode("gb18030")), defaults=_DEFAULTS)
    seen = opened.preview()
    page.say(f"seen as {opened.encoding}; rows are matched by {', '.join(opened.key)}. preview():")
    page.rows(
        ("line", "becomes", "column", "why"), [(one.line, one.outcome, one.column, one.reason) for one in seen.problems]
    )
    done = opened.commit()
    check("what was done", done, seen)
    check(
        "what became of the rows",
        {name: count for name, count in done.counts.items() if count},
        {"inserted": 3, "duplicate": 1, "rejected": 3},
    )
    rows = crm.find(Customer, {"cust_no": ["N0001", "N0002", "N0005"]}, order_by=["cust_no"])
    page.say("commit(): the good rows in one transaction, with their audit entry:")
    page.rows(
        ("number", "name", "VIP", "credit limit", "custom"),
        [(one.cust_no, one.name, one.vip_level, one.credit_limit, one.custom) for one in rows],
    )
    check("the second time", opened.commit().counts["unchanged"], 3)
    stream = io.StringIO(newline="")
    crm.export(Customer, stream, columns=["cust_no", "name"], where={"cust_no": "N0005"}, labelled=True)
    page.say("The same file again changes nothing. An export keeps the formula in it from running:")
    page.say(stream.getvalue().splitlines()[1])


def purged(crm: Crm, page: Page, key: int) -> None:
    """A person's data erased everywhere: rows, documents, journal and audit log."""
    page.heading(f"Customer {key} wants to be forgotten")
    known = sum(crm.purge(key, dry_run=True).rows.values())
    gone = crm.purge(key)
    check("the rows erased", sum(gone.rows.values()), known)
    check("that nothing is left in any store", gone.complete, True)
    page.rows(("table", "rows erased, emptied or unbound"), sorted(gone.rows.items()))
    check("the activities left", crm.find(Activity, {"customer_id": key}, archived=True), [])
    told = crm.find(AuditLog, {"entity": Customer.table, "entity_id": key, "action": "record_feedback"})
    check(
        "what the audit log tells of it",
        [(one.before_state, one.after_state) for one in told],
        [(None, None)] * len(told),
    )
    page.say(
        "purge(): orders stay for the tax office, without the person; so do audit entries, without what they told."
    )
    refused(page, lambda: crm.restore(Customer, key))
