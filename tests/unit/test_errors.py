"""Errors go from process to process: they come out of a pickle as they went in."""

from __future__ import annotations

import copy
import pickle
from types import ModuleType

import pytest

import crm_model.errors
import platform_store.errors
from crm_model.errors import CrmError, InvalidInput, NotFound, NotPermitted, Refused
from platform_store import (
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

ERRORS = [
    PlatformStoreError("so"),
    ConfigError("is no number", key="mysql.port", line=3, path="store.yaml"),
    SchemaError("there is none", table="card", column="n"),
    ValueRejected("too long", table="card", column="name", key=(1, "a"), longest=20),
    RowExists("card", 7),
    RowNotFound("card", (1, "a")),
    Conflict("it is not", table="card", key=7, columns=("n",)),
    NotSupported("INSERT", "changes rows"),
    LimitExceeded("query.max_rows", 100, "add conditions", table="card"),
    Unavailable("mysql", "no answer"),
    TransientError("mysql", "deadlock", code=1213),
    Diverged("no document", table="card", key=7, advice="look"),
    OutcomeUnknown("card", "00ff"),
    CrmError("a-code", "a message", a=1),
    NotFound("customer", 7, merged_into=8),
    NotPermitted(3, "archive", "customer", 7),
    Refused("card-in-use", "the card is somebody's", card_no="V001", customer_id=7),
    InvalidInput("kind", "not-a-choice", "is one of a, b", choices=("a", "b")),
]


def _named(error: PlatformStoreError) -> str:
    return type(error).__name__


@pytest.mark.parametrize("error", ERRORS, ids=_named)
@pytest.mark.parametrize("noted", [False, True], ids=["", "with a note"])
def test_an_error_stays_what_it_is(error: PlatformStoreError, noted: bool) -> None:
    error = copy.copy(error)
    if noted:
        error.add_note("2 rows inserted")
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        found = pickle.loads(pickle.dumps(error, protocol))
        assert type(found) is type(error)
        assert (str(found), found.args, vars(found)) == (str(error), error.args, vars(error))
        assert vars(found) is not vars(error)


@pytest.mark.parametrize("module", [platform_store.errors, crm_model.errors])
def test_none_is_left_out(module: ModuleType) -> None:
    declared = {one for one in vars(module).values() if isinstance(one, type) and issubclass(one, PlatformStoreError)}
    assert declared <= {type(error) for error in ERRORS}
