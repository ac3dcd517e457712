"""A console for those who may ask anything: one SELECT over both stores, with how it was answered."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Final

from fastapi import APIRouter, Response

from crm_model import ENTITIES
from crm_model.queries import QUESTIONS
from examples.crm_web.navigation import Entry, Pages
from examples.crm_web.problems import explained, status_of
from examples.crm_web.templating import shown
from examples.crm_web.visit import Posted, SignedIn, Visit
from platform_store import (
    NotSupported,
    Platform,
    PlatformStoreError,
    QueryNames,
    QueryPlan,
    SchemaError,
    ValueRejected,
)

router = APIRouter()
PAGES: Final = Pages(router, (Entry("/console", "console.title", "query_console"),))

MOST_ROWS: Final = 200
LONGEST: Final = 5000
SECONDS: Final = 15.0
"""What one question may take, reading its rows included."""
TABLES: Final = frozenset(entity.name for entity in ENTITIES)
ALLOWED: Final = frozenset({
    "all", "and", "any", "as", "between", "by", "case", "columns", "distinct", "else", "exists", "from", "having",
    "if", "in", "interval", "is", "join", "lateral", "like", "not", "on", "or", "over", "partition", "path", "rows",
    "select", "some", "then", "union", "using", "values", "when", "where", "window", "with", "xor", "binary",
    "char", "date", "datetime", "decimal", "signed", "time", "unsigned", "varchar", "avg", "bit_and", "bit_or",
    "bit_xor", "count", "group_concat", "json_arrayagg", "json_objectagg", "max", "min", "std", "stddev",
    "stddev_pop", "stddev_samp", "sum", "var_pop", "var_samp", "variance", "cume_dist", "dense_rank", "first_value",
    "lag", "last_value", "lead", "nth_value", "ntile", "percent_rank", "rank", "row_number", "abs", "ceil",
    "ceiling", "floor", "greatest", "least", "log", "log10", "mod", "pow", "power", "round", "sign", "sqrt",
    "truncate", "cast", "coalesce", "convert", "ifnull", "isnull", "nullif", "ascii", "char_length",
    "character_length", "concat", "concat_ws", "field", "find_in_set", "instr", "lcase", "left", "length", "locate",
    "lower", "ltrim", "mid", "position", "regexp_like", "replace", "reverse", "right", "rtrim", "substr",
    "substring", "substring_index", "trim", "ucase", "upper", "adddate", "addtime", "current_date",
    "current_timestamp", "curdate", "date_add", "date_format", "date_sub", "datediff", "day", "dayname",
    "dayofmonth", "dayofweek", "dayofyear", "extract", "from_unixtime", "hour", "last_day", "makedate", "minute",
    "month", "monthname", "now", "quarter", "second", "str_to_date", "subdate", "time_to_sec", "timestamp",
    "timestampdiff", "timestampadd", "to_days", "unix_timestamp", "utc_date", "utc_timestamp", "week", "weekday",
    "weekofyear", "year", "yearweek", "json_array", "json_contains", "json_contains_path", "json_depth",
    "json_exists", "json_extract", "json_keys", "json_length", "json_object", "json_overlaps", "json_quote",
    "json_search", "json_table", "json_type", "json_unquote", "json_valid", "json_value", "member", "of",
})  # fmt: skip
"""Functions, types and keywords that may stand before a parenthesis: none waits, locks, or leaves the tables."""
EMBEDDED: Final = "embedded"
EXAMPLES: Final = {
    "low": "SELECT c.name, f.occurred_at, f.score, f.text\nFROM feedback f JOIN customer c ON c.id = f.customer_id\n"
    "WHERE f.score <= 2 AND f.del_token = 0\nORDER BY f.id DESC LIMIT 20",
    "renewal": "SELECT city, COUNT(*) AS customers, AVG(credit_limit)\nFROM customer\n"
    "WHERE JSON_CONTAINS(tags, '\"续约期\"') AND del_token = 0\nGROUP BY city ORDER BY customers DESC, city",
    **{str(question.number): question.sql for question in QUESTIONS},
}
"""Statements to begin with. The first ones, which the embedded pair answers, too; then the questions of the CRM."""


@dataclass(frozen=True)
class Answer:
    """The first rows of a result, as text, whether there are more, and how the query was answered."""

    columns: tuple[str, ...]
    rows: list[list[str]]
    more: bool
    plan: QueryPlan


@router.get("/console")
def console(visit: SignedIn, example: str = "low") -> Response:
    """Asks for a statement."""
    visit.crm.check("query_console")
    return _page(visit, EXAMPLES.get(example, ""))


@router.post("/console")
def ask(visit: SignedIn, form: Posted) -> Response:
    """Answers a SELECT, or says why not."""
    visit.crm.check("query_console")
    sql = form.text("sql", required=True, longest=LONGEST)
    if sql is None:
        return _page(visit, form.raw("sql"), 400, problem=visit.texts(form.errors["sql"]))
    platform = visit.web.platform
    try:
        if foreign := refused_names(platform.query_names(sql)):
            return _page(visit, sql, 403, problem=visit.texts("console.other_names", names=", ".join(foreign)))
        if not visit.web.console.acquire(blocking=False):
            return _page(visit, sql, 503, problem=visit.texts("console.busy"))
        try:
            return _page(visit, sql, answer=_answer(platform, sql))
        finally:
            visit.web.console.release()
    except NotSupported as error:
        return _page(visit, sql, 501, refused=str(error))
    except (SchemaError, ValueRejected) as error:  # MySQL's own words about the statement
        return _page(visit, sql, 400, problem=str(error))
    except PlatformStoreError as error:
        return _page(visit, sql, status_of(error), problem=explained(error, visit.texts))


def _answer(platform: Platform, sql: str) -> Answer:
    with platform.query(sql, seconds=SECONDS) as result:
        rows = [[shown(value) for value in row] for row in islice(result, MOST_ROWS + 1)]
        return Answer(result.columns, rows[:MOST_ROWS], len(rows) > MOST_ROWS, result.plan)


def refused_names(names: QueryNames) -> list[str]:
    """What the console does not let a statement name: the database account may well read more than the CRM's tables,
    such as ``mysql.user`` and files of the server."""
    refused = {*names.others, *(set(names.tables) - TABLES), *(set(names.functions) - ALLOWED)}
    return sorted({*refused, "@"} if names.variables else refused)


def _page(
    visit: Visit,
    sql: str,
    status: int = 200,
    *,
    answer: Answer | None = None,
    refused: str | None = None,
    problem: str | None = None,
) -> Response:
    return visit.page(
        "console.html",
        status,
        sql=sql,
        longest=LONGEST,
        examples=list(EXAMPLES),
        example=next((name for name, one in EXAMPLES.items() if one == sql), None),
        answer=answer,
        refused=refused,
        problem=problem,
        embedded=visit.web.platform.status().backend == EMBEDDED,
    )
