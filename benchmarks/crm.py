"""The services of the CRM against what is written by hand for each, on the sample."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from benchmarks.cases import Options, World, case_of
from benchmarks.crm_scenarios import CRM_SCENARIOS, IN_LITTLE, SAMPLE, CrmStores, loaded
from benchmarks.stores import Servers


def world(options: Options) -> World[CrmStores]:
    """The services, on one sample."""
    seconds = 1.2 if options.quick else 5.0
    return World("crm", _opened, [case_of(scenario, "crm", seconds) for scenario in CRM_SCENARIOS], 5 * seconds)


@contextlib.contextmanager
def _opened(servers: Servers, options: Options) -> Iterator[CrmStores]:
    with loaded(servers, IN_LITTLE if options.quick else SAMPLE) as stores:
        yield stores
