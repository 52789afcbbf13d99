"""One small table with every trap in it, and random questions to it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import pyarrow as pa
from hypothesis import strategies as st

from constellationdb.connectors.api import CompareOp, LookupPredicate

NAN, INF = math.nan, math.inf
SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("part", pa.string()),
        ("qty", pa.int32()),
        ("price", pa.decimal128(12, 2)),
        ("ratio", pa.float64()),
        ("name", pa.string()),
        ("open", pa.bool_()),
        ("since", pa.timestamp("us")),
    ]
)
STAMPS = [datetime(2024, 1, 1), datetime(2024, 1, 1, 0, 0, 0, 1), datetime(1969, 12, 31, 23), None]
RATIOS = [NAN, -0.0, 0.0, 1.5, -INF, INF, None, 0.1]
NAMES = ["a", "B", "é", "", "a'b", 'x"y', None, "Z", "a b", "%s $1"]


def table(rows: int = 60) -> pa.Table:
    """Ids 0 to rows, parts 'p0' to 'p2', the rest cycling through the traps with different periods."""
    columns = {
        "id": list(range(rows)),
        "part": [f"p{i % 3}" for i in range(rows)],
        "qty": [None if i % 7 == 0 else i % 5 - 2 for i in range(rows)],
        "price": [None if i % 11 == 0 else Decimal(i % 9) / 4 for i in range(rows)],
        "ratio": [RATIOS[i % len(RATIOS)] for i in range(rows)],
        "name": [NAMES[i % len(NAMES)] for i in range(rows)],
        "open": [(True, False, None)[i % 3] for i in range(rows)],
        "since": [STAMPS[i % 4] for i in range(rows)],
    }
    return pa.table({name: pa.array(columns[name], SCHEMA.field(name).type) for name in SCHEMA.names}, schema=SCHEMA)


_VALUES: dict[str, list[pa.Scalar]] = {
    "id": [pa.scalar(v) for v in (0, 7, 59, -1)] + [pa.scalar(6.5), pa.scalar(Decimal("7.0"))],
    "part": [pa.scalar(v) for v in ("p0", "p1", "q")],
    "qty": [pa.scalar(v) for v in (-2, 0, 1)] + [pa.scalar(0.5), pa.scalar(Decimal("-1.50")), pa.scalar(NAN)],
    "price": [pa.scalar(Decimal(v)) for v in ("0.25", "1.5", "1.500", "0.001")] + [pa.scalar(1), pa.scalar(1.5)],
    "ratio": [pa.scalar(v) for v in (NAN, 0.0, -0.0, 1.5, INF, 0.1)] + [pa.scalar(0), pa.scalar(Decimal("0.1"))],
    "name": [pa.scalar(v) for v in ("a", "B", "é", "", "a'b", "%s $1")],
    "open": [pa.scalar(True), pa.scalar(False)],
    "since": [pa.scalar(stamp, pa.timestamp("us")) for stamp in STAMPS if stamp],
}
_COMPARE: list[CompareOp] = ["=", "<>", "<", "<=", ">", ">="]
OPS: tuple[CompareOp, ...] = (*_COMPARE, "in", "is null", "is not null")


@st.composite
def predicates(draw: st.DrawFn) -> LookupPredicate:
    column = draw(st.sampled_from(SCHEMA.names))
    op = draw(st.sampled_from(OPS))
    values = st.sampled_from([*_VALUES[column], pa.scalar(None, SCHEMA.field(column).type)])
    if op in ("is null", "is not null"):
        return LookupPredicate(column, op)
    if op == "in":
        return LookupPredicate(column, op, tuple(draw(st.lists(values, max_size=4))))
    return LookupPredicate(column, op, (draw(values),))


def single_keys(*ids: int) -> pa.RecordBatch:
    return pa.record_batch({"id": pa.array(ids, pa.int64())})


def pair_keys(pairs: Sequence[tuple[int, str]]) -> pa.RecordBatch:
    ids, parts = [i for i, _ in pairs], [part for _, part in pairs]
    return pa.record_batch({"id": pa.array(ids, pa.int64()), "part": pa.array(parts, pa.string())})


def bag(answer: pa.Table) -> list[str]:
    """The rows in an order of their own, NaN and -0 told apart from the others (NULL, 0) by their text."""
    return sorted(repr(row) for row in answer.to_pylist())


questions = st.tuples(
    st.one_of(
        st.sets(st.integers(-3, 65), max_size=20).map(lambda ids: single_keys(*sorted(ids))),
        st.sets(st.tuples(st.integers(-3, 65), st.sampled_from(["p0", "p1", "q"])), max_size=20).map(
            lambda pairs: pair_keys(sorted(pairs))
        ),
    ),
    st.lists(st.sampled_from(SCHEMA.names), max_size=4, unique=True),
    st.lists(predicates(), max_size=3),
)
