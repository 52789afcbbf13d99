"""A thousand subscribers of one view: what they cost while nothing happens, and an epoch of 16 rows a second.

Each time is from before the INSERT was sent until the last of them had all of its rows.
"""

from __future__ import annotations

import resource
import selectors
import time
from collections.abc import Callable
from pathlib import Path

from bench.wire import frontend as fe
from bench.wire.client import RawClient, messages
from bench.wire.rate import Rate
from bench.wire_probe import Wire

_ROWS = 16
_EPOCHS = 15
_PATIENCE_S = 60.0
_GROWTH_GOAL_MB = 100
_COPY_DATA = ord("d")


class _Subscriber:
    """What has come, and how many whole rows of it were counted."""

    def __init__(self, url: str) -> None:
        self.client = RawClient(url)
        self.client.send(fe.query("COPY (SUBSCRIBE seen WITH (snapshot = false)) TO STDOUT"))
        self.client.until(b"H")
        self.ids: list[int] = []
        self._rest = bytearray()

    def take(self) -> None:
        self._rest += self.client.receive()
        whole = _whole(self._rest)
        rows = [bytes(body).split(b"\t") for kind, body in messages(self._rest[:whole]) if kind == _COPY_DATA]
        self.ids += [int(row[2]) for row in rows]
        del self._rest[:whole]


def _whole(data: bytearray) -> int:
    at = 0
    while at + 5 <= len(data):
        end = at + 1 + int.from_bytes(data[at + 1 : at + 5], "big")
        if end > len(data):
            break
        at = end
    return at


def subscribers(wire: Wire, count: int) -> Rate:
    _allow_files(2 * count + 100)
    wire.execute("CREATE TABLE t (id bigint PRIMARY KEY, v bigint)")
    wire.execute("CREATE MATERIALIZED VIEW seen AS SELECT id, v + 1 AS v FROM t")
    writer = RawClient(wire.url)
    writer.query("INSERT INTO t VALUES (0, 0)")  # whatever is loaded by the first statement is no subscriber's
    writer.query("FLUSH")
    small = _resident_mb(wire)
    followers, selector = [], selectors.DefaultSelector()
    for _ in range(count):
        follower = _Subscriber(wire.url)
        followers.append(follower)
        selector.register(follower.client.file, selectors.EVENT_READ, follower)
    times, before = [], wire.cpu_seconds() or 0.0
    for epoch in range(_EPOCHS):
        begin = time.perf_counter()
        first = 1 + epoch * _ROWS
        writer.query("INSERT INTO t VALUES " + ", ".join(f"({first + i}, 1)" for i in range(_ROWS)))
        _wait(selector, followers, (epoch + 1) * _ROWS)
        times.append(time.perf_counter() - begin)
        time.sleep(max(0.0, 1.0 - times[-1]))
    cpu, grown = (wire.cpu_seconds() or 0.0) - before, _resident_mb(wire) - small
    right = all(follower.ids == list(range(1, 1 + _EPOCHS * _ROWS)) for follower in followers)
    times.sort()
    sent = count * _EPOCHS
    middle, most = times[len(times) // 2] * 1e3, times[-1] * 1e3
    per_s, each = round(sent / sum(times)), round(cpu / sent * 1e6, 1)
    figures = round(middle, 1), round(most, 1), round(most, 1), round(grown, 1)
    return Rate(f"{count} subscribers", sent, per_s, each, *figures, round(_GROWTH_GOAL_MB / max(grown, 1), 2), right)


def _wait(selector: selectors.BaseSelector, followers: list[_Subscriber], rows: int) -> None:
    deadline = time.perf_counter() + _PATIENCE_S
    missing = {id(follower) for follower in followers}
    while missing and time.perf_counter() < deadline:
        for key, _ in selector.select(1.0):
            key.data.take()
            if len(key.data.ids) >= rows:
                missing.discard(id(key.data))


def _allow_files(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))


def _resident_mb(wire: Wire) -> float:
    status = Path(f"/proc/{wire.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


CASES: dict[str, tuple[Callable[[Wire, int], Rate], int]] = {"1000 subscribers": (subscribers, 1000)}
