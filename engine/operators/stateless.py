"""Fragment, Union, Constant: no state, and the bisection that finds a row that fails."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from constellationdb.engine import batch as zset
from constellationdb.engine.batch import Delta
from constellationdb.engine.fragment import Fragment
from constellationdb.engine.operators.base import Context, FailedRow, Stateless
from constellationdb.errors import DataException, InternalError
from constellationdb.planner import functions, plan


class FragmentOperator(Stateless):
    """Filters and projections. A row that raises is isolated by halving the batch, and becomes an error row."""

    def __init__(self, node: plan.Fragment) -> None:
        self._node = node
        self._schema = node.schema
        read, written = node.input.schema, node.schema
        if node.weighted:
            weight = pa.field(zset.WEIGHT, pa.int64())
            read, written = read.append(weight), written.append(weight)
        self._renames = _is_rename(node)
        self._fragment = None if self._renames else Fragment(node.substrait, [read], written)

    def process(self, inputs: Sequence[Delta], context: Context) -> Delta:
        batch = inputs[0]
        if batch is None or batch.num_rows == 0:
            return None
        if self._renames:
            return self._rename(batch)
        if self._node.weighted:
            batch = zset.weighted(batch)
        output = self._run(batch, context)
        if output is not None and self._node.weighted and self._node.append_only:
            return zset.data(output)
        return output

    def _rename(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        columns = [batch.column(i) for i in self._node.passthrough]
        rows = pa.RecordBatch.from_arrays(columns, schema=self._schema)
        own = zset.weights(batch)
        return rows if own is None else zset.with_weights(rows, own)

    def _run(self, batch: pa.RecordBatch, context: Context) -> Delta:
        assert self._fragment is not None
        try:
            return self._fragment.run(batch)
        except Exception as error:
            if batch.num_rows == 1:
                context.errors.append(failed_row(self._node.id, batch, error))
                return None
        half = batch.num_rows // 2
        parts = [self._run(batch.slice(0, half), context), self._run(batch.slice(half), context)]
        return zset.concat([p for p in parts if p is not None])


def failed_row(node: int, batch: pa.RecordBatch, error: BaseException) -> FailedRow:
    """The error row of a one-row batch."""
    own = zset.weights(batch)
    found = functions.translate(error)
    if type(found) is DataException:  # nothing a row's values explain: ours to fix, so not hidden in a table
        raise InternalError("a fragment could not be run", detail=found.detail) from error
    shown = {k: v for k, v in batch.to_pylist()[0].items() if k != zset.WEIGHT}
    return FailedRow(node, found.sqlstate, found.message, repr(list(shown.values())), 1 if own is None else int(own[0]))


def _is_rename(node: plan.Fragment) -> bool:
    """Whether the fragment only chooses and reorders columns, which needs no engine."""
    return bool(node.passthrough) and -1 not in node.passthrough and "Filter" not in node.shows


class UnionOperator(Stateless):
    """UNION ALL: the deltas of all inputs, one after the other."""

    def __init__(self, node: plan.Union) -> None:
        self._schema = node.schema
        self._weighted = not node.append_only

    def process(self, inputs: Sequence[Delta], context: Context) -> Delta:  # noqa: ARG002
        parts = [zset.conform(b, self._schema) for b in inputs if b is not None and b.num_rows]
        whole = zset.concat(parts)
        return zset.weighted(whole) if whole is not None and self._weighted else whole


class ConstantOperator(Stateless):
    """Rows written in the query: there from the beginning, never again."""

    def __init__(self, node: plan.Constant) -> None:
        self._rows = pa.ipc.open_stream(node.rows).read_all().combine_chunks()

    def process(self, inputs: Sequence[Delta], context: Context) -> Delta:  # noqa: ARG002
        return None

    def start(self, context: Context) -> Delta:  # noqa: ARG002
        batches = self._rows.to_batches()
        return batches[0] if batches else None
