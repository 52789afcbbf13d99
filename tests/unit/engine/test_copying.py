"""Columns of COPY: what a kernel reads at once is what the one-by-one way reads; data may be cut anywhere."""

from __future__ import annotations

import random
import struct
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pytest

from constellationdb.engine.copying.columns import BatchReader
from constellationdb.engine.copying.fields import Fields
from constellationdb.engine.copying.texts import text_column
from constellationdb.engine.copying.tuples import TupleScanner
from constellationdb.errors import ConstellationError, FeatureNotSupported
from constellationdb.planner.input_texts import parse_texts


def fields_of(texts: Sequence[str | None]) -> Fields:
    """One column, its values one behind the other."""
    starts, lengths, data = [], [], b""
    for text in texts:
        starts.append(len(data))
        lengths.append(-1 if text is None else len(text.encode()))
        data += (text or "").encode()
    room = np.frombuffer(data + bytes(16), np.uint8)
    return Fields(room, np.array([starts]), np.array([lengths]), np.arange(1, len(texts) + 1))


def outcome(read: object, *arguments: object) -> object:
    try:
        return read(*arguments).to_pylist()  # type: ignore[operator]
    except ConstellationError as error:
        return error.sqlstate, error.message


CASES: dict[pa.DataType, list[str]] = {
    pa.int16(): ["0", "-1", "32767", "-32768", "32768", "-32769", "+5", " 7 ", "007", "", "-", "1_0",
                 "0x1", "1.0", "\u0661"],
    pa.int32(): ["2147483647", "-2147483648", "2147483648", "99999999999999999999", "--1", "1e3"],
    pa.int64(): ["9223372036854775807", "-9223372036854775808", "9223372036854775808", "123456789012345678"],
    pa.float64(): ["0", "-0", ".5", "5.", "1e308", "1e309", "1e-400", "5e-324", "nan", "-Infinity", "inf",
                   "0x1p3", "1_0", "", " 1 ", "1d", "0.1234567890123456789", "0e0", "0.0e-5"],
    pa.float32(): ["3.4e38", "3.5e38", "1e-45", "1e-46", "0.1", "-NaN"],
    pa.bool_(): ["t", "f", "true", "FALSE", "yes", "n", "1", "0", "on", "of", "tf", "", "x"],
    pa.date32(): ["2024-02-29", "2023-02-29", "1900-02-29", "2000-02-29", "0001-01-01", "9999-12-31", "2024-13-01",
                  "2024-1-1", "1969-12-31", "2024-02-29 ", "epoch", "0000-01-01", "2024-04-31"],
    pa.timestamp("us"): ["2024-02-29 12:34:56", "2024-02-29T12:34:56.7", "1969-12-31 23:59:59.999999", "2024-01-01",
                         "2024-01-01 24:00:00", "2024-01-01 10:60:00", "2024-01-01 10:00:60", "2024-01-01 10:00",
                         "2024-01-01 10:00:00.1234567", "2024-01-01 10:00:00.", "0001-01-01 00:00:00",
                         "2024-01-01 10:00:00+02"],
    pa.string(): ["", "a", "é" * 100, "tab\there"],
}  # fmt: skip


@pytest.mark.parametrize("kind", CASES, ids=str)
def test_each_spelling_is_read_the_same_alone_and_among_others(kind: pa.DataType) -> None:
    field = pa.field("c", kind)
    for text in CASES[kind]:
        slow = outcome(parse_texts, [text], kind)
        assert repr(outcome(text_column, fields_of([text]), 0, field)) == repr(slow), text  # a NaN is equal to none
        together = outcome(text_column, fields_of([None, text, None]), 0, field)
        assert repr(together) == repr([None, *slow, None] if isinstance(slow, list) else slow), text


def test_random_days_are_the_calendar_s() -> None:
    rng = random.Random(3)
    days = [rng.randrange(-719_162, 2_932_897) for _ in range(20_000)]
    array = pa.array(days, pa.int32()).cast(pa.date32())
    texts = array.cast(pa.string()).to_pylist()
    assert text_column(fields_of(texts), 0, pa.field("d", pa.date32())) == array


def tuples(rows: Sequence[tuple[int | None, str | None]]) -> bytes:
    data = b"PGCOPY\n\xff\r\n\0" + struct.pack(">Ii", 0, 3) + b"ext"
    for number, text in rows:
        data += struct.pack(">h", 2)
        data += struct.pack(">i", -1) if number is None else struct.pack(">iq", 8, number)
        data += struct.pack(">i", -1) if text is None else struct.pack(">i", len(text.encode())) + text.encode()
    return data + struct.pack(">h", -1)


@pytest.mark.parametrize("step", [1, 3, 7, 50, 10_000])
def test_tuples_may_be_cut_anywhere(step: int) -> None:
    rows = [(None if n % 7 == 0 else n * -(2**40), None if n % 5 == 0 else "é" * (n % 11)) for n in range(200)]
    data = tuples(rows)
    scanner = TupleScanner("t", ["a", "b"])
    scanner.enough = 1
    schema = pa.schema([("a", pa.int64()), ("b", pa.string()), ("c", pa.int32())])

    def complete(given: Mapping[int, pa.Array], count: int) -> pa.RecordBatch:
        return pa.RecordBatch.from_arrays([given[0], given[1], pa.array([7] * count, pa.int32())], schema=schema)

    reader = BatchReader("t", schema, [0, 1], complete, lambda batch: batch, lambda _: None, binary=True)
    found: list[pa.RecordBatch] = []
    for start in range(0, len(data), step):
        found += [reader.read(fields) for fields in scanner.feed(data[start : start + step])]
    found += [reader.read(fields) for fields in scanner.finish()]
    assert pa.Table.from_batches(found, schema).to_pylist() == [{"a": a, "b": b, "c": 7} for a, b in rows]


def _alone(given: Mapping[int, pa.Array], count: int) -> pa.RecordBatch:
    assert len(given[0]) == count
    return pa.RecordBatch.from_arrays([given[0]], names=["at"])


@pytest.mark.parametrize("limit", [2**63 - 1, -(2**63)])
def test_an_infinite_moment_is_refused_in_binary_as_in_text(limit: int) -> None:
    data = np.frombuffer(struct.pack(">q", limit) + bytes(16), np.uint8)
    fields = Fields(data, np.array([[0]]), np.array([[8]]), np.array([1]))
    schema = pa.schema([("at", pa.timestamp("us"))])
    reader = BatchReader("t", schema, [0], _alone, lambda batch: batch, lambda _: None, binary=True)
    with pytest.raises(FeatureNotSupported) as caught:
        reader.read(fields)
    assert caught.value.context == "COPY t, line 1, column at"
