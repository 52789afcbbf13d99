"""Prepared statements on one connection: rows read by their key one at a time, rows inserted in a pipeline.

point select              SELECT … WHERE id = $1, the next when the last has come
insert, a Sync each       INSERT of one row, each a transaction of its own, sent without waiting
insert, a Sync for 1000   the same, a thousand in one transaction
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

import numpy as np

from bench.wire import frontend as fe
from bench.wire.client import RawClient, fields, messages
from bench.wire.rate import Rate
from bench.wire_probe import Wire

_ROWS = 100_000
_TABLE = "CREATE TABLE reading (id bigint PRIMARY KEY, name text, v double precision, at timestamp, n int)"
_FILL = (
    "INSERT INTO reading SELECT g, 'row ' || g, g / 4.0, timestamp '2024-01-01' + g * interval '1 second', g "
    f"FROM generate_series(1, {_ROWS}) AS g"
)
_INSERT_OIDS = (20, 25, 701, 1114, 23)
_DATA_ROW, _COMPLETE = ord("D"), ord("C")


def _ready(wire: Wire) -> RawClient:
    wire.execute(_TABLE, _FILL)
    client = RawClient(wire.url)
    client.send(fe.parse(b"read", "SELECT * FROM reading WHERE id = $1", (20,)))
    client.send(fe.parse(b"write", "INSERT INTO reading VALUES ($1, $2, $3, $4, $5)", _INSERT_OIDS) + fe.SYNC)
    client.answers(1)
    return client


def point_select(wire: Wire, count: int) -> Rate:
    client, rng = _ready(wire), random.Random(1)
    for _ in range(500):
        client.send(_read(1))
        client.answers(1)
    times, right = [], True
    before, begin = wire.cpu_seconds() or 0.0, time.perf_counter()
    for _ in range(count):
        key = rng.randrange(1, _ROWS + 1)
        asked = time.perf_counter()
        client.send(_read(key))
        answer = client.answers(1)
        times.append(time.perf_counter() - asked)
        right &= _is_row(answer, key)
    return rate_of("point select", wire, times, count, begin, before, goal=5_000, right=right)


def _read(key: int) -> bytes:
    return fe.bind(b"read", [b"%d" % key]) + fe.EXECUTE + fe.SYNC


def _is_row(answer: bytearray, key: int) -> bool:
    rows = [fields(body) for kind, body in messages(answer) if kind == _DATA_ROW]
    values = [bytes(value or b"") for row in rows for value in row]
    return values[:2] == [b"%d" % key, b"row %d" % key] and values[4:] == [b"%d" % key]


def inserts(each: int) -> Callable[[Wire, int], Rate]:
    """``each`` rows to a Sync."""

    def measure(wire: Wire, count: int) -> Rate:
        client = _ready(wire)
        calls = [_write(_ROWS + 1 + i) + (fe.SYNC if (i + 1) % each == 0 else b"") for i in range(count)]
        data, syncs = b"".join(calls) + (fe.SYNC if count % each else b""), -(-count // each)
        before, begin = wire.cpu_seconds() or 0.0, time.perf_counter()
        sender = threading.Thread(target=client.send, args=(data,))
        sender.start()
        answer = client.answers(syncs)
        seconds = time.perf_counter() - begin
        sender.join()
        done = sum(bytes(body) == b"INSERT 0 1\0" for kind, body in messages(answer) if kind == _COMPLETE)
        right = done == count and _total(client) == (_ROWS + count) * (_ROWS + count + 1) // 2
        name = "insert, a Sync each" if each == 1 else f"insert, a Sync for {each}"
        return rate_of(name, wire, [seconds / count], count, begin, before, goal=8_000, right=right, seconds=seconds)

    return measure


def _write(key: int) -> bytes:
    values = [b"%d" % key, b"row %d" % key, b"0.25", b"2024-06-01 12:00:00", b"7"]
    return fe.bind(b"write", values) + fe.EXECUTE


def _total(client: RawClient) -> int:
    answer = client.query("SELECT sum(id) FROM reading")
    (row,) = [fields(body) for kind, body in messages(answer) if kind == _DATA_ROW]
    return int(bytes(row[0] or b"0"))


def rate_of(
    case: str,
    wire: Wire,
    times: list[float],
    count: int,
    begin: float,
    before: float,
    *,
    goal: int,
    right: bool,
    seconds: float | None = None,
) -> Rate:
    seconds = time.perf_counter() - begin if seconds is None else seconds
    cpu = (wire.cpu_seconds() or 0.0) - before
    p50, p99, most = (float(x) * 1e3 for x in np.quantile(times, (0.5, 0.99, 1.0)))
    figures = round(count / seconds), round(cpu / count * 1e6, 1), round(p50, 3), round(p99, 3), round(most, 3)
    return Rate(case, count, *figures, 0.0, round(count / seconds / goal, 2), right)


CASES: dict[str, tuple[Callable[[Wire, int], Rate], int]] = {
    "point select": (point_select, 20_000),
    "insert, a Sync each": (inserts(1), 40_000),
    "insert, a Sync for 1000": (inserts(1000), 100_000),
}
