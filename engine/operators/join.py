"""Joins by deltas: dL ⋈ R before + L after ⋈ dR, and what an outer, semi or anti join makes of rows met and alone.

Both inputs are arranged by key, or borrowed from relations that are. Rows whose
key is NULL match nothing, so they are alone and not kept, but for a null-safe
key. What is alone is counted (``matches``): when the count of a row leaves zero
or comes back to it, the row's answer is taken back or put out, once an epoch.

State goes when the watermark closes its key, or the time up to which a row can
match. Where that lets a side forget rows, rows of the other that come too late
to find them are dropped and counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa

from constellationdb.engine import batch as zset
from constellationdb.engine.batch import Delta
from constellationdb.engine.kernels.rows import I64, Rows
from constellationdb.engine.operators.arranged import Arranged, Borrow, Own, arrange, changes_of
from constellationdb.engine.operators.base import Context, FailedRow, Unheld
from constellationdb.engine.operators.condition import Condition
from constellationdb.engine.operators.incremental import Patched
from constellationdb.engine.operators.matches import KeyMatches, RowMatches, Side, Turned
from constellationdb.engine.operators.meeting import Pairs, Tallies, pairs_of
from constellationdb.engine.operators.punctual import punctual
from constellationdb.engine.operators.standing import Standing
from constellationdb.engine.operators.windowed import determining_pairs
from constellationdb.planner import plan


class JoinOperator(Patched, Unheld):
    """State: an arrangement of each side that is looked up in, unless it is borrowed, and the matches of each side
    whose rows may stand alone."""

    def __init__(self, node: plan.Join, borrow: Borrow | None = None) -> None:
        self._node = node
        self._schema = node.schema
        self._weighted = not node.append_only
        self._expiry = plan.expiry(node)
        pairs = determining_pairs(node)
        left_keys, right_keys = (tuple(k[i] for i in pairs) for k in (node.left_keys, node.right_keys))
        self._sides = Side(left_keys, self._expiry[0]), Side(right_keys, self._expiry[1])
        self._standing = Standing(node)
        types = [kind for child in node.children for kind in child.schema.types]
        self._pair = pa.schema([pa.field(f"c{i}", kind) for i, kind in enumerate(types)])
        self._residual = None if node.residual is None else Condition(node.id, node.residual, self._pair)
        self._meets = self._standing.shows_pairs or self._residual is not None
        self._matches = [
            None if place not in self._standing.places
            else KeyMatches(self._sides[place], self._sides[1 - place]) if self._residual is None
            else RowMatches(self._sides[place])
            for place in (0, 1)
        ]  # fmt: skip
        self.arranged = self._arrange(borrow)

    def _arrange(self, borrow: Borrow | None) -> tuple[Arranged, ...]:
        """Not borrowed: what expires, and what a self-join reads, for its first rows come to both sides at once.

        The right side is not kept where only its keys are asked for, and these are counted.
        """
        node = self._node
        common = set(plan.relations_of(node.left)) & set(plan.relations_of(node.right))
        kept = node.children if self._meets else node.children[:1]
        return tuple(
            Own(child.schema, side.keys, append_only=child.append_only)
            if side.expiry is not None or common & set(plan.relations_of(child))
            else arrange(child, side.keys, borrow, append_only=child.append_only)
            for child, side in zip(kept, self._sides, strict=False)
        )

    def start(self, context: Context) -> Delta:  # noqa: ARG002
        return None

    def process(self, inputs: Sequence[Delta], context: Context) -> Delta:
        parts: list[Delta] = []
        deltas: list[Delta] = []
        for place, batch in enumerate(inputs):
            if batch is not None and not self._sides[place].keys and not self._node.children[place].append_only:
                batch = zset.netted(batch)  # what cancels would meet every row of the other side
            in_time = punctual(batch, self._node.late[place], context)
            deltas.append(self._matchable(in_time, self._must(place)))
            parts += self._unmatchable(place, in_time)
        tallies: list[Tallies | None] = [None, None]
        for place, delta in enumerate(deltas):
            if delta is None:
                continue
            if self._meets:
                tallies[place] = self._meet(place, delta, parts, context)
            if place < len(self.arranged):
                lasting = self._lasting(place, delta, context)
                if lasting.num_rows:
                    self.arranged[place].apply(lasting, context.epoch)
        for place in self._standing.places:
            parts += [self._standing.shown(place, t) for t in self._turned(place, deltas, tallies, context)]
        self._evict(context)
        whole = zset.concat([p for p in parts if p is not None])
        return zset.expanded(whole) if whole is not None and not self._weighted else whole

    # -- what may match ------------------------------------------------------------------------

    def _must(self, place: int) -> tuple[int, ...]:
        """The columns in which a NULL matches nothing: keys, unless null-safe, and times that are compared."""
        node = self._node
        keys = (node.left_keys, node.right_keys)[place]
        strict = [key for key, null_safe in zip(keys, node.null_safe, strict=True) if not null_safe]
        return (*strict, *(time.index for time in (node.late[place], node.expiry[place]) if time is not None))

    def _matchable(self, batch: Delta, columns: tuple[int, ...]) -> Delta:
        """The rows without a NULL in ``columns``."""
        if batch is None or batch.num_rows == 0:
            return None
        keep = _valid(batch, columns)
        if keep is None:
            return batch
        return zset.take(batch, np.flatnonzero(keep)) if keep.any() else None

    def _unmatchable(self, place: int, batch: Delta) -> Iterator[Delta]:
        """The others are alone for good."""
        if batch is None or batch.num_rows == 0 or place not in self._standing.places:
            return
        keep = _valid(batch, self._must(place))
        if keep is not None and not keep.all():
            alone = zset.weighted(zset.take(batch, np.flatnonzero(~keep)))
            weights = zset.weights(alone)
            assert weights is not None
            yield self._standing.shown(place, Turned(zset.data(alone), weights, np.zeros_like(weights)))

    # -- pairs ---------------------------------------------------------------------------------

    def _meet(self, place: int, delta: pa.RecordBatch, parts: list[Delta], context: Context) -> Tallies | None:
        """Put the pairs with the other side into ``parts``; what they say of either side, where that is counted."""
        tallies = None if self._residual is None or not self._standing.places else Tallies(delta)
        other = self.arranged[1 - place]
        for pairs in self._match(delta, self._sides[place].keys, other, context.epoch, swapped=place == 1):
            made = self._made(place, delta, pairs)
            if self._residual is None:
                parts.append(made)
                continue
            failed: dict[int, FailedRow] = {}
            passing = np.flatnonzero(self._residual.attempt(made, failed))
            context.errors += failed.values()
            if tallies is not None:
                tallies.add(pairs, passing, np.array(list(failed), np.int64), other)
            if self._standing.shows_pairs and len(passing):
                parts.append(zset.take(made, passing))
        return tallies

    def _match(
        self, delta: pa.RecordBatch, keys: tuple[int, ...], other: Arranged, epoch: int, *, swapped: bool
    ) -> Iterator[Pairs]:
        """The left's change meets the right as it was; the right's change meets the left as it is now."""

        def ask(asked: Rows) -> tuple[I64, I64]:
            return other.after(asked, epoch) if swapped else other.before(asked, epoch)

        return pairs_of(zset.data(delta), keys, ask)

    def _made(self, place: int, delta: pa.RecordBatch, pairs: Pairs) -> pa.RecordBatch:
        other = self.arranged[1 - place]
        mine, theirs = zset.take(zset.data(delta), pairs.mine), other.take(pairs.entries)
        columns = [*theirs.columns, *mine.columns] if place else [*mine.columns, *theirs.columns]
        made = pa.RecordBatch.from_arrays(columns, schema=self._pair)
        if not self._weighted:
            return made
        own = zset.weights(delta)
        weight = other.weight_of(pairs.entries)
        return zset.with_weights(made, weight if own is None else weight * own[pairs.mine])

    # -- rows met and alone --------------------------------------------------------------------

    def _turned(
        self, place: int, deltas: Sequence[Delta], tallies: Sequence[Tallies | None], context: Context
    ) -> Iterator[Turned]:
        matches = self._matches[place]
        if isinstance(matches, KeyMatches):
            yield from matches.change(deltas[place], deltas[1 - place], self.arranged[place], context.epoch)
        elif matches is not None:
            mine, theirs = tallies[place], tallies[1 - place]
            turned = matches.change(
                deltas[place], None if mine is None else mine.own, None if theirs is None else theirs.found
            )
            if turned is not None:
                yield turned

    # -- state ---------------------------------------------------------------------------------

    def _lasting(self, place: int, delta: pa.RecordBatch, context: Context) -> pa.RecordBatch:
        """The right's rows that a later epoch may ask for; what the watermark closes now has met the left's already."""
        if place == 0 or place in self._standing.places:
            return delta
        ends = self._sides[place].ends(delta)
        if ends is None or ends.min() > context.watermark:
            return delta
        return zset.take(delta, np.flatnonzero(ends > context.watermark))

    def _evict(self, context: Context) -> None:
        if context.watermark <= context.watermark_before:
            return
        for arranged, column in zip(self.arranged, self._expiry, strict=False):
            if column is not None:
                arranged.evict(column, context.watermark, context.epoch)
        for matches in self._matches:
            if matches is not None:
                matches.counts.evict(context.watermark)

    def snapshot(self) -> dict[str, pa.RecordBatch]:
        names = ("left", "right")
        kept = zip(names, self.arranged, strict=False)
        state = {name: rows for name, side in kept for rows in side.snapshot().values()}
        for name, matches in zip(names, self._matches, strict=True):
            if matches is not None:
                state[f"{name}_matches"] = matches.counts.snapshot()
        return state

    def changes(self) -> dict[str, pa.RecordBatch] | None:
        names = ("left", "right")
        found = changes_of(zip(names, self.arranged, strict=False))
        if found is None:
            return None
        for name, matches in zip(names, self._matches, strict=True):
            if matches is not None:
                if (counts := matches.counts.changes()) is None:
                    return None
                found[f"{name}_matches"] = counts
        return found

    def patch(self, changes: Mapping[str, pa.RecordBatch], epoch: int) -> None:
        names = ("left", "right")
        for name, side in zip(names, self.arranged, strict=False):
            side.patch(changes.get(name), epoch)
        for name, matches in zip(names, self._matches, strict=True):
            if matches is not None:
                matches.counts.patch(changes[f"{name}_matches"])

    def restore(self, state: Mapping[str, pa.RecordBatch], epoch: int) -> None:
        names = ("left", "right")
        for name, side in zip(names, self.arranged, strict=False):
            side.restore(state.get(name), epoch)
        for name, matches in zip(names, self._matches, strict=True):
            if matches is not None:
                matches.counts.restore(state[f"{name}_matches"])


def _valid(batch: pa.RecordBatch, columns: tuple[int, ...]) -> I64 | None:
    """Which rows hold no NULL in ``columns``; None: all."""
    keep = None
    for column in columns:
        if batch.column(column).null_count:
            valid = batch.column(column).is_valid().to_numpy(zero_copy_only=False)
            keep = valid if keep is None else keep & valid
    return keep
