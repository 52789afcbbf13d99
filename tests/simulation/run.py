"""Simulations at length: ``python -m tests.simulation.run --seed 1 --seeds 100000 --seconds 3600``."""

from __future__ import annotations

import argparse
import logging
import time
import traceback
from collections import Counter
from typing import Protocol

import structlog

from tests.simulation.alignment import Alignment
from tests.simulation.simulation import Simulation
from tests.simulation.snapshots import Snapshots

_SHOWN = 25  # of the last things that happened


class Scenario(Protocol):
    def __init__(self, seed: int) -> None: ...

    def run(self) -> None: ...


class Report:
    """What many seeds came to."""

    def __init__(self) -> None:
        self.seeds = 0
        self.counts: Counter[str] = Counter()
        self.steps: set[str] = set()
        self.crashed_at: Counter[str] = Counter()

    def run(self, seed: int) -> None:
        """All simulations; what is wrong is raised with the seed and the last things that happened as notes."""
        simulation = Simulation(seed)
        try:
            simulation.run()
            Snapshots(seed).run()
            Alignment(seed).run()
        except BaseException as error:
            error.add_note(f"seed {seed}; python -m tests.simulation.run --seed {seed} --seeds 1\n…")
            error.add_note("\n".join(simulation.trace[-_SHOWN:]))
            raise
        self.seeds += 1
        self.counts += simulation.counts
        self.steps |= simulation.disk.steps.keys()
        self.crashed_at += simulation.disk.crashed_at

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {name}" for name, count in sorted(self.counts.items()))
        at = ", ".join(f"{step} {self.crashed_at[step]}" for step in sorted(self.steps))
        return f"{self.seeds} seeds: {counts}\ncrashes in the middle of: {at}"


def quietly() -> None:
    """Failed checkpoints are part of it and need not be logged."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=3600.0)
    given = parser.parse_args()
    quietly()
    report, begin, failed = Report(), time.monotonic(), 0
    for seed in range(given.seed, given.seed + given.seeds):
        if time.monotonic() - begin > given.seconds:
            break
        try:
            report.run(seed)
        except BaseException:
            if failed == 0:
                traceback.print_exc()
            print(f"seed {seed} failed", flush=True)
            failed += 1
            if failed == 10:
                break
        if seed % 1000 == 0:
            print(report, flush=True)
    print(f"{report}\n{failed} failed, from seed {given.seed} on, in {time.monotonic() - begin:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
