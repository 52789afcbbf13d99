"""Run a fragment: one DataFusion physical plan, built once, executed per batch over a live slot.

DataFusion calls back into a ``Slot`` (a pyarrow Dataset of our own) at every
execution, so the plan is planned once and the batch is swapped beneath it.
That is right only for nodes that keep nothing between executions; the list
below is closed, and everything else is planned anew for every call.

Source of the technique and the list: measurements of DataFusion 55, re-checked
by a test that executes each accepted node twice on different rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
from datafusion import SessionConfig, SessionContext
from datafusion.substrait import Consumer, Serde

from constellationdb.errors import InternalError
from constellationdb.planner import functions, python_functions
from constellationdb.planner.panics import contained

# Larger than any epoch chunk, so that one batch in is at most one batch out per node.
_BATCH_ROWS = 1 << 20

REUSABLE_NODES = frozenset(
    {"ProjectionExec", "FilterExec", "AggregateExec", "SortExec", "WindowAggExec", "BoundedWindowAggExec",
     "UnionExec", "CoalesceBatchesExec", "CoalescePartitionsExec", "RepartitionExec", "DatasetExec",
     "CooperativeExec", "GlobalLimitExec", "LocalLimitExec", "SortPreservingMergeExec"}
)  # fmt: skip
_NODE = re.compile(r"^\s*(\w+)")
# A node that gathers rows makes room for a whole batch of them, so that three rows hold megabytes for as long as
# somebody keeps them: in a view, in a log. Larger results waste less than a copy would cost.
_GATHERING_NODES = ("FilterExec", "CoalesceBatchesExec", "RepartitionExec")
_COPIED_ROWS = 16_384


class _Scanner:
    def __init__(self, slot: Slot, columns: Sequence[str] | None) -> None:
        self._slot = slot
        self._columns = columns
        fields = slot.schema if columns is None else pa.schema([slot.schema.field(c) for c in columns])
        self.projected_schema = fields

    def to_batches(self) -> Iterator[pa.RecordBatch]:
        for batch in self._slot.batches:
            yield batch if self._columns is None else batch.select(list(self._columns))


class _Piece:
    """The one fragment (in pyarrow's sense) of a slot."""

    def __init__(self, slot: Slot) -> None:
        self._slot = slot

    def scanner(
        self, _schema: pa.Schema | None = None, *, columns: Sequence[str] | None = None, **_ignored: Any
    ) -> _Scanner:
        return _Scanner(self._slot, columns)


class Slot(ds.Dataset):  # type: ignore[misc]
    """A table whose rows are whatever ``batches`` holds when a plan is executed."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self.batches: tuple[pa.RecordBatch, ...] = ()

    @property
    def schema(self) -> pa.Schema:
        return self._schema

    def get_fragments(self, filter: Any = None) -> Iterator[_Piece]:  # noqa: A002
        if filter is not None:
            raise InternalError("a filter was pushed into a slot, where it would be lost")
        return iter((_Piece(self),))

    def scanner(self, *, columns: Sequence[str] | None = None, **_ignored: Any) -> _Scanner:
        return _Scanner(self, columns)


def execution_context() -> SessionContext:
    """A context that runs plans: one partition, whole batches, no filter pushed into scans."""
    context = SessionContext(
        SessionConfig(
            {
                "datafusion.execution.target_partitions": "1",
                "datafusion.execution.batch_size": str(_BATCH_ROWS),
                "datafusion.execution.time_zone": "UTC",
                "datafusion.optimizer.enable_dynamic_filter_pushdown": "false",
            }
        )
    )
    functions.register(context)
    python_functions.register(context)
    context.remove_optimizer_rule("push_down_filter")
    return context


class Fragment:
    """A Substrait plan over ``slot0, slot1, …``; ``run`` gives its rows for these inputs.

    One thread at a time. Errors of the computation come out as DataFusion raised them;
    ``planner.functions.translate`` reads them.
    """

    def __init__(self, substrait: bytes, inputs: Sequence[pa.Schema], output: pa.Schema) -> None:
        self._context = execution_context()
        self._output = _plain(output)
        self._slots = [Slot(schema) for schema in inputs]
        self._inputs = [_plain(schema) for schema in inputs]
        for number, slot in enumerate(self._slots):
            self._context.register_dataset(f"slot{number}", slot)
        self._plan_bytes = substrait
        self._physical: Any = self._build()
        self.reusable = self._is_reusable()
        self._gathers = any(node in self._physical.display_indent() for node in _GATHERING_NODES)

    def _build(self) -> Any:
        """Raises ConstellationError for a plan that nothing executes: some casts are known only then."""
        try:
            with contained():
                logical = Consumer.from_substrait_plan(self._context, Serde.deserialize_bytes(self._plan_bytes))
                return self._context.create_dataframe_from_logical_plan(logical).execution_plan()
        except Exception as error:
            raise functions.translate(error) from error

    def _is_reusable(self) -> bool:
        shown = self._physical.display_indent()
        if "TopK" in shown:
            return False
        return all(match.group(1) in REUSABLE_NODES for line in shown.splitlines() if (match := _NODE.match(line)))

    def run(self, *inputs: pa.RecordBatch) -> pa.RecordBatch | None:
        """The output rows under the output schema's names, or None when there are none."""
        for slot, batch, schema in zip(self._slots, inputs, self._inputs, strict=True):
            slot.batches = (_renamed(batch, schema),)
        physical = self._physical if self.reusable else self._build()
        try:
            with contained():
                found = [b for b in (p.to_pyarrow() for p in self._context.execute(physical, 0)) if b.num_rows]
        finally:
            for slot in self._slots:
                slot.batches = ()
        if not found:
            return None
        if len(found) == 1 and self._gathers and found[0].num_rows <= _COPIED_ROWS:
            found.append(found[0].slice(0, 0))  # two are copied, one would be handed through
        whole = found[0] if len(found) == 1 else pa.concat_batches(found)
        return _renamed(whole, self._output)


def _plain(schema: pa.Schema) -> pa.Schema:
    """Names and types, and nothing else: what a batch is compared with."""
    return pa.schema([pa.field(f.name, f.type) for f in schema])


def _renamed(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    if batch.schema.equals(schema):
        return batch
    columns = [
        column if column.type == field.type else column.cast(field.type)
        for column, field in zip(batch.columns, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)
