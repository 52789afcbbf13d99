"""Going back to an earlier checkpoint, while nothing runs.

What came after it is set aside: the later checkpoints in their store, the log in the directory. The log that is left
gets one more record, of an epoch above all that ever were, so that no number means two things: who followed the
database until then is told that its place is gone, instead of being led on from a history that was undone.

That takes several steps, so what is to be done is written down first (``D/going-back``). From then on it is done:
whoever opens the directory after a crash finishes it. Until then nothing has changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from constellationdb.clock import Clock, SystemClock
from constellationdb.engine.record import EpochRecord, encode_record
from constellationdb.errors import CorruptState, StorageFailure
from constellationdb.storage.checkpoints.opening import open_checkpoints
from constellationdb.storage.checkpoints.store import CheckpointStore
from constellationdb.storage.directory import DataDirectory
from constellationdb.storage.disk import DISK, Disk
from constellationdb.storage.epochlog import FileEpochLog
from constellationdb.storage.objects.format import Kind, decode, encode
from constellationdb.storage.rewinding import highest_epoch, rewind


class Order(msgspec.Struct, frozen=True):
    """To go back to ``epoch``, whose checkpoint was taken at ``taken_us``, and on with epochs above ``goes_on_at``.

    ``checkpoints``: those to set aside; ``names``: theirs. ``next_oid``: that of the catalog now, where it is known.
    """

    epoch: int
    taken_us: int
    goes_on_at: int
    at_us: int
    checkpoints: tuple[int, ...]
    names: tuple[str, ...] = ()
    next_oid: int = 0


@dataclass(frozen=True)
class WentBack:
    order: Order
    log: Path | None  # where what was cut off the log is

    @property
    def report(self) -> list[str]:
        order, lines = self.order, [self.undone]
        if order.names:
            lines.append(f"savepoints that are gone: {', '.join(order.names)}")
        if order.checkpoints:
            lines.append(f"checkpoints set aside: {', '.join(map(str, order.checkpoints))}")
        if self.log is not None:
            lines.append(f"log set aside: {self.log}")
        return lines

    @property
    def undone(self) -> str:
        """What was lost by it."""
        first, last = self.order.epoch + 1, self.order.goes_on_at - 1
        if last < first:
            return "nothing was undone: no epoch came after it"
        which = f"epoch {first} was" if first == last else f"epochs {first} to {last} were"
        return f"{which} undone, {_shown(self.order.taken_us)} to {_shown(self.order.at_us)}"


def plan_going_back(
    directory: DataDirectory, store: CheckpointStore, epoch: int, next_oid: int = 0, clock: Clock | None = None
) -> Order:
    """CorruptState, when the checkpoint is not whole. Changes nothing that a restart would see."""
    require_whole(store, epoch)
    epochs = store.epochs()
    last = max(highest_epoch(directory.log), *epochs)
    taken_us = next((info.at_us for info in store.infos if info.epoch == epoch), 0)
    later = tuple(other for other in epochs if other > epoch)
    names = tuple(name for info in store.infos if info.epoch > epoch for name in info.names)
    return Order(epoch, taken_us, last + 1, (clock or SystemClock()).now_us(), later, names, next_oid)


def require_whole(store: CheckpointStore, epoch: int) -> None:
    if damages := store.damages(epoch):
        raise CorruptState(f"the checkpoint of epoch {epoch} is damaged", detail="\n".join(damages))


def write_order(directory: DataDirectory, order: Order, disk: Disk = DISK) -> None:
    """From here on it is done, now or by whoever opens the directory next."""
    try:
        disk.create(directory.going_back, *encode(Kind.ORDER, msgspec.msgpack.encode(order)))
    except OSError as error:
        raise StorageFailure(f'could not write file "{directory.going_back}": {error.strerror}') from error


def finish_going_back(directory: DataDirectory, disk: Disk = DISK) -> WentBack | None:
    """Does what is written down, if something is. Harmless when it is done again after it was cut short anywhere."""
    if not directory.going_back.exists():
        return None
    _, body = decode(memoryview(directory.going_back.read_bytes()), Kind.ORDER, str(directory.going_back))
    order = msgspec.msgpack.decode(body, type=Order)
    aside = directory.root / "set-aside" / _folder(order)
    try:
        if highest_epoch(directory.log) < order.goes_on_at:
            _set_aside_checkpoints(directory, order, disk)
            rewind(directory.log, order.epoch, aside, disk)
            log = FileEpochLog(directory.log, disk=disk, begins=order.epoch + 1)
            record = EpochRecord(order.goes_on_at, order.at_us, gone_back=True, next_oid=order.next_oid)
            log.append(order.goes_on_at, encode_record(record))
            log.close()
        disk.remove(directory.going_back)
        disk.sync_directory(directory.root)
    except OSError as error:
        raise StorageFailure(
            f'could not go back to epoch {order.epoch} in "{directory.root}": {error.strerror}',
            hint="opening the directory goes on with it",
        ) from error
    return WentBack(order, aside if aside.exists() else None)


def _set_aside_checkpoints(directory: DataDirectory, order: Order, disk: Disk) -> None:
    store = open_checkpoints(directory, disk=disk)
    try:
        store.go_back_to(order.epoch)
    finally:
        store.close()


def go_back(directory: DataDirectory, epoch: int, next_oid: int = 0, disk: Disk = DISK) -> WentBack:
    """Makes the checkpoint of this epoch the newest."""
    finish_going_back(directory, disk=disk)
    store = open_checkpoints(directory, disk=disk)
    try:
        order = plan_going_back(directory, store, epoch, next_oid)
    finally:
        store.close()
    write_order(directory, order, disk)
    went = finish_going_back(directory, disk=disk)
    assert went is not None
    return went


def _folder(order: Order) -> str:
    return f"log-{_moment(order.at_us).strftime('%Y-%m-%dT%H-%M-%S')}-{order.goes_on_at - 1}"


def _moment(at_us: int) -> datetime:
    return datetime.fromtimestamp(at_us / 1e6, UTC)


def _shown(at_us: int) -> str:
    return _moment(at_us).strftime("%Y-%m-%d %H:%M:%S UTC")
