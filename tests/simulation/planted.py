"""Bugs planted into what makes state durable, one at a time: each must be found within a thousand seeds.

Each replaces a real piece by one that errs in a single point, the way it could have been written by mistake.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from constellationdb.connectors.file_sink.parts import Part
from constellationdb.connectors.file_sink.sink import FileWriter
from constellationdb.engine import capture, subscription_cursor
from constellationdb.engine.barriers.aligner import BarrierAligner
from constellationdb.engine.barriers.barrier import Barrier
from constellationdb.engine.checkpoint_blobs import Draft
from constellationdb.engine.durability import Durability
from constellationdb.engine.exchange import InProcessChannel
from constellationdb.engine.sequencer import Epoch, Sequencer
from constellationdb.engine.sinks.delivery import Delivery
from constellationdb.engine.sources import SourceState
from constellationdb.storage import segment
from constellationdb.storage.buffers import Bytes
from constellationdb.storage.checkpoints import manifest as layout
from constellationdb.storage.checkpoints import packing, retention
from constellationdb.storage.checkpoints import store as checkpoints
from constellationdb.storage.checkpoints.store import CheckpointStore
from constellationdb.storage.disk import ASIDE, Disk
from constellationdb.storage.epochlog import FileEpochLog
from constellationdb.storage.state.versions import VersionLog
from tests.simulation.alignment import Alignment
from tests.simulation.run import Scenario
from tests.simulation.simulation import Simulation
from tests.simulation.snapshots import Snapshots

Patch = pytest.MonkeyPatch


@dataclass(frozen=True)
class PlantedBug:
    name: str
    install: Callable[[Patch], None]
    scenario: type[Scenario] = Simulation


def _log_is_not_synced(patch: Patch) -> None:
    def write(self: Any, group: list[tuple[int, bytes]]) -> None:
        if self._segments[-1].size >= self._segment_bytes:
            self._begin_segment(self.durable_epoch + 1)
        current = self._segments[-1]
        data = b"".join(segment.encode_record(current.header, e, payload, current.size) for e, payload in group)
        self._disk.write(self._fd, data)
        self._segments = [*self._segments[:-1], replace(current, size=current.size + len(data), last=group[-1][0])]

    patch.setattr(FileEpochLog, "_write", write)


def _objects_are_not_synced(patch: Patch) -> None:
    def write_aside(self: Disk, aside: Path, pieces: tuple[Bytes, ...]) -> None:
        fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            for piece in pieces:
                self.write(fd, piece)
        finally:
            os.close(fd)

    patch.setattr(Disk, "_write_aside", write_aside)


def _names_are_not_synced(patch: Patch) -> None:
    def create(self: Disk, path: Path, *pieces: Bytes) -> None:
        aside = path.with_name(path.name + ASIDE)
        self._write_aside(aside, pieces)
        self.rename(aside, path)

    patch.setattr(Disk, "create", create)


def _manifest_comes_before_parts(patch: Patch) -> None:
    put_parts = packing.put_parts
    put = CheckpointStore._put

    def put_last(self: Any, *given: Any) -> Any:
        due: list[Callable[[], object]] = []

        class Later:
            """Notes what is to be written, and takes it for written."""

            def put(self, name: str, pieces: Any) -> None:
                due.append(lambda: objects.put(name, pieces))

        objects = self._objects
        patch.setattr(checkpoints, "put_parts", lambda _, *rest: put_parts(Later(), *rest))  # type: ignore[arg-type]
        made = put(self, *given)
        for write in due:
            write()
        return made

    patch.setattr(CheckpointStore, "_put", put_last)


def _positions_are_not_in_the_manifest(patch: Patch) -> None:
    described = capture._source_manifest

    def without(state: SourceState) -> Any:
        return type(described(state))({}, [], state.watermark, state.rows)

    patch.setattr(capture, "_source_manifest", without)


def _a_delta_is_left_out(patch: Patch) -> None:
    go_on = Draft._continue

    def skip(self: Any, group: str, mark: Any, name: str, chain: Any, held: Any) -> None:
        if chain.changes == 1:
            self._keep(group, mark)
            self._next.chains[name] = replace(chain, epoch=held.position, changes=2)
            return
        go_on(self, group, mark, name, chain, held)

    patch.setattr(Draft, "_continue", skip)


def _a_failed_commit_takes_changes_along(patch: Patch) -> None:
    patch.setattr(Durability, "handed_over", lambda *_: None)


def _log_is_cut_at_the_newest_checkpoint(patch: Patch) -> None:
    patch.setattr(CheckpointStore, "oldest_retained", lambda self: self._epoch)


def _log_is_cut_too_far(patch: Patch) -> None:
    cut = FileEpochLog.truncate_before
    patch.setattr(FileEpochLog, "truncate_before", lambda self, epoch: cut(self, epoch + 10))


def _log_is_cut_before_the_checkpoint_is_there(patch: Patch) -> None:
    write = Durability._write

    def cut_first(self: Any, draft: Any, manifest: Any) -> int:
        self.log.truncate_before(manifest.epoch + 1)
        return write(self, draft, manifest)

    patch.setattr(Durability, "_write", cut_first)


def _parts_of_older_checkpoints_are_collected(patch: Patch) -> None:
    def orphans(reader: Any, *_: Any) -> list[str]:
        newest = reader.manifest(max(reader.epochs())).parts.keys()
        return [info.name for info in reader.objects.list(layout.PARTS) if info.name not in newest]

    patch.setattr(retention, "_orphans", orphans)


def _parts_go_before_their_manifest(patch: Patch) -> None:
    collect = retention.collect

    def parts_first(reader: Any, current: Any, retained: int = retention.RETAINED) -> None:
        old = reader.epochs()[retained:]
        kept = {name for epoch in reader.epochs()[:retained] for name in reader.manifest(epoch).parts}
        named = set(reader.names().values())
        gone = {name for epoch in old if epoch not in named for name in reader.manifest(epoch).parts} - kept
        reader.objects.delete(gone)
        collect(reader, current, retained)

    patch.setattr(checkpoints, "collect", parts_first)


def _told_before_it_is_durable(patch: Patch) -> None:
    def finish(self: Any, epoch: Epoch) -> Any:
        deltas = self._gather(epoch)
        if epoch.record.is_empty() and not epoch.changes:
            return {}
        self._log.append(epoch.number, checkpoints_record(epoch))
        self.epoch = epoch.number
        self._target.publish(epoch, deltas)
        if epoch.number % 3 == 0:
            self._log.sync()
        return deltas

    from constellationdb.engine.record import encode_record

    def checkpoints_record(epoch: Epoch) -> bytes:
        return encode_record(epoch.record)

    patch.setattr(Sequencer, "_finish", finish)


def _a_torn_tail_counts(patch: Patch) -> None:
    """A record is taken for whole when its end is missing: only its head is looked at."""

    def records(data: bytes, header: segment.Header, _: str) -> Iterator[segment.Record]:
        offset = segment.HEADER_SIZE
        while offset + segment.RECORD_OVERHEAD <= len(data):
            mark, length, _, epoch, group = segment._RECORD.unpack_from(data, offset)
            if mark != header.mark:
                return
            end = min(offset + segment.RECORD_OVERHEAD + length, len(data))
            yield segment.Record(epoch, data[offset + segment.RECORD_OVERHEAD : end], offset, end, group)
            offset = end

    patch.setattr(segment, "records", records)


def _compaction_keeps_no_tombstones(patch: Patch) -> None:
    changed = VersionLog._changed

    def without(self: VersionLog, first: int, end: int) -> Iterable[Any]:
        for batch in changed(self, first, end):
            yield batch.filter(batch.column(1).is_valid())

    patch.setattr(VersionLog, "_changed", without)


def _a_barrier_overtakes_data(patch: Patch) -> None:
    """ "Barriers have priority" taken too far."""
    push = InProcessChannel.push

    def jump_the_queue(self: Any, message: Any) -> None:
        if isinstance(message, Barrier):
            self._queue.appendleft(message)
        else:
            push(self, message)

    patch.setattr(InProcessChannel, "push", jump_the_queue)


def _alignment_drops_a_buffer(patch: Patch) -> None:
    """What was buffered is thrown away, not handed on, when a checkpoint is given up."""
    give_up = BarrierAligner._give_up

    def forget(self: Any, reason: str) -> Any:
        for given in self._inputs:
            given.buffer.clear()
        return give_up(self, reason)

    patch.setattr(BarrierAligner, "_give_up", forget)


def _a_file_is_named_before_it_is_synced(patch: Patch) -> None:
    """The marker of a sink comes before its rows."""

    def commit(self: FileWriter, epoch: int) -> int:
        parts = self._begun()
        due: list[Part] = []
        with pytest.MonkeyPatch.context() as later:
            later.setattr(Part, "finish", lambda part: due.append(part))
            files = parts.finish(epoch)
        self._commits.commit(self._position, epoch, files)
        for part in due:
            part.finish()
        self._position, self._parts = epoch, None
        return parts.size

    patch.setattr(FileWriter, "commit", commit)


def _an_acknowledgement_is_not_logged(patch: Patch) -> None:
    def acknowledge(engine: Any, _: Epoch, positions: Any) -> None:
        engine.acknowledge(positions)

    patch.setattr(subscription_cursor, "acknowledge", acknowledge)


def _a_sink_does_not_ask_its_target(patch: Patch) -> None:
    patch.setattr(Delivery, "_go_on_from", lambda self, _: setattr(self, "position", self.held))


PLANTED = [
    PlantedBug("the log is not synced", _log_is_not_synced),
    PlantedBug("objects are not synced", _objects_are_not_synced),
    PlantedBug("names are not synced", _names_are_not_synced),
    PlantedBug("the manifest comes before the parts", _manifest_comes_before_parts),
    PlantedBug("positions are not in the manifest", _positions_are_not_in_the_manifest),
    PlantedBug("a delta is left out", _a_delta_is_left_out),
    PlantedBug("a failed commit takes changes along", _a_failed_commit_takes_changes_along),
    PlantedBug("the log is cut at the newest checkpoint", _log_is_cut_at_the_newest_checkpoint),
    PlantedBug("the log is cut too far", _log_is_cut_too_far),
    PlantedBug("the log is cut before the checkpoint is there", _log_is_cut_before_the_checkpoint_is_there),
    PlantedBug("parts of older checkpoints are collected", _parts_of_older_checkpoints_are_collected),
    PlantedBug("parts go before their manifest", _parts_go_before_their_manifest),
    PlantedBug("an epoch is told before it is durable", _told_before_it_is_durable),
    PlantedBug("a torn tail counts", _a_torn_tail_counts),
    PlantedBug("a file is named before it is synced", _a_file_is_named_before_it_is_synced),
    PlantedBug("an acknowledgement is not logged", _an_acknowledgement_is_not_logged),
    PlantedBug("a sink does not ask its target", _a_sink_does_not_ask_its_target),
    PlantedBug("compaction keeps no tombstones", _compaction_keeps_no_tombstones, Snapshots),
    PlantedBug("a barrier overtakes data", _a_barrier_overtakes_data, Alignment),
    PlantedBug("alignment drops a buffer", _alignment_drops_a_buffer, Alignment),
]
_QUICK = (
    "a file is named before it is synced",
    "the log is not synced",
    "the manifest comes before the parts",
    "positions are not in the manifest",
    "a delta is left out",
    "compaction keeps no tombstones",
    "a barrier overtakes data",
    "alignment drops a buffer",
)
QUICK = [bug for bug in PLANTED if bug.name in _QUICK]
