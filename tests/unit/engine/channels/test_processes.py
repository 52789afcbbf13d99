"""Rings between two real processes, one of which may die."""

from __future__ import annotations

import os
import signal

import numpy as np
import pyarrow as pa
import pytest

from constellationdb.engine.channels.messages import Message
from constellationdb.engine.channels.ring import Ring
from constellationdb.engine.channels.sender import ChannelClosed
from constellationdb.engine.channels.waiting import wait_any
from tests.unit.engine.channels.children import STRATEGIES, child, numbered, received, rows_of


def test_rows_from_a_child_are_all_there_and_right() -> None:
    ring = Ring.create(1 << 20)
    receiver = ring.receiver()
    with child("send", "400", rings=(ring,)) as process:
        for number in range(400):
            message = received(receiver)
            expected = numbered(number, rows_of(number))
            assert message.head == expected.head
            assert message.batches[0].equals(expected.batches[0])
        assert process.wait() == 0
        with pytest.raises(ChannelClosed):
            receiver.pull()
    assert ring.metrics().messages_sent == 400
    ring.close()


def test_millions_of_rows_to_a_child_have_their_sum() -> None:
    ring = Ring.create(4 << 20)
    sender = ring.sender()
    sizes = [65_536, 1024, 1, 0, 8192, 300_000]
    rows = total = 0
    with child("receive", rings=(ring,)) as process:
        for i in range(60):
            values = np.arange(sizes[i % len(sizes)]) + i
            rows, total = rows + len(values), total + int(values.sum())
            sender.push(Message(b"", (pa.record_batch({"v": values, "w": values}),)), timeout=60)
        sender.close()
        out, err = process.communicate(timeout=60)
        assert out.split() == [str(rows).encode(), str(total).encode()], err
    assert rows > 3_000_000
    ring.close()


@pytest.mark.parametrize("after", [1, 30, 39, 85])
def test_a_killed_sender_leaves_whole_messages_and_no_other(after: int) -> None:
    """It is killed while it writes, mostly in the middle of a message of many pieces."""
    ring = Ring.create(1 << 20)
    receiver = ring.receiver()
    with child("send", rings=(ring,)) as process:
        for number in range(after):
            assert received(receiver).batches[0].equals(numbered(number, rows_of(number)).batches[0])
        process.send_signal(signal.SIGKILL)
        process.wait()
    number = after
    while (message := receiver.pull()) is not None:
        assert message.batches[0].equals(numbered(number, rows_of(number)).batches[0])
        number += 1
    assert ring.metrics().messages == 0
    another = ring.sender()
    another.push(numbered(7, 1000))
    another.close()
    assert received(receiver).batches[0].equals(numbered(7, 1000).batches[0])
    with pytest.raises(ChannelClosed):
        receiver.pull()
    ring.close()


def test_the_end_of_a_process_wakes_who_waits_for_it() -> None:
    ring = Ring.create(4096)
    receiver = ring.receiver()
    with child("echo", "park", rings=(ring, ring)) as process:
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        process.send_signal(signal.SIGKILL)
        assert wait_any([receiver, process.stdout.fileno()], timeout=60)
        assert receiver.pull() is None
    ring.close()


@pytest.mark.parametrize(("strategy", "times"), [("park", 10_000), ("spin yield", 10_000)])
def test_no_wake_up_is_lost(strategy: str, times: int) -> None:
    """Each side waits for the other all the time: one token that is lost stops both for good."""
    there, back = Ring.create(4096), Ring.create(4096)
    sender, receiver = there.sender(), back.receiver()
    with child("echo", strategy, rings=(there, back)):
        for number in range(times):
            message = Message(number.to_bytes(4, "little"))
            sender.push(message, timeout=60)
            assert received(receiver, wait=STRATEGIES[strategy]) == message
        sender.close()
        with pytest.raises(ChannelClosed):
            received(receiver)
    there.close()
    back.close()
