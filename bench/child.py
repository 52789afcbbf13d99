"""A process for one query on one engine, on one core.

parent ── Run as JSON ──▶ python -m bench.child ── Outcome as JSON ──▶ parent
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec

from bench.run import Outcome, Run


def measure(run: Run) -> Outcome:
    """Run it in a child; RuntimeError with what the child said when it failed."""
    child = subprocess.run(
        [sys.executable, "-m", "bench.child"],
        input=msgspec.json.encode(run, enc_hook=str),
        capture_output=True,
        cwd=Path(__file__).parent.parent,
    )
    if child.returncode != 0:
        raise RuntimeError(f"{run.query} on {run.side} failed\n{child.stderr.decode()}")
    return msgspec.json.decode(child.stdout.splitlines()[-1], type=Outcome)


def pin(core: int) -> None:
    """Keep this process, and every thread it will start, on one core, where the system can."""
    if core >= 0 and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})


def perform(run: Run) -> Outcome:
    from bench.queries import query_named

    query = query_named(run.query)
    executor: ConstellationRun | DuckdbRun
    if run.side == "constellation":
        from bench.on_constellation import ConstellationRun

        executor = ConstellationRun(run, query)
    else:
        from bench.on_duckdb import DuckdbRun

        executor = DuckdbRun(run, query)
    seconds = min(executor.timed() for _ in range(run.repeats))
    peak = peak_rss_mb()
    found = executor.answer().checksum()
    return Outcome(seconds, peak, found.rows, found.total)


def peak_rss_mb() -> float:
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6, 1)


def main() -> None:
    run = msgspec.json.decode(sys.stdin.buffer.read(), type=Run, dec_hook=lambda kind, value: kind(value))
    pin(run.core)
    sys.stdout.buffer.write(msgspec.json.encode(perform(run)) + b"\n")


if __name__ == "__main__":
    main()
