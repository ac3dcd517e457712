"""The sample of size S on real servers, where the acceptance queries and the analyses are compared on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from pymongo import MongoClient
from pymongo.database import Database
from pymysql.connections import Connection
from pymysql.cursors import Cursor
from sqlalchemy.engine import make_url

from crm_model import ENTITIES, install, sample
from crm_model.queries import QUESTIONS
from crm_model.tables import binary_collation
from platform_store import Platform
from tests.integration import plain_crm
from tests.servers.databases import connect_sql, fresh_mongodb_database, fresh_sql_database

TABLES = sorted({table for question in QUESTIONS for table in question.tables})

Answer = tuple[tuple[str, ...], Sequence[tuple[Any, ...]]]
"""The names of the columns, and the rows."""


@dataclass(frozen=True)
class CrmTwice:
    """The sample of size S twice on one server: in the library's tables, and in a plain database."""

    platform: Platform
    plain: Connection[Cursor]
    sample: sample.Sample
    halves: Connection[Cursor]  # the library's tables, and its collections, by plain drivers
    documents: Database[dict[str, Any]]

    def plain_answer(self, sql: str) -> Answer:
        with self.plain.cursor() as cursor:
            cursor.execute(sql)
            return tuple(column[0] for column in cursor.description or ()), cursor.fetchall()


@contextmanager
def loaded(url: str, mongodb_url: str) -> Iterator[CrmTwice]:
    """Loads the sample into databases of its own on these servers."""
    with ExitStack() as stack:
        mysql = stack.enter_context(fresh_sql_database(url))
        plain_url = stack.enter_context(fresh_sql_database(url))
        mongodb = stack.enter_context(fresh_mongodb_database(mongodb_url))
        platform = stack.enter_context(Platform.open(mysql=mysql, mongodb=mongodb))
        plain = stack.enter_context(connect_sql(plain_url, database=make_url(plain_url).database))
        halves = stack.enter_context(connect_sql(mysql, database=make_url(mysql).database))
        client = stack.enter_context(MongoClient[dict[str, Any]](mongodb))
        data = sample.Sample(sample.S)
        install(platform, TABLES)
        sample.load(platform, sample.S, TABLES)
        entities = [entity for entity in ENTITIES if entity.name in TABLES]
        plain_crm.create(plain, binary_collation(platform), entities)
        for entity in entities:
            plain_crm.insert(plain, entity, data.rows(entity.name))
        yield CrmTwice(platform, plain, data, halves, client.get_default_database())
