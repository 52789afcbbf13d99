"""Prepared one-row INSERTs that follow one another in a transaction: one write of many rows.

    Bind Describe? Execute, Bind Describe? Execute, …      all that has come by now, except the last

Each row by itself has to be looked for in the table and in what the
transaction has written so far, which costs as much for one as for a hundred.
Where something is wrong with one of the rows none was written, and each goes
its own way, so that the error is told at the right one. The last goes its own
way always: what it leaves behind is what a client finds that looks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from constellationdb.engine.result import SessionProtocol
from constellationdb.errors import ConstellationError, QueryCanceled
from constellationdb.wire import replies
from constellationdb.wire.answer import Peer
from constellationdb.wire.extended import ExtendedQuery, parameters_of
from constellationdb.wire.messages import Bind, Describe, Execute, FrontendMessage

_MOST_MESSAGES = 3 * 1024
_INSERTED = replies.command_complete("INSERT 0 1")


class InsertRuns:
    def __init__(self, peer: Peer, session: SessionProtocol, extended: ExtendedQuery) -> None:
        self._peer = peer
        self._session = session
        self._extended = extended
        self._singly = 0  # so many of those that have come go their own way

    def take(self, first: Bind) -> bool:
        """Do what ``first`` begins, and answer it; False, and nothing was done, when there is no run."""
        if self._singly:
            self._singly -= 1
            return False
        prepared = self._extended.known(first.statement)
        if prepared is None or self._session.transaction_status != "T" or not self._session.shortcuts.inserts(prepared):
            return False
        calls = list(_calls(first, self._peer.waiting(_MOST_MESSAGES)))[:-1]
        if len(calls) < 2:
            return False
        try:
            rows = [parameters_of(call[0], prepared) for call in calls]
            if self._session.shortcuts.insert_together(prepared, rows):
                self._peer.skip(sum(map(len, calls)) - 1)
                self._peer.send(b"".join(map(_answer, calls)))
                return True
        except QueryCanceled:
            raise
        except ConstellationError:
            pass  # told at the row that is wrong
        self._singly = len(calls)
        return False


_Call = tuple[Bind, Describe, Execute] | tuple[Bind, Execute]


def _calls(first: Bind, following: Sequence[FrontendMessage]) -> Iterator[_Call]:
    """Those of the statement of ``first`` that are complete, one after the other."""
    at, bound = 0, first
    while True:
        match following[at : at + 2]:
            case [Describe("P", "") as described, Execute("", 0) as execute]:
                yield bound, described, execute
                at += 2
            case [Execute("", 0) as execute, *_]:
                yield bound, execute
                at += 1
            case _:
                return
        match following[at : at + 1]:
            case [Bind("", name) as bound] if name == first.statement:
                at += 1
            case _:
                return


def _answer(call: _Call) -> bytes:
    described = replies.described(None, ()) if len(call) == 3 else b""
    return replies.BIND_COMPLETE + described + _INSERTED
