"""Recursion: WITH RECURSIVE to its fixpoint, and what a change of an epoch does to it.

    base, and step n of the rows found by step n - 1  ──▶  how often a row was derived, by step
    the first step that derived it (UNION)            ──▶  the rows found, by step  ──▶  the next step

What was derived is counted step by step, so what is taken away takes back what came of it and nothing else: rows
that only derive each other in a circle do not keep each other, for each needs one of an earlier step.
The step is a graph over the rows found by all steps at once, each of which knows its number: a change of
another relation meets them all in one go, and one of the rows found in step n comes out as one of step n + 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeAlias

import numpy as np
import pyarrow as pa

from constellationdb.engine import batch as zset
from constellationdb.engine.arrangement import I64
from constellationdb.engine.batch import Delta
from constellationdb.engine.operators.base import Context, FailedRow, Unheld
from constellationdb.engine.operators.derivations import MOST, Counted, Derivations, First
from constellationdb.engine.operators.incremental import Changes
from constellationdb.planner import plan


class Step(Protocol):
    """A graph inside an operator, on one worker."""

    def start(self, context: Context) -> Delta: ...

    def run(self, deltas: Mapping[str, Delta], context: Context) -> Delta:
        """The change of the output; may be asked several times an epoch."""
        ...

    def snapshot(self) -> dict[str, pa.RecordBatch]: ...

    def changes(self) -> Changes | None:
        """See ``Incremental``."""
        ...

    def restore_chain(self, state: Changes, later: Sequence[Changes], epoch: int) -> None: ...


MakeStep: TypeAlias = Callable[[plan.AnyNode], Step]
_STATE = "step/"


class RecursionOperator(Unheld):
    """State: that of the step, and the rows found with the number of their step."""

    def __init__(self, node: plan.Recursion, make_step: MakeStep) -> None:
        self._node = node
        self._step = make_step(node.step)
        kind = First if node.distinct else Counted
        self._found: Derivations = kind(node.base.schema, node.iteration)

    def start(self, context: Context) -> Delta:
        return self._settle(_Pending(self._node.iteration, self._step.start(context)), context)

    def process(self, inputs: Sequence[Delta], context: Context) -> Delta:
        pending = _Pending(self._node.iteration, inputs[0])
        changed = {
            scan.relation: delta
            for scan, delta in zip(self._node.reads, inputs[1:], strict=True)
            if delta is not None and delta.num_rows
        }
        if changed:
            pending.add(self._step.run(changed, context))
        return self._settle(pending, context)

    def _settle(self, pending: _Pending, context: Context) -> Delta:
        """Step after step, until nothing more changes."""
        node, out = self._node, []
        while pending.steps:
            number = min(pending.steps)
            delta = zset.concat(pending.steps.pop(number))
            change = None if delta is None else self._found.apply(number, delta, pending.revisit, context.epoch)
            self._report(f"a recursive query finds a row more than {MOST} times", self._found.beyond(), context)
            if change is None:
                continue
            if number > node.limit:
                self._report(f"a recursive query goes on after {node.limit} steps", _counted(change), context)
                continue
            out.append(change.remove_column(node.iteration))
            pending.add(self._step.run({node.working: change}, context))
        self._found.compact(context.epoch)
        whole = zset.concat(out)
        return None if whole is None else zset.netted(zset.named_like(whole, _weighted(node.schema)))

    def _report(self, message: str, rows: list[tuple[list[object], int]], context: Context) -> None:
        for values, weight in rows:
            del values[self._node.iteration]
            context.errors.append(FailedRow(self._node.id, "54001", message, repr(values), weight))

    def snapshot(self) -> dict[str, pa.RecordBatch]:
        return {**_named(self._step.snapshot()), **self._found.snapshot()}

    def changes(self) -> dict[str, pa.RecordBatch] | None:
        step, found = self._step.changes(), self._found.changes()
        return None if step is None or found is None else {**_named(step), **found}

    def restore(self, state: Mapping[str, pa.RecordBatch], epoch: int) -> None:
        self.restore_chain(state, (), epoch)

    def restore_chain(self, state: Changes, later: Sequence[Changes], epoch: int) -> None:
        self._step.restore_chain(_of_step(state), [_of_step(changes) for changes in later], epoch)
        self._found.restore(state, epoch)
        for changes in later:
            self._found.patch(changes, epoch)


def _named(step: Changes) -> dict[str, pa.RecordBatch]:
    """The step's parts among the operator's."""
    return {_STATE + name: part for name, part in step.items()}


def _of_step(state: Changes) -> dict[str, pa.RecordBatch]:
    return {name.removeprefix(_STATE): part for name, part in state.items() if name.startswith(_STATE)}


class _Pending:
    """Changes that are still to be made, by step."""

    def __init__(self, iteration: int, first: Delta) -> None:
        self._iteration = iteration
        self.steps: dict[int, list[pa.RecordBatch]] = {}
        self.add(first)

    def add(self, delta: Delta) -> None:
        if delta is None or not delta.num_rows:
            return
        delta = zset.weighted(delta)
        numbers: I64 = delta.column(self._iteration).to_numpy(zero_copy_only=False)
        for number in np.unique(numbers):
            self.steps.setdefault(int(number), []).append(zset.take(delta, np.flatnonzero(numbers == number)))

    def revisit(self, rows: pa.RecordBatch, numbers: I64) -> None:
        """Look at these rows again in these steps: a delta of weight 0."""
        if rows.num_rows:
            columns = list(rows.columns)
            columns[self._iteration] = pa.array(numbers, pa.int64())
            self.add(zset.with_weights(pa.RecordBatch.from_arrays(columns, schema=rows.schema), 0))


def _counted(change: pa.RecordBatch) -> list[tuple[list[object], int]]:
    own = zset.weights(change)
    assert own is not None
    rows = zset.data(change).to_pylist()
    return [(list(row.values()), int(weight)) for row, weight in zip(rows, own, strict=True)]


def _weighted(schema: pa.Schema) -> pa.Schema:
    return schema.append(pa.field(zset.WEIGHT, pa.int64()))
