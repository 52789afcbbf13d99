"""The rows of an epoch in an order that they alone decide: however they are split up and shuffled, it is the same."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from constellationdb.engine.canonical_order import ordered as in_order

_SCHEMA = pa.schema(
    [
        ("_epoch", pa.int64()),
        ("_diff", pa.int64()),
        ("number", pa.int32()),
        ("text", pa.string()),
        ("numbers", pa.list_(pa.float64())),
    ]
)
_DATA = st.tuples(
    st.none() | st.integers(-2, 2),
    st.none() | st.sampled_from(["", "a", "ab", "\0", "é"]),
    st.none() | st.lists(st.none() | st.sampled_from([0.0, -1.5, float("inf")]), max_size=2),
)
_CHANGES = st.lists(st.tuples(st.integers(1, 3), st.sampled_from([-2, -1, 1, 3]), _DATA), max_size=30)
Changes = list[tuple[int, int, tuple[object, ...]]]


def batch(changes: Changes) -> pa.RecordBatch:
    rows = [dict(zip(_SCHEMA.names, (epoch, diff, *data), strict=True)) for epoch, diff, data in changes]
    return pa.RecordBatch.from_pylist(rows, schema=_SCHEMA)


def ordered(changes: Changes) -> list[dict[str, object]]:
    """The epochs come in sequence."""
    rows: list[dict[str, object]] = in_order(batch(sorted(changes, key=lambda change: change[0]))).to_pylist()
    return rows


def key(row: dict[str, object]) -> str:
    return repr(list(row.values())[2:])


@given(_CHANGES, st.randoms(use_true_random=False))
def test_neither_sequence_nor_splitting_changes_it(changes: Changes, draw: object) -> None:
    whole = ordered(changes)
    split = [(epoch, part, data) for epoch, diff, data in changes for part in (diff - 1, 1) if part]
    draw.shuffle(split)  # type: ignore[attr-defined]
    assert ordered(split) == whole


@given(_CHANGES)
def test_it_is_what_the_epoch_changed(changes: Changes) -> None:
    expected: dict[int, Counter[str]] = {}
    for change in changes:
        row = batch([change]).to_pylist()[0]
        expected.setdefault(change[0], Counter())[key(row)] += change[1]
    found = ordered(changes)
    for epoch, rows in expected.items():
        theirs = [row for row in found if row["_epoch"] == epoch]
        assert {key(row): row["_diff"] for row in theirs} == {k: n for k, n in rows.items() if n}
        comes = [int(str(row["_diff"])) > 0 for row in theirs]
        assert comes == sorted(comes), "what goes is before what comes"
    epochs = [int(str(row["_epoch"])) for row in found]
    assert epochs == sorted(epochs)
