"""Where a change meets the other side's rows: pairs of places, a bounded number at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from constellationdb.engine import batch as zset
from constellationdb.engine.kernels.groupby import add_weights, touched
from constellationdb.engine.kernels.rowcodec import encode_rows
from constellationdb.engine.kernels.rows import I64, Rows
from constellationdb.engine.operators.arranged import Arranged
from constellationdb.engine.operators.matches import Tally, first_of

_AT_ONCE = 262_144  # pairs


@dataclass(frozen=True)
class Pairs:
    """The change's row and the other side's entry of each pair."""

    mine: I64
    entries: I64


def pairs_of(rows: pa.RecordBatch, keys: tuple[int, ...], ask: Callable[[Rows], tuple[I64, I64]]) -> Iterator[Pairs]:
    """The pairs of equal keys. Without keys each row meets every entry, so they are counted before they are made."""
    if keys:
        mine, entries = ask(encode_rows(rows, keys))
        for first in range(0, len(mine), _AT_ONCE):
            yield Pairs(mine[first : first + _AT_ONCE], entries[first : first + _AT_ONCE])
        return
    _, entries = ask(encode_rows(rows.slice(0, 1), ()))
    if not len(entries):
        return
    step = max(1, _AT_ONCE // len(entries))
    for first in range(0, rows.num_rows, step):
        some = np.arange(first, min(first + step, rows.num_rows))
        yield Pairs(np.repeat(some, len(entries)), np.tile(entries, len(some)))


class Tallies:
    """What a change's pairs say of its own rows, and of the entries of the other side."""

    def __init__(self, delta: pa.RecordBatch) -> None:
        self._own = zset.weights(delta)
        count = delta.num_rows
        self.own = Tally(zset.data(delta), np.zeros(count, np.int64), np.zeros(count, np.int64))
        self._parts: list[tuple[I64, Tally]] = []

    def add(self, pairs: Pairs, passing: I64, failing: I64, other: Arranged) -> None:
        """``passing``, ``failing``: places in ``pairs``."""
        for places, total in ((passing, self.own.matched), (failing, self.own.failed)):
            add_weights(total, pairs.mine[places], other.weight_of(pairs.entries[places]))
        judged = np.concatenate([passing, failing])
        entries, place = touched(pairs.entries[judged])
        if not len(entries):
            return
        weights = np.ones(len(judged), np.int64) if self._own is None else self._own[pairs.mine[judged]]
        tally = Tally(other.take(entries), np.zeros(len(entries), np.int64), np.zeros(len(entries), np.int64))
        add_weights(tally.matched, place[: len(passing)], weights[: len(passing)])
        add_weights(tally.failed, place[len(passing) :], weights[len(passing) :])
        self._parts.append((entries, tally))

    @property
    def found(self) -> Tally | None:
        """Each entry once. Entries are as many as the relation's rows differ, also in columns that nobody reads here:
        several may look the same."""
        if len(self._parts) < 2:
            return self._parts[0][1] if self._parts else None
        entries, place = touched(np.concatenate([entries for entries, _ in self._parts]))
        rows = pa.concat_batches([tally.rows for _, tally in self._parts])
        whole = Tally(zset.take(rows, first_of(place, len(entries))), *np.zeros((2, len(entries)), np.int64))
        add_weights(whole.matched, place, np.concatenate([tally.matched for _, tally in self._parts]))
        add_weights(whole.failed, place, np.concatenate([tally.failed for _, tally in self._parts]))
        return whole
