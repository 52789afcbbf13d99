"""Rows that wait for a lookup hold back the watermark of what they will become, and only that."""

from __future__ import annotations

import pyarrow as pa

from constellationdb.engine.graph import Graph, Input
from constellationdb.engine.operators.base import NO_WATERMARK, LookupAnswer
from constellationdb.engine.operators.lookup import LookupJoinOperator
from constellationdb.planner import plan

_STREAM = pa.schema([("k", pa.int64())])
_TABLE = pa.schema([("key", pa.int64()), ("value", pa.string())])
_JOINED = pa.schema([("k", pa.int64()), ("value", pa.string())])


def _graph() -> Graph:
    scan = plan.Scan(
        id=0, schema_ipc=plan.encode_schema(_STREAM), append_only=True, closing=(), relation="stream", columns=(0,)
    )
    joined = plan.LookupJoin(
        id=1,
        schema_ipc=plan.encode_schema(_JOINED),
        append_only=True,
        closing=(),
        input=scan,
        table="side",
        join_type="inner",
        input_keys=(0,),
        table_keys=("key",),
        columns=("value",),
        predicates=(),
        right_filter=None,
        residual=None,
        shows="",
    )
    return Graph(joined, lookups=lambda node: LookupJoinOperator(node, _TABLE, None))


def _rows(*keys: int) -> pa.RecordBatch:
    return pa.record_batch({"k": pa.array(keys, pa.int64())}, schema=_STREAM)


def _answer(key: int, value: str) -> LookupAnswer:
    keys = pa.record_batch({"key": [key]}, schema=pa.schema([("key", pa.int64())]))
    return LookupAnswer(keys, pa.record_batch({"key": [key], "value": [value]}, schema=_TABLE))


def test_the_epoch_that_begins_to_wait_does_not_pass_its_rows() -> None:
    graph = _graph()
    assert graph.run(1, {"stream": Input(None, 10)}).watermark == 10
    waiting = graph.run(2, {"stream": Input(_rows(7), 20)})
    assert waiting.delta is None
    assert waiting.watermark == 10


def test_the_answer_lets_rows_and_watermark_go_at_once() -> None:
    graph = _graph()
    graph.run(1, {"stream": Input(_rows(7), 20)})
    answered = graph.run(2, {}, {1: [_answer(7, "seven")]})
    assert answered.delta is not None
    assert answered.delta.to_pylist() == [{"k": 7, "value": "seven"}]
    assert answered.watermark == 20


def test_the_watermark_never_goes_back() -> None:
    graph = _graph()
    graph.run(1, {"stream": Input(None, 30)})
    seen = [graph.run(2, {"stream": Input(_rows(1), 40)}).watermark]
    seen.append(graph.run(3, {"stream": Input(_rows(2), 50)}, {1: [_answer(1, "one")]}).watermark)
    seen.append(graph.run(4, {"stream": Input(None, 50)}, {1: [_answer(2, "two")]}).watermark)
    assert seen == sorted(seen)
    assert seen[0] == 30
    assert seen[-1] == 50
    assert NO_WATERMARK not in seen
