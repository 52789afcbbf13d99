"""kill -9 at every kind of operation on the disk, at random moments, and again while the server recovers.

Most lives of the server have a failpoint: it kills itself when it is about to do something to the disk, or has done
half of it. Some end while it recovers, so that it never gets ready; in some the Postgres that it writes to is killed,
too. Writers and followers are those of ``test_kills``, with sinks and named subscriptions beside them. After so many
kills everything is looked at, and another round begins with an empty directory.
"""

from __future__ import annotations

import os
import random
import signal
import statistics
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psycopg

from constellationdb import connect
from tests.e2e.conftest import Serve, Served, ServeEndedError
from tests.e2e.test_kills import SETUP, VIEWS, WRITERS, Follower, Writer, check, checkpoint
from tests.e2e.test_sink_kills import crashing_postgres
from tests.e2e.torture.forked import forked_servers
from tests.e2e.torture.outputs import Outputs, definitions

KILLS = int(os.environ.get("CONSTELLATION_TORTURE", "3"))
SEED = int(os.environ.get("CONSTELLATION_TORTURE_SEED", "1"))
ROUND = 25  # kills

# What is done while it runs, and to how many of it one may have to wait.
RUNNING = [
    *(("write log", 60), ("sync log", 60), ("write parts", 20), ("sync parts", 2), ("rename parts", 2)),
    *(("names parts", 2), ("remove parts", 2), ("write manifests", 2), ("sync manifests", 1)),
    *(("link manifests", 1), ("names manifests", 1), ("remove manifests", 1), ("names log", 2)),
    *(("write _constellation", 30), ("sync _constellation", 20), ("rename _constellation", 10)),
    *(("names _constellation", 10), ("rename changes", 10), ("names changes", 10), ("remove _constellation", 10)),
]
# What it does before it is ready.
OPENING = ["write owners", "sync owners", "link owners", "names owners", "remove owners"]
OPENING += ["write log", "sync log", "rename log", "names log", "names checkpoints", "names parts"]


class Torture:
    """One round. ``restarts``: the seconds from the start of a process until it was ready."""

    def __init__(self, serve: Serve, place: Path, target: str, crash_target: Callable[[], None], seed: int) -> None:
        self._serve = serve
        place.mkdir()
        self._directory = place / "data"
        self._definitions = definitions(place / "out", target)
        self._crash_target = crash_target
        self._draw = random.Random(seed)
        self.outputs = Outputs(place / "out", target, random.Random(seed))
        self.writers = [Writer(number, random.Random(seed + number)) for number in range(WRITERS)]
        self.followers = [Follower(name) for name in VIEWS]
        self.kills: Counter[str] = Counter()
        self.restarts: list[float] = []

    def run(self, kills: int) -> None:
        first = self._serve(self._directory)
        with connect(first.dsn) as database:
            for statement in (*SETUP, *self._definitions):
                database.execute(statement)
        first.stop(signal.SIGKILL)
        while self.kills.total() < kills:
            self._live()
        served = self._open()
        self._check(served)
        self.outputs.check(served)
        assert served.stop() == 0

    def _open(self, failpoint: str | None = None) -> Served:
        begin = time.perf_counter()
        served = self._serve(self._directory, failpoint)
        self.restarts.append(time.perf_counter() - begin)
        return served

    def _live(self) -> None:
        while self._draw.random() < 0.25:
            self._die_while_it_opens()
        step, most = self._draw.choice(RUNNING)
        served = self._open(f"{step}:{self._draw.randint(1, most) + 5}")
        self._check(served)
        works: list[Callable[[str], None]] = [writer.run for writer in self.writers]
        works += [follower.run for follower in self.followers]
        works += [self.outputs.pusher.run, *(reader.run for reader in self.outputs.readers)]
        with ThreadPoolExecutor(len(works)) as pool:
            running = [pool.submit(work, served.dsn) for work in works]
            self._wait_for_the_end(served, step)
            for ended in running:
                ended.result(60)

    def _die_while_it_opens(self) -> None:
        """At an operation, or at a random moment."""
        step = self._draw.choice([*OPENING, None, None, None])
        try:
            if step is None:
                served = self._serve(self._directory, kill_after=self._draw.uniform(0.0, 1.0))
            else:
                served = self._serve(self._directory, f"{step}:1")
        except ServeEndedError as ended:
            if ended.code != -signal.SIGKILL:
                raise
            self.kills["opening: " + (step or "at a random moment")] += 1
            return
        served.stop(signal.SIGKILL)  # it had nothing of this kind to do, or was faster
        self.kills["just opened"] += 1

    def _wait_for_the_end(self, served: Served, step: str) -> None:
        """By its failpoint, or soon enough by us."""
        until = time.monotonic() + self._draw.uniform(0.3, 2.0)
        if self._draw.random() < 0.15:
            self._crash_target()
            self.kills["Postgres"] += 1
        while served.process.poll() is None and time.monotonic() < until:
            with suppress(psycopg.Error, AssertionError):
                checkpoint(served.dsn)
            with suppress(subprocess.TimeoutExpired):
                served.process.wait(self._draw.uniform(0.0, 0.3))
        if served.process.poll() is None:
            served.stop(signal.SIGKILL)
            step = "at a random moment"
        assert served.process.returncode == -signal.SIGKILL, "\n".join(served.rest())
        self.kills[step] += 1

    def _check(self, served: Served) -> None:
        with connect(served.dsn) as database:
            check(database, self.writers, self.followers, self._draw)


def test_kills_at_failpoints_and_while_recovering(tmp_path: Path) -> None:
    kills: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    restarts: list[float] = []
    for number in range(-(-KILLS // ROUND)):
        with crashing_postgres() as (target, crash), forked_servers() as serve:
            torture = Torture(serve, tmp_path / str(number), target, crash, SEED + 100 * number)
            torture.run(min(ROUND, KILLS - kills.total()))
        kills += torture.kills
        restarts += torture.restarts
        counts["transactions"] += sum(writer.transactions for writer in torture.writers)
        counts["undecided"] += sum(writer.undecided for writer in torture.writers)
        counts += torture.outputs.rows
        print(f"{kills.total()} kills, none lost, none twice: " + _shown(counts), flush=True)
        print(f"restart until ready: p50 {statistics.median(restarts):.2f} s, of {len(restarts)}", flush=True)
    print(_shown(kills))
    assert counts["transactions"] > 0
    assert len(kills) >= min(KILLS, len(RUNNING)) // 2


def _shown(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {what}" for what, count in counts.most_common())
