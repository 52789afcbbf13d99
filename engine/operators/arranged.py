"""One input of a keyed operator, by key: in an arrangement of the operator's own, or borrowed from a relation.

An input that is a table or a view as it is need not be kept twice: the operator
borrows the relation's own rows and one index on them, which all jobs share. A
borrowed input always holds every epoch, so it is asked as of one: of the epoch
before, where the operator's own arrangement would not have taken this epoch's
change yet. While a new job reads its inputs one after the other, all at one
epoch, a borrowed input counts as empty until its turn is over (``fed``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, TypeAlias

import numpy as np
import pyarrow as pa

from constellationdb.engine.kernels.rows import I64, Rows
from constellationdb.engine.operators.followed import FollowedArrangement
from constellationdb.engine.operators.punctual import ends_of
from constellationdb.engine.operators.sweep import Sweep
from constellationdb.engine.shared_index import SharedIndex
from constellationdb.planner import plan

_NONE: I64 = np.zeros(0, np.int64)
_UNFED = (1 << 63) - 1

# The index on these columns of a relation, or None where the relation keeps no contents.
Borrow: TypeAlias = Callable[[str, tuple[int, ...]], "SharedIndex | None"]


class Arranged(Protocol):
    """Rows by key. ``before``/``after``: without and with the change of the epoch, see ``apply``."""

    def apply(self, delta: pa.RecordBatch, epoch: int) -> None: ...

    def before(self, keys: Rows, epoch: int) -> tuple[I64, I64]:
        """(which of ``keys``, entry), asked before ``apply``."""
        ...

    def after(self, keys: Rows, epoch: int) -> tuple[I64, I64]:
        """The same, asked after ``apply``."""
        ...

    def whole(self, keys: Rows, epoch: int) -> tuple[I64, I64]:
        """Like ``after``; also what a new job has not read yet, where that is known."""
        ...

    def take(self, entries: I64) -> pa.RecordBatch: ...

    def weight_of(self, entries: I64) -> I64: ...

    def fed(self, epoch: int) -> None:
        """A new job has read all of this input, as of ``epoch``."""
        ...

    def evict(self, column: plan.Column, watermark: int, epoch: int) -> None:
        """Stop keeping the rows whose ``column`` the watermark has passed, now or when they are many."""
        ...

    def snapshot(self) -> Mapping[str, pa.RecordBatch]:
        """Under the empty name; nothing where the rows are another's."""
        ...

    def restore(self, state: pa.RecordBatch | None, epoch: int) -> None: ...

    def changes(self) -> Mapping[str, pa.RecordBatch] | None:
        """Like ``snapshot``, of what has changed since; see ``Incremental``."""
        ...

    def patch(self, changes: pa.RecordBatch | None, epoch: int) -> None: ...


class Own:
    """An arrangement of the operator's own."""

    def __init__(self, schema: pa.Schema, keys: tuple[int, ...], *, append_only: bool = False) -> None:
        self._rows = FollowedArrangement(schema, keys, append_only=append_only)
        self._sweep = Sweep()

    def apply(self, delta: pa.RecordBatch, epoch: int) -> None:
        self._rows.apply(delta, epoch)
        self._rows.compact(epoch)

    def before(self, keys: Rows, epoch: int) -> tuple[I64, I64]:
        return self._rows.lookup(keys, epoch)

    after = before
    whole = before

    def take(self, entries: I64) -> pa.RecordBatch:
        return self._rows.take(entries)

    def weight_of(self, entries: I64) -> I64:
        return self._rows.weight_of(entries)

    def fed(self, epoch: int) -> None:
        """It holds what it was given."""

    def evict(self, column: plan.Column, watermark: int, epoch: int) -> None:
        if not len(self._rows) or not self._sweep.due(len(self._rows), self._rows.live):
            return
        ends = ends_of(self._rows.column(column.index), column.offset_us)
        self._rows.evict(ends <= watermark, epoch)
        self._rows.compact(epoch)
        self._sweep.swept(len(self._rows))

    def snapshot(self) -> Mapping[str, pa.RecordBatch]:
        return {"": self._rows.snapshot()}

    def restore(self, state: pa.RecordBatch | None, epoch: int) -> None:
        if state is None:
            raise KeyError("rows")
        self._rows.restore(state, epoch)

    def changes(self) -> Mapping[str, pa.RecordBatch] | None:
        found = self._rows.news()
        return None if found is None else {"": found}

    def patch(self, changes: pa.RecordBatch | None, epoch: int) -> None:
        if changes is None:
            raise KeyError("rows")
        self._rows.patch(changes, epoch)


class Borrowed:
    """The relation's own rows. Its writer is ahead of the job or level with it, never behind."""

    def __init__(self, index: SharedIndex, scan: plan.Scan) -> None:
        self._index = index
        self._scan = scan
        self._from = _UNFED

    @property
    def relation(self) -> str:
        return self._scan.relation

    def apply(self, delta: pa.RecordBatch, epoch: int) -> None:
        """The relation has it already."""

    def before(self, keys: Rows, epoch: int) -> tuple[I64, I64]:
        return self._as_of(keys, max(epoch - 1, self._from))

    def after(self, keys: Rows, epoch: int) -> tuple[I64, I64]:
        return self._as_of(keys, max(epoch, self._from))

    def whole(self, keys: Rows, epoch: int) -> tuple[I64, I64]:
        return self._index.lookup(keys, epoch)

    def _as_of(self, keys: Rows, epoch: int) -> tuple[I64, I64]:
        return (_NONE, _NONE) if epoch == _UNFED else self._index.lookup(keys, epoch)

    def take(self, entries: I64) -> pa.RecordBatch:
        return self._index.take(entries, self._scan.columns, self._scan.schema)

    def weight_of(self, entries: I64) -> I64:
        return self._index.weight_of(entries)

    def fed(self, epoch: int) -> None:
        self._from = epoch

    def unfed(self) -> None:
        """It was restored for a job that is still reading its inputs, and counts as empty until its turn is over."""
        self._from = _UNFED

    def let_go(self) -> None:
        """The job goes on in another thread."""
        self._index.let_go()

    def evict(self, column: plan.Column, watermark: int, epoch: int) -> None:
        """Not its to free."""

    def snapshot(self) -> Mapping[str, pa.RecordBatch]:
        return {}

    def restore(self, state: pa.RecordBatch | None, epoch: int) -> None:  # noqa: ARG002
        self._from = epoch

    def changes(self) -> Mapping[str, pa.RecordBatch]:
        return {}

    def patch(self, changes: pa.RecordBatch | None, epoch: int) -> None:
        """The relation has it."""


def changes_of(sides: Iterable[tuple[str, Arranged]]) -> dict[str, pa.RecordBatch] | None:
    """What has changed in each, by name; None when one of them cannot say."""
    found: dict[str, pa.RecordBatch] = {}
    for name, side in sides:
        if (parts := side.changes()) is None:
            return None
        found.update((name, rows) for rows in parts.values())
    return found


def arrange(node: plan.AnyNode, keys: tuple[int, ...], borrow: Borrow | None, *, append_only: bool = False) -> Arranged:
    """Borrowed if the input is a relation as it is and the relation keeps its rows; else own."""
    if borrow is not None and isinstance(node, plan.Scan) and node.columns:
        index = borrow(node.relation, tuple(node.columns[k] for k in keys))
        if index is not None:
            return Borrowed(index, node)
    return Own(node.schema, keys, append_only=append_only)
