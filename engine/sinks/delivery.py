"""A sink at run time: a thread that carries the changes of its relation to a target, commit after commit.

    held          the log keeps what came after this epoch, for the target may still need it
    position      all up to this epoch is at the target; None before the first commit
    marker        what the target said last: the epoch of a commit, at most ``position``

A commit that has no rows is none, so ``position`` may be ahead of the marker; the two go into checkpoints together.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Literal

import pyarrow as pa
import structlog

from constellationdb.catalog.model import Relation
from constellationdb.connectors.api import Sink, SinkWriter
from constellationdb.connectors.sink_options import SinkSettings
from constellationdb.engine import batch as zset
from constellationdb.engine.changelog import Change
from constellationdb.engine.manifest import SinkManifest
from constellationdb.engine.relation import RelationState
from constellationdb.engine.sinks import shapes
from constellationdb.engine.stopped import failed_under
from constellationdb.errors import ConnectorFailure, ConstellationError, SinkFailure, StorageFailure

if TYPE_CHECKING:
    from constellationdb.engine.engine import Engine

State = Literal["starting", "running", "retrying", "failed"]
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 30.0
_PATIENCE_S = 10.0
_LOOK_S = 1.0
_MOST_IN_MEMORY = 64 << 20
_LARGEST_IN_MEMORY, _LARGEST_ON_DISK = 1 << 30, 10 << 30
_log = structlog.get_logger()


class Delivery:
    """``follows``: its relation. ``opens``: how to get to the target, asked anew after each failure."""

    def __init__(
        self, engine: Engine, relation: Relation, follows: RelationState, epoch: int, opens: Callable[[Delivery], Sink]
    ) -> None:
        self._engine = engine
        self.relation = relation
        self.follows = follows
        self._opens = opens
        self.settings = SinkSettings.of(relation.options)
        self._key = [follows.schema.get_field_index(name) for name in relation.primary_key]
        self.held = epoch
        self.position: int | None = None
        self.marker: int | None = None
        self.rows = 0
        self.bytes = 0
        self.state: State = "starting"
        self.error: str | None = None
        self._pause_s = _FIRST_PAUSE_S
        self._stopping = threading.Event()
        self._hurried = threading.Event()
        self._closing = False
        self._after: threading.Thread | None = None
        self._thread = threading.Thread(target=self._run, name=f"sink {relation.name}", daemon=True)
        self._spool = engine.durability.spool
        follows.receivers.add(self)

    # -- its life ------------------------------------------------------------------------------

    def reached(self) -> int:
        return self.held

    @property
    def reads_contents(self) -> bool:
        return self.position is None

    @property
    def backlog_bytes(self) -> int:
        """Under the lock: how much is kept of what the target lacks."""
        return self.follows.log.bytes_after(self.held)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Under the engine's lock: it delivers nothing more, and nothing is kept for it. Waits for nobody."""
        self._let_go()
        self._stop()

    def _let_go(self) -> None:
        self.follows.receivers.discard(self)

    def _stop(self) -> None:
        self._stopping.set()
        self._hurried.set()
        self.follows.wake_readers()

    def close(self) -> None:
        """Without the lock: deliver what there is, if that works, and end."""
        self._closing = True
        self._hurried.set()
        if self._engine.waiting.failure is None:
            self._engine.wait(lambda: self.state != "running" or not self._is_behind(), timeout=_PATIENCE_S)
        with self._engine.lock:
            self._stop()
        self.await_end(_PATIENCE_S)

    def await_end(self, seconds: float) -> None:
        """After ``end``, without the lock."""
        if self._thread.is_alive():
            self._thread.join(seconds)

    def redefined(self, relation: Relation, opens: Callable[[Delivery], Sink]) -> Delivery:
        """Under the lock: the same sink with other options, from where it is; it begins when this one has ended."""
        self.end()
        made = Delivery(self._engine, relation, self.follows, self.held, opens)
        made.restore(self.manifest())
        made._after = self._thread
        return made

    def manifest(self) -> SinkManifest:
        return SinkManifest(self.held, self.position, self.marker, self.rows, self.bytes)

    def restore(self, known: SinkManifest) -> None:
        self.held, self.position, self.marker = known.held, known.position, known.marker
        self.rows, self.bytes = known.rows, known.bytes

    def went_back(self, epoch: int) -> None:
        """Recovery: all up to ``epoch`` but what a checkpoint holds was undone, and is no longer in the log.

        A target that has got nothing since can go on, and lacks nothing if it had all there is now; its marker will
        tell.
        """
        if not self._is_behind():
            self.held = epoch
            self.position = None if self.position is None else epoch

    def committed(self, epoch: int) -> None:
        """The record of an epoch says that the table has everything up to ``epoch``."""
        self.position = self.marker = self.held = epoch

    def hurry(self) -> None:
        """Let the next commit not wait for its time."""
        self._hurried.set()

    def has_delivered(self, epoch: int) -> bool:
        """Under the lock: whether the target has all up to ``epoch``, or waiting for it would be in vain."""
        has_all = self.position is not None and (self.held >= epoch or not self._is_behind())
        in_vain = self.state in ("retrying", "failed") or self.standing == "stopped" or self._stopping.is_set()
        return in_vain or (has_all and self.state == "running")

    @property
    def standing(self) -> str:
        """Under the lock: its state, as it is shown."""
        return "stopped" if self.state == "running" and failed_under((self.follows,)) is not None else self.state

    @property
    def behind(self) -> int:
        """Under the lock: how many epochs there are that it has yet to look at; 0 when none of them has a change."""
        return self.follows.frontier - self.held if self._is_behind() or self.position is None else 0

    def _is_behind(self) -> bool:
        change = self.follows.log.after(self.held)
        return self.follows.ready and change is not None and change.epoch <= self.follows.frontier

    # -- the thread ----------------------------------------------------------------------------

    def _run(self) -> None:
        if self._after is not None and self._after.ident is not None:
            self._after.join()
        while not self._stopping.is_set():
            try:
                self._deliver_until_trouble()
            except Exception as error:
                self._trouble("failed", error)
                return

    def _deliver_until_trouble(self) -> None:
        try:
            self._deliver()
        except ConnectorFailure as error:
            self._trouble("retrying", error)
            left = self._pause_s
            while left > 0 and not self._stopping.wait(min(left, _LOOK_S)):
                self._keep_backlog()
                left -= _LOOK_S
            self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)

    def _keep_backlog(self) -> None:
        """What is too much for the memory lies on disk, and where that is too much, too, the sink gives up.

        Nothing of it is only there: the log and checkpoints have it.
        """
        engine, log, spool = self._engine, self.follows.log, self._spool
        limit = self.settings.backlog_bytes or (_LARGEST_ON_DISK if spool is not None else _LARGEST_IN_MEMORY)
        with engine.lock:
            size = self.backlog_bytes
            packs = log.in_memory_after(self.held) if spool is not None and size > _MOST_IN_MEMORY else []
            if size > limit:
                self._let_go()
                raise SinkFailure(
                    f"the target lacks {size} bytes of changes, more than the {limit} that are kept for it",
                    hint="let the target be reached and ALTER the sink, or give it a larger max_backlog, before the"
                    " changes are forgotten; later, drop the sink and create it anew for an empty target",
                )
        try:
            for pack in packs:
                assert spool is not None
                batch = spool.put(pack.batch)
                with engine.lock:
                    log.move_to_disk(pack, batch)
        except StorageFailure as error:
            _log.warning("changes for a sink stay in memory", sink=self.relation.shown, error=error.message)
            self._spool = None

    def _trouble(self, state: State, error: Exception) -> None:
        if self._stopping.is_set():
            return
        message = error.message if isinstance(error, ConstellationError) else f"{type(error).__name__}: {error}"
        with self._engine.lock:
            if message != self.error:
                _log.warning("sink", sink=self.relation.shown, state=state, error=message)
            self.state, self.error = state, message
            self._engine.waiting.moved()

    def _deliver(self) -> None:
        """With one connection, until it fails or the sink ends."""
        with closing(self._opens(self).open()) as writer:
            first = self._resume(writer.position())
            if first and not self._snapshot(writer):
                return
            self._works()
            while self._await_changes():
                while self._commit(writer):
                    self._keep_backlog()

    def _works(self) -> None:
        with self._engine.lock:
            self.state, self.error, self._pause_s = "running", None, _FIRST_PAUSE_S
            self._engine.waiting.moved()

    def _resume(self, marker: int | None) -> bool:
        """Find the place to go on from; whether there is none, so that it begins with a snapshot."""
        engine = self._engine
        with engine.lock:
            if marker is None:
                if self.marker is not None:
                    raise SinkFailure(
                        f"the target has no marker of this sink any more; it had everything up to epoch {self.marker}",
                        hint="drop the sink and create it anew for an empty target",
                    )
                if self.position is None and self.settings.snapshot and self.follows.contents is not None:
                    return True
                self.position = self.held if self.position is None else self.position
            else:
                self._go_on_from(marker)
            self._check_kept()
        return False

    def _go_on_from(self, marker: int) -> None:
        if marker > self._engine.epoch:
            raise SinkFailure(
                f"the target has epoch {marker}, which is later than the last one here, {self._engine.epoch}:"
                " it belongs to another history",
                hint="drop the sink and create it anew for an empty target",
            )
        if self.follows.log.has_undone(marker):
            raise SinkFailure(
                f"the target has epoch {marker}, which was undone when the database went back to an earlier checkpoint",
                hint="drop the sink and create it anew for an empty target",
            )
        if marker != self.marker or self.position is None:
            self.position = marker
        self.marker, self.held = marker, self.position

    def _check_kept(self) -> None:
        forgotten = self.follows.log.forgotten
        if self.position is not None and forgotten > self.position:
            raise SinkFailure(
                f"the target has everything up to epoch {self.position},"
                f" and changes are kept from epoch {forgotten} on: those between are lost",
                hint="drop the sink and create it anew for an empty target",
            )

    def _snapshot(self, writer: SinkWriter) -> bool:
        """The rows there are, as the first commit; False when the sink ended before there was an answer."""
        engine, state = self._engine, self.follows
        engine.wait(lambda: state.ready or self._stopping.is_set() or state.dropped)
        if not state.ready or self._stopping.is_set():
            return False
        with engine.lock:
            epoch, version = state.frontier, state.version()
            self.held = epoch
        rows = version.weighted(epoch)
        change = Change(epoch, rows if rows.num_rows else None, 0, engine.clock.now_us())
        self._write(writer, [change], epoch, snapshot=True)
        return True

    def _await_changes(self) -> bool:
        """Until there are some and the last commit is long enough ago; False at the end."""
        engine, state = self._engine, self.follows
        engine.waiting.wait(lambda: self._stopping.is_set() or self._is_behind(), relation=state)
        if not self._closing:
            self._hurried.wait(self.settings.interval_us / 1e6)
            self._hurried.clear()
        return not (self._stopping.is_set() or engine.waiting.stopping)

    def _commit(self, writer: SinkWriter) -> bool:
        """One transaction; whether there may be enough for another one at once."""
        with self._engine.lock:
            self._check_kept()
            frontier = self.follows.frontier
            changes, upto = self.follows.log.some_after(self.held, frontier, self.settings.rows)
        self._write(writer, changes, upto)
        return upto < frontier and not self._stopping.is_set()

    def _write(self, writer: SinkWriter, changes: Sequence[Change], epoch: int, *, snapshot: bool = False) -> None:
        count, written = self._shaped(writer, changes, snapshot=snapshot), 0
        if count:
            written = writer.commit(epoch)
        with self._engine.lock:
            self.position = self.held = epoch
            if count:
                self.marker = epoch
            self.rows += count
            self.bytes += written
            self._engine.waiting.moved()

    def _shaped(self, writer: SinkWriter, changes: Sequence[Change], *, snapshot: bool) -> int:
        """Write the changes; how many rows that were."""
        deleted: pa.RecordBatch | None = None
        schema = self.follows.schema
        match self.relation.options["type"]:
            case "append":
                rows = shapes.appended(changes)
            case "upsert":
                found = shapes.upserted(changes, self._key)
                rows, deleted = (None, None) if found is None else found
            case _:
                name = self._engine.catalog.get(self.follows.name).shown
                rows = shapes.debezium(changes, self._key, schema, name, snapshot=snapshot)
                schema = shapes.debezium_schema(schema)
        if rows is None:
            return 0
        writer.write(zset.conform(rows, schema), deleted)
        return int(rows.num_rows) + (0 if deleted is None else int(deleted.num_rows))
