"""A restart: the newest checkpoint, then the epochs that the log has after it, each exactly as it was.

The epochs keep their numbers, so nothing that was acknowledged or seen is different afterwards. The changes that are
still kept were in the checkpoint: a token that was good before a restart is good after it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa

from constellationdb.catalog.model import Alter, Create, Supersede
from constellationdb.engine import batch as zset
from constellationdb.engine.blob_names import HISTORY, Kind, escaped, group
from constellationdb.engine.capture import mark_of
from constellationdb.engine.changelog import UNKNOWN_US, marked, unpacked
from constellationdb.engine.checkpoint_blobs import Chain, Written, last_of, state_and_changes
from constellationdb.engine.graph import CLOCK, parts_under
from constellationdb.engine.in_flight import answers_in_flight
from constellationdb.engine.job_checkpoints import restore_job
from constellationdb.engine.manifest import Manifest, catalog_of
from constellationdb.engine.record import EpochRecord, decode_record
from constellationdb.engine.relation import RelationState
from constellationdb.engine.replanning import readable_command, with_readable_plans
from constellationdb.engine.sources import SourceState
from constellationdb.storage.arrow_blobs import from_ipc
from constellationdb.storage.buffers import size_of
from constellationdb.storage.checkpoints.fallback import Restored, newest_whole

if TYPE_CHECKING:
    from constellationdb.engine.engine import Engine


def recover(engine: Engine) -> None:
    """Bring the engine to the last acknowledged epoch. Called before its threads run."""
    begin = time.perf_counter()
    manifest: Manifest | None = None
    passed_over: tuple[str, ...] = ()
    planned: list[str] = []
    if engine.durability.is_kept and (found := _newest(engine)) is not None:
        passed_over = found.passed_over
        readable, planned = with_readable_plans(engine, found.value.manifest)
        manifest = _restore_checkpoint(engine, replace(found.value, manifest=readable))
    replayed = 0
    start = 1 if manifest is None else manifest.epoch + 1
    for number, payload in engine.durability.log.read_from(start):
        _replay(engine, number, decode_record(payload))
        replayed += 1
    for state in engine.states.values():
        if isinstance(state, SourceState):
            state.reopen()
    if manifest is not None or replayed:
        at = f"checkpoint of epoch {manifest.epoch}" if manifest else "the log alone"
        engine.restored = (
            f"restored epoch {engine.epoch} from {at} and {replayed} replayed epochs"
            f" in {time.perf_counter() - begin:.2f} s"
        )
        if cut := engine.durability.log.recovered.cut_bytes:
            engine.restored += f"; cut {cut} bytes off the log that a crash had left unfinished"
        engine.restored += "".join(f"; {loss}" for loss in _losses(engine))
        for damage in passed_over:
            engine.restored += f"; passed over the damaged {damage}"
        anew = [name for name, job in manifest.jobs.items() if job.again] if manifest else []
        if planned:
            engine.restored += f"; planned anew, for their plans were of an earlier format: {_shown(engine, planned)}"
        if anew:
            engine.restored += f"; computing anew{'' if planned else ' what had failed'}: {_shown(engine, anew)}"


def _shown(engine: Engine, names: list[str]) -> str:
    return ", ".join(engine.catalog.relations[name].shown for name in names if name in engine.catalog.relations)


def _losses(engine: Engine) -> Iterator[str]:
    """What was there once and is not any more."""
    durability, cut = engine.durability, engine.durability.log.recovered
    if durability.went_back is not None:
        yield durability.went_back.undone
    if durability.has_lost_log:
        yield "there was no log: what came after that epoch is lost"
    if cut.cut_bytes:
        yield f"{cut.cut_bytes} bytes at the end of the log, which nobody was told of, were cut off"


@dataclass(frozen=True)
class _Stored:
    """A checkpoint with all its blobs, in memory. ``sizes``: theirs, in bytes."""

    manifest: Manifest
    blobs: dict[str, pa.RecordBatch]
    sizes: dict[str, int]


def _newest(engine: Engine) -> Restored[_Stored] | None:
    """The newest checkpoint that is whole: all of it is read before anything is changed."""
    store = engine.durability.store

    def read(content: bytes) -> _Stored:
        manifest = msgspec.msgpack.decode(content, type=Manifest)
        if not manifest.escaped:
            names = escaped(manifest.blobs, [relation.name for relation in manifest.relations])
            manifest = msgspec.structs.replace(manifest, blobs=names)
        parts = store.get_all(set(manifest.blobs.values()))
        blobs = {name: from_ipc(parts[key]) for name, key in manifest.blobs.items()}
        return _Stored(manifest, blobs, {name: size_of(parts[key]) for name, key in manifest.blobs.items()})

    return newest_whole(store, read, engine.durability.log.first_epoch)


def _restore_checkpoint(engine: Engine, stored: _Stored) -> Manifest:
    manifest, blobs = stored.manifest, stored.blobs
    engine.catalog = catalog_of(manifest)
    for function in manifest.functions:
        engine.python.bind(function)
    engine.progress.epoch = manifest.epoch
    # A view comes after its side outputs, and after what it reads: the catalog keeps that order.
    engine.apply_command(Create(tuple(manifest.relations)), engine.catalog, manifest.epoch + 1, 0)
    for state in engine.states.values():
        state.born = 0
    for name, source in manifest.sources.items():
        state = engine.states[name]
        assert isinstance(state, SourceState)
        state.positions, state.ended = dict(source.positions), set(source.ended)
        state.watermark, state.rows = source.watermark, source.rows
        state.tracker.restore(source.watermark)
    anew = [name for name, job in manifest.jobs.items() if job.again]
    emptied = {out.name for name in anew for out in engine.jobs[name].outputs.all()}
    restored = {*engine.states, *manifest.since} - emptied
    for name in restored:
        _restore_relation(_state(engine, name), manifest, blobs)
    engine.restore_sequences(manifest.sequences)
    for name, sink in manifest.sinks.items():
        engine.sinks[name].restore(sink)
    engine.acknowledge(manifest.subscriptions)
    for name, job in manifest.jobs.items():
        restore_job(engine, name, job, *state_and_changes(parts_under(f"{group('job', name)}/", blobs)), manifest)
        engine.jobs[name].answers = answers_in_flight(job, blobs)
    with engine.lock:
        frontiers = {name: min(manifest.epoch, _state(engine, name).frontier) for name in restored}
    engine.durability.restored(_written(engine, manifest, stored.sizes, frontiers), manifest.epoch)
    return manifest


def _written(engine: Engine, manifest: Manifest, sizes: Mapping[str, int], frontiers: dict[str, int]) -> Written:
    """What the next checkpoint may leave as it is."""
    marks = {
        group("job", name): mark_of(engine.jobs[name])
        for name, job in manifest.jobs.items()
        if not job.again and job.failure is None and job.first is None
    }
    job_chains = {
        name: _job_chain(manifest.epoch, parts_under(f"{group('job', name)}/", sizes))
        for name in manifest.jobs
        if group("job", name) in marks
    }
    chains = {
        name: _chain(engine.catalog.relations[name].oid, name, manifest, sizes)
        for name in frontiers
        if f"{group('contents', name)}/" in manifest.blobs
    }
    history = {name: size for name, size in sizes.items() if name.startswith(HISTORY)}
    jobs = {name: job for name, job in manifest.jobs.items() if group("job", name) in marks}
    return Written(dict(manifest.blobs), marks, chains, job_chains, frontiers, jobs, history)


def _job_chain(epoch: int, sizes: Mapping[str, int]) -> Chain:
    whole, later = state_and_changes(sizes)
    return Chain(0, epoch, len(later), sum(whole.values()), sum(sum(changes.values()) for changes in later))


def _chain(oid: int, name: str, manifest: Manifest, sizes: Mapping[str, int]) -> Chain:
    whole, *later = (sizes[part] for part in _in_order("contents", name, sizes))
    epoch = None if name in manifest.since else manifest.epoch
    return Chain(oid, epoch, len(later), whole, sum(later))


def _state(engine: Engine, name: str) -> RelationState:
    return engine.ticks if name == CLOCK else engine.states[name]


def _restore_relation(state: RelationState, manifest: Manifest, blobs: Mapping[str, pa.RecordBatch]) -> None:
    since = manifest.since.get(state.name)
    if state.contents is not None:
        rows, *later = (blobs[name] for name in _in_order("contents", state.name, blobs))
        if since is None:
            state.contents.restore(rows, manifest.epoch, later)
        else:
            state.restore_stamped(rows, since)
    if state.contents is not None or since is not None:
        state.log.forgotten = manifest.forgotten[state.name]
        state.log.forgotten_us = manifest.forgotten_us.get(state.name, UNKNOWN_US)
        state.log.undone = list(manifest.undone.get(state.name, []))
        history = [blobs[name] for name in _in_order("history", state.name, blobs)]
        changes = chain.from_iterable(map(unpacked, history))
        for change in marked(changes, [blobs[name] for name in _in_order("marks", state.name, blobs)]):
            if change.epoch > state.log.forgotten:
                state.log.append(change)


def _replay(engine: Engine, number: int, record: EpochRecord) -> None:
    """One logged epoch, exactly as it was: the same rows, ranges, answers and watermarks."""
    deltas: dict[str, list[pa.RecordBatch]] = {}
    before = engine.epoch
    for command in (readable_command(engine, command) for command in record.commands):
        if isinstance(command, Alter | Supersede):
            engine.worker.drain(everything=True)  # the views it concerns had their first answers before it
        engine.apply_command(command, engine.catalog.apply(command), number, record.at_us)
    for name, delta in record.deltas:
        state = engine.states.get(name)
        if state is None:
            continue  # changed and dropped within one epoch
        if state.contents is not None:
            state.contents.apply(delta, number)
        elif isinstance(state, SourceState):
            state.push(delta)
        deltas.setdefault(name, []).append(delta)
    for read in record.ranges:
        source = engine.states.get(read.source)
        if isinstance(source, SourceState):
            deltas.setdefault(read.source, []).extend(source.replay_range(read))
    for answer in record.answers:
        engine.take_answer(answer, number, record.at_us)
    whole = {name: w for name, parts in deltas.items() if (w := zset.concat(parts)) is not None}
    engine.restore_sequences(record.sequences)
    engine.take_positions(record)
    for name, watermark in record.watermarks.items():
        source = engine.states.get(name)
        if isinstance(source, SourceState):
            source.tracker.restore(watermark)
    engine.publish_base(number, record.at_us, whole, record.watermarks)
    engine.worker.drain(everything=record.gone_back)
    if record.gone_back:
        with engine.lock:
            engine.catalog = replace(engine.catalog, next_oid=max(engine.catalog.next_oid, record.next_oid))
            for sink in engine.sinks.values():
                sink.went_back(number)
            for state in engine.states.values():
                state.log.undo(before, number, record.at_us)


def _in_order(kind: Kind, relation: str, blobs: Mapping[str, object]) -> list[str]:
    """The blobs of one relation's rows or changes, oldest first."""
    prefix = f"{group(kind, relation)}/"
    names = [name for name in blobs if name.startswith(prefix)]
    return sorted(names, key=lambda name: -1 if name == prefix else last_of(name))
