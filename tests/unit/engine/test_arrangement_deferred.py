"""An arrangement that indexes its rows only when one is taken away answers as one that always did."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest

from constellationdb.engine import batch as zset
from constellationdb.engine.arrangement import Arrangement
from constellationdb.errors import InternalError

SCHEMA = pa.schema([("k", pa.int64()), ("v", pa.string())])


def delta(*rows: tuple[int, str, int]) -> pa.RecordBatch:
    keys, values, weights = zip(*rows, strict=True)
    return zset.with_weights(pa.record_batch([keys, values], schema=SCHEMA), pa.array(weights).to_numpy())


def contents(arrangement: Arrangement, epoch: int) -> list[tuple[object, ...]]:
    return sorted(tuple(row.values()) for row in arrangement.version.scan(epoch).to_pylist())


@pytest.mark.parametrize("keys", [None, (0,)])
def test_random_changes_leave_the_same_rows_at_every_epoch(keys: tuple[int, ...] | None) -> None:
    for seed in range(20):
        rng = random.Random(seed)
        plain, deferred = Arrangement(SCHEMA, keys), Arrangement(SCHEMA, keys, deferred=True)
        held: list[tuple[int, str]] = []
        for epoch in range(1, 12):
            added = [(rng.randrange(4), rng.choice("ab")) for _ in range(rng.randrange(1, 6))]
            gone = rng.sample(held, min(len(held), rng.randrange(3))) if epoch > 5 else []
            for row in gone:
                held.remove(row)
            held += added
            change = zset.netted(delta(*((*row, 1) for row in added), *((*row, -1) for row in gone)))
            if change is not None:
                plain.apply(change, epoch)
                deferred.apply(change, epoch)
            for seen in range(1, epoch + 1):
                assert contents(deferred, seen) == contents(plain, seen)
        assert contents(deferred, 11) == sorted(held)


def test_equal_rows_become_one_entry_with_the_first_that_goes() -> None:
    arrangement = Arrangement(SCHEMA, deferred=True)
    arrangement.apply(delta((1, "a", 1), (2, "b", 1)), 1)
    arrangement.apply(delta((1, "a", 2)), 2)
    arrangement.apply(delta((1, "a", -1)), 3)
    assert contents(arrangement, 2) == [(1, "a"), (1, "a"), (1, "a"), (2, "b")]
    assert contents(arrangement, 3) == [(1, "a"), (1, "a"), (2, "b")]
    assert arrangement.live == 2
    rows = pa.record_batch([[1, 2, 3], ["a", "b", "c"]], schema=SCHEMA)
    assert arrangement.find(rows, 3).tolist() == [2, 1, 0]


def test_what_is_not_there_cannot_go() -> None:
    arrangement = Arrangement(SCHEMA, deferred=True)
    arrangement.apply(delta((1, "a", 1)), 1)
    with pytest.raises(InternalError, match="a row would occur -1 times"):
        arrangement.apply(delta((1, "b", -1)), 2)


def test_a_rising_column_tells_that_rows_are_different() -> None:
    rows = pa.record_batch([[1, 2, 2], [1, 2, 3], ["x", "y", "z"]], ["a", "b", "c"])
    assert zset.all_different(rows, (0, 1))
    assert not zset.all_different(rows, (0,))
    assert not zset.all_different(rows, (2,))
    assert not zset.all_different(pa.record_batch([[1, None]], ["a"]), (0,))
