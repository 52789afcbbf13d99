"""Temporal filter: a row is there from one tick of the clock until another, which its own times tell.

    ts > now() - 1 hour                              leaves at the first tick that is not before ts + 1 hour
    ts <= now()                                      enters at the first tick that is not before ts

Ticks are 100 ms apart. A row that waits, or is there, stands in a schedule
under the tick at which it enters or leaves; that tick opens an epoch if nothing
else does. Nothing is looked up: what is taken away is subtracted where it stands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from constellationdb.engine import batch as zset
from constellationdb.engine.batch import Delta
from constellationdb.engine.kernels.rows import I64
from constellationdb.engine.operators.base import TICK_US, Context, Unheld
from constellationdb.engine.operators.incremental import Summed
from constellationdb.engine.operators.schedule import Schedule
from constellationdb.planner import plan

_NEVER = np.int64(np.iinfo(np.int64).max)
_ALWAYS = np.int64(np.iinfo(np.int64).min)
_FAR = 1 << 61  # times further away are infinite


class TemporalFilterOperator(Summed, Unheld):
    """State: the rows that have yet to enter, and those that will leave. Who stays for ever is forgotten."""

    def __init__(self, node: plan.TemporalFilter) -> None:
        self._bounds = node.bounds
        self._waiting = Schedule()
        self._leaving = Schedule()

    def start(self, context: Context) -> Delta:  # noqa: ARG002
        return None

    def process(self, inputs: Sequence[Delta], context: Context) -> Delta:
        tick = context.now_us // TICK_US
        parts = []
        if (gone := self._leaving.due(tick)) is not None:
            parts.append(zset.negate(gone))
        for rows in (self._waiting.due(tick), self._told(inputs[0])):
            if rows is not None and (there := self._let_in(rows, tick)) is not None:
                parts.append(there)
        whole = zset.concat(parts)
        return None if whole is None else zset.netted(whole)

    def _told(self, batch: Delta) -> Delta:
        """The rows all whose times are known: a comparison with NULL is never true."""
        if batch is None or not batch.num_rows:
            return None
        for bound in self._bounds:
            if batch.column(bound.column).null_count:
                batch = batch.filter(batch.column(bound.column).is_valid())
        return zset.weighted(batch) if batch.num_rows else None

    def _let_in(self, rows: pa.RecordBatch, tick: int) -> Delta:
        """The rows that are there at ``tick``; those to come later wait, those whose time is over are dropped."""
        enters, leaves = self._ticks(rows)
        lasting = np.flatnonzero((leaves > tick) & (leaves > enters))
        if len(lasting) < rows.num_rows:
            rows, enters, leaves = zset.take(rows, lasting), enters[lasting], leaves[lasting]
        later = np.flatnonzero(enters > tick)
        if len(later):
            self._waiting.add(zset.take(rows, later), enters[later])
            now = np.flatnonzero(enters <= tick)
            rows, leaves = zset.take(rows, now), leaves[now]
        if not rows.num_rows:
            return None
        mortal = np.flatnonzero(leaves < _NEVER)
        if len(mortal):
            self._leaving.add(zset.take(rows, mortal), leaves[mortal])
        return rows

    def _ticks(self, rows: pa.RecordBatch) -> tuple[I64, I64]:
        """For each row the tick at which it enters, and the one at which it leaves."""
        enters, leaves = np.full(rows.num_rows, _ALWAYS), np.full(rows.num_rows, _NEVER)
        for bound in self._bounds:
            times = np.clip(zset.micros(rows.column(bound.column)), -_FAR, _FAR)
            meets = times - bound.offset_us  # when now() + offset is the row's time
            if bound.operator in (">=", "<"):
                meets = meets + 1
            ticks = -(-meets // TICK_US)
            if bound.operator in (">", ">="):
                leaves = np.minimum(leaves, np.where(times >= _FAR, _NEVER, ticks))
            else:
                enters = np.maximum(enters, np.where(times <= -_FAR, _ALWAYS, ticks))
        return enters, leaves

    def due_us(self) -> int | None:
        """When the clock has something to do here."""
        ticks = [t for schedule in (self._waiting, self._leaving) if (t := schedule.next()) is not None]
        return min(ticks) * TICK_US if ticks else None

    def snapshot(self) -> dict[str, pa.RecordBatch]:
        found = {name: schedule.rows() for name, schedule in self._schedules().items()}
        self._begin()
        return {name: rows for name, rows in found.items() if rows is not None}

    def changes(self) -> dict[str, pa.RecordBatch] | None:
        if not self._waiting.noted.known:
            return None
        found = {name: schedule.noted.take() for name, schedule in self._schedules().items()}
        return {name: rows for name, rows in found.items() if rows is not None}

    def _schedules(self) -> dict[str, Schedule]:
        return {"waiting": self._waiting, "leaving": self._leaving}

    def _begin(self) -> None:
        for schedule in self._schedules().values():
            schedule.noted.begin()

    def restore(self, state: Mapping[str, pa.RecordBatch], epoch: int) -> None:  # noqa: ARG002
        if (waiting := state.get("waiting")) is not None and waiting.num_rows:
            self._waiting.add(waiting, self._ticks(waiting)[0])
        if (leaving := state.get("leaving")) is not None and leaving.num_rows:
            self._leaving.add(leaving, self._ticks(leaving)[1])
        self._begin()
