"""One client's socket on the event loop, and the registry of all of them.

A ``Connection`` parses what arrives and passes it on; the conversation itself
runs on a thread of the connection's own, since a statement may block for as
long as it likes. Cancel requests arrive on a connection of their own and find
their target in the ``Frontend``.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from constellationdb.engine.result import SessionProtocol
from constellationdb.engine.sessions import Client
from constellationdb.errors import ConstellationError, ProtocolViolation, ShuttingDown, TooManyConnections
from constellationdb.wire import replies
from constellationdb.wire.conversation import Conversation
from constellationdb.wire.fanout import Fanouts
from constellationdb.wire.lane import Lane
from constellationdb.wire.limits import Limits
from constellationdb.wire.link import Link
from constellationdb.wire.messages import CancelRequest, EncryptionRequest, FrontendMessage, Startup
from constellationdb.wire.parser import FrontendParser
from constellationdb.wire.startup import SessionFactory

# A statement may begin just after its cancel was sent; a connection that ends says it again until the thread is done.
_REPEAT_CANCEL_SECONDS = 0.05


@dataclass
class Frontend:
    """What all connections of one server share. Touched on the event loop only."""

    sessions: SessionFactory
    limits: Limits = Limits()  # noqa: RUF009 - frozen
    open: set[Connection] = field(default_factory=set)
    admitted: set[Connection] = field(default_factory=set)  # those that have introduced themselves
    processes: dict[int, Connection] = field(default_factory=dict)
    all_closed: asyncio.Event = field(default_factory=asyncio.Event)
    fanouts: Fanouts = field(default_factory=lambda: Fanouts(asyncio.get_running_loop()))

    def admit(self, connection: Connection) -> None:
        if len(self.admitted) >= self.limits.max_connections:
            raise TooManyConnections("sorry, too many clients already", hint="close idle connections or use a pool")
        self.admitted.add(connection)

    def cancel(self, request: CancelRequest) -> None:
        """Does nothing, silently, when the key fits no connection: guessing must teach nothing."""
        target = self.processes.get(request.process)
        if target is not None and hmac.compare_digest(target.secret, request.secret):
            target.cancel()

    def close(self, connection: Connection) -> None:
        self.open.discard(connection)
        self.admitted.discard(connection)
        if self.processes.get(connection.process) is connection:
            del self.processes[connection.process]
        if not self.open:
            self.all_closed.set()


class Connection(asyncio.Protocol):
    """Open until both the socket is closed and the thread, if one was started, is done."""

    def __init__(self, frontend: Frontend) -> None:
        self.process, self.secret = 0, secrets.token_bytes(4)
        self._frontend = frontend
        self._loop = asyncio.get_running_loop()
        self._parser = FrontendParser(frontend.limits.message_bytes)
        self._transport: asyncio.Transport
        self._link: Link
        self._session: SessionProtocol | None = None
        self._conversation: Conversation | None = None
        self._lane: Lane | None = None
        self._lane_paused = False
        self._violation: ProtocolViolation | None = None
        self._refused = False
        self._thread: threading.Thread | None = None
        self._thread_done = False
        self._lost = False
        self._startup_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are none by inheritance
        self._transport.set_write_buffer_limits(high=0)
        self._link = Link(self._loop, self._transport, self._frontend.fanouts)
        self._frontend.open.add(self)
        self._frontend.all_closed.clear()
        self._startup_timer = self._loop.call_later(self._frontend.limits.authentication_seconds, self._transport.abort)

    def data_received(self, data: bytes) -> None:
        self._parser.receive(data)
        size = len(data)
        try:
            while (message := self._parser.next_message()) is not None:
                self._take(message, size)
                size = 0  # its weight is counted once
        except ProtocolViolation as violation:
            self._violation = violation
        self._advance()

    def _take(self, message: FrontendMessage, size: int) -> None:
        if self._lane is not None:
            self._lane.put(message, size)
            return
        match message:
            case EncryptionRequest():
                self._transport.write(replies.NO_ENCRYPTION)
            case CancelRequest():
                self._frontend.cancel(message)
                self._transport.close()
            case Startup():
                self._begin(message)
            case _ if self._session is not None:
                self._open_lane(self._session).put(message, size)
            case _:
                self._link.put(message, size)

    def _open_lane(self, session: SessionProtocol) -> Lane:
        assert self._conversation is not None
        conversation = self._conversation
        self._lane = Lane(self._link, session, conversation.extended, lambda: conversation.at_rest, self._later)
        return self._lane

    def _later(self, action: Callable[[], None]) -> None:
        """From any thread: for the lane, on the loop."""
        self._link.on_loop(self._go_on, action)

    def _go_on(self, action: Callable[[], None]) -> None:
        if not self._lost:
            self._resume_lane()
            action()
            self._advance()

    def _advance(self) -> None:
        lane = self._lane
        if lane is not None:
            lane.advance()
            if lane.is_under_way:
                if lane.is_full and not self._lane_paused:
                    self._lane_paused = True
                    self._transport.pause_reading()
                return
        if self._violation is not None and not self._refused:
            self._refused = True
            if lane is not None:
                lane.hand_over()
            self._refuse(self._violation)

    def _resume_lane(self) -> None:
        if self._lane_paused:
            self._lane_paused = False
            self._transport.resume_reading()

    def _refuse(self, problem: ConstellationError) -> None:
        """Through the conversation where there is one, after what it was still to answer."""
        if self._thread is not None:
            self._link.end(problem, after_inbox=True)
        elif not self._transport.is_closing():
            self._transport.write(replies.error(problem, "FATAL"))
            self._transport.close()

    def _begin(self, startup: Startup) -> None:
        self._stop_timer()
        try:
            self._frontend.admit(self)
        except TooManyConnections as problem:
            self._refuse(problem)
            return
        conversation = self._conversation = Conversation(
            self._link, self._frontend.sessions, self._client(), self.secret, self._session_opened
        )
        self._thread = threading.Thread(target=self._converse, args=(conversation, startup), name="wire", daemon=True)
        self._thread.start()

    def _converse(self, conversation: Conversation, startup: Startup) -> None:
        try:
            conversation.run(startup)
        finally:
            self._link.on_loop(self._conversation_ended)

    def _client(self) -> Client:
        """A Unix socket has no address to tell."""
        peer, own = self._transport.get_extra_info("peername"), self._transport.get_extra_info("sockname")
        server = {"max_connections": str(self._frontend.limits.max_connections)}
        if not (isinstance(peer, tuple) and len(peer) >= 2):
            return Client(server=server)
        return Client(str(peer[0]), int(peer[1]), {**server, "port": str(own[1])})

    def _session_opened(self, session: SessionProtocol) -> None:
        """On the thread: the loop knows the process before its client does."""
        self._session = session
        session.on_terminate = self._terminate_soon
        threading.current_thread().name = f"wire-{session.pid}"
        self._link.on_loop(self._register, session.pid)

    def _terminate_soon(self, reason: ConstellationError) -> None:
        """Any thread: nothing else is said from now on."""
        self._link.end(reason)
        self._link.on_loop(self.terminate, reason)

    def _register(self, process: int) -> None:
        if not self._lost:
            self.process = process
            self._frontend.processes[process] = self

    def _conversation_ended(self) -> None:
        self._thread_done = True
        self._transport.close()
        self._close_if_over()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why the socket ended makes no difference
        self._lost = True
        self._link.closed()
        self._stop_timer()
        self._link.end(None)
        self._cancel_until_done()
        self._close_if_over()

    def _close_if_over(self) -> None:
        if self._lost and (self._thread is None or self._thread_done):
            self._frontend.close(self)

    def pause_writing(self) -> None:
        self._link.pause_writing()

    def resume_writing(self) -> None:
        self._link.resume_writing()

    def cancel(self) -> None:
        if self._session is not None:
            self._session.cancel()
        self._link.cancel()

    def shut_down(self) -> None:
        """The client is told 57P01, in the middle of a statement if need be."""
        self.terminate(ShuttingDown("terminating connection because the server is shutting down"))

    def terminate(self, problem: ConstellationError) -> None:
        """The client is told why, and that was it."""
        if self._thread is None:
            self._refuse(problem)
            return
        self._link.end(problem)
        self._cancel_until_done()

    def abort(self) -> None:
        self._transport.abort()

    def _cancel_until_done(self) -> None:
        if self._thread is None or self._thread_done:
            return
        if self._session is not None:
            self._session.cancel()
        self._loop.call_later(_REPEAT_CANCEL_SECONDS, self._cancel_until_done)

    def _stop_timer(self) -> None:
        if self._startup_timer is not None:
            self._startup_timer.cancel()
            self._startup_timer = None
