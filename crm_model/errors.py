"""What the services of the CRM raise beside the errors of the library, which all of these are, too."""

from __future__ import annotations

from platform_store import PlatformStoreError


class CrmError(PlatformStoreError):
    """Something that the CRM does not do. Nothing was written."""


class NotFound(CrmError):
    """There is no such row, or it is archived. ``table`` and ``key`` say which; ``merged_into`` what became of it."""

    def __init__(self, table: str, key: object, *, archived: bool = False, merged_into: int | None = None):
        if merged_into is not None:
            state = f"was merged into {merged_into}; use that one"
        else:
            state = "is archived; restore it first" if archived else "is not there"
        super().__init__(f"{table} {key!r} {state}")
        self.table, self.key, self.archived, self.merged_into = table, key, archived, merged_into


class NotPermitted(CrmError):
    """The policy does not let this operator do so."""

    def __init__(self, operator_id: int, action: str, table: str | None = None, key: object = None):
        what = f" of {table} {key!r}" if table else ""
        super().__init__(f"operator {operator_id} may not do this: {action}{what}; ask someone whose role permits it")
        self.operator_id, self.action, self.table, self.key = operator_id, action, table, key


class Refused(CrmError):
    """A rule of the business stands against it; the message says which, and what to do."""


class InvalidInput(CrmError):
    """A value that makes no sense where it was given. ``field`` names it."""

    def __init__(self, field: str, message: str):
        super().__init__(f"{field}: {message}")
        self.field = field
