"""The problems of rows, and what would mend them: documents for new revisions. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from platform_store.association import Association, Column, KeyValues
from platform_store.errors import ValueRejected
from platform_store.halves import fields_of
from platform_store.names import DELETED
from platform_store.rows import encode_image
from platform_store.selection import plain_value
from platform_store.verify.scan import differing, encoded
from platform_store.verify.twofold import Twofold
from platform_store.verify.values import ColumnCheck

Exact = Mapping[str, object]
"""Stored values of the columns that are in both stores, as MySQL has them."""


@dataclass(frozen=True, slots=True)
class Problem:
    """See :class:`~platform_store.records.Difference`.

    ``image``: the document that a new revision of the row would have. ``shadows``: what MySQL's copies of document
    columns would be. ``removes``: the revision of the document that has to go (0: it has none); None where none has to.
    ``applies``: the journal's pending document is brought again.
    """

    kind: Literal["missing", "extra", "different"]
    columns: tuple[str, ...]
    detail: str
    repair: str = ""
    image: bytes | None = None
    shadows: Mapping[str, object] = field(default_factory=dict)
    removes: object = None
    applies: bool = False

    def removing(self, revision: object) -> Problem:
        """With the document in the way removed, where a new one would come: no later one could take its place."""
        return self if self.image is None else replace(self, removes=revision)


class Renewer:
    """Documents for new revisions of the rows of one table."""

    def __init__(self, association: Association, both: Twofold, checks: list[ColumnCheck]):
        self._association, self._both, self._checks = association, both, checks
        self._shadows = {column.name for column in both.shadows}
        # Where MySQL has every column, it knows the whole document.
        only = [column for column in association.document_only if column.name not in self._shadows]
        self.mysql_knows_all = not only and not association.extra

    def mysql_knows(self, column: str) -> bool:
        """Whether MySQL has the value of a column that documents answer for."""
        return column in self._shadows

    def from_mysql(self, problem: Problem, key: KeyValues, fields: dict[str, Any], exact: Exact) -> Problem:
        """What MySQL knows, beside ``fields``; columns that only documents had take their default, or become NULL."""
        lacking = []
        for column in self._association.document_only:
            if column.field in fields:
                continue
            if column.name in self._shadows:
                (value,) = encoded(column, [exact[column.name]])
            else:
                (value,) = encoded(column, [None if column.nullable else column.attribute.default])
            if value is not None:
                fields[column.field] = value
            elif not column.nullable:
                lacking.append(column.name)
        if lacking and not self._association.discarded_at:
            return replace(problem, detail=f"{problem.detail}; NOT NULL without a default: {', '.join(lacking)}")
        return self.renewed(replace(problem, repair="a new revision of what MySQL knows"), key, fields, exact)

    def from_document(self, problem: Problem, key: KeyValues, document: Mapping[str, Any], exact: Exact) -> Problem:
        """The document's values, as their columns hold them."""
        fields = self.kept(document)
        for check in self._checks:
            column, value = check.column, fields.get(check.column.field)
            if check.fault(value) is None:
                continue
            held = None if value is None else _held(column, value)
            if held is None:
                return replace(problem, detail=f"{problem.detail}; its {column.name} fits the column in no form")
            fields[column.field] = held
        return self.renewed(replace(problem, repair="a new revision of the document's values"), key, fields, exact)

    def renewed(self, problem: Problem, key: KeyValues, fields: dict[str, Any], exact: Exact) -> Problem:
        """These fields, with MySQL's values of the columns that it answers for; and its copies of the others."""
        for column in self._both.copies:
            fields.pop(column.field, None)
            (value,) = encoded(column, [exact[column.name]])
            if value is not None:
                fields[column.field] = value
        return replace(
            problem,
            repair=problem.repair or "a new revision with MySQL's values",
            image=encode_image(self._association, key, fields),
            shadows=self.stale_shadows(fields, exact),
        )

    def stale_shadows(self, fields: Mapping[str, Any], exact: Exact) -> dict[str, object]:
        """What MySQL's copies of document columns have to become. The fields are such as their columns hold."""
        stale: dict[str, object] = {}
        for column in self._both.shadows:
            value = fields.get(column.field)
            if differing(encoded(column, [exact[column.name]]), [value]):
                stale[column.name] = None if value is None else column.codec.stored_from_bson(value)
        return stale

    def kept(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """A document's own fields, those of dropped columns aside."""
        unkept = {*self._association.retired, DELETED}
        return {name: value for name, value in fields_of(document).items() if name not in unkept}


def _held(column: Column, value: object) -> Any:
    """The BSON form of a foreign value as its column would hold it; None where it cannot."""
    try:
        return column.codec.encode(plain_value(value))
    except ValueRejected:
        return None
