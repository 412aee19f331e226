"""`psa-bridge` with one difference: the client-side budget of 300 ConnectWise calls a minute is lifted.

The budget is politeness towards the vendor; with it, one account sees some 50 tickets a minute however fast the
bridge is. Everything else, the limit of four calls at once included, is the product's.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import psa_adapters.connectwise.client as client
from bridge.cli import main, serve
from bridge.cli.fleet import worker_command
from bridge.http import Limits


def without_budget(**limits: Any) -> Limits:
    return replace(Limits(**limits), per_minute=0)


def worker_without_budget(*arguments: str) -> list[str]:
    """Return the command of a worker that is this program too."""
    return ["benchmarks.bridge_process" if word == "bridge.cli" else word for word in worker_command(*arguments)]


if __name__ == "__main__":
    vars(client)["Limits"] = without_budget
    vars(serve)["worker_command"] = worker_without_budget
    sys.argv[0] = "psa-bridge"
    main()
