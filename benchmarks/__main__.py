"""`python -m benchmarks` (`make bench`): measure, and compare with a bare script that promises nothing."""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from benchmarks import ceiling, economy, fleet, flow
from benchmarks.stage import slim_upstream, the_bridge, the_floor

STARTS: dict[str, flow.Start] = {"bridge": the_bridge, "floor": the_floor}
Result = dict[str, Any]


def percentile(values: Sequence[float], share: float) -> float:
    """Return a percentile in milliseconds."""
    ordered = sorted(values)
    return 1000 * ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def latency(runs: int, quick: bool) -> Result:
    """Measure what the bridge adds to single tickets, four a second."""
    tickets = 30 if quick else 100
    measured = _interleaved(runs, lambda above, start: flow.low_load(above, start, tickets, every=0.25))
    return {
        name: {
            "added p50 ms": _median(all_, lambda run: percentile(run.added, 0.50)),
            "added p99 ms": _median(all_, lambda run: percentile(run.added, 0.99)),
            "acknowledge p50 ms": _median(all_, lambda run: percentile(run.acknowledge, 0.50)),
            "acknowledge p99 ms": _median(all_, lambda run: percentile(run.acknowledge, 0.99)),
            "CPU ms/ticket": _median(all_, lambda run: run.cpu_per_ticket * 1000),
            "lost": sum(run.lost for run in all_),
            "twice": sum(run.twice for run in all_),
        }
        for name, all_ in measured.items()
    }


def burst(runs: int, quick: bool) -> Result:
    """Measure 1,000 callbacks at once."""
    tickets = 200 if quick else 1000
    return _bursts(_interleaved(runs, lambda above, start: flow.burst(above, start, tickets)))


def several(runs: int, quick: bool) -> Result:
    """Measure 1,000 callbacks at once on PostgreSQL, with three processes."""
    tickets = 200 if quick else 1000
    with fleet.database_server() as server, slim_upstream() as above:
        if server is None:
            return {"not measured: PostgreSQL is not on this machine": {}}
        start = partial(fleet.three_processes, server=server)
        measured = {"three processes": [flow.burst(above, start, tickets) for _ in range(runs)]}
    return _bursts(measured)


def _bursts(measured: dict[str, list[flow.Measured]]) -> Result:
    return {
        name: {
            "tickets/s": _median(all_, lambda run: run.per_second),
            "acknowledge p50 ms": _median(all_, lambda run: percentile(run.acknowledge, 0.50)),
            "acknowledge p99 ms": _median(all_, lambda run: percentile(run.acknowledge, 0.99)),
            "CPU ms/ticket": _median(all_, lambda run: run.cpu_per_ticket * 1000),
            "resident MiB": _median(all_, lambda run: run.resident),
            "peak MiB": _median(all_, lambda run: run.peak),
            "calls/ticket": _median(all_, lambda run: run.calls_per_ticket),
            "lost": sum(run.lost for run in all_),
            "twice": sum(run.twice for run in all_),
        }
        for name, all_ in measured.items()
    }


def tokens(runs: int, quick: bool) -> Result:
    """Measure tokens per ticket on a board of 300 paths."""
    del runs, quick
    found = economy.measure()
    return {
        "one ticket": {
            "paths": found.paths,
            "prompt tokens": found.total,
            "of them for the ticket": found.ticket,
            "from the cache": found.cached,
            "cached %": 100 * found.cached_share,
        },
        "the list of categories": {f"{name}, tokens": count for name, count in found.formats.items()},
    }


def ceilings(runs: int, quick: bool) -> Result:
    """Measure how much the practice server and the slim upstream can take."""
    seconds = 1.0 if quick else 3.0
    found = {
        name: [measure(seconds) for _ in range(runs)]
        for name, measure in (("practice server", ceiling.practice), ("slim upstream", ceiling.slim))
    }
    return {
        name: {
            "requests/s": statistics.median(one.per_second for one in all_),
            "CPU ms/request": statistics.median(one.cpu_ms for one in all_),
        }
        for name, all_ in found.items()
    }


BENCHMARKS: dict[str, Callable[[int, bool], Result]] = {
    "latency": latency,
    "burst": burst,
    "several": several,
    "tokens": tokens,
    "ceiling": ceilings,
}


def _interleaved(runs: int, measure: Callable[..., flow.Measured]) -> dict[str, list[flow.Measured]]:
    """Measure bridge and floor in turns, so that a busy minute of the machine meets both."""
    found: dict[str, list[flow.Measured]] = {name: [] for name in STARTS}
    with slim_upstream() as above:
        for _ in range(runs):
            for name, start in STARTS.items():
                found[name].append(measure(above, start))
    return found


def _median(runs: Sequence[flow.Measured], of: Callable[[flow.Measured], float]) -> float:
    return statistics.median(of(run) for run in runs)


def _table(name: str, result: Result) -> str:
    """Return one benchmark as text; what bridge and floor both have gets its ratio."""
    lines = [f"{name}: {(BENCHMARKS[name].__doc__ or '').strip()}"]
    columns = list(result)
    rows = list(dict.fromkeys(row for column in columns for row in result[column]))
    compared = {"bridge", "floor"} <= set(columns)
    width = max(len(row) for row in rows) + 2
    lines.append(
        "".join([" " * width, *(f"{column:>24}" for column in columns), " to the floor" if compared else ""])
    )
    for row in rows:
        values = [result[column].get(row) for column in columns]
        cells = "".join(f"{'' if value is None else f'{value:,.1f}':>24}" for value in values)
        ratio = f"{values[0] / values[1]:>12.1f}x" if compared and values[1] else ""
        lines.append(f"{row:<{width}}{cells}{ratio}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short run instead of medians; about a minute")
    parser.add_argument("--only", choices=list(BENCHMARKS), action="append", help="may be repeated")
    parser.add_argument("--runs", type=int, choices=range(1, 10), default=3, metavar="1-9")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args()
    runs = 1 if given.quick else given.runs
    found: dict[str, Result] = {}
    for name in given.only or BENCHMARKS:
        found[name] = BENCHMARKS[name](runs, given.quick)
        if not given.json:
            print(_table(name, found[name]), end="\n\n", flush=True)
    if given.json:
        machine = {"python": platform.python_version(), "system": platform.platform()}
        print(json.dumps({"machine": machine, "runs": runs, "results": found}, indent=2))
    broken = [
        name
        for name in ("latency", "burst", "several")
        for run in found.get(name, {}).values()
        if run.get("lost", 0) + run.get("twice", 0)
    ]
    if broken:
        sys.exit(f"tickets were lost or handled twice: {', '.join(sorted(set(broken)))}")


if __name__ == "__main__":
    main()
