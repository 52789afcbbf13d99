"""The epoch record: everything an epoch took in, as it stands in the log.

A table's change and a push source's rows are logged as rows; a seekable source
as the range of positions read; a fetched lookup answer as its rows. Replaying
a record does exactly what the live epoch did.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
import pyarrow as pa

from constellationdb.catalog.model import Command
from constellationdb.connectors.api import Position
from constellationdb.engine.durable_subscriptions import SubscriptionPosition
from constellationdb.engine.sequences import SequencePosition
from constellationdb.storage.arrow_blobs import pack, unpack


class SourceRange(msgspec.Struct, frozen=True):
    """What was read of one partition, and the source's watermark after the epoch."""

    source: str
    partition: str
    start: Position
    end: Position
    ended: bool


class Header(msgspec.Struct, frozen=True):
    epoch: int
    at_us: int
    commands: tuple[Command, ...]
    deltas: tuple[str, ...]  # relation of each batch, in order
    ranges: tuple[SourceRange, ...]
    watermarks: dict[str, int]
    answers: tuple[AnswerHeader, ...]
    sequences: dict[int, SequencePosition] = {}  # by oid
    timer: bool = False  # opened by the clock, which alone may be what it brings
    gone_back: bool = False
    sinks: dict[str, int] = {}  # that write a table here → the epoch of their relation that it has now
    acknowledged: dict[int, SubscriptionPosition] = {}  # by the oid of the subscription
    next_oid: int = 0  # of one that has gone back: oids below it had been given


class AnswerHeader(msgspec.Struct, frozen=True):
    """A lookup answer: two batches follow the deltas, the keys asked for and the rows found."""

    job: str
    node: int
    table: str
    oid: int = 0  # of the job: another one of the same name does not take it


@dataclass(frozen=True)
class Answer:
    """What a lookup source said of some keys; ``rows`` has the key columns, then the fetched ones."""

    header: AnswerHeader
    keys: pa.RecordBatch
    rows: pa.RecordBatch


@dataclass
class EpochRecord:
    epoch: int
    at_us: int
    commands: list[Command] = field(default_factory=list)
    deltas: list[tuple[str, pa.RecordBatch]] = field(default_factory=list)
    ranges: list[SourceRange] = field(default_factory=list)
    watermarks: dict[str, int] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    sequences: dict[int, SequencePosition] = field(default_factory=dict)
    timer: bool = False
    gone_back: bool = False  # the epochs before it, up to those of the checkpoint that was gone back to, were undone
    sinks: dict[str, int] = field(default_factory=dict)
    acknowledged: dict[int, SubscriptionPosition] = field(default_factory=dict)
    next_oid: int = 0

    def is_empty(self) -> bool:
        moved = self.watermarks or self.sequences or self.timer or self.sinks or self.acknowledged
        return not (self.commands or self.deltas or self.ranges or self.answers or moved)


def encode_record(record: EpochRecord) -> bytes:
    header = Header(
        record.epoch,
        record.at_us,
        tuple(record.commands),
        tuple(name for name, _ in record.deltas),
        tuple(record.ranges),
        record.watermarks,
        tuple(answer.header for answer in record.answers),
        record.sequences,
        record.timer,
        record.gone_back,
        record.sinks,
        record.acknowledged,
        record.next_oid,
    )
    batches = [batch for _, batch in record.deltas]
    for answer in record.answers:
        batches += [answer.keys, answer.rows]
    return pack(header, batches)


def decode_record(payload: bytes) -> EpochRecord:
    header, batches = unpack(payload, Header)
    count = len(header.deltas)
    rest = batches[count:]
    return EpochRecord(
        header.epoch,
        header.at_us,
        list(header.commands),
        list(zip(header.deltas, batches[:count], strict=True)),
        list(header.ranges),
        dict(header.watermarks),
        [Answer(h, rest[2 * i], rest[2 * i + 1]) for i, h in enumerate(header.answers)],
        dict(header.sequences),
        header.timer,
        header.gone_back,
        dict(header.sinks),
        dict(header.acknowledged),
        header.next_oid,
    )
