"""Several processes at work on one pair of stores, all starting at the same moment."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from crm_model import Crm
from platform_store import Platform
from tests.contract.conftest import Backend

SECONDS = 120  # until a process that hangs is killed


def together(backend: Backend, work: str, *arguments: Sequence[object]) -> list[Any]:
    """What ``work`` returned in each of as many processes as there are ``arguments``; all of it in JSON.

    ``work``: ``"module:function"``, called with the CRM of operator 1 on a platform of its own, and the arguments.
    """
    jobs = [json.dumps([dict(backend.stores), work, list(one)]) for one in arguments]
    children = [
        subprocess.Popen(
            [sys.executable, "-m", __name__, job], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for job in jobs
    ]
    try:
        for child in children:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
        for child in children:
            assert child.stdin is not None
            child.stdin.write("go\n")
            child.stdin.flush()
        return [json.loads(child.communicate(timeout=SECONDS)[0]) for child in children]
    finally:
        for child in children:
            child.kill()
            child.communicate()


def main(job: str) -> None:
    stores, work, arguments = json.loads(job)
    module, _, name = work.partition(":")
    function = getattr(importlib.import_module(module), name)
    with Platform.embedded(**stores) if "path" in stores else Platform.open(**stores) as platform:
        platform.tables()
        print("ready", flush=True)
        sys.stdin.readline()
        print(json.dumps(function(Crm(platform, 1), *arguments)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
