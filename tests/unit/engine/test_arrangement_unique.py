"""An arrangement by a unique key holds what one by whole rows holds, and refuses what is no key."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
import pytest

from constellationdb.engine import arrangement
from constellationdb.engine import batch as zset
from constellationdb.engine.arrangement import Arrangement
from constellationdb.errors import InternalError

_SCHEMA = pa.schema([("k", pa.int64()), ("v", pa.string())])


def _delta(*rows: tuple[int | None, str, int]) -> pa.RecordBatch:
    keys, values, weights = zip(*rows, strict=True)
    plain = pa.record_batch([pa.array(keys, pa.int64()), pa.array(values)], schema=_SCHEMA)
    return zset.with_weights(plain, np.array(weights, np.int64))


def _change(rnd: random.Random, rows: dict[int | None, str]) -> pa.RecordBatch | None:
    """A random change of some rows, as an aggregate puts it out: what goes, then what comes."""
    gone, come = [], []
    for key in rnd.sample([None, *range(60)], 20):
        if key in rows:
            gone.append((key, rows.pop(key), -1))
        if rnd.random() < 0.6:
            rows[key] = rnd.choice("abc")
            come.append((key, rows[key], 1))
    return _delta(*gone, *come) if gone or come else None


@pytest.mark.parametrize("netted", [False, True])
def test_every_epoch_reads_as_it_was(netted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrangement, "_COMPACT_ABOVE", 50)
    rnd, rows, history = random.Random(3), dict[int | None, str](), dict[int, set[tuple[int | None, str]]]()
    kept = Arrangement(_SCHEMA, (1,), unique=(0,))
    for epoch in range(1, 80):
        delta = _change(rnd, rows)
        if delta is not None:
            kept.apply(zset.netted(delta) if netted else delta, epoch, netted=netted)
        history[epoch] = set(rows.items())
        for seen in range(max(1, epoch - 3), epoch + 1):
            found = kept.version.scan(seen).to_pylist()
            assert len(found) == len(history[seen])
            assert {(row["k"], row["v"]) for row in found} == history[seen]
        kept.compact(epoch - 3)
    assert kept.live == len(rows)
    again = Arrangement(_SCHEMA, unique=(0,))
    again.restore(kept.snapshot(), 80)
    assert again.version.scan(80).sort_by("k").equals(kept.version.scan(80).sort_by("k"))


def test_what_is_evicted_may_come_again() -> None:
    kept = Arrangement(_SCHEMA, unique=(0,))
    kept.apply(_delta((1, "a", 1), (2, "b", 1)), 1)
    kept.evict(np.array([True, False]), 2)
    kept.apply(_delta((1, "c", 1)), 3)
    assert sorted(row["v"] for row in kept.version.scan(3).to_pylist()) == ["b", "c"]


@pytest.mark.parametrize(
    ("delta", "trouble"),
    [
        (_delta((2, "a", -1)), "a row would occur -1 times"),
        (_delta((1, "a", -1), (1, "b", -1)), "a row would occur -1 times"),
        (_delta((1, "b", 1)), "a unique key would occur twice"),
        (_delta((2, "a", 1), (2, "b", 1)), "a unique key would occur twice"),
        (_delta((2, "a", 2)), "a unique key would occur twice"),
    ],
)
def test_a_change_that_breaks_the_key_is_refused(delta: pa.RecordBatch, trouble: str) -> None:
    kept = Arrangement(_SCHEMA, unique=(0,))
    kept.apply(_delta((1, "a", 1)), 1)
    with pytest.raises(InternalError, match=trouble):
        kept.apply(delta, 2)
