"""One client, from its Startup to its end: messages in, replies out, on a thread of its own.

    message ──▶ Conversation ──▶ SessionProtocol
                     │ Result, errors
    replies ◀────────┘

Only this class decides what the protocol's order demands: after an error in
the extended protocol everything is skipped until Sync; every simple Query and
every Sync ends with ReadyForQuery; what was said outside (a transaction block)
is the session's to know. It is synchronous and knows the client only as a
``Peer``, so a test can be one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from constellationdb.engine.result import SessionProtocol
from constellationdb.engine.sessions import Client
from constellationdb.errors import (
    CharacterNotInRepertoire,
    ConstellationError,
    FeatureNotSupported,
    InternalError,
    ProtocolViolation,
)
from constellationdb.wire import replies
from constellationdb.wire.answer import Disconnected, Peer, send_result, style_for
from constellationdb.wire.extended import ExtendedQuery
from constellationdb.wire.insert_runs import InsertRuns
from constellationdb.wire.messages import (
    Bind,
    Close,
    CopyData,
    CopyDone,
    CopyFail,
    Describe,
    Execute,
    Flush,
    FrontendMessage,
    FunctionCall,
    Garbled,
    Parse,
    Query,
    Startup,
    Sync,
    Terminate,
)
from constellationdb.wire.startup import SessionFactory, introduction, reported_settings

_log = logging.getLogger(__name__)


class Conversation:
    """``opened`` is told the session as soon as there is one, so that others can cancel it, by ``secret``."""

    def __init__(
        self,
        peer: Peer,
        factory: SessionFactory,
        client: Client,
        secret: bytes,
        opened: Callable[[SessionProtocol], None],
    ) -> None:
        self._peer = peer
        self._factory = factory
        self._client = client
        self._secret = secret
        self._opened = opened
        self._session: SessionProtocol
        self._extended: ExtendedQuery
        self._runs: InsertRuns
        self._reported: dict[str, str] = {}
        self._reported_changes = 0  # of the session's settings
        self._user = ""
        self._settings: dict[str, str] = {}
        self._skipping = False
        self._in_batch = False  # extended messages since the last Sync
        self._ready_said = False

    @property
    def at_rest(self) -> bool:
        """Whether the last thing said was that a query may come, and no part of one has."""
        return self._ready_said and not self._in_batch

    @property
    def extended(self) -> ExtendedQuery:
        return self._extended

    def run(self, startup: Startup) -> None:
        """Until the client says goodbye, is gone, or is told why it has to go."""
        try:
            self._start(startup)
            self._converse()
        except Disconnected as end:
            if end.reason is not None:
                self._peer.hang_up(replies.error(end.reason, "FATAL"))

    def _converse(self) -> None:
        try:
            while not isinstance(message := self._peer.receive(), Terminate):
                self._handle(message)
        finally:
            try:
                self._extended.forget_portals()
            finally:
                self._session.close()

    # -- startup ----------------------------------------------------------------------------------------------

    def _start(self, startup: Startup) -> None:
        if startup.minor > 0 or startup.options:
            self._peer.send(replies.negotiate_version(0, startup.options))
        try:
            who = introduction(startup)
            self._session = self._factory.session(who.user, who.database, who.settings, self._client)
        except ConstellationError as problem:
            raise Disconnected(problem) from problem
        except Exception as bug:
            raise Disconnected(as_internal(bug)) from bug
        self._user, self._settings = who.user, who.settings
        self._extended = ExtendedQuery(self._peer, self._session)
        self._runs = InsertRuns(self._peer, self._session, self._extended)
        self._opened(self._session)
        self._peer.send(replies.AUTHENTICATION_OK)
        self._report_settings()
        self._peer.send(replies.backend_key(self._session.pid, self._secret))
        self._ready()

    def _report_settings(self) -> None:
        self._reported_changes = self._session.settings_changes
        for name, value in reported_settings(self._session, self._user, self._settings):
            if self._reported.get(name) != value:
                self._reported[name] = value
                self._peer.send(replies.parameter_status(name, value))

    # -- messages ---------------------------------------------------------------------------------------------

    def _handle(self, message: FrontendMessage) -> None:
        self._ready_said = False
        match message:
            case Sync():
                self._sync()
            case _ if self._skipping:
                pass
            case Query(sql):
                self._query(sql)
            case CopyData() | CopyDone() | CopyFail():
                # Still on their way when the COPY failed; the protocol says to drop them.
                pass
            case Flush():
                self._peer.flush()
            case FunctionCall():
                self._guarded(_refuse_function_call)
                self._ready()
            case Garbled(problem, is_query):
                self._garbled(problem, is_query)
            case Parse() | Bind() | Describe() | Execute() | Close():
                self._in_batch = True
                self._guarded(lambda: self._extended_message(message), skip=True)
            case other:
                raise Disconnected(ProtocolViolation(f"unexpected message {type(other).__name__}"))

    def _extended_message(self, message: Parse | Bind | Describe | Execute | Close) -> None:
        match message:
            case Parse():
                self._extended.parse(message)
            case Bind():
                if not self._runs.take(message):
                    self._extended.bind(message)
            case Describe():
                self._extended.describe(message)
            case Execute():
                self._extended.execute(message)
            case Close():
                self._extended.close(message)

    def _query(self, sql: str) -> None:
        if self._in_batch:
            self._end_batch()
        self._extended.forget_unnamed()
        self._guarded(lambda: self._run_all(sql))
        self._ready()

    def _garbled(self, problem: str, is_query: bool) -> None:
        """The error instead of the message's answer."""
        if is_query and self._in_batch:
            self._end_batch()
        self._failed(CharacterNotInRepertoire(problem), skip=not is_query)
        if is_query:
            self._ready()
        else:
            self._in_batch = True

    def _run_all(self, sql: str) -> None:
        results = self._session.execute(sql)
        try:
            for result in results:
                send_result(self._peer, result, style_for(self._session))
        finally:
            close = getattr(results, "close", None)
            if close is not None:
                close()

    def _sync(self) -> None:
        self._skipping = False
        self._end_batch()
        self._ready()

    def _end_batch(self) -> None:
        self._in_batch = False
        self._guarded(self._session.sync)

    def _ready(self) -> None:
        status = self._session.transaction_status
        if status == "I":
            self._extended.forget_portals()
        if self._session.settings_changes != self._reported_changes:
            self._report_settings()
        self._peer.send(replies.ready_for_query(status))
        self._ready_said = True

    # -- errors -----------------------------------------------------------------------------------------------

    def _guarded(self, action: Callable[[], None], skip: bool = False) -> None:
        """``action``, with what it raises told to the client and to the session. ``skip``: until Sync."""
        try:
            action()
        except Disconnected:
            raise
        except ConstellationError as problem:
            self._failed(problem, skip)
        except Exception as bug:
            self._failed(as_internal(bug), skip)

    def _failed(self, problem: ConstellationError, skip: bool) -> None:
        self._peer.check()
        self._skipping = skip
        self._session.fail()
        self._peer.send(replies.error(problem))


def _refuse_function_call() -> None:
    raise FeatureNotSupported("function call messages are not supported", hint="call the function in a SELECT")


def as_internal(bug: BaseException) -> InternalError:
    _log.error("a statement failed in a way it must not", exc_info=bug)
    return InternalError(
        f"internal error: {type(bug).__name__}: {bug}", hint="this is a defect; please report it with the statement"
    )
