"""What the services of the CRM raise beside the errors of the library, which all of these are, too."""

from __future__ import annotations

from collections.abc import Mapping

from platform_store import PlatformStoreError


class CrmError(PlatformStoreError):
    """Base of the errors that the CRM adds to those of the library. Nothing was written.

    Raised itself by no service.

    Attributes:
        code: what stands in the way, in a word that stays the same from version to version, such as "card-in-use".
        details: what it is about, by name, such as ``{"card_no": "V001", "customer_id": 7}``; the same for each code.

    What to do: catch it to tell a user what is wrong: every message is one line without personal data. Decide by the
    code, or translate it, with its details; the message's words may change.
    """

    def __init__(self, code: str, message: str, /, **details: object):
        super().__init__(message)
        self.code = code
        self.details: Mapping[str, object] = details


class NotFound(CrmError):
    """There is no such row, or it is archived or merged; nothing was written.

    Attributes:
        table: where it was looked for.
        key: its ``id``, or the natural key that it was looked for by.
        archived: whether it is there, but archived.
        merged_into: the ``id`` of the customer that it was merged into; None for any other.

    What to do: where ``merged_into`` says so, use that customer; where ``archived`` does, ``restore`` it first.
    """

    def __init__(self, table: str, key: object, *, archived: bool = False, merged_into: int | None = None):
        details = {"table": table, "key": key}
        if merged_into is not None:
            code, state = "merged", f"was merged into {merged_into}; use that one"
            details["merged_into"] = merged_into
        elif archived:
            code, state = "archived", "is archived; restore it first"
        else:
            code, state = "not-there", "is not there"
        super().__init__(code, f"{table} {key!r} {state}", **details)
        self.table, self.key, self.archived, self.merged_into = table, key, archived, merged_into


class NotPermitted(CrmError):
    """The policy does not let this operator do so; nothing was written.

    Attributes:
        operator_id: who is at work.
        action: the service's name.
        table: of the row that is out of reach; None where the service as a whole is.
        key: of that row.

    What to do: let somebody do it whose role permits it, or change the :class:`RolePolicy`.
    """

    def __init__(self, operator_id: int, action: str, table: str | None = None, key: object = None):
        what = f" of {table} {key!r}" if table else ""
        super().__init__(
            "not-permitted",
            f"operator {operator_id} may not do this: {action}{what}; ask someone whose role permits it",
            operator_id=operator_id,
            action=action,
            table=table,
            key=key,
        )
        self.operator_id, self.action, self.table, self.key = operator_id, action, table, key


class Refused(CrmError):
    """A rule of the business stands against it, such as a card that is somebody else's; nothing was written.

    What to do: what the message says: it names the rule, the row, and the way around.
    """


class InvalidInput(CrmError):
    """A value that makes no sense where it was given; nothing was written.

    Attributes:
        field: the parameter, column or place in a document that it was given for.

    What to do: correct that value; the message says what it can be, and does not repeat it.
    """

    def __init__(self, field: str, code: str, message: str, /, **details: object):
        super().__init__(code, f"{field}: {message}", **details)
        self.field = field
