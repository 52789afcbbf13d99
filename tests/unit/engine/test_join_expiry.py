"""A join keeps no row that the epoch's own watermark closes, and meets it all the same."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from constellationdb.engine.graph import Graph, Input
from constellationdb.planner import plan

_SCHEMA = pa.schema([("c0", pa.int64()), ("c1", pa.timestamp("us"))])


def _scan(number: int, name: str) -> plan.Scan:
    return plan.Scan(
        id=number, schema_ipc=plan.encode_schema(_SCHEMA), append_only=True, times=(1,),
        closing=(plan.Column(1, 0),), relation=name, columns=(0, 1),
    )  # fmt: skip


def _join() -> plan.Join:
    schema = pa.schema([pa.field(f"c{i}", kind) for i, kind in enumerate([*_SCHEMA.types, *_SCHEMA.types])])
    return plan.Join(
        id=3, schema_ipc=plan.encode_schema(schema), append_only=True, left=_scan(1, "l"), right=_scan(2, "r"),
        left_keys=(0, 1), right_keys=(0, 1), null_safe=(False, False), residual=None, shows="",
    )  # fmt: skip


def _rows(*rows: tuple[int, int]) -> pa.RecordBatch:
    keys, times = zip(*rows, strict=True)
    return pa.record_batch([pa.array(keys), pa.array(times).cast(pa.timestamp("us"))], schema=_SCHEMA)


def _found(delta: pa.RecordBatch | None) -> list[tuple[int, int]]:
    return (
        [] if delta is None else sorted(zip(delta[0].to_pylist(), delta[1].cast(pa.int64()).to_pylist(), strict=True))
    )


def _kept(graph: Graph, side: str) -> list[int]:
    return sorted(np.asarray(graph.snapshot()[f"3/0/{side}"].column(0)).tolist())


def test_rows_that_come_and_close_in_one_epoch_meet() -> None:
    graph = Graph(_join())
    left, right = _rows((1, 10), (2, 30)), _rows((1, 10), (2, 30), (3, 30), (1, 5))
    out = graph.run(1, {"l": Input(left, 20), "r": Input(right, 20)})
    assert _found(out.delta) == [(1, 10), (2, 30)]
    assert (_kept(graph, "left"), _kept(graph, "right")) == ([2], [2, 3])


def test_what_stays_open_meets_later_rows() -> None:
    graph = Graph(_join())
    graph.run(1, {"l": Input(None, 20), "r": Input(_rows((1, 10), (1, 30)), 20)})
    out = graph.run(2, {"l": Input(_rows((1, 30)), 30), "r": Input(None, 25)})
    assert _found(out.delta) == [(1, 30)]
    graph.run(3, {"l": Input(None, 40), "r": Input(None, 40)})
    assert (_kept(graph, "left"), _kept(graph, "right")) == ([], [])


def test_the_slower_side_keeps_the_window_open() -> None:
    graph = Graph(_join())
    graph.run(1, {"l": Input(None, 5), "r": Input(_rows((1, 10)), 50)})
    out = graph.run(2, {"l": Input(_rows((1, 10)), 50), "r": Input(None, 50)})
    assert _found(out.delta) == [(1, 10)]
