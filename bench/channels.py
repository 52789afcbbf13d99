"""``python -m bench channels``: rows from one process to another, by our rings and by what Python has for it.

The rate is of batches of 96 bytes a row, from the first that is sent to the answer of the child that all have come,
with their sum; a round trip is a note of 16 bytes there and back. What the machine does besides is in all the numbers.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from bench.channel_ends import SCHEMA, End, ends, note_of, numbers_of
from bench.table import Table

SIZES = (1024, 8192, 65_536)
_WARM = 16  # messages, so that all memory has been touched once


@dataclass(frozen=True)
class Line:
    """``rows`` is 0 for a round trip, which alone has the last two."""

    transport: str
    rows: int
    messages: int
    messages_per_s: int
    megabytes_per_s: int
    us_per_message: float
    p50_us: float
    p99_us: float
    answer_ok: bool


def measure(names: Sequence[str], trips: int, megabytes: int) -> Iterator[Line]:
    """Each way for round trips, then for each size of batches."""
    for name in names:
        yield _round_trips(name, trips)
    for rows in SIZES:
        batch = _batch(rows)
        count = max(megabytes * 1_000_000 // batch.nbytes, 2 * _WARM)
        for name in names:
            yield _stream(name, batch, count)


def _round_trips(name: str, trips: int) -> Line:
    took = np.empty(trips, np.int64)
    right = True
    with ends(name, "echo") as end:
        for number in range(-trips // 10, trips):
            note = note_of(number + trips, 1)
            start = time.perf_counter_ns()
            end.send_note(note)
            back = end.receive_note()
            if number >= 0:
                took[number] = time.perf_counter_ns() - start
            right = right and back == note
        end.send_note(note_of(0, 0))
    p50, p99 = (round(float(value) / 1000, 1) for value in np.percentile(took, [50, 99]))
    seconds = int(took.sum()) / 1e9
    return Line(name, 0, trips, round(trips / seconds), 0, round(1e6 * seconds / trips, 1), p50, p99, right)


def _stream(name: str, batch: pa.RecordBatch, count: int) -> Line:
    with ends(name, "add up") as end:
        right = _send(end, batch, _WARM)
        start = time.perf_counter()
        right = _send(end, batch, count) and right
        seconds = time.perf_counter() - start
        end.send_note(note_of(0, 0))
    rate, megabytes = round(count / seconds), round(count * batch.nbytes / seconds / 1e6)
    return Line(name, batch.num_rows, count, rate, megabytes, round(1e6 * seconds / count, 1), 0.0, 0.0, right)


def _send(end: End, batch: pa.RecordBatch, count: int) -> bool:
    end.send_note(note_of(count, 0))
    for _ in range(count):
        end.send(batch)
    total = int(batch.column(0).to_numpy().sum())
    return numbers_of(end.receive_note()) == (count * batch.num_rows, count * total)


def _batch(rows: int) -> pa.RecordBatch:
    numbers = [pa.array(np.arange(rows) + i) for i in range(len(SCHEMA) - 1)]
    return pa.record_batch([*numbers, pa.array(np.arange(rows) % 2 == 0)], schema=SCHEMA)


def table_of(lines: Sequence[Line]) -> str:
    table = Table(("transport", "rows", "messages/s", "MB/s", "µs/message", "p50 µs", "p99 µs", "answer"))
    for line in lines:
        rows = f"{line.rows:,}" if line.rows else "round trip"
        rate = f"{line.megabytes_per_s:,}" if line.rows else ""
        tail = ("", "") if line.rows else (f"{line.p50_us:.1f}", f"{line.p99_us:.1f}")
        figures = (f"{line.messages_per_s:,}", rate, f"{line.us_per_message:.1f}", *tail)
        table.add(line.transport, rows, *figures, "right" if line.answer_ok else "WRONG")
    return table.text()
