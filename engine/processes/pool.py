"""The worker processes of one engine: started together, and together anew when one of them is lost.

Commands go to all workers, and every worker answers each of them in turn, so an answer belongs to the oldest command
that has none. One thread takes the answers in. A lost worker takes the others with it, for they may wait for its rows;
whoever waits for an answer is told (``WorkerLost``), and asks again once the next ``generation`` is there.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter_ns
from typing import TypeAlias

import msgspec
import pyarrow as pa
import structlog

from constellationdb.engine.channels.messages import Message
from constellationdb.engine.channels.receiver import Receiver
from constellationdb.engine.channels.ring import ChannelMetrics, Ring
from constellationdb.engine.channels.sender import ChannelClosed, Sender
from constellationdb.engine.channels.waiting import wait_any
from constellationdb.engine.processes.protocol import Command, Drop, busy_of, encode
from constellationdb.engine.processes.worker import Spec
from constellationdb.engine.reply import Reply
from constellationdb.errors import InternalError

_COMMANDS_BYTES = 32 << 20
_ANSWERS_BYTES = 32 << 20
_EDGE_BYTES = 16 << 20
_LOOK_SECONDS = 0.2  # so often it is looked whether processes live, where there is no descriptor that says so
_FIRST_SECONDS = 120.0
_log = structlog.get_logger()
# Batches that go beside a command, by worker.
Beside: TypeAlias = "Sequence[Sequence[pa.RecordBatch]] | None"


class WorkerLost(Exception):
    """A worker process has died. ``guilty``: it was doing this command."""

    def __init__(self, guilty: bool) -> None:
        super().__init__("a worker process has died")
        self.guilty = guilty


@dataclass
class Process:
    """One worker, and the server's ends of the rings to it. ``pending``: commands that it has not answered."""

    worker: int
    popen: subprocess.Popen[bytes]
    commands: Sender
    answers: Receiver
    alive: int  # a descriptor that can be read when the process has ended, or -1
    ready: bool = False
    started_ns: int = field(default_factory=perf_counter_ns)
    answered: int = 0
    busy_ns: int = 0
    pending: deque[Reply[Message]] = field(default_factory=deque)

    def send(self, message: Message) -> None:
        """As soon as there is room; of one that is dead, never."""
        while not self.commands.offer(message) and self.popen.poll() is None:
            wait_any([self.commands], _LOOK_SECONDS)

    def take_in(self) -> bool:
        """The next answer, if there is one."""
        message = self.answers.pull()
        if message is None:
            return False
        if not self.ready:
            self.ready = True
        else:
            self.answered += 1
            self.busy_ns = busy_of(message.head)
            self.pending.popleft().set_result(message)
        return True


class Pool:
    """``start`` and ``stop`` once each; the rest from any thread."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.generation = 0
        self.lost = 0
        self._processes: list[Process] = []
        self._rings: dict[tuple[str, str], Ring] = {}
        self._sending = threading.Lock()  # of commands: all workers get them in the same order
        self._changed = threading.Condition()  # the processes, or what is ready of them
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="workers", daemon=True)

    @property
    def processes(self) -> Sequence[Process]:
        return self._processes

    def start(self) -> None:
        """They are there when the first command needs them."""
        self._spawn()
        self._thread.start()

    def stop(self) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._kill()
        if self._thread.is_alive():
            self._thread.join()

    def call(self, generation: int, command: Command | Sequence[Command], batches: Beside = None) -> list[Message]:
        """Let every worker of a generation do a command, the same or each its own: what each of them answers."""
        return [reply.result() for reply in self.send(generation, command, batches)]

    def send(
        self, generation: int, command: Command | Sequence[Command], batches: Beside = None
    ) -> list[Reply[Message]]:
        """The same, without waiting for the answers."""
        replies: list[Reply[Message]] = []
        self._await_ready()  # not under the lock: they may die before they are ready, and be replaced
        with self._sending:
            if generation != self.generation or not self._are_ready():
                raise WorkerLost(guilty=False)
            for process in self._processes:
                own = command[process.worker] if isinstance(command, Sequence) else command
                beside = () if batches is None else tuple(batches[process.worker])
                reply: Reply[Message] = Reply()
                process.pending.append(reply)
                replies.append(reply)
                process.send(Message(encode(own), beside))
        return replies

    def drop(self, graph: int) -> None:
        """Without waiting."""
        with self._sending:
            for process in self._processes:
                if process.ready and process.popen.poll() is None:
                    process.send(Message(encode(Drop(graph))))

    def channels(self) -> Iterator[tuple[str, str, ChannelMetrics]]:
        """(sender, receiver, what is and was in the ring between them)"""
        with self._changed:
            for (sender, receiver), ring in self._rings.items():
                yield sender, receiver, ring.metrics()

    # -- life ----------------------------------------------------------------------------------

    def _are_ready(self) -> bool:
        return bool(self._processes) and all(process.ready for process in self._processes)

    def _await_ready(self) -> None:
        with self._changed:
            there = self._changed.wait_for(lambda: self._stopping or self._are_ready(), _FIRST_SECONDS)
        if self._stopping or not there:
            raise InternalError("the worker processes have been stopped" if self._stopping else "no worker starts")

    def _spawn(self) -> None:
        n = self.workers
        rings = self._rings

        def ring(sender: str, receiver: str, size: int) -> Ring:
            made = rings[sender, receiver] = Ring.create(size)
            return made

        edges = {(a, b): ring(_name(a), _name(b), _EDGE_BYTES) for a in range(n) for b in range(n) if a != b}
        processes = []
        for worker in range(n):
            commands, answers = (
                ring("server", _name(worker), _COMMANDS_BYTES),
                ring(_name(worker), "server", _ANSWERS_BYTES),
            )
            peers = tuple(
                (peer, edges[worker, peer].fds, edges[peer, worker].fds) for peer in range(n) if peer != worker
            )
            spec = Spec(worker, n, commands.fds, answers.fds, peers)
            popen = _start(spec)
            processes.append(Process(worker, popen, commands.sender(), answers.receiver(), _alive(popen)))
        with self._changed:
            self.generation += 1
            self._processes = processes
            self._changed.notify_all()

    def _run(self) -> None:
        """The thread that takes answers in, and sees to it that there are workers."""
        while not self._stopping:
            if not self._take_in():
                continue
            if self._stopping:
                break
            self._replace()
        self._forget(guilty=None)

    def _take_in(self) -> bool:
        """Answers, as they come, until a worker is lost: then True."""
        processes = self._processes
        moved = False
        for process in processes:
            try:
                while process.take_in():
                    moved = True
                    if process.answered == 0:
                        with self._changed:
                            self._changed.notify_all()
            except ChannelClosed:
                return True
        if moved:
            return False
        if any(process.popen.poll() is not None for process in processes):
            return True
        ends = [process.answers for process in processes]
        wait_any([*ends, *(process.alive for process in processes if process.alive >= 0)], _LOOK_SECONDS)
        return False

    def _replace(self) -> None:
        dead = [process for process in self._processes if process.popen.poll() is not None]
        self.lost += 1
        _log.warning("a worker process has died; all are started anew",
                     workers=[p.worker for p in dead], status=[p.popen.returncode for p in dead])  # fmt: skip
        self._kill()
        with self._sending:
            self._forget(guilty=dead)
            if not self._stopping:
                self._spawn()

    def _kill(self) -> None:
        for process in self._processes:
            if process.popen.poll() is None:
                process.popen.send_signal(signal.SIGKILL)
        for process in self._processes:
            process.popen.wait()

    def _forget(self, guilty: Sequence[Process] | None) -> None:
        """Who waits for these processes is told that they are gone."""
        for process in self._processes:
            first = True
            while process.pending:
                process.pending.popleft().set_exception(WorkerLost(guilty is not None and process in guilty and first))
                first = False
            if process.alive >= 0:
                os.close(process.alive)
            assert process.popen.stdin is not None
            process.popen.stdin.close()
        with self._changed:  # nobody is reading what is in the rings
            self._processes = []
            rings, self._rings = self._rings, {}
            for ring in rings.values():
                ring.close()


def _name(worker: int) -> str:
    return f"worker {worker}"


def _start(spec: Spec) -> subprocess.Popen[bytes]:
    package = Path(__file__).parents[2]
    path = os.pathsep.join([str(package.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.Popen(
        [sys.executable, "-m", "constellationdb.engine.processes.worker", msgspec.json.encode(spec).decode()],
        stdin=subprocess.PIPE,
        pass_fds=spec.descriptors(),
        env={**os.environ, "PYTHONPATH": path},
    )


def _alive(popen: subprocess.Popen[bytes]) -> int:
    try:
        return os.pidfd_open(popen.pid)
    except (AttributeError, OSError):
        return -1
