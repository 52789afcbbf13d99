"""A worker process: takes commands from the server until there are no more.

Started by ``pool`` with what it inherits in one argument. Its standard input is a pipe that nobody writes to: when it
ends, the server is gone, and so is the worker, whatever it was waiting for.
"""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Sequence

import msgspec

from constellationdb.engine.channels.messages import Message
from constellationdb.engine.channels.receiver import Receiver
from constellationdb.engine.channels.ring import Ring
from constellationdb.engine.channels.sender import ChannelClosed, Sender
from constellationdb.engine.channels.waiting import wait_any


class Spec(msgspec.Struct, frozen=True):
    """Who the worker is, and the descriptors of the rings. ``peers``: (worker, to it, from it)."""

    worker: int
    workers: int
    commands: tuple[int, ...]
    answers: tuple[int, ...]
    peers: tuple[tuple[int, tuple[int, ...], tuple[int, ...]], ...]

    def descriptors(self) -> list[int]:
        found = [*self.commands, *self.answers]
        for _, there, back in self.peers:
            found += [*there, *back]
        return found


_SERVER = 0  # standard input


def serve(spec: Spec) -> None:
    from constellationdb import jit
    from constellationdb.engine.allocators import choose_allocators
    from constellationdb.engine.processes.edge import Peer, Ways
    from constellationdb.engine.processes.host import Host

    commands = Ring.attach(spec.commands).receiver()
    answers = Ring.attach(spec.answers).sender()
    peers = [
        Peer(worker, Ring.attach(there).sender(), Ring.attach(back).receiver()) for worker, there, back in spec.peers
    ]
    jit.compile_all()
    choose_allocators()
    host = Host(Ways(spec.worker, spec.workers, peers, _wait))
    _send(answers, Message(b""))  # it is there
    while True:
        try:
            message = commands.pull()
        except ChannelClosed:
            return
        if message is None:
            _wait([commands])
        elif (answer := host.do(message)) is not None:
            _send(answers, answer)


def _send(answers: Sender, message: Message) -> None:
    while not answers.offer(message):
        _wait([answers])


def _wait(ends: Sequence[Sender | Receiver]) -> None:
    """Until one of these can go on. Nothing is ever read from the server's pipe: that it can be is its end."""
    wait_any([*ends, _SERVER])
    if select.select([_SERVER], [], [], 0)[0]:
        os._exit(0)


if __name__ == "__main__":
    serve(msgspec.json.decode(sys.argv[1], type=Spec))
