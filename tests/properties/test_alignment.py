"""The aligner over any interleaving of its inputs: what it says is judged by what each of them brought.

Of every input all that it brought is handed on, once and in order. A snapshot comes when exactly what was before the
barrier has passed; an unaligned one may come earlier, and then what is missing passes as in flight.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

import pyarrow as pa
import pytest

from constellationdb.engine.barriers.aligner import BarrierAligner
from constellationdb.engine.barriers.barrier import UNALIGNED, Barrier
from constellationdb.engine.barriers.items import (
    Abort,
    Aborted,
    Action,
    Arrived,
    Completed,
    End,
    Item,
    Pass,
    Snapshot,
    Tick,
    Watermark,
)
from constellationdb.engine.barriers.limits import Limits
from constellationdb.engine.operators.base import ENDED, NO_WATERMARK

_CUTS = 5


@dataclass
class _Judge:
    """What has been handed on of each input, and what was said of each checkpoint."""

    brought: Sequence[Sequence[Item]]
    passed: list[list[tuple[Item, bool]]] = field(default_factory=list)
    said: list[Action] = field(default_factory=list)
    open_cut: tuple[int, list[int]] | None = None  # of an unaligned one: its id, how much had passed

    def __post_init__(self) -> None:
        self.passed = [[] for _ in self.brought]

    def hear(self, actions: Sequence[Action]) -> None:
        for action in actions:
            self.said.append(action)
            match action:
                case Pass(number, item, in_flight):
                    self.passed[number].append((item, in_flight))
                case Snapshot(barrier, watermark):
                    self._cut(barrier, watermark)
                case Completed(id=done):
                    self._completed(done)
                case Aborted():
                    self.open_cut = None

    def _cut(self, barrier: Barrier, watermark: int) -> None:
        assert watermark == min(map(self._watermark, range(len(self.brought))))
        counts = [len(passed) for passed in self.passed]
        before = [self._before(number, barrier.id) for number in range(len(self.brought))]
        if barrier.is_unaligned:
            assert all(count <= whole for count, whole in zip(counts, before, strict=True)), "it is after the cut"
            assert self.open_cut is None
            self.open_cut = barrier.id, counts
        else:
            assert counts == before

    def _completed(self, done: int) -> None:
        assert self.open_cut is not None
        known, counts = self.open_cut
        self.open_cut = None
        assert known == done
        for number, count in enumerate(counts):
            kept = [item for item, in_flight in self.passed[number][count:] if in_flight]
            assert len(kept) == self._before(number, done) - count
            assert all(in_flight for _, in_flight in self.passed[number][count : count + len(kept)])

    def _watermark(self, number: int) -> int:
        items = [item for item, _ in self.passed[number]]
        if any(isinstance(item, End) for item in items):
            return ENDED
        return max((item.us for item in items if isinstance(item, Watermark)), default=NO_WATERMARK)

    def _before(self, number: int, wanted: int) -> int:
        """How much of an input is before the barrier; all of one that ended without."""
        count = 0
        for item in self.brought[number]:
            if isinstance(item, Barrier) and item.id == wanted:
                break
            count += not isinstance(item, Barrier)
        return count

    def nothing_is_lost(self) -> None:
        for brought, passed in zip(self.brought, self.passed, strict=True):
            assert [item for item, _ in passed] == [item for item in brought if not isinstance(item, Barrier)]
        begun = [a.barrier.id for a in self.said if isinstance(a, Snapshot)]
        assert begun == sorted(set(begun))


def _draw_input(draw: Random, flags: Sequence[int], rows: Callable[[], pa.RecordBatch], *, in_step: bool) -> list[Item]:
    found: list[Item] = []
    watermark = 0
    for cut in range(_CUTS + 1):
        for _ in range(draw.randint(0, 3)):
            watermark += draw.randint(0, 2)
            found.append(rows() if draw.random() < 0.7 else Watermark(watermark))
        if not in_step and draw.random() < 0.15:
            return [*found, End()]
        if cut < _CUTS and (in_step or draw.random() < 0.9):
            found += [Barrier(cut, cut * 10, flags[cut])] * (1 if in_step or draw.random() < 0.9 else 2)
    return [*found, End()] if draw.random() < 0.5 else found


def _inputs(draw: Random, flags: Sequence[int], *, in_step: bool) -> list[list[Item]]:
    number = iter(range(1 << 30))

    def rows() -> pa.RecordBatch:
        return pa.RecordBatch.from_pydict({"a": [next(number)] * draw.randint(0, 4)})

    return [_draw_input(draw, flags, rows, in_step=in_step) for _ in range(draw.randint(1, 5))]


def _interleaved(
    draw: Random, inputs: Sequence[Sequence[Item]], waits: Callable[[int, Item], bool]
) -> Iterator[tuple[int, Item]]:
    """Some inputs go on quickly, others slowly; what ``waits`` stays in its channel for now."""
    left = [list(items) for items in inputs]
    speed = [draw.choice([1, 1, 5, 25]) for _ in inputs]
    while ready := [n for n, items in enumerate(left) if items and not waits(n, items[0])]:
        number = draw.choices(ready, [speed[n] for n in ready])[0]
        yield number, left[number].pop(0)
    assert not any(left)


@pytest.mark.parametrize("block", range(5))
def test_every_cut_is_whole(block: int) -> None:
    """Barriers in step, and nothing that disturbs: one snapshot of each, in its place."""
    for seed in range(block * 60, block * 60 + 60):
        draw = Random(seed)
        inputs = _inputs(draw, [0] * _CUTS, in_step=True)
        aligner, judge = BarrierAligner(len(inputs), Limits(unaligned_after=None)), _Judge(inputs)

        def waits(number: int, item: Item, aligner: BarrierAligner = aligner) -> bool:
            return isinstance(item, Barrier) and aligner.is_blocked(number)

        for number, item in _interleaved(draw, inputs, waits):
            judge.hear(aligner.step(Arrived(number, item), 0.0))
        judge.nothing_is_lost()
        cuts = [action for action in judge.said if not isinstance(action, Pass)]
        assert [cut.barrier.id for cut in cuts if isinstance(cut, Snapshot)] == list(range(_CUTS))
        assert len(cuts) == _CUTS


def _limits(draw: Random) -> Limits:
    return Limits(
        buffered_per_input=draw.choice([3, 8, 100_000]),
        buffered_bytes=draw.choice([30, 200, 1 << 20]),
        timeout_seconds=draw.choice([5.0, 60.0]),
        unaligned_after=draw.choice([None, 0.0, 2.0, 30.0]),
        in_flight_bytes=draw.choice([40, 1 << 20]),
    )


@pytest.mark.parametrize("block", range(5))
def test_nothing_is_lost_whatever_happens(block: int) -> None:
    """Barriers that are missing, come twice or overtake each other; time, aborts and limits in between."""
    met: Counter[str] = Counter()
    for seed in range(block * 100, block * 100 + 100):
        draw = Random(f"disturbed {seed}")
        inputs = _inputs(draw, [draw.choice([0, 0, UNALIGNED]) for _ in range(_CUTS)], in_step=False)
        limits, now = _limits(draw), 0.0
        aligner, judge = BarrierAligner(len(inputs), limits), _Judge(inputs)
        for number, item in _interleaved(draw, inputs, lambda *_: False):
            now += draw.choice([0.0, 0.0, 0.1, 3.0])
            if draw.random() < 0.05:
                judge.hear(aligner.step(Abort(draw.randrange(_CUTS), "given up"), now))
            if draw.random() < 0.1:
                judge.hear(aligner.step(Tick(), now))
            judge.hear(aligner.step(Arrived(number, item), now))
            assert aligner.metrics.buffered_bytes <= limits.buffered_bytes
            assert aligner.due is None or aligner.due > now - limits.timeout_seconds
        judge.hear(aligner.step(Abort(_CUTS - 1, "the end"), now))
        for last in range(_CUTS):  # whichever is still under way
            judge.hear(aligner.step(Abort(last, "the end"), now))
        judge.nothing_is_lost()
        met += Counter(type(action).__name__ for action in judge.said)
    assert met.keys() == {"Pass", "Snapshot", "Completed", "Aborted", "Ignored"}
