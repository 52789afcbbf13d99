"""AppendedRows reads as an append-only Arrangement does, at every epoch that may still be read."""

from __future__ import annotations

import pyarrow as pa
import pytest

from constellationdb.engine import batch as zset
from constellationdb.engine.contents import AppendedRows
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
