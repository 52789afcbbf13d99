"""Rows of a materialized view by a column with an index, one at a time, each statement when the last has come.

index select            SELECT … FROM view WHERE code = $1, prepared
index select, as text   the same with the value in the statement, by the simple protocol: nothing is prepared
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from bench.wire import frontend as fe
from bench.wire.client import RawClient, fields, messages
from bench.wire.rate import Rate
from bench.wire.statements import rate_of
from bench.wire_probe import Wire

_ROWS = 1_000_000
_DEFINITIONS = (
    "CREATE TABLE item (id bigint PRIMARY KEY, code bigint, v double precision)",
    f"INSERT INTO item SELECT g, g * 7 % {_ROWS}, g / 4.0 FROM generate_series(1, {_ROWS}) AS g",
    "CREATE MATERIALIZED VIEW priced AS SELECT code, id, v * 2 AS price FROM item WHERE v >= 0",
    "CREATE INDEX ON priced (code)",
)
_QUERY = "SELECT code, id, price FROM priced WHERE code = "
_GOAL_PER_S = 1000  # less than a millisecond
_DATA_ROW = ord("D")


def _prepared(client: RawClient, code: int) -> bytearray:
    client.send(fe.bind(b"read", [b"%d" % code]) + fe.EXECUTE + fe.SYNC)
    return client.answers(1)


def _as_text(client: RawClient, code: int) -> bytearray:
    return client.query(f"{_QUERY}{code}")


def _reads(case: str, read: Callable[[RawClient, int], bytearray]) -> Callable[[Wire, int], Rate]:
    def measure(wire: Wire, count: int) -> Rate:
        wire.execute(*_DEFINITIONS)
        client, rng = RawClient(wire.url), random.Random(1)
        client.send(fe.parse(b"read", f"{_QUERY}$1", (20,)) + fe.SYNC)
        client.answers(1)
        for code in range(500):
            read(client, code)
        times, right = [], True
        before, begin = wire.cpu_seconds() or 0.0, time.perf_counter()
        for _ in range(count):
            code = rng.randrange(_ROWS)
            asked = time.perf_counter()
            answer = read(client, code)
            times.append(time.perf_counter() - asked)
            right &= _is_row(answer, code)
        return rate_of(case, wire, times, count, begin, before, goal=_GOAL_PER_S, right=right)

    return measure


def _is_row(answer: bytearray, code: int) -> bool:
    rows = [[bytes(v or b"") for v in fields(body)] for kind, body in messages(answer) if kind == _DATA_ROW]
    if len(rows) != 1:
        return False
    found, number, price = map(float, rows[0])
    return found == code and number * 7 % _ROWS == code and price == number / 2


CASES: dict[str, tuple[Callable[[Wire, int], Rate], int]] = {
    "index select": (_reads("index select", _prepared), 20_000),
    "index select, as text": (_reads("index select, as text", _as_text), 5_000),
}
