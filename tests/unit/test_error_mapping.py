"""No driver error reaches a user: each becomes one of ours, in one place for each driver, and quotes no data."""

from __future__ import annotations

import inspect

import pymysql
import pytest
from pymongo import errors as mongodb
from pymysql.constants import CR, ER

from platform_store import errors
from platform_store.errors import PlatformStoreError
from platform_store.stores import mongodb_driver as mongodb_store
from platform_store.stores import mysql_codes
from platform_store.stores import mysql_driver as mysql_store
from platform_store.stores.base import DuplicateKey, StaleAssociation

SECRET = "geheim-张伟"
INTERNAL = (DuplicateKey, StaleAssociation)
MYSQL_CODES = sorted({code for module in (ER, CR) for code in vars(module).values() if isinstance(code, int)})


def _classes(module: object, base: type[Exception]) -> list[type[Exception]]:
    return [found for _, found in inspect.getmembers(module, inspect.isclass) if issubclass(found, base)]


@pytest.mark.parametrize("kind", _classes(pymysql.err, pymysql.err.Error), ids=lambda kind: kind.__name__)
def test_every_exception_of_pymysql(kind: type[pymysql.err.Error]) -> None:
    for arguments in ((), (0, ""), (99999, SECRET), (SECRET,)):
        ours = mysql_store.translate(kind(*arguments))
        assert type(ours) is not PlatformStoreError
        assert isinstance(ours, PlatformStoreError)
        assert SECRET not in str(ours)


@pytest.mark.parametrize("code", MYSQL_CODES)
def test_every_error_number_of_mysql(code: int) -> None:
    kind = pymysql.err.error_map.get(code, pymysql.err.OperationalError)
    ours = mysql_store.translate(kind(code, SECRET))
    assert isinstance(ours, (PlatformStoreError, *INTERNAL))
    assert type(ours) is not PlatformStoreError
    names_only = code in mysql_codes.NAMING_ONLY or mysql_codes.KIND_OF.get(code) == "stale"
    assert names_only or SECRET not in str(ours)


@pytest.mark.parametrize(
    ("code", "ours"),
    [
        (1213, errors.TransientError),
        (1205, errors.TransientError),
        (1062, DuplicateKey),
        (1146, StaleAssociation),
        (1054, StaleAssociation),
        (1406, errors.ValueRejected),
        (1264, errors.ValueRejected),
        (1153, errors.ValueRejected),
        (3819, errors.ValueRejected),
        (1451, errors.Conflict),
        (1045, errors.ConfigError),
        (1118, errors.SchemaError),
        (1064, errors.SchemaError),
        (2013, errors.Unavailable),
        (2006, errors.Unavailable),
        (1040, errors.Unavailable),
        (1290, errors.Unavailable),
    ],
)
def test_what_mysql_errors_become(code: int, ours: type[Exception]) -> None:
    kind = pymysql.err.error_map.get(code, pymysql.err.OperationalError)
    assert type(mysql_store.translate(kind(code, SECRET))) is ours


def _pymongo_error(kind: type[mongodb.PyMongoError]) -> mongodb.PyMongoError:
    if kind is mongodb.BulkWriteError:
        return mongodb.BulkWriteError({"writeErrors": [{"errmsg": SECRET}]})
    if kind is mongodb.EncryptedCollectionError:
        return mongodb.EncryptedCollectionError(Exception(SECRET), {})
    if kind is mongodb.EncryptionError:
        return mongodb.EncryptionError(Exception(SECRET))
    if kind is mongodb.ClientBulkWriteException:
        return mongodb.ClientBulkWriteException({"error": SECRET}, verbose=True)
    return kind(SECRET)


@pytest.mark.parametrize("kind", _classes(mongodb, mongodb.PyMongoError), ids=lambda kind: kind.__name__)
def test_every_exception_of_pymongo(kind: type[mongodb.PyMongoError]) -> None:
    ours = mongodb_store.translate(_pymongo_error(kind))
    assert type(ours) is not PlatformStoreError
    assert SECRET not in str(ours)


@pytest.mark.parametrize(
    ("code", "ours"),
    [
        (13, errors.ConfigError),
        (18, errors.ConfigError),
        (50, errors.Unavailable),
        (91, errors.Unavailable),
        (10107, errors.Unavailable),
        (64, errors.Unavailable),
        (112, errors.TransientError),
        (121, errors.ValueRejected),
        (10334, errors.ValueRejected),
        (67, errors.SchemaError),
        (85, errors.SchemaError),
        (99999, errors.NotSupported),
    ],
)
def test_what_mongodb_errors_become(code: int, ours: type[Exception]) -> None:
    assert type(mongodb_store.translate(mongodb.OperationFailure(SECRET, code))) is ours


@pytest.mark.parametrize("kind", _classes(mongodb, mongodb.PyMongoError), ids=lambda kind: kind.__name__)
def test_every_exception_of_a_snapshot_read(kind: type[mongodb.PyMongoError]) -> None:
    ours = mongodb_store.translate_snapshot(_pymongo_error(kind), "card")
    assert type(ours) is not PlatformStoreError
    assert SECRET not in str(ours)


@pytest.mark.parametrize(
    ("error", "ours", "said"),
    [
        (mongodb.OperationFailure(SECRET, 239), errors.Unavailable, "minSnapshotHistoryWindowInSeconds"),
        (mongodb.OperationFailure(SECRET, 246), errors.TransientError, "'card' was made"),
        (mongodb.OperationFailure(SECRET, 175), errors.TransientError, "'card' was dropped"),
        (mongodb.OperationFailure(SECRET, 123), errors.NotSupported, "MongoDB 5.0"),
        (mongodb.OperationFailure(SECRET, 72), errors.NotSupported, "replica set"),
        (mongodb.ConfigurationError(SECRET), errors.NotSupported, "MongoDB 5.0"),
        (mongodb.NetworkTimeout(SECRET), errors.Unavailable, "an index"),
        (mongodb.AutoReconnect(SECRET), errors.Unavailable, "AutoReconnect"),
        (mongodb.OperationFailure(SECRET, 13), errors.ConfigError, "account"),
    ],
)
def test_what_errors_of_snapshot_reads_become(error: mongodb.PyMongoError, ours: type[Exception], said: str) -> None:
    found = mongodb_store.translate_snapshot(error, "card")
    assert type(found) is ours
    assert said in str(found)


def test_authentication_and_configuration() -> None:
    assert type(mongodb_store.translate(mongodb.ServerSelectionTimeoutError(SECRET))) is errors.Unavailable
    assert type(mongodb_store.translate(mongodb.InvalidURI(SECRET))) is errors.ConfigError
    assert type(mongodb_store.translate(mongodb.DocumentTooLarge(SECRET))) is errors.ValueRejected
    assert type(mongodb_store.translate(mongodb.DuplicateKeyError(SECRET, 11000))) is errors.ValueRejected
