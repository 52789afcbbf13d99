"""kill -9 at every kind of operation on the disk, at random moments, and again while the server recovers.

Most lives of the server have a failpoint: it kills itself when it is about to do something to the disk, or has done
half of it. Some have one that it meets while it recovers, so that it never gets ready. The writers and followers are
those of ``test_kills``: nothing acknowledged is lost, and no epoch changes its content.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psycopg

from constellationdb import connect
from tests.e2e.conftest import Serve, Served, ServeEndedError
from tests.e2e.test_kills import SETUP, VIEWS, WRITERS, Follower, Writer, check, checkpoint

KILLS = int(os.environ.get("CONSTELLATION_TORTURE", "3"))
SEED = int(os.environ.get("CONSTELLATION_TORTURE_SEED", "1"))

# What is done while it runs, and to how many of it one may have to wait.
RUNNING = [
    *(("write log", 60), ("sync log", 60), ("write parts", 20), ("sync parts", 2), ("rename parts", 2)),
    *(("names parts", 2), ("remove parts", 2), ("write manifests", 2), ("sync manifests", 1)),
    *(("link manifests", 1), ("names manifests", 1), ("remove manifests", 1), ("names log", 2)),
]
# What it does before it is ready.
OPENING = ["write owners", "sync owners", "link owners", "names owners", "remove owners"]
OPENING += ["write log", "sync log", "rename log", "names log"]


class Torture:
    def __init__(self, serve: Serve, directory: Path) -> None:
        self._serve = serve
        self._directory = directory
        self._draw = random.Random(SEED)
        self.writers = [Writer(number, random.Random(number)) for number in range(WRITERS)]
        self.followers = [Follower(name) for name in VIEWS]
        self.kills: Counter[str] = Counter()

    def run(self) -> None:
        first = self._serve(self._directory)
        with connect(first.dsn) as database:
            for statement in SETUP:
                database.execute(statement)
        first.stop(signal.SIGKILL)
        while self.kills.total() < KILLS:
            self._live()
        self._check(self._serve(self._directory))

    def _live(self) -> None:
        while self._draw.random() < 0.25:
            self._die_while_it_opens(self._draw.choice(OPENING))
        step, most = self._draw.choice(RUNNING)
        served = self._serve(self._directory, f"{step}:{self._draw.randint(1, most) + 5}")
        self._check(served)
        with ThreadPoolExecutor(WRITERS + len(VIEWS)) as pool:
            runs = [writer.run for writer in self.writers] + [follower.run for follower in self.followers]
            running = [pool.submit(run, served.dsn) for run in runs]
            self._wait_for_the_end(served, step)
            for ended in running:
                ended.result(60)

    def _die_while_it_opens(self, step: str) -> None:
        try:
            served = self._serve(self._directory, f"{step}:1")
        except ServeEndedError:
            self.kills[f"opening: {step}"] += 1
            return
        served.stop(signal.SIGKILL)  # it had nothing of this kind to do
        self.kills["just opened"] += 1

    def _wait_for_the_end(self, served: Served, step: str) -> None:
        """By its failpoint, or soon enough by us."""
        until = time.monotonic() + self._draw.uniform(0.5, 3.0)
        while served.process.poll() is None and time.monotonic() < until:
            with suppress(psycopg.Error, AssertionError):
                checkpoint(served.dsn)
            with suppress(subprocess.TimeoutExpired):
                served.process.wait(self._draw.uniform(0.0, 0.3))
        if served.process.poll() is None:
            served.stop(signal.SIGKILL)
            step = "at a random moment"
        assert served.process.returncode == -signal.SIGKILL
        self.kills[step] += 1

    def _check(self, served: Served) -> None:
        with connect(served.dsn) as database:
            check(database, self.writers, self.followers, self._draw)


def test_kills_at_failpoints_and_while_recovering(serve: Serve, tmp_path: Path) -> None:
    torture = Torture(serve, tmp_path / "data")
    torture.run()
    transactions = sum(writer.transactions for writer in torture.writers)
    undecided = sum(writer.undecided for writer in torture.writers)
    print(f"{torture.kills.total()} kills, {transactions} transactions, {undecided} undecided")
    print(", ".join(f"{step}: {count}" for step, count in torture.kills.most_common()))
    assert transactions > 0
    assert len(torture.kills) >= min(KILLS, len(RUNNING)) // 2
