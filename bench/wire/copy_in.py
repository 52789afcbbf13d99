"""COPY … FROM STDIN: rows into a table, by text, CSV and binary, with and without a primary key.

The data are made before the clock starts and sent in pieces of 64 KiB. Cost is the server's own CPU seconds,
reading, checking, storing and logging the rows; what was stored is compared by count and sums.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from bench.table import Table
from bench.wire_probe import Wire, serving

_PIECE = 1 << 16
_COLUMNS = "(id bigint{key}, amount double precision, name text, at timestamp, done boolean)"
_FIRST_US = 1_704_067_200_000_000  # 2024-01-01
_POSTGRES_EPOCH_US = 946_684_800_000_000


@dataclass(frozen=True)
class Line:
    """``answer_ok``: the table has all rows, and their sums."""

    case: str
    rows: int
    bytes: int
    cpu_s: float
    wall_s: float
    rows_per_cpu_s: float
    answer_ok: bool


def measure(names: Sequence[str], rows: int, repeats: int) -> Iterator[Line]:
    """The best of ``repeats`` counts, each into an empty table."""
    data = _batch(rows)
    for name in names:
        form, _, key = name.partition(" ")
        body = _FORMATS[form](data)
        yield min((_once(name, form, bool(key), data, body) for _ in range(repeats)), key=lambda line: line.cpu_s)


def _once(name: str, form: str, keyed: bool, data: pa.RecordBatch, body: bytes) -> Line:
    with serving() as wire:
        key = " PRIMARY KEY" if keyed else ""
        wire.execute(f"CREATE TABLE copied {_COLUMNS.format(key=key)}")
        _send(wire, form, body[:0] if form != "binary" else _binary(data.slice(0, 0)))
        before, begin = wire.cpu_seconds() or 0.0, time.perf_counter()
        _send(wire, form, body)
        wall, cpu = time.perf_counter() - begin, (wire.cpu_seconds() or 0.0) - before
        right = _answer(wire) == _expected(data)
    rate = round(data.num_rows / cpu) if cpu else 0
    return Line(name, data.num_rows, len(body), round(cpu, 3), round(wall, 3), rate, right)


def _send(wire: Wire, form: str, body: bytes) -> None:
    view = memoryview(body)
    with wire.connect() as connection, connection.cursor().copy(f"COPY copied FROM STDIN (FORMAT {form})") as copy:
        for start in range(0, len(body), _PIECE):
            copy.write(view[start : start + _PIECE])


def _answer(wire: Wire) -> tuple[object, ...] | None:
    sums = "count(*), sum(id), sum(amount), sum(length(name)), max(at)::text, count(*) FILTER (WHERE done)"
    with wire.connect() as connection:
        return connection.execute(f"SELECT {sums} FROM copied").fetchone()


def _expected(data: pa.RecordBatch) -> tuple[object, ...]:
    ids, amounts, names, times, done = (data.column(i).to_pylist() for i in range(5))
    lengths = sum(map(len, names))
    return len(ids), sum(ids), sum(amounts), lengths, str(max(times)), sum(done)


def _batch(rows: int) -> pa.RecordBatch:
    rng = np.random.default_rng(7)
    ids = np.arange(rows, dtype=np.int64)
    amounts = rng.integers(0, 1 << 30, rows) / 1024  # exact sums in any order
    times = pa.array(_FIRST_US + ids * 1_234_567).cast(pa.timestamp("us"))
    names = pa.array([f"customer {number}" for number in rng.integers(0, 1 << 20, rows)])
    return pa.record_batch([ids, amounts, names, times, rng.random(rows) < 0.5], ["id", "amount", "name", "at", "done"])


# -- the data as a client writes them -----------------------------------------------------------------------------


def _lines(data: pa.RecordBatch, delimiter: str) -> bytes:
    done = pa.array(["t" if value else "f" for value in data.column("done").to_pylist()])
    out = io.BytesIO()
    options = csv.WriteOptions(include_header=False, delimiter=delimiter, quoting_style="none")
    csv.write_csv(data.set_column(4, "done", done), out, options)
    return out.getvalue()


def _binary(data: pa.RecordBatch) -> bytes:
    """Tuples of fixed layout but for the name, put together column by column."""
    ids, amounts, names, times, done = data.columns
    head = _packed((">i2", ">i4", ">i8", ">i4", ">f8"), (5, 8, ids.to_numpy(), 8, amounts.to_numpy()))
    lengths = pc.binary_length(names).to_numpy(zero_copy_only=False)
    size = _packed((">i4",), (lengths,))
    micros = times.cast(pa.int64()).to_numpy() - _POSTGRES_EPOCH_US
    tail = _packed((">i4", ">i8", ">i4", "u1"), (8, micros, 1, done.to_numpy(zero_copy_only=False)))
    parts = [array.to_pylist() for array in (head, size, names.cast(pa.binary()), tail)]
    body = b"".join([piece for row in zip(*parts, strict=True) for piece in row])
    return b"PGCOPY\n\xff\r\n\0" + bytes(8) + body + b"\xff\xff"


def _packed(layout: Sequence[str], values: Sequence[object]) -> pa.Array:
    kind = np.dtype([(f"f{i}", code) for i, code in enumerate(layout)])
    rows = max((len(v) for v in values if isinstance(v, np.ndarray)), default=0)
    table = np.empty(rows, kind)
    for name, value in zip(kind.names or (), values, strict=True):
        table[name] = value
    return pa.Array.from_buffers(pa.binary(kind.itemsize), rows, [None, pa.py_buffer(table)])


_FORMATS: dict[str, Callable[[pa.RecordBatch], bytes]] = {
    "text": lambda data: _lines(data, "\t"),
    "csv": lambda data: _lines(data, ","),
    "binary": _binary,
}
CASES = (*_FORMATS, *(f"{form} key" for form in _FORMATS))


def table_of(lines: Sequence[Line]) -> str:
    table = Table(("case", "rows", "MB", "CPU s", "wall s", "rows per CPU s", "answer"))
    for line in lines:
        right = "right" if line.answer_ok else "WRONG"
        figures = (f"{line.bytes / 1e6:.1f}", f"{line.cpu_s:.2f}", f"{line.wall_s:.2f}", f"{line.rows_per_cpu_s:,}")
        table.add(line.case, f"{line.rows:,}", *figures, right)
    return table.text()
