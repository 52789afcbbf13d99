"""The epoch log: one record per epoch, durable before anybody sees what the epoch did.

    append(41, …) ; append(42, …)    in memory
    sync()                           one write, one fdatasync: 41 and 42 are a commit group
    durable_epoch == 42

On disk the log is a row of files ``{base:020}.wal`` (`segment.py`), each holding the epochs from its base up to the
next file's. Only the last one is written; a new one begins when that has reached 64 MB. Checkpoints shorten the log
by whole files from the front. Left out: compression, and reading what is not yet durable.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from constellationdb.errors import (
    ConstellationError,
    CorruptState,
    HistoryExpired,
    InternalError,
    LimitExceeded,
    StorageFailure,
)
from constellationdb.storage import segment
from constellationdb.storage.disk import DISK, Disk
from constellationdb.storage.lockfile import DirectoryLock

SEGMENT_BYTES = 64 << 20


@dataclass(frozen=True)
class RecoveryReport:
    """What opening found. ``cut_bytes`` > 0: a crash had left an unacknowledged tail in ``cut_file``; it is gone."""

    segments: int = 0
    records: int = 0
    last_epoch: int = 0
    cut_file: str | None = None
    cut_offset: int = 0
    cut_bytes: int = 0


class EpochLog(Protocol):
    """Records (epoch, payload) in strictly increasing order of epoch, from 1 on; gaps are allowed.

    Any thread may call anything. ``sync`` does not hold up ``append``; of several threads in ``sync`` one does the
    work for all. After a StorageFailure the log takes nothing more; what is durable can still be read.
    """

    recovered: RecoveryReport
    keeps: bool  # False: only the epochs are counted, so a payload may be left empty

    @property
    def durable_epoch(self) -> int:
        """The last epoch that survives a power cut; 0 when there is none."""
        ...

    @property
    def first_epoch(self) -> int:
        """The lowest epoch that ``read_from`` can still start at."""
        ...

    def append(self, epoch: int, payload: bytes) -> None:
        """Takes the record into memory. InternalError when ``epoch`` is not above the last one appended."""
        ...

    def sync(self) -> None:
        """Returns when everything appended before the call is durable."""
        ...

    def read_from(self, epoch: int) -> Iterator[tuple[int, bytes]]:
        """The durable records with at least this epoch, as of the call. HistoryExpired when some are truncated."""
        ...

    def truncate_before(self, epoch: int) -> None:
        """Allows the log to forget epochs below ``epoch``; it may keep some of them."""
        ...

    def close(self) -> None:
        """Syncs and lets go. Harmless when done twice."""
        ...


def _require_above(last: int, epoch: int) -> None:
    if epoch <= last:
        raise InternalError(f"epoch {epoch} appended to the epoch log after epoch {last}")


def _require_kept(first: int, epoch: int) -> None:
    if max(epoch, 1) < first:
        raise HistoryExpired(f"epoch {epoch} is no longer in the epoch log, which begins at {first}")


class MemoryEpochLog:
    """The log of a server without a data directory: the same promises for as long as the process lives.

    ``keep`` False: the records are counted and not kept, for a process that nobody will recover from it.
    """

    def __init__(self, *, keep: bool = True) -> None:
        self.keeps = keep
        self.recovered = RecoveryReport()
        self.durable_epoch = 0
        self.first_epoch = 1
        self._last = 0
        self._records: dict[int, bytes] = {}
        self._lock = threading.Lock()

    def append(self, epoch: int, payload: bytes) -> None:
        with self._lock:
            _require_above(self._last, epoch)
            self._last = epoch
            if self.keeps:
                self._records[epoch] = payload

    def sync(self) -> None:
        with self._lock:
            self.durable_epoch = self._last

    def read_from(self, epoch: int) -> Iterator[tuple[int, bytes]]:
        with self._lock:
            _require_kept(self.first_epoch, epoch)
            durable = self.durable_epoch
            return iter([item for item in self._records.items() if epoch <= item[0] <= durable])

    def truncate_before(self, epoch: int) -> None:
        with self._lock:
            self.first_epoch = max(self.first_epoch, min(epoch, self.durable_epoch + 1))
            self._records = {e: payload for e, payload in self._records.items() if e >= self.first_epoch}

    def close(self) -> None:
        self.sync()


@dataclass(frozen=True)
class _Segment:
    path: Path
    header: segment.Header
    size: int  # bytes known durable
    last: int  # last durable epoch in it, or base - 1


class FileEpochLog:
    """The log as files in ``directory``, which it creates. One process at a time (DirectoryInUse).

    ``begins``: the first epoch of a new log, of a database that has a checkpoint of the one before.
    """

    keeps = True

    def __init__(
        self,
        directory: str | os.PathLike[str],
        segment_bytes: int = SEGMENT_BYTES,
        disk: Disk = DISK,
        begins: int = 1,
    ) -> None:
        self._directory = Path(directory)
        self._segment_bytes = segment_bytes
        self._disk = disk
        self._begins = begins
        self._fd = -1
        self._failure: BaseException | None = None
        # Order of acquisition: _syncing before _state. _syncing guards the files, _state everything in memory.
        self._syncing = threading.Lock()
        self._state = threading.Lock()
        self._waiting: list[tuple[int, bytes]] = []
        self._closed = False
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._owner = DirectoryLock(self._directory)
        except OSError as error:
            raise self._could_not("open", error) from error
        try:
            self._open()
        except BaseException as error:
            self._let_go()
            if isinstance(error, OSError):
                raise self._could_not("open", error) from error
            raise
        self._last = self.durable_epoch

    # ------------------------------------------------------------------ opening

    def _open(self) -> None:
        for leftover in self._directory.glob("*.wal.tmp"):  # a file whose creation was cut short
            self._disk.remove(leftover)
        self._segments: list[_Segment] = []
        self.recovered = RecoveryReport()
        paths = sorted(self._directory.glob("*.wal"))
        for path in paths:
            self._recover(path, is_last=path == paths[-1])
        if self._segments:
            self._write_anew(self._segments[-1])
        else:
            self._begin_segment(self._begins)

    def _write_anew(self, part: _Segment) -> None:
        """The last file, without its torn tail, before anything follows it.

        What a process that ended never synced reads fine and would be lost by a power cut. Syncing it now is not
        enough: where the drive had refused it, the system takes it for written, and the medium does not have it.
        """
        self._disk.create(part.path, part.path.read_bytes()[: part.size])
        self._fd = os.open(part.path, os.O_WRONLY | os.O_APPEND)

    def _recover(self, path: Path, is_last: bool) -> None:
        data = path.read_bytes()
        header = segment.decode_header(data, str(path))
        due = self._segments[-1].last + 1 if self._segments else header.base
        if header.base != due or path.name != f"{header.base:020}.wal":
            raise CorruptState(
                f'epoch log file "{path}" begins at epoch {header.base} where {due} is due',
                hint="a file of the log is missing or renamed; restore the directory from a copy",
            )
        end, last, count = segment.HEADER_SIZE, header.base - 1, 0
        for record in segment.records(data, header, str(path)):
            end, last, count = record.end, record.epoch, count + 1
        report = replace(self.recovered, segments=self.recovered.segments + 1, records=self.recovered.records + count)
        if end < len(data):
            if not (is_last and segment.is_torn_tail(data, end, header)):
                raise _damaged(path, end, last + 1, self._last_behind(path, data, end, header))
            report = replace(report, cut_file=str(path), cut_offset=end, cut_bytes=len(data) - end)
        self.recovered = replace(report, last_epoch=last)
        self._segments.append(_Segment(path, header, end, last))

    def _last_behind(self, path: Path, data: bytes, end: int, header: segment.Header) -> int | None:
        """The last epoch behind damage at ``end``, in this file or a later one, as far as they can be read."""
        epochs = segment.epochs_behind(data, end, header)
        for later in sorted(self._directory.glob("*.wal")):
            if later > path:
                content = later.read_bytes()
                try:
                    opened = segment.decode_header(content, str(later))
                except ConstellationError:
                    continue
                epochs += segment.epochs_behind(content, 0, opened)
        return max(epochs, default=None)

    def _begin_segment(self, base: int) -> None:
        """A new last file, durable together with its name before anything is written to it."""
        header = segment.new_header(base)
        path = self._directory / f"{base:020}.wal"
        self._disk.create(path, segment.encode_header(header))
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND)
        with self._state:
            self._segments = [*self._segments, _Segment(path, header, segment.HEADER_SIZE, base - 1)]

    # ------------------------------------------------------------------ writing

    @property
    def durable_epoch(self) -> int:
        return self._segments[-1].last

    @property
    def first_epoch(self) -> int:
        return self._segments[0].header.base

    def append(self, epoch: int, payload: bytes) -> None:
        if len(payload) > segment.MAX_PAYLOAD:
            raise LimitExceeded(f"the record of epoch {epoch} has {len(payload)} bytes, more than the epoch log takes")
        with self._state:
            self._require_usable()
            _require_above(self._last, epoch)
            self._last = epoch
            self._waiting.append((epoch, payload))

    def sync(self) -> None:
        with self._state:
            target = self._last
        with self._syncing:
            if self.durable_epoch >= target:  # somebody else's sync covered ours
                return
            with self._state:
                self._require_usable()
                group, self._waiting = self._waiting, []
            try:
                self._write(group)
            except BaseException as error:  # also an interrupt: the group has left memory and may be half in the file
                raise self._fail("write", error) from error

    def _write(self, group: list[tuple[int, bytes]]) -> None:
        if self._segments[-1].size >= self._segment_bytes:
            self._begin_segment(self.durable_epoch + 1)
        current = self._segments[-1]
        data = b"".join(segment.encode_record(current.header, e, payload, current.size) for e, payload in group)
        self._disk.write(self._fd, data)
        self._disk.sync(self._fd)
        grown = replace(current, size=current.size + len(data), last=group[-1][0])
        with self._state:
            self._segments = [*self._segments[:-1], grown]

    # ------------------------------------------------------------------ reading and shortening

    def read_from(self, epoch: int) -> Iterator[tuple[int, bytes]]:
        with self._state:
            segments = self._segments
        _require_kept(segments[0].header.base, epoch)
        return self._read([s for s in segments if s.last >= epoch], epoch)

    def _read(self, segments: list[_Segment], epoch: int) -> Iterator[tuple[int, bytes]]:
        for part in segments:
            try:
                data = part.path.read_bytes()[: part.size]
            except FileNotFoundError:
                _require_kept(self.first_epoch, epoch)
                raise CorruptState(f'epoch log file "{part.path}" is missing') from None
            end, last = segment.HEADER_SIZE, part.header.base - 1
            for record in segment.records(data, part.header, str(part.path)):
                end, last = record.end, record.epoch
                if record.epoch >= epoch:
                    yield record.epoch, record.payload
            if end < part.size:
                raise _damaged(part.path, end, last + 1, self.durable_epoch)

    def truncate_before(self, epoch: int) -> None:
        with self._syncing:
            with self._state:
                self._require_usable()
                segments = self._segments
                gone = [s for s in segments[:-1] if s.last < epoch]
                self._segments = segments[len(gone) :]
            try:
                for part in gone:  # oldest first, each for good before the next: a power cut leaves no gap
                    self._disk.remove(part.path)
                    self._disk.sync_directory(self._directory)
            except OSError as error:
                raise self._fail("shorten", error) from error

    # ------------------------------------------------------------------ ending

    def close(self) -> None:
        if self._closed:
            return
        try:
            if self._failure is None:
                self.sync()
        finally:
            self._closed = True
            self._let_go()

    def _let_go(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        self._owner.release()

    def _require_usable(self) -> None:
        if self._failure is not None:
            raise self._could_not("write", self._failure) from self._failure
        if self._closed:
            raise InternalError(f'the epoch log in "{self._directory}" is closed')

    def _fail(self, what: str, error: BaseException) -> StorageFailure:
        with self._state:
            self._failure = error
        return self._could_not(what, error)

    def _could_not(self, what: str, error: BaseException) -> StorageFailure:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return StorageFailure(
            f'could not {what} the epoch log in "{self._directory}": {reason}',
            detail=f"nothing after epoch {self.durable_epoch} is durable" if self._fd >= 0 else None,
            hint="mend the disk or free space, then start again; what was acknowledged is kept",
        )


def _damaged(path: Path, offset: int, first: int, last: int | None) -> CorruptState:
    """``last``: the last epoch that is known of, None when there is no good record behind the damage."""
    lost = f"epochs {first} to {last}" if last is not None and last > first else f"epoch {first}"
    return CorruptState(
        f'epoch log file "{path}" is damaged at offset {offset}',
        detail=f"It is not the unfinished end that a crash leaves: {lost} were acknowledged, and cannot be recovered"
        " from it.",
        hint='put the file back from a copy, or give up what is after a checkpoint: "constellation checkpoints list"'
        ' shows them, "constellation checkpoints restore --epoch" goes back to one and sets the log aside',
    )
