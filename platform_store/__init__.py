"""One logical row across MySQL and MongoDB.

:class:`Platform` is the entry point; the names below are the public interface.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

from platform_store.codecs import JsonText
from platform_store.config import Config
from platform_store.errors import (
    ConfigError,
    Conflict,
    Diverged,
    LimitExceeded,
    NotSupported,
    OutcomeUnknown,
    PlatformStoreError,
    RowExists,
    RowNotFound,
    SchemaError,
    TransientError,
    Unavailable,
    ValueRejected,
)
from platform_store.query.plan import QueryPlan, SourcePlan
from platform_store.records import (
    Adoption,
    ColumnAttribute,
    ColumnDescription,
    ColumnValue,
    Finding,
    Index,
    JobDescription,
    Migrated,
    MigrationPlan,
    Moved,
    Progress,
    Range,
    Recovered,
    Removed,
    Status,
    TableDescription,
    WriteCounts,
)
from platform_store.verify.findings import Difference, Verification

if TYPE_CHECKING:
    from platform_store.facade import Platform
    from platform_store.query.names import QueryNames
    from platform_store.query.result import QueryResult
    from platform_store.transaction import Transaction

__all__ = [
    "Adoption",
    "ColumnAttribute",
    "ColumnDescription",
    "ColumnValue",
    "Config",
    "ConfigError",
    "Conflict",
    "Difference",
    "Diverged",
    "Finding",
    "Index",
    "JobDescription",
    "JsonText",
    "LimitExceeded",
    "Migrated",
    "MigrationPlan",
    "Moved",
    "NotSupported",
    "OutcomeUnknown",
    "Platform",
    "PlatformStoreError",
    "Progress",
    "QueryNames",
    "QueryPlan",
    "QueryResult",
    "Range",
    "Recovered",
    "Removed",
    "RowExists",
    "RowNotFound",
    "SchemaError",
    "SourcePlan",
    "Status",
    "TableDescription",
    "Transaction",
    "TransientError",
    "Unavailable",
    "ValueRejected",
    "Verification",
    "WriteCounts",
]

_LATER: Final = {
    "Platform": "platform_store.facade",
    "QueryNames": "platform_store.query.names",
    "QueryResult": "platform_store.query.result",
    "Transaction": "platform_store.transaction",
}
"""What brings nearly everything with it: a worker process of a migration would wait for what it never needs."""


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(_LATER[name]), name)
    globals()[name] = found
    return found
