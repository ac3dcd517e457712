"""One logical row across MySQL and MongoDB.

:class:`Platform` is the entry point; the names below are the public interface.
"""

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
from platform_store.facade import Platform
from platform_store.query.result import QueryResult
from platform_store.records import (
    Adoption,
    ColumnAttribute,
    ColumnDescription,
    ColumnValue,
    Finding,
    Index,
    QueryPlan,
    Recovered,
    Removed,
    SourcePlan,
    Status,
    TableDescription,
    WriteCounts,
)
from platform_store.transaction import Transaction

__all__ = [
    "Adoption",
    "ColumnAttribute",
    "ColumnDescription",
    "ColumnValue",
    "Config",
    "ConfigError",
    "Conflict",
    "Diverged",
    "Finding",
    "Index",
    "JsonText",
    "LimitExceeded",
    "NotSupported",
    "OutcomeUnknown",
    "Platform",
    "PlatformStoreError",
    "QueryPlan",
    "QueryResult",
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
    "WriteCounts",
]
