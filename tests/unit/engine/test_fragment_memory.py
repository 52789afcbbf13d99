"""What a fragment gives away is as large as its rows."""

import pyarrow as pa
from datafusion.substrait import Producer

from constellationdb.engine.fragment import Fragment, Slot, execution_context

SCHEMA = pa.schema([("c0", pa.int64()), ("c1", pa.string())])


def test_the_few_rows_of_a_filter_do_not_keep_the_room_for_a_whole_batch() -> None:
    context = execution_context()
    context.register_dataset("slot0", Slot(SCHEMA))
    plan = context.sql("SELECT c0, c1 FROM slot0 WHERE c0 > 997").optimized_logical_plan()
    fragment = Fragment(Producer.to_substrait_plan(plan, context).encode(), [SCHEMA], SCHEMA)
    rows = pa.RecordBatch.from_pydict({"c0": range(1000), "c1": [str(n) for n in range(1000)]}, SCHEMA)
    before = pa.total_allocated_bytes()
    kept = [fragment.run(rows) for _ in range(50)]
    assert [batch and batch.to_pydict() for batch in kept] == [{"c0": [998, 999], "c1": ["998", "999"]}] * 50
    # Arrow rounds a buffer up to 64 bytes. DataFusion's own buffers would not be among these at all.
    assert 50 * 30 <= pa.total_allocated_bytes() - before <= 50 * 8 * 64
