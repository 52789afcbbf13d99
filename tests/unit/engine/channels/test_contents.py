"""What goes through a channel is what comes out: types, metadata, dictionaries, slices, sizes."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from constellationdb.engine.channels.messages import Message
from constellationdb.engine.channels.ring import Ring
from constellationdb.engine.channels.sender import WhenFull
from constellationdb.engine.engine import Engine

_MOMENT = dt.datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=dt.UTC)
_COLUMNS = {
    "null": pa.array([None] * 4, pa.null()),
    "bool": pa.array([True, None, False, True]),
    "int8": pa.array([1, None, -3, 4], pa.int8()),
    "int64": pa.array([1, None, -3, 2**62]),
    "uint64": pa.array([1, None, 3, 2**64 - 1], pa.uint64()),
    "half": pa.array(np.array([1, 2, 3, np.inf], np.float16)),
    "float": pa.array([1.5, None, float("-inf"), -0.0], pa.float32()),
    "double": pa.array([1.5, None, float("inf"), -0.0]),
    "decimal": pa.array([Decimal("1.25"), None, Decimal("-99.99"), Decimal(0)], pa.decimal128(38, 2)),
    "decimal256": pa.array([Decimal("1.25"), None, Decimal("-99.99"), Decimal(0)], pa.decimal256(60, 2)),
    "date": pa.array([dt.date(2026, 1, 1), None, dt.date(1, 1, 1), dt.date(9999, 1, 1)]),
    "time": pa.array([dt.time(1, 2, 3, 4), None, dt.time(0), dt.time(23, 59)], pa.time64("us")),
    "timestamp": pa.array([_MOMENT.replace(tzinfo=None), None] * 2, pa.timestamp("us")),
    "timestamptz": pa.array([_MOMENT, None] * 2, pa.timestamp("us", "UTC")),
    "duration": pa.array([1, None, -3, 4], pa.duration("us")),
    "interval": pa.array([(1, 2, 3), None, (0, -1, 0), (0, 0, 0)], pa.month_day_nano_interval()),
    "text": pa.array(["a", None, "", "ž" * 200]),
    "large text": pa.array(["a", None, "", "ž"], pa.large_string()),
    "text view": pa.array(["a", None, "", "longer than twelve bytes"], pa.string_view()),
    "bytes": pa.array([b"a", None, b"", b"\0\xff"]),
    "fixed": pa.array([b"ab", None, b"cd", b"\0\xff"], pa.binary(2)),
    "list": pa.array([[1, None], None, [], [2]]),
    "lists": pa.array([[["a"], None], None, [], [[]]], pa.list_(pa.list_(pa.string()))),
    "fixed list": pa.array([[1, 2], None, [3, None], [4, 5]], pa.list_(pa.int32(), 2)),
    "struct": pa.array([{"a": 1, "b": "x"}, None, {"a": None, "b": None}, {"a": 2, "b": ""}]),
    "map": pa.array([[("a", 1)], None, [], [("b", None)]], pa.map_(pa.string(), pa.int64())),
    "dictionary": pa.array(["x", None, "y", "x"]).dictionary_encode(),
    "list of dictionary": pa.ListArray.from_arrays([0, 1, 1, 2, 4], pa.array(["x", "y", "y", "z"]).dictionary_encode()),
    "runs": pa.RunEndEncodedArray.from_arrays([1, 4], ["a", "b"]),
    "uuid": pa.array([uuid.UUID(int=i).bytes for i in range(4)], pa.uuid()),
    "json": pa.ExtensionArray.from_storage(pa.json_(), pa.array(["{}", None, "[]", "1"])),
}


@pytest.fixture(params=[WhenFull.BLOCK, WhenFull.DROP_OLDEST], ids=["streams", "standalone"])
def ends(request: pytest.FixtureRequest) -> Iterator[Ends]:
    ring = Ring.create(1 << 17)
    yield Ends(ring, request.param)
    ring.close()


class Ends:
    def __init__(self, ring: Ring, when_full: WhenFull) -> None:
        self.sender, self.receiver, self.when_full = ring.sender(when_full), ring.receiver(), when_full

    def through(self, *batches: pa.RecordBatch, head: bytes = b"") -> tuple[pa.RecordBatch, ...]:
        assert self.sender.offer(Message(head, batches))
        found = self.receiver.pull()
        assert found is not None
        assert found.head == head
        for batch in found.batches:
            batch.validate(full=True)
        return found.batches


def _alike(ours: tuple[pa.RecordBatch, ...], *theirs: pa.RecordBatch) -> None:
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        assert a.num_rows == b.num_rows
        assert a.schema.equals(b.schema, check_metadata=True)
        assert a.equals(b, check_metadata=True)


@pytest.mark.parametrize("name", _COLUMNS)
def test_every_type(ends: Ends, name: str) -> None:
    column = _COLUMNS[name]
    batch = pa.record_batch([column], names=[name])
    for part in (batch, batch.slice(1), batch.slice(1, 2), batch.slice(0, 0), batch.slice(3)):
        _alike(ends.through(part, head=b"h"), part)
        _alike(ends.through(part, batch, part), part, batch, part)


def test_all_types_at_once(ends: Ends) -> None:
    batch = pa.record_batch(list(_COLUMNS.values()), names=list(_COLUMNS))
    for _ in range(3):
        _alike(ends.through(batch, batch.slice(2)), batch, batch.slice(2))


def test_what_the_engine_makes_of_every_type_of_sql(ends: Ends) -> None:
    columns = {
        "a": "bigint", "b": "numeric(20,4)", "c": "text", "d": "timestamptz", "e": "jsonb", "f": "uuid", "g": "int[]",
        "h": "interval", "i": "bytea", "j": "bool", "k": "real", "l": "date", "m": "time", "n": "name", "o": "oid",
        "p": "text[]", "q": "varchar(3)", "r": "double precision", "s": "smallint", "t": "timestamp", "u": "numeric",
    }  # fmt: skip
    row = (
        "1, 2.5, 'x', '2026-01-01Z', '{\"a\": 1}', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{1,NULL}', '1 day',"
        " '\\x00', true, 1.5, '2026-01-01', '01:02', 'n', 7, '{\"a b\"}', 'abc', 0.1, 3, '2026-01-01', 1.25"
    )
    with Engine() as engine:
        session = engine.session()
        list(session.execute(f"CREATE TABLE t ({', '.join(f'{name} {kind}' for name, kind in columns.items())})"))
        list(session.execute(f"INSERT INTO t VALUES ({row}), ({', '.join(['NULL'] * len(columns))})"))
        (result,) = session.execute("SELECT * FROM t")
        batches = [batch for batch in result.batches if batch.num_rows]
    assert sum(batch.num_rows for batch in batches) == 2
    _alike(ends.through(*batches), *batches)


def test_rows_without_columns(ends: Ends) -> None:
    batch = pa.record_batch({"a": [1, 2, 3]}).select([])
    assert batch.num_rows == 3
    _alike(ends.through(batch, batch.slice(1)), batch, batch.slice(1))


def test_metadata_makes_another_schema(ends: Ends) -> None:
    plain = pa.record_batch({"a": [1]})
    field = pa.field("a", pa.int64(), metadata={"k": "v"})
    marked = pa.record_batch([plain.column(0)], schema=pa.schema([field]))
    labelled = plain.replace_schema_metadata({"k": "v"})
    strict = pa.record_batch([plain.column(0)], schema=pa.schema([pa.field("a", pa.int64(), nullable=False)]))
    for _ in range(3):
        _alike(ends.through(plain, marked, labelled, strict, plain), plain, marked, labelled, strict, plain)


def test_dictionaries_that_change(ends: Ends) -> None:
    def batch(*words: str | None) -> pa.RecordBatch:
        column = pa.array(words, pa.string()).dictionary_encode()
        return pa.record_batch({"d": column, "n": pa.array(range(len(words)))})

    first, second, longer = batch("a", "b", None), batch("c", "d"), batch("a", "b", "e")
    kept = ends.through(first)
    for part in (second, first, first, longer, batch(), first.slice(1, 1)):
        _alike(ends.through(part, first), part, first)
    _alike(kept, first)


def test_more_schemas_than_are_remembered(ends: Ends) -> None:
    batches = [pa.record_batch({f"c{i}": [i]}) for i in range(600)]
    for _ in range(2):
        for batch in batches:
            _alike(ends.through(batch), batch)


def test_what_cannot_be_written_leaves_the_channel_as_it_was(ends: Ends) -> None:
    good = pa.record_batch({"a": [1]})
    _alike(ends.through(good), good)
    with pytest.raises((TypeError, AttributeError)):
        ends.sender.offer(Message(b"", (good, "no batch")))
    assert ends.receiver.pull() is None
    _alike(ends.through(good), good)


def test_a_big_message_between_small_ones() -> None:
    ring = Ring.create(1 << 16)
    sender, receiver = ring.sender(), ring.receiver()
    small = pa.record_batch({"d": pa.array(["a", "b"]).dictionary_encode()})
    big = pa.record_batch({"d": pa.array([str(i) for i in range(40_000)]).dictionary_encode()})
    for number, batches in enumerate([(small,), (big, small), (small,), (big,), (small, small)]):
        message = Message(number.to_bytes(1, "little"), batches)
        pulled = None
        while not sender.offer(message):
            assert pulled is None
            pulled = receiver.pull()
        found = receiver.pull()
        assert found is not None
        assert found.head == message.head
        _alike(found.batches, *batches)
    assert ring.metrics().blocked_ns > 0
    ring.close()
