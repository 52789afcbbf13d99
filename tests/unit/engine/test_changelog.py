"""A relation's log answers the same whether its changes are single or packed, and forgets from the old end only."""

from __future__ import annotations

from random import Random

import pyarrow as pa
import pytest

from constellationdb.engine import batch as zset
from constellationdb.engine.changelog import RETAINED_US, Change, RelationLog

SCHEMA = pa.schema([("k", pa.int64()), ("t", pa.string())])


def _change(draw: Random, epoch: int) -> Change:
    rows = draw.choice([0, 1, 1, 2, 2000])
    if not rows:
        return Change(epoch, None, epoch, epoch * 1000)
    batch = pa.record_batch({"k": [draw.randrange(5)] * rows, "t": [draw.choice(["a", None])] * rows}, schema=SCHEMA)
    delta = zset.with_weights(batch, draw.choice([1, -1])) if draw.random() < 0.7 else batch
    return Change(epoch, delta, epoch, epoch * 1000)


def _shown(changes: list[Change]) -> list[tuple[int, int, list[object]]]:
    """Watermarks that moved alone are of no interest later."""
    return [
        (c.epoch, c.at_us, [c.delta.num_rows, zset.weighted(c.delta).to_pylist()])
        for c in changes
        if c.delta is not None
    ]


@pytest.mark.parametrize("seed", range(8))
def test_packed_and_single_changes_are_the_same_to_who_looks_back(seed: int) -> None:
    draw = Random(seed)
    log, everything = RelationLog(), []
    epoch, passed = 0, 0
    for _ in range(60):
        epoch += draw.randrange(1, 4)
        everything.append(_change(draw, epoch))
        log.append(everything[-1])
        if draw.random() < 0.2:
            passed = draw.randrange(passed, epoch + 1)
            log.forget(passed, epoch * 1000, retain=True)
        since, limit = sorted(draw.randrange(epoch + 2) for _ in range(2))
        assert _shown(log.all_after(since, limit)) == _shown([c for c in everything if since < c.epoch <= limit])
        following = next((c for c in everything if c.epoch > max(since, passed)), None)
        assert log.after(max(since, passed)) is following
        later = log.after(since)
        rows = next((c for c in everything if c.epoch > since and (c.epoch > passed or c.delta is not None)), None)
        assert (later and later.epoch) == (rows and rows.epoch)
    assert log._packs


def test_what_is_old_is_forgotten_whole_packs_at_a_time_and_only_when_everybody_has_passed_it() -> None:
    log = RelationLog()
    for epoch in range(1, 11):
        log.append(Change(epoch, _change(Random(3), 1).delta, 0, epoch))
    log.forget(4, 5, retain=True)
    log.forget(8, 9, retain=True)
    assert log.forgotten == 0
    log.forget(8, RETAINED_US + 6, retain=True)
    assert log.forgotten == 4
    log.forget(8, 3 * RETAINED_US, retain=True)
    assert log.forgotten == 8
    assert [c.epoch for c in log.all_after(8, 10)] == [9, 10]
    log.forget(10, 3 * RETAINED_US, retain=False)
    assert (log.forgotten, log.all_after(0, 99), log._bytes) == (10, [], 0)
