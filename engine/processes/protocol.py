"""What the server tells a worker, and what it answers. Batches travel beside, in the order in which they are named."""

from __future__ import annotations

import struct
from typing import TypeAlias

import msgspec

from constellationdb.engine.operators.base import FailedRow


class Load(msgspec.Struct, frozen=True, tag=True):
    """Set up a graph. ``unique``: the columns by which the rows of its view have slots; None: they have none."""

    graph: int
    plan: bytes
    unique: tuple[int, ...] | None
    nets: bool


class Drop(msgspec.Struct, frozen=True, tag=True):
    """The graph is needed no more. There is no answer."""

    graph: int


class Start(msgspec.Struct, frozen=True, tag=True):
    graph: int
    epoch: int


class Part(msgspec.Struct, frozen=True):
    """One input: the columns that are sent, of as many as it has; None when there are no rows."""

    relation: str
    watermark: int
    columns: tuple[int, ...] | None
    width: int = 0
    weighted: bool = False


class Run(msgspec.Struct, frozen=True, tag=True):
    """One epoch. A batch for each part with columns."""

    graph: int
    epoch: int
    at_us: int
    parts: tuple[Part, ...]


class Fed(msgspec.Struct, frozen=True, tag=True):
    graph: int
    relation: str
    epoch: int


class Unfed(msgspec.Struct, frozen=True, tag=True):
    graph: int


class Snapshot(msgspec.Struct, frozen=True, tag=True):
    """``changes``: since the last one, where operators can tell."""

    graph: int
    changes: bool


class Restore(msgspec.Struct, frozen=True, tag=True):
    """Batches by ``names``, those of each of ``later`` after them."""

    graph: int
    epoch: int
    watermarks: dict[str, int]
    names: tuple[str, ...]
    later: tuple[tuple[str, ...], ...]


Command: TypeAlias = Load | Drop | Start | Run | Fed | Unfed | Snapshot | Restore


class NodeMeter(msgspec.Struct, frozen=True):
    """What an operator has done since it was set up, on one worker."""

    node: int
    rows: int
    late: int
    errors: int
    busy_ns: int


class NodeState(msgspec.Struct, frozen=True):
    node: int
    rows: int
    bytes: int


class NodePart(msgspec.Struct, frozen=True):
    """What a worker is part of, see ``partial_map``; ``answer``: a batch says what the parts come to."""

    node: int
    part: tuple[int, int, int] | None
    answer: bool


class Ran(msgspec.Struct, frozen=True, tag=True):
    """An epoch is done. Batches: the change if there is one, its slots, what was renumbered; then the answers of
    parts, then the late rows.
    """

    delta: bool
    gone: int | None  # of the change, the rows that go come first; None: it has no slots
    renumbered: bool
    watermark: int
    errors: tuple[FailedRow, ...]
    used: int
    windowed: dict[int, tuple[int, int]]
    windows: int
    dropped: int
    due_us: int | None
    watermarks: dict[str, int]
    meters: tuple[NodeMeter, ...]
    parts: tuple[NodePart, ...]
    state: tuple[NodeState, ...] | None  # now and then


class Taken(msgspec.Struct, frozen=True, tag=True):
    """State: batches by ``whole``, then by ``changed``. ``anew``: prefixes of operators whose whole state is here."""

    whole: tuple[str, ...]
    changed: tuple[str, ...]
    anew: tuple[str, ...]


class Done(msgspec.Struct, frozen=True, tag=True):
    """Nothing more to say."""


class Failed(msgspec.Struct, frozen=True, tag=True):
    """The graph is of no use any more. ``error``: pickled; None: another worker has failed, and this one with it."""

    error: bytes | None


Answer: TypeAlias = Ran | Taken | Done | Failed

_encoder = msgspec.msgpack.Encoder()
_commands = msgspec.msgpack.Decoder(Command)
_answers = msgspec.msgpack.Decoder(Answer)
_BUSY = struct.Struct("<Q")


def encode(command: Command) -> bytes:
    return _encoder.encode(command)


def encode_answer(answer: Answer, busy_ns: int) -> bytes:
    return _BUSY.pack(busy_ns) + _encoder.encode(answer)


def command_of(head: bytes) -> Command:
    return _commands.decode(head)


def answer_of(head: bytes) -> Answer:
    return _answers.decode(memoryview(head)[_BUSY.size :])


def busy_of(head: bytes) -> int:
    """The nanoseconds for which the worker has been busy since it started."""
    (busy,) = _BUSY.unpack_from(head)
    return int(busy)
