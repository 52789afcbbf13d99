"""A ring beside a deque: whatever is sent, received and refused, in any order, with any sizes."""

from __future__ import annotations

from collections import deque

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from constellationdb.engine.channels.messages import Message
from constellationdb.engine.channels.receiver import Receiver
from constellationdb.engine.channels.ring import Ring
from constellationdb.engine.channels.sender import ChannelClosed, ChannelFull, ChannelTimeout, Sender, WhenFull
from constellationdb.errors import InternalError, ProgramLimitExceeded

_MODES = ("a\0", "b", "cc", "ddd")


def _batch(columns: int, rows: int, number: int) -> pa.RecordBatch:
    names = [f"c{i}" for i in range(columns)]
    words = pa.array([_MODES[(number + i) % (2 + number % 3)] for i in range(rows)], pa.string()).dictionary_encode()
    values = [words if i == 1 else pa.array(np.arange(rows) + number + i) for i in range(columns)]
    return pa.record_batch(values, names=names)


@st.composite
def messages(draw: st.DrawFn) -> Message:
    head = draw(st.binary(max_size=8)) * draw(st.sampled_from([0, 1, 50, 400]))
    shapes = draw(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 60), st.integers(0, 9)), max_size=3))
    return Message(head, tuple(_batch(*shape) for shape in shapes))


def _same(ours: Message | None, theirs: Message) -> bool:
    return (
        ours is not None
        and ours.head == theirs.head
        and len(ours.batches) == len(theirs.batches)
        and all(a.equals(b, check_metadata=True) for a, b in zip(ours.batches, theirs.batches, strict=True))
    )


class Channel(RuleBasedStateMachine):
    """What was accepted comes out, in order; what was dropped is the oldest, and counted."""

    ring: Ring
    sender: Sender
    receiver: Receiver

    @initialize(capacity=st.sampled_from([4096, 8192, 20480]), when_full=st.sampled_from(WhenFull))
    def start(self, capacity: int, when_full: WhenFull) -> None:
        self.ring = Ring.create(capacity)
        self.sender = self.ring.sender(when_full)
        self.receiver = self.ring.receiver()
        self.when_full = when_full
        self.inside: deque[Message] = deque()
        self.dropped = 0
        self.begun: Message | None = None
        self.closed = False

    def teardown(self) -> None:
        if hasattr(self, "ring"):
            self.ring.close()

    @precondition(lambda self: not self.closed)
    @rule(message=messages())
    def offer(self, message: Message) -> None:
        if self.begun is not None:
            with pytest.raises(InternalError):
                self.sender.offer(message)
            message = self.begun
        before = self.ring.metrics()
        try:
            taken = self.sender.offer(message)
        except ProgramLimitExceeded:
            assert self.when_full is not WhenFull.BLOCK
            assert self.ring.metrics() == before
            return
        if taken:
            self.inside.append(message)
            self.begun = None
            self._forget_dropped()
            return
        assert self.when_full is not WhenFull.DROP_OLDEST
        assert self.ring.metrics().bytes, "an empty ring has room"
        self.begun = message if self._goes_in_pieces() else None

    @precondition(lambda self: not self.closed and self.begun is None)
    @rule(message=messages())
    def push(self, message: Message) -> None:
        try:
            self.sender.push(message, timeout=0)
        except ChannelTimeout:
            assert self.when_full is WhenFull.BLOCK
            self.begun = message if self._goes_in_pieces() else None
        except ChannelFull:
            assert self.when_full is WhenFull.REJECT
        except ProgramLimitExceeded:
            assert self.when_full is not WhenFull.BLOCK
        else:
            self.inside.append(message)
            self._forget_dropped()

    @rule()
    def pull(self) -> None:
        if self.inside:
            assert _same(self.receiver.pull(), self.inside.popleft())
        elif self.closed:
            with pytest.raises(ChannelClosed):
                self.receiver.pull()
        else:
            assert self.receiver.pull() is None
            assert self.ring.metrics().bytes == 0

    @rule()
    def drain(self) -> None:
        while self.inside:
            assert _same(self.receiver.pull(), self.inside.popleft())

    @precondition(lambda self: not self.closed)
    @rule()
    def the_sender_is_another(self) -> None:
        """As after a crash: what was sent stays, what was there in part never shows."""
        self.sender = self.ring.sender(self.when_full)
        self.begun = None

    @precondition(lambda self: not self.closed)
    @rule(sure=st.integers(0, 9))
    def close(self, sure: int) -> None:
        if sure == 0:
            self.sender.close()
            self.closed = True
            self.begun = None
            with pytest.raises(ChannelClosed):
                self.sender.offer(Message(b""))

    @invariant()
    def counts(self) -> None:
        if hasattr(self, "ring"):
            metrics = self.ring.metrics()
            assert metrics.messages == len(self.inside)
            assert 0 <= metrics.bytes <= metrics.capacity
            assert metrics.messages_dropped == self.dropped
            if self.inside:
                assert self.receiver.ready()

    def _goes_in_pieces(self) -> bool:
        return self.sender._pieces is not None

    def _forget_dropped(self) -> None:
        dropped = self.ring.metrics().messages_dropped
        assert dropped == self.dropped or self.when_full is WhenFull.DROP_OLDEST
        for _ in range(dropped - self.dropped):
            self.inside.popleft()
        assert self.inside, "the one just sent is there"
        self.dropped = dropped


TestChannel = Channel.TestCase
TestChannel.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
