"""AppendedRows reads as an append-only Arrangement does, at every epoch that may still be read."""

from __future__ import annotations

from random import Random

import numpy as np
import pyarrow as pa
import pytest

from constellationdb.engine import arrangement
from constellationdb.engine import batch as zset
from constellationdb.engine.arrangement import Arrangement
from constellationdb.engine.contents import AppendedRows, Contents
from constellationdb.errors import InternalError

SCHEMA = pa.schema([("v", pa.int64())])


def _rows(*values: int) -> pa.RecordBatch:
    return pa.record_batch({"v": list(values)}, schema=SCHEMA)


def _at(contents: AppendedRows, epoch: int) -> list[int]:
    scanned: list[int] = contents.version.scan(epoch).column("v").to_pylist()
    assert contents.version.weighted(epoch).column("v").to_pylist() == scanned
    return scanned


def test_a_reader_sees_the_rows_of_its_epoch_and_those_before() -> None:
    contents = AppendedRows(SCHEMA)
    assert _at(contents, 9) == []
    for epoch in (1, 2, 4):
        contents.apply(_rows(epoch * 10, epoch * 10 + 1), epoch)
    assert [len(_at(contents, epoch)) for epoch in (0, 1, 2, 3, 4, 9)] == [0, 2, 4, 4, 6, 6]
    assert contents.live == 6


def test_a_row_of_weight_n_is_n_rows_and_none_is_taken_away() -> None:
    contents = AppendedRows(SCHEMA)
    contents.apply(zset.with_weights(_rows(7), 3), 1)
    assert _at(contents, 1) == [7, 7, 7]
    with pytest.raises(InternalError, match="only grows"):
        contents.apply(zset.with_weights(_rows(7), -1), 2)


def test_compaction_joins_chunks_but_not_across_epochs_that_are_read() -> None:
    contents = AppendedRows(SCHEMA)
    for epoch in range(1, 101):
        contents.apply(_rows(epoch), epoch)
    before = contents.version
    contents.compact(90)
    assert len(contents.version.chunks) < 20
    assert contents.version.floor == 90
    for epoch in (90, 93, 100):
        assert _at(contents, epoch) == list(range(1, epoch + 1))
    assert before.scan(3).num_rows == 3  # a version taken earlier stays what it was


def test_a_snapshot_restores_the_same_rows() -> None:
    contents, again = AppendedRows(SCHEMA), AppendedRows(SCHEMA)
    contents.apply(_rows(1, 2), 1)
    contents.apply(_rows(3), 5)
    again.restore(contents.snapshot(), 5)
    assert _at(again, 5) == [1, 2, 3]
    assert again.version.floor == 5


@pytest.mark.parametrize("seed", range(20))
def test_what_changed_between_two_epochs_is_known_whatever_was_compacted(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The two ends of a checkpoint's change: ``written`` is its beginning, and readers need nothing below its end."""
    monkeypatch.setattr(arrangement, "_COMPACT_ABOVE", 10)
    draw = Random(seed)
    unique = draw.choice([None, (0,)])
    schema = pa.schema([("k", pa.int64()), ("v", pa.int64())])
    contents: Contents = Arrangement(schema, unique=unique)
    held: dict[tuple[int, int], int] = {}
    then: dict[int, dict[tuple[int, int], int]] = {0: {}}
    written = 0
    for epoch in range(1, 60):
        changed: dict[tuple[int, int], int] = {}
        for _ in range(draw.randrange(500)):
            k = draw.randrange(300)
            old = [row for row in held if row[0] == k] if unique or draw.random() < 0.5 else []
            for row in old:
                changed[row] = changed.get(row, 0) - held.pop(row)
            if draw.random() < 0.7:
                row = (k, draw.randrange(4))
                held[row] = held.get(row, 0) + 1
                changed[row] = changed.get(row, 0) + 1
        rows = [(row, n) for row, n in changed.items() if n]
        if rows:
            batch = pa.RecordBatch.from_pylist([{"k": k, "v": v} for (k, v), _ in rows], schema=schema)
            contents.apply(zset.with_weights(batch, np.array([n for _, n in rows], np.int64)), epoch)
        then[epoch] = dict(held)
        if draw.random() < 0.5:
            contents.compact(draw.randrange(written, epoch + 1), written)
        if draw.random() < 0.3 and contents.version.floor <= epoch:
            assert contents.version.knows_since(written)
            assert _counts(contents.version.between(written, epoch)) == _difference(then[written], then[epoch])
            assert _counts(contents.version.weighted(epoch)) == then[epoch]
            written = epoch


def _counts(batch: pa.RecordBatch) -> dict[tuple[int, int], int]:
    found: dict[tuple[int, int], int] = {}
    for *row, n in zip(*(column.to_pylist() for column in batch.columns), strict=True):
        found[row[0], row[1]] = found.get((row[0], row[1]), 0) + n
    return found


def _difference(before: dict[tuple[int, int], int], after: dict[tuple[int, int], int]) -> dict[tuple[int, int], int]:
    changed = {row: after.get(row, 0) - before.get(row, 0) for row in before | after}
    return {row: n for row, n in changed.items() if n}
