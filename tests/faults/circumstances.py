"""States of the two databases in which a write takes steps that it does not take otherwise."""

from __future__ import annotations

from tests.faults.bench import Bench

_WITNESS = {"_id": "mysql"}


def first_of_all(bench: Bench) -> None:
    """Nothing was ever written: nobody remembers anything of the other store."""
    bench.servers.mongodb["platform_store_state"].delete_one(_WITNESS)
    bench.servers.sql("UPDATE platform_store_state SET ceiling = 0, server = NULL")
    bench.reopen()


def above_the_ceiling(bench: Bench) -> None:
    """The next revision is higher than any that MongoDB expects."""
    witness = bench.servers.mongodb["platform_store_state"].find_one(_WITNESS)
    assert witness is not None
    journal = bench.watcher._rows.journal
    assert journal is not None
    journal.raise_revisions(witness["ceiling"])


def after_a_restart(bench: Bench) -> None:
    """MySQL was started anew since the last write."""
    bench.servers.mongodb["platform_store_state"].update_one(_WITNESS, {"$set": {"server": "before@1"}})
    bench.servers.sql("UPDATE platform_store_state SET server = 'before@1'")
    bench.reopen()


ALL = (first_of_all, above_the_ceiling, after_a_restart)
