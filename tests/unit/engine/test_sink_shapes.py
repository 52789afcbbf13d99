"""Changes as upserts and as Debezium tells them, against a model that applies them row by row."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constellationdb.engine import batch as zset
from constellationdb.engine.changelog import Change
from constellationdb.engine.sinks.shapes import appended, debezium, upserted
from constellationdb.errors import SinkFailure

SCHEMA = pa.schema([("k", pa.int64()), ("v", pa.int64())])
Table = dict[int | None, int]
# What happens to keys in one epoch: another value, or none.
STEPS = st.lists(st.dictionaries(st.sampled_from([None, 1, 2, 3]), st.one_of(st.none(), st.integers(0, 3))), max_size=8)


def change(epoch: int, *rows: tuple[int | None, int, int]) -> Change:
    """Rows and their weights."""
    batch = pa.RecordBatch.from_pylist([{"k": k, "v": v} for k, v, _ in rows], schema=SCHEMA)
    weights = pa.array([w for _, _, w in rows], pa.int64())
    return Change(epoch, batch.append_column(zset.WEIGHT, weights) if rows else None, 0, epoch * 1000)


def history(steps: list[Table]) -> tuple[list[Table], list[Change]]:
    """The table after each epoch, and what changed."""
    tables: list[Table] = [{}]
    changes = []
    for epoch, step in enumerate(steps, 1):
        before = tables[-1]
        after = {k: v for k, v in (before | step).items() if v is not None}
        gone = [(k, v, -1) for k, v in before.items() if after.get(k) != v]
        come = [(k, v, 1) for k, v in after.items() if before.get(k) != v]
        tables.append(after)
        changes.append(change(epoch, *gone, *come))
    return tables, changes


@settings(max_examples=200, deadline=None)
@given(STEPS, st.data())
def test_upserts_lead_to_the_table_from_whatever_part_a_target_has_seen(steps: list[Any], data: st.DataObject) -> None:
    """So also where they are sent again, to a target that is ahead."""
    tables, changes = history(steps)
    since = data.draw(st.integers(0, len(steps)))
    seen = data.draw(st.integers(since, len(steps)))
    target = dict(tables[seen])
    found = upserted(changes[since:], [0])
    if found is not None:
        put, gone = found
        for key in gone.column("k").to_pylist():
            target.pop(key, None)
        target |= dict(zip(*(column.to_pylist() for column in put.columns), strict=True))
        keys = put.column("k").to_pylist() + gone.column("k").to_pylist()
        assert len(set(keys)) == len(keys), "each key once"
    assert target == tables[-1]


@settings(max_examples=200, deadline=None)
@given(STEPS, st.booleans())
def test_debezium_leads_from_each_table_to_the_next(steps: list[Any], keyed: bool) -> None:
    tables, changes = history(steps)
    rows = debezium(changes, [0] if keyed else [], SCHEMA, "t")
    current: list[tuple[int | None, int]] = []
    epochs: dict[int, set[tuple[int | None, int]]] = {}
    for told in [] if rows is None else rows.to_pylist():
        before, after = told["before"], told["after"]
        assert (
            told["op"]
            == {(True, False): "d", (False, True): "c", (True, True): "u"}[before is not None, after is not None]
        )
        if before is not None:
            current.remove((before["k"], before["v"]))
            assert not keyed or after is None or before["k"] == after["k"]
        if after is not None:
            current.append((after["k"], after["v"]))
        epochs[told["source"]["epoch"]] = set(current)
        assert told["ts_ms"] == told["source"]["epoch"]
    assert epochs == {c.epoch: set(tables[c.epoch].items()) for c in changes if c.delta is not None}


def test_appended_rows_come_as_often_as_they_were_added() -> None:
    rows = appended([change(1, (1, 1, 2)), change(2), change(3, (2, 2, 1))])
    assert rows is not None
    assert rows.to_pylist() == [{"k": 1, "v": 1}, {"k": 1, "v": 1}, {"k": 2, "v": 2}]
    assert appended([change(1)]) is None


def test_what_cannot_be_told_is_an_error() -> None:
    with pytest.raises(SinkFailure, match="was taken back"):
        appended([change(1, (1, 1, -1))])
    with pytest.raises(SinkFailure, match="more than once"):
        upserted([change(1, (1, 1, 2))], [0])
