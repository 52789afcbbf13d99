"""Barriers: their bytes, and what a receiver does about them, case by case. Any interleaving: ``test_alignment``."""

from __future__ import annotations

import pyarrow as pa
import pytest

from constellationdb.engine.barriers.aligner import BarrierAligner
from constellationdb.engine.barriers.barrier import SIZE, UNALIGNED, Barrier
from constellationdb.engine.barriers.items import (
    Abort,
    Aborted,
    Arrived,
    Completed,
    End,
    Ignored,
    Item,
    Pass,
    Snapshot,
    Tick,
    Watermark,
)
from constellationdb.engine.barriers.limits import Limits
from constellationdb.engine.exchange import Aligner, Marker
from constellationdb.engine.operators.base import NO_WATERMARK
from constellationdb.errors import CorruptState, InternalError, ProgramLimitExceeded

ALIGNED = Limits(unaligned_after=None)
FIVE = Barrier(5, 50)


def _rows(*values: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"a": list(values)})


def _brings(aligner: BarrierAligner, number: int, item: Item, now: float = 0.0) -> list[object]:
    return [*aligner.step(Arrived(number, item), now)]


def test_a_barrier_is_24_bytes() -> None:
    barrier = Barrier((1 << 64) - 1, 7, UNALIGNED)
    assert SIZE == len(barrier.encode()) == 24
    assert Barrier.decode(barrier.encode()) == barrier
    assert barrier.is_unaligned
    assert Barrier(5, 50).unaligned() == Barrier(5, 50, UNALIGNED)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (FIVE.encode()[:-1], "a barrier has 24 bytes, not 23"),
        (Barrier(5, 50, 2).encode(), "a barrier has reserved flags: 0x2"),
        (Barrier(5, 50, 1 << 63 | 1).encode(), "a barrier has reserved flags: 0x8000000000000001"),
    ],
)
def test_other_bytes_are_no_barrier(data: bytes, message: str) -> None:
    with pytest.raises(CorruptState, match=message):
        Barrier.decode(data)


def test_the_cut_is_between_the_rows_of_every_input() -> None:
    aligner = BarrierAligner(2, ALIGNED)
    before, after, late = _rows(1), _rows(2), _rows(3)
    assert _brings(aligner, 0, before) == [Pass(0, before)]
    assert _brings(aligner, 0, Watermark(10)) == [Pass(0, Watermark(10))]
    assert _brings(aligner, 0, FIVE) == []
    assert aligner.is_blocked(0)
    assert not aligner.is_blocked(1)
    assert _brings(aligner, 0, after) == []
    assert _brings(aligner, 0, Watermark(99)) == []
    assert aligner.metrics.is_aligning
    assert aligner.metrics.buffered == 2
    assert _brings(aligner, 1, late) == [Pass(1, late)]
    assert _brings(aligner, 1, Watermark(7)) == [Pass(1, Watermark(7))]
    assert _brings(aligner, 1, FIVE, 2.5) == [Snapshot(FIVE, 7), Pass(0, after), Pass(0, Watermark(99))]
    assert aligner.metrics.aligned == 1
    assert aligner.metrics.longest_seconds == 2.5
    assert not aligner.metrics.is_aligning
    assert aligner.metrics.buffered_bytes == 0


def test_one_input_is_cut_at_once() -> None:
    aligner = BarrierAligner(1)
    assert _brings(aligner, 0, FIVE) == [Snapshot(FIVE, NO_WATERMARK)]
    six = Barrier(6, 60, UNALIGNED)
    assert _brings(aligner, 0, six) == [Snapshot(six, NO_WATERMARK), Completed(6, 0)]


def test_what_was_buffered_goes_on_in_turns() -> None:
    aligner = BarrierAligner(3, ALIGNED)
    for number in (0, 1):
        _brings(aligner, number, FIVE)
        for us in (1, 2):
            assert _brings(aligner, number, Watermark(us)) == []
    done = _brings(aligner, 2, FIVE)
    assert done == [Snapshot(FIVE, NO_WATERMARK), *(Pass(n, Watermark(us)) for us in (1, 2) for n in (0, 1))]


def test_an_input_that_ends_does_not_hold_the_cut_up() -> None:
    aligner = BarrierAligner(3, ALIGNED)
    assert _brings(aligner, 2, End()) == [Pass(2, End())]
    _brings(aligner, 0, FIVE)
    assert _brings(aligner, 1, End()) == [Pass(1, End()), Snapshot(FIVE, NO_WATERMARK)]
    assert _brings(aligner, 0, Watermark(4)) == [Pass(0, Watermark(4))]
    assert _brings(aligner, 0, Barrier(6, 60)) == [Snapshot(Barrier(6, 60), 4)]
    with pytest.raises(InternalError, match="input 1 went on past its end"):
        _brings(aligner, 1, _rows(1))


def test_one_that_ends_behind_its_barrier_ends_behind_the_cut() -> None:
    aligner = BarrierAligner(2, ALIGNED)
    _brings(aligner, 0, FIVE)
    assert _brings(aligner, 0, End()) == []
    assert _brings(aligner, 1, FIVE) == [Snapshot(FIVE, NO_WATERMARK), Pass(0, End())]


def test_what_came_too_late_or_twice_is_ignored() -> None:
    aligner = BarrierAligner(2, ALIGNED)
    _brings(aligner, 0, FIVE)
    assert _brings(aligner, 0, FIVE) == [Ignored(0, FIVE, "it came twice")]
    assert _brings(aligner, 1, Barrier(4, 40)) == [Ignored(1, Barrier(4, 40), "its checkpoint is over")]
    assert _brings(aligner, 1, FIVE) == [Snapshot(FIVE, NO_WATERMARK)]
    assert _brings(aligner, 1, FIVE) == [Ignored(1, FIVE, "its checkpoint is over")]
    assert aligner.metrics.ignored == 3


def test_a_later_checkpoint_replaces_one_under_way() -> None:
    aligner = BarrierAligner(2, ALIGNED)
    after, six = _rows(1), Barrier(6, 60)
    _brings(aligner, 0, FIVE)
    _brings(aligner, 0, after)
    assert _brings(aligner, 0, six) == [Aborted(5, "checkpoint 6 began before its end"), Pass(0, after)]
    assert _brings(aligner, 1, FIVE) == [Ignored(1, FIVE, "its checkpoint is over")]
    assert _brings(aligner, 1, six) == [Snapshot(six, NO_WATERMARK)]


def test_two_epochs_are_no_cut() -> None:
    aligner = BarrierAligner(2, ALIGNED)
    _brings(aligner, 0, FIVE)
    assert _brings(aligner, 1, Barrier(5, 51)) == [Aborted(5, "inputs ended different epochs, 50 and 51")]


def test_an_abort_and_the_time_give_back_what_was_buffered() -> None:
    after = _rows(1)
    for event, now in ((Abort(5, "given up"), 1.0), (Tick(), 60.0)):
        aligner = BarrierAligner(2, ALIGNED)
        _brings(aligner, 0, FIVE)
        _brings(aligner, 0, after)
        assert aligner.due == 60.0
        reason = "given up" if now == 1.0 else "not every input came to it within 60 s"
        assert aligner.step(event, now) == [Aborted(5, reason), Pass(0, after)]
        assert aligner.due is None
        assert _brings(aligner, 1, FIVE, now) == [Ignored(1, FIVE, "its checkpoint is over")]
    assert BarrierAligner(1).step(Abort(9, "elsewhere"), 0.0) == []


def test_after_a_while_the_cut_is_taken_where_it_stands() -> None:
    aligner = BarrierAligner(2)
    after, late, behind = _rows(1), _rows(2), _rows(3)
    _brings(aligner, 0, FIVE)
    _brings(aligner, 0, after)
    assert aligner.due == 30.0
    assert aligner.step(Tick(), 29.9) == []
    assert aligner.step(Tick(), 30.0) == [Snapshot(FIVE.unaligned(), NO_WATERMARK), Pass(0, after)]
    assert not aligner.is_blocked(0)
    assert _brings(aligner, 0, behind, 31.0) == [Pass(0, behind)]
    assert _brings(aligner, 1, late, 31.0) == [Pass(1, late, in_flight=True)]
    assert _brings(aligner, 1, Watermark(3), 31.0) == [Pass(1, Watermark(3), in_flight=True)]
    assert _brings(aligner, 1, FIVE, 32.0) == [Completed(5, late.nbytes)]
    assert _brings(aligner, 1, behind, 33.0) == [Pass(1, behind)]
    metrics = aligner.metrics
    assert (metrics.unaligned, metrics.switches, metrics.in_flight_bytes) == (1, 1, late.nbytes)


@pytest.mark.parametrize("limits", [Limits(buffered_per_input=3), Limits(buffered_bytes=25)])
def test_too_much_to_buffer(limits: Limits) -> None:
    for unaligned_after in (30.0, None):
        given = Limits(
            buffered_per_input=limits.buffered_per_input,
            buffered_bytes=limits.buffered_bytes,
            unaligned_after=unaligned_after,
        )
        aligner = BarrierAligner(2, given)
        some, more = _rows(1, 2, 3), _rows(4)
        _brings(aligner, 0, FIVE)
        assert _brings(aligner, 0, some) == []
        done = _brings(aligner, 0, more)
        first = Snapshot(FIVE.unaligned(), NO_WATERMARK) if unaligned_after else Aborted(
            5, "more has to be buffered than may be"
        )  # fmt: skip
        assert done == [first, Pass(0, some), Pass(0, more)]


def test_too_much_in_flight_is_no_checkpoint_and_no_loss() -> None:
    aligner = BarrierAligner(2, Limits(unaligned_after=0, in_flight_bytes=10))
    assert _brings(aligner, 0, FIVE) == [Snapshot(FIVE.unaligned(), NO_WATERMARK)]
    small, large = _rows(1), _rows(2, 3)
    assert _brings(aligner, 1, small) == [Pass(1, small, in_flight=True)]
    assert _brings(aligner, 1, large) == [
        Pass(1, large, in_flight=True), Aborted(5, "more than 10 bytes are in flight")
    ]  # fmt: skip
    assert _brings(aligner, 1, small) == [Pass(1, small)]


def test_a_receiver_has_128_inputs_at_most() -> None:
    BarrierAligner(128)
    for inputs in (0, 129):
        with pytest.raises(ProgramLimitExceeded, match=f"a receiver has 1 to 128 inputs, not {inputs}"):
            BarrierAligner(inputs)


def test_epochs_of_an_exchange() -> None:
    aligner = Aligner(2)
    for _ in range(2):  # a first answer is many runs of one epoch
        aligner.step(1, _rows(2))
        aligner.step(1, Marker(3, 30))
        assert not aligner.wants(1)
        with pytest.raises(InternalError, match="sender 1 went on past the marker of an unfinished epoch"):
            aligner.step(1, _rows(9))
        assert aligner.ready() is None
        aligner.step(0, _rows(1))
        aligner.step(0, Marker(3, 20))
        assert not aligner.wants(0)
        done = aligner.ready()
        assert done == (Marker(3, 20), [_rows(1), _rows(2)])
    aligner.step(0, Marker(4, 20))
    with pytest.raises(InternalError, match="inputs ended different epochs, 4 and 5"):
        aligner.step(1, Marker(5, 20))
