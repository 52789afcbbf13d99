"""A conversation without a socket: parser, lane and the conversation itself, over a real engine, in one thread."""

from __future__ import annotations

import queue
import struct
from collections import deque
from collections.abc import Callable, Hashable

import pyarrow as pa

from constellationdb.engine.engine import Engine
from constellationdb.engine.result import SessionProtocol
from constellationdb.engine.sessions import Client
from constellationdb.engine.subscription import Subscription
from constellationdb.errors import ProtocolViolation
from constellationdb.wire import replies
from constellationdb.wire.answer import Disconnected
from constellationdb.wire.conversation import Conversation
from constellationdb.wire.lane import Lane
from constellationdb.wire.messages import CancelRequest, EncryptionRequest, FrontendMessage, Startup, Sync
from constellationdb.wire.parser import FrontendParser
from constellationdb.wire.rows import Bytes

# A client that has been sent so much of something that does not end goes away.
_ENOUGH_FLUSHES = 20
_PATIENCE_S = 10.0


class Stuck(Exception):
    """An INSERT of the lane was never answered."""


class Talk:
    """The ``Peer`` of a conversation and the ``Road`` of its lane. ``said`` is what the client was sent."""

    def __init__(self, engine: Engine, pieces: list[bytes]) -> None:
        self._engine = engine
        self._pieces = deque(pieces)
        self._parser = FrontendParser(1 << 20)
        self._inbox: deque[FrontendMessage] = deque()
        self._later: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._lane: Lane | None = None
        self._resting = False
        self._flushes = 0
        self._violation: ProtocolViolation | None = None
        self.session: SessionProtocol | None = None
        self.said: list[bytes] = []

    def run(self) -> None:
        startup = self._startup()
        if startup is None:
            return
        conversation = Conversation(self, self._engine, Client(), b"key!", self._opened)
        self._conversation = conversation
        conversation.run(startup)

    def _startup(self) -> Startup | None:
        """What comes first, as a ``Connection`` answers it."""
        while True:
            try:
                message = self._parser.next_message()
            except ProtocolViolation as violation:
                self.said.append(replies.error(violation, "FATAL"))
                return None
            match message:
                case Startup():
                    return message
                case EncryptionRequest():
                    continue  # the one byte that this is answered is no message
                case CancelRequest():
                    return None
                case None if self._pieces:
                    self._parser.receive(self._pieces.popleft())
                case _:
                    return None

    def _opened(self, session: SessionProtocol) -> None:
        self.session = session

    # -- the road ------------------------------------------------------------------------------------

    def is_clear(self) -> bool:
        return self._resting and not self._inbox

    def write(self, data: bytes) -> None:
        self.said.append(data)

    def put(self, message: FrontendMessage, size: int) -> None:  # noqa: ARG002
        self._inbox.append(message)

    # -- the peer ------------------------------------------------------------------------------------

    def check(self) -> None:
        return None

    def send(self, data: bytes | memoryview) -> None:
        self.said.append(bytes(data))

    def flush(self) -> None:
        self._flushes += 1
        if self._flushes > _ENOUGH_FLUSHES:
            raise Disconnected

    def flush_if_large(self) -> None:
        return None

    def hang_up(self, data: bytes) -> None:
        self.said.append(data)

    def follow(self, subscription: Subscription, group: Hashable, encode: Callable[[pa.RecordBatch], Bytes]) -> int:  # noqa: ARG002
        return 0

    def receive(self, cancelable: bool = False) -> FrontendMessage:
        self._resting, self._flushes = not cancelable, 0
        try:
            while not self._inbox:
                self._listen()
            return self._inbox.popleft()
        finally:
            self._resting = False

    def waiting(self, most: int) -> list[FrontendMessage]:
        return list(self._inbox)[:most]

    def skip(self, count: int) -> None:
        for _ in range(count):
            self._inbox.popleft()

    def alone(self) -> bool:
        while not self._inbox:
            self._listen()
        return isinstance(self._inbox[0], Sync)

    def _listen(self) -> None:
        """The next that happens: an INSERT is done, or the network brings something, or nothing any more."""
        lane = self._lane
        if lane is None:
            assert self.session is not None
            lane = self._lane = Lane(
                self, self.session, self._conversation.extended, lambda: self._conversation.at_rest, self._later.put
            )
        if lane.is_under_way:
            try:
                self._later.get(timeout=_PATIENCE_S)()
            except queue.Empty:
                raise Stuck from None
        elif self._violation is None and self._take_in(lane):
            pass
        elif self._pieces and self._violation is None:
            self._parser.receive(self._pieces.popleft())
            return
        else:
            lane.hand_over()
            if not self._inbox:
                raise Disconnected(self._violation)
            return
        lane.advance()

    def _take_in(self, lane: Lane) -> bool:
        """Whether a message was complete."""
        found = False
        try:
            while (message := self._parser.next_message()) is not None:
                lane.put(message, 0)
                found = True
        except ProtocolViolation as violation:
            self._violation = violation
        return found


def kinds(said: bytes) -> str:
    """The kinds of the replies, which must be whole messages."""
    at, found = 0, []
    while at < len(said):
        kind, size = said[at : at + 1], struct.unpack_from(">i", said, at + 1)[0]
        assert kind.isalnum(), (kind, at)
        assert 4 <= size <= len(said) - at - 1, (kind, size)
        found.append(kind.decode())
        at += 1 + size
    return "".join(found)
