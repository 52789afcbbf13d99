"""The fast lane: what is answered on the event loop, without waking the connection's thread.

    Bind Describe? Execute Sync         of a prepared point SELECT: rows at once
    (Bind Describe? Execute)+ Sync …    of a prepared one-row INSERT: into the next epoch, answered when it is durable

A thread costs two switches a statement, which is more than such a statement
itself. The lane serves only while the conversation is at rest (its thread is
waiting, nothing is on its way to the client) and only what the session answers
without waiting; everything else goes to the thread, in order. INSERTs that were
sent one after the other go into the same epoch, and while they are on their
way what follows waits here.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from constellationdb.engine.result import Prepared, SessionProtocol
from constellationdb.errors import ConstellationError
from constellationdb.wire import replies
from constellationdb.wire.answer import style_for
from constellationdb.wire.conversation import as_internal
from constellationdb.wire.extended import ExtendedQuery
from constellationdb.wire.forms import Form
from constellationdb.wire.messages import Bind, Describe, Execute, FrontendMessage, Parse, Sync

_log = logging.getLogger(__name__)

# What is kept while an INSERT is on its way, or a statement has not all arrived; beyond, the thread takes it.
HELD_LIMIT = 4 << 20
_MESSAGE_COST = 64  # beyond its bytes
# INSERTs that go into an epoch together.
MOST_INSERTS = 4096
_REMEMBERED = 256


class Road(Protocol):
    """The link, as the lane needs it. ``put`` gives a message to the thread."""

    def is_clear(self) -> bool:
        """Whether the thread waits for a message, and the client has everything it was sent."""
        ...

    def write(self, data: bytes) -> None: ...

    def put(self, message: FrontendMessage, size: int) -> None: ...


@dataclass
class _Call:
    """One statement of a group: how it is introduced, and what its Execute runs."""

    form: Form
    parameters: tuple[str | None, ...]
    before: list[bytes]  # what Parse, Bind and Describe are answered

    @property
    def prepared(self) -> Prepared:
        return self.form.prepared


@dataclass
class _Group:
    """The messages up to a Sync."""

    calls: list[_Call]
    messages: int


class _NotHere(Exception):
    """These messages are for the thread."""


class Lane:
    """One connection's. Everything happens on the event loop.

    ``on_loop`` may be called from anywhere, to call something there; who does that calls ``advance`` after it.
    """

    def __init__(
        self,
        road: Road,
        session: SessionProtocol,
        extended: ExtendedQuery,
        at_rest: Callable[[], bool],
        on_loop: Callable[[Callable[[], None]], None],
    ) -> None:
        self._road = road
        self._session = session
        self._extended = extended
        self._at_rest = at_rest
        self._on_loop = on_loop
        self._held: deque[tuple[FrontendMessage, int]] = deque()
        self._held_size = 0
        self._under_way = False  # INSERTs that were not answered yet
        self._settings_changes = -1  # when the forms were made
        self._forms: dict[tuple[Prepared, int, tuple[int, ...], tuple[int, ...]], Form] = {}

    @property
    def is_under_way(self) -> bool:
        """Whether INSERTs were not answered yet; nothing may overtake them."""
        return self._under_way

    @property
    def is_full(self) -> bool:
        return self._held_size > HELD_LIMIT

    def put(self, message: FrontendMessage, size: int) -> None:
        """Keep a message for the next ``advance``."""
        self._held.append((message, size))
        self._held_size += size + _MESSAGE_COST

    def advance(self) -> None:
        """Serve what can be served here; the rest is the thread's, or waits."""
        try:
            while self._held and not self._under_way and self._serve_next():
                pass
        except _NotHere:
            self.hand_over()
        except Exception:
            _log.exception("the fast lane failed; the conversation goes on without it")
            self.hand_over()

    def hand_over(self) -> None:
        """Leave everything that is here to the thread."""
        while self._held:
            self._road.put(*self._take())

    def _take(self) -> tuple[FrontendMessage, int]:
        message, size = self._held.popleft()
        self._held_size -= size + _MESSAGE_COST
        return message, size

    def _serve_next(self) -> bool:
        """Whether there may be more to serve at once; False: wait for messages."""
        if not self._road.is_clear() or not self._at_rest():
            raise _NotHere
        group = self._group(0)
        if group is None:
            return False
        if len(group.calls) > 1 or not self._read(group):
            self._insert(group)
        return True

    # -- finding groups ----------------------------------------------------------------------------

    def _group(self, start: int) -> _Group | None:
        """The messages from ``start`` to the next Sync; None when that has not come yet."""
        calls: list[_Call] = []
        prepared: Prepared | None = None
        before: list[bytes] = []
        bound: _Call | None = None
        for count, (message, _) in enumerate(islice(self._held, start, None), 1):
            match message:
                case Parse("", sql, oids) if (
                    bound is None and not calls and (prepared := self._session.shortcuts.prepared(sql, oids))
                ):
                    before = [replies.PARSE_COMPLETE]
                case Bind("", name) if bound is None:
                    statement = prepared if name == "" and before else self._extended.known(name)
                    if statement is None:
                        raise _NotHere
                    bound = self._bound(message, statement, before)
                    before = []
                case Describe("P", "") if bound is not None:
                    bound.before.append(bound.form.described)
                case Execute("", 0) if bound is not None:
                    calls.append(bound)
                    bound = None
                case Sync() if calls and bound is None:
                    return _Group(calls, count)
                case _:
                    raise _NotHere
        if self.is_full:
            raise _NotHere
        return None

    def _bound(self, message: Bind, prepared: Prepared, before: list[bytes]) -> _Call:
        try:
            form = self._form(message, prepared)
            parameters = form.parameters(message)
        except ConstellationError as problem:  # told where errors are
            raise _NotHere from problem
        return _Call(form, parameters, [*before, replies.BIND_COMPLETE])

    def _form(self, message: Bind, prepared: Prepared) -> Form:
        if self._session.settings_changes != self._settings_changes or len(self._forms) > _REMEMBERED:
            self._settings_changes, self._forms = self._session.settings_changes, {}
        key = prepared, len(message.parameters), message.parameter_formats, message.result_formats
        found = self._forms.get(key)
        if found is None:
            found = self._forms[key] = Form(prepared, message, style_for(self._session))
        return found

    def _pass(self, messages: int) -> None:
        """These are done. An unnamed statement that was parsed among them is still there."""
        for _ in range(messages):
            message, _ = self._take()
            if isinstance(message, Parse):
                prepared = self._session.shortcuts.prepared(message.sql, message.parameter_oids)
                if prepared is not None:
                    self._extended.keep_unnamed(prepared)

    # -- serving -------------------------------------------------------------------------------------

    def _read(self, group: _Group) -> bool:
        """Whether it was a SELECT that can be answered here."""
        (call,) = group.calls
        found = self._session.shortcuts.find(call.prepared, call.parameters)
        if found is None:
            return False
        answer = call.form.answer(found)
        self._pass(group.messages)
        self._road.write(b"".join([*call.before, answer, replies.READY]))
        return True

    def _insert(self, first: _Group) -> None:
        if not self._session.shortcuts.inserts(first.calls[0].prepared):
            raise _NotHere
        groups = [first] if len(first.calls) > 1 else self._alike(first)
        calls = [call for group in groups for call in group.calls]
        if any(call.prepared is not calls[0].prepared for call in calls):
            raise _NotHere
        together = len(first.calls) > 1
        taken = self._session.shortcuts.insert(
            calls[0].prepared,
            [call.parameters for call in calls],
            lambda errors: self._on_loop(lambda: self._inserted(groups, errors)),
            together=together,
        )
        if not taken:
            raise _NotHere
        self._under_way = True

    def _alike(self, first: _Group) -> list[_Group]:
        """The single INSERTs of the same statement that were sent one after the other."""
        groups, at = [first], first.messages
        while len(groups) < MOST_INSERTS:
            try:
                following = self._group(at)
            except _NotHere:
                break
            if following is None or len(following.calls) > 1:
                break
            if following.calls[0].prepared is not first.calls[0].prepared:
                break
            groups.append(following)
            at += following.messages
        return groups

    def _inserted(self, groups: list[_Group], errors: list[BaseException | None]) -> None:
        self._under_way = False
        if len(groups) == 1 and len(groups[0].calls) > 1 and errors[0] is not None:
            self.hand_over()  # none went in: statement by statement it shows which is wrong
            return
        answers: list[bytes] = []
        for group, error in zip(groups, errors, strict=True):
            for call in group.calls:
                answers += call.before
                answers.append(_INSERTED if error is None else _refusal(error))
            answers.append(replies.READY)
        self._pass(sum(group.messages for group in groups))
        self._road.write(b"".join(answers))


def _refusal(error: BaseException) -> bytes:
    known = error if isinstance(error, ConstellationError) else as_internal(error)
    return replies.error(known)


_INSERTED = replies.command_complete("INSERT 0 1")
