"""What each side may do and is told: full rings, timeouts, ends, threads of one process."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest

from constellationdb.engine.channels import wakeup
from constellationdb.engine.channels.messages import Message
from constellationdb.engine.channels.ring import Ring
from constellationdb.engine.channels.sender import ChannelClosed, ChannelFull, ChannelTimeout, WhenFull
from constellationdb.engine.channels.waiting import Park, Spin, SpinYield, WaitStrategy, wait_any
from constellationdb.errors import InternalError, ProgramLimitExceeded
from tests.unit.engine.channels.children import received

_STRATEGIES = [Park(), SpinYield(), Spin()]


@pytest.fixture(params=["eventfd", "pipe"])
def ring(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ring]:
    """With what its sides wake each other with on Linux, and elsewhere."""
    if request.param == "pipe":
        monkeypatch.delattr(os, "eventfd", raising=False)
        monkeypatch.delattr(os, "memfd_create", raising=False)
    found = Ring.create(4096)
    assert len(set(found.fds)) == (5 if request.param == "pipe" else 3)
    yield found
    found.close()


def _filled(ring: Ring, when_full: WhenFull) -> tuple[int, list[bytes]]:
    sender, sent = ring.sender(when_full), 0
    while ring.metrics().messages_dropped == 0 and sender.offer(_message(sent)):
        sent += 1
    receiver, heads = ring.receiver(), []
    while (message := receiver.pull()) is not None:
        heads.append(message.head)
    return sent, heads


def _message(number: int) -> Message:
    return Message(number.to_bytes(500, "little"))


def test_a_full_ring_refuses(ring: Ring) -> None:
    sent, heads = _filled(ring, WhenFull.REJECT)
    assert sent == len(heads) == 4096 // 576
    sender = ring.sender(WhenFull.REJECT)
    for number in range(sent):
        sender.push(_message(number))
    with pytest.raises(ChannelFull):
        sender.push(_message(sent))
    assert ring.metrics().messages == sent


def test_a_full_ring_drops_the_oldest(ring: Ring) -> None:
    sent, heads = _filled(ring, WhenFull.DROP_OLDEST)
    dropped = ring.metrics().messages_dropped
    assert dropped >= 1
    assert heads == [_message(number).head for number in range(dropped, sent)]


def test_a_full_ring_blocks_until_the_time_is_over(ring: Ring) -> None:
    sender, receiver = ring.sender(), ring.receiver()
    inside = 4096 // 576
    for number in range(inside):
        sender.push(_message(number), timeout=60)
        assert receiver.depth == (number + 1, 576 * (number + 1))
    with pytest.raises(ChannelTimeout):
        sender.push(_message(inside), timeout=0.01)
    assert ring.metrics().messages == inside
    assert ring.metrics().blocked_ns > 0
    for number in range(inside):
        assert received(receiver).head == _message(number).head
    assert sender.ready()
    assert not receiver.ready()
    assert not wait_any([receiver], 0.01)


def test_only_a_sender_that_waits_may_send_more_than_half_the_ring(ring: Ring) -> None:
    big = Message(b"x" * 2048)
    with pytest.raises(ProgramLimitExceeded, match="too large for a channel of 4096 bytes"):
        ring.sender(WhenFull.REJECT).offer(big)
    sender, receiver = ring.sender(), ring.receiver()
    huge = Message(b"y" * 20_000)
    assert not sender.offer(huge)
    with pytest.raises(InternalError, match="in part"):
        sender.offer(big)
    sender.close()
    with pytest.raises(ChannelClosed):
        receiver.pull()


def test_both_ends_close(ring: Ring) -> None:
    sender, receiver = ring.sender(), ring.receiver()
    sender.push(_message(1))
    sender.close()
    sender.close()
    assert received(receiver) == _message(1)
    for _ in range(2):
        with pytest.raises(ChannelClosed):
            receiver.pull()
    receiver.close()
    with pytest.raises(ChannelClosed):
        ring.sender().push(_message(2))


def test_closing_wakes_a_sender_that_waits(ring: Ring) -> None:
    sender, receiver = ring.sender(wait=Park()), ring.receiver()
    ended = []

    def send() -> None:
        try:
            while True:
                sender.push(_message(1), timeout=60)
        except ChannelClosed:
            ended.append(True)

    thread = threading.Thread(target=send)
    thread.start()
    while ring.metrics().blocked_ns == 0 and ring.metrics().messages < 4096 // 576:
        assert thread.is_alive()
    receiver.close()
    thread.join(60)
    assert ended == [True]


@pytest.mark.parametrize("wait", _STRATEGIES, ids=lambda wait: type(wait).__name__)
@pytest.mark.parametrize("when_full", [WhenFull.BLOCK, WhenFull.DROP_OLDEST], ids=lambda policy: policy.value)
def test_two_threads(wait: WaitStrategy, when_full: WhenFull) -> None:
    """All rows come, or the newest of them and never a torn one: each message's rows are decided by its number."""
    ring, count = Ring.create(16_384), 1000
    sender, receiver = ring.sender(when_full, wait), ring.receiver()
    numbers: list[int] = []

    def receive() -> None:
        try:
            while True:
                message = received(receiver, wait=wait)
                number = int.from_bytes(message.head, "little")
                assert message.batches[0].column(0).to_numpy().tolist() == [number] * (number % 300)
                numbers.append(number)
        except ChannelClosed:
            return

    thread = threading.Thread(target=receive)
    thread.start()
    for number in range(count):
        batch = pa.record_batch({"n": np.full(number % 300, number)})
        sender.push(Message(number.to_bytes(4, "little"), (batch,)), timeout=60)
    sender.close()
    thread.join(60)
    dropped = ring.metrics().messages_dropped
    assert len(numbers) == count - dropped
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == count - 1
    assert dropped == 0 or when_full is WhenFull.DROP_OLDEST
    ring.close()


@pytest.mark.parametrize("wait", _STRATEGIES, ids=lambda wait: type(wait).__name__)
def test_one_thread_waits_for_several(ring: Ring, wait: WaitStrategy) -> None:
    rings = [Ring.create(4096) for _ in range(3)]
    receivers = [r.receiver() for r in rings]
    sender = ring.sender()
    while sender.offer(_message(0)):
        pass
    readable, writable = os.pipe()
    assert not wait_any([*receivers, sender, readable], 0, wait)
    rings[1].sender().push(_message(5))
    assert wait_any([*receivers, sender, readable], 60, wait)
    assert [r.pull() is not None for r in receivers] == [False, True, False]
    os.close(writable)
    assert wait_any([*receivers, sender, readable], 60, wait)
    assert not wait_any([*receivers, sender], 0.001, wait)
    assert ring.receiver().pull() is not None
    assert wait_any([*receivers, sender], 60, wait)
    assert sender.offer(_message(1))
    rings[2].sender().close()
    assert wait_any(receivers, 60, wait)
    os.close(readable)
    for each in rings:
        each.close()


def test_nobody_is_woken_who_does_not_sleep(ring: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    woken = []
    monkeypatch.setattr(wakeup.Wakeup, "wake", lambda self: woken.append(self))
    sender, receiver = ring.sender(), ring.receiver()
    for number in range(50):
        sender.push(_message(number))
        assert received(receiver) == _message(number)
    assert not woken
    receiver.park()
    sender.push(_message(0))
    sender.push(_message(1))
    assert woken == [receiver.wakeup]


def test_a_ring_is_known_by_its_first_word() -> None:
    ring = Ring.create(4096)
    other = os.memfd_create("other") if hasattr(os, "memfd_create") else os.open("/dev/zero", os.O_RDWR)
    os.ftruncate(other, 8192)
    with pytest.raises(InternalError, match="no ring of this version"):
        Ring.attach((other, *ring.fds[1:]))
    os.close(other)
    ring.close()
    ring.close()
