"""A state store in one file that is mapped into memory: the system keeps of it what fits, and writes back the rest.

    D/versions      64 bytes of header, then the log of versions (`kernels.versions` has its records)
    D/versions.new  the same, until its first ``flush`` (or versions.newer, when that name is taken)

The header is written by ``flush`` after the log is on the medium: it says where the log ends and what its checksum is,
so a crash goes back to the last ``flush`` and anything else that differs is damage. What lies behind the end is not
there. The 64 bytes lie in one sector, which a disk writes whole or not at all; if one ever does not, opening says that
the header is damaged. The index is not stored: opening reads the log once, for the checksum and for the index.

A file is allocated before it is mapped, so a full disk is an error and no signal. Garbage is collected by ``flush``
only: into a new file, which takes the old one's name. A page that the medium fails to read ends the process (SIGBUS).
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from constellationdb.errors import CorruptState, InternalError, StorageFailure
from constellationdb.storage.disk import DISK, Disk
from constellationdb.storage.kernels.arrowkeys import Texts
from constellationdb.storage.lockfile import DirectoryLock
from constellationdb.storage.state.arena import START, FileArena
from constellationdb.storage.state.header import SIZE, Header, decode_header, encode_header
from constellationdb.storage.state.logged import LEAST_GARBAGE, LogStateStore
from constellationdb.storage.state.versions import VersionLog

MAGIC = b"CONSTMAP"
_NEW = ("versions.new", "versions.newer")
assert START == SIZE


class MappedStateStore(LogStateStore):
    """A file in ``directory``. Content survives ``close``; a crash goes back to the last ``flush``."""

    def __init__(self, directory: str | os.PathLike[str], disk: Disk = DISK) -> None:
        self._directory, self._disk = Path(directory), disk
        self._failed = False
        self._arena: FileArena | None = None
        with self._judged("open"):
            self._directory.mkdir(parents=True, exist_ok=True)
            self._owner = DirectoryLock(self._directory)
        try:
            with self._judged("open"):
                for name in _NEW:  # left by a crash
                    (self._directory / name).unlink(missing_ok=True)
                self._log = self._opened() if self._path.exists() else self._new_log()
        except BaseException:
            self._give_up()
            raise

    @property
    def _path(self) -> Path:
        return self._directory / "versions"

    @contextmanager
    def _judged(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageFailure(f'could not {what} state in "{self._directory}": {error.strerror}') from error

    def _opened(self) -> VersionLog:
        with self._path.open("rb") as file:
            end, count, size, checksum = decode_header(MAGIC, file.read(SIZE), self._path)
        if not START <= end <= self._path.stat().st_size:
            raise CorruptState(f'file "{self._path}" ends before offset {end}')
        arena = self._use(FileArena(self._path, create=False))
        if zlib.crc32(memoryview(arena.mapping)[START:end]) != checksum:
            raise CorruptState(f'file "{self._path}" fails its checksum between offsets {START} and {end}')
        log = VersionLog(arena)
        if not log.index(end) or (len(log), log.size_bytes) != (count, size):
            raise CorruptState(f'file "{self._path}" does not hold the {count} keys that its header counts')
        self._synced, self._checksum = end, checksum
        return log

    def _new_log(self) -> VersionLog:
        return VersionLog(self._use(self._new_arena()))

    def _new_arena(self) -> FileArena:
        """A file under a name that is not in use."""
        path = self._directory / _NEW[self._arena is not None and self._arena.path.name == _NEW[0]]
        path.unlink(missing_ok=True)
        return FileArena(path, create=True)

    def _use(self, arena: FileArena) -> FileArena:
        if self._arena:
            self._drop(self._arena)
        self._arena, self._synced, self._checksum = arena, START, 0
        return arena

    def _drop(self, arena: FileArena) -> None:
        arena.close()
        if arena.path != self._path:
            arena.path.unlink(missing_ok=True)

    def _write(self, keys: Texts, values: Texts) -> None:
        if self._arena is None:
            raise InternalError(f'the store in "{self._directory}" is closed')
        self._log.write(keys, values)

    def clear(self) -> None:
        with self._judged("clear"):
            super().clear()

    def flush(self) -> None:
        if self._failed:
            raise StorageFailure(f'an earlier flush of state in "{self._directory}" failed')
        self._failed = True  # until the end is reached: the page cache may have dropped what could not be written
        with self._judged("flush"):
            if self._log.garbage_bytes > max(LEAST_GARBAGE, self._log.live_bytes):
                self._compact()
            self._sync()
        self._failed = False

    def _compact(self) -> None:
        """A new file without garbage. Where there is no room for it, the garbage stays."""
        try:
            arena = self._new_arena()
        except OSError:
            return
        try:
            self._log = self._log.compacted(arena)
        except StorageFailure:
            self._drop(arena)
        else:
            self._use(arena)

    def _sync(self) -> None:
        assert self._arena
        arena, end = self._arena, self._log.end
        self._checksum = zlib.crc32(memoryview(arena.mapping)[self._synced : end], self._checksum)
        self._synced = end
        arena.mapping.flush()
        self._disk.sync(arena.fd)
        header = Header(end, len(self._log), self._log.size_bytes, self._checksum)
        os.lseek(arena.fd, 0, os.SEEK_SET)
        self._disk.write(arena.fd, encode_header(MAGIC, header))
        self._disk.sync(arena.fd)
        if arena.path != self._path:
            os.rename(arena.path, self._path)
            self._disk.sync_directory(self._directory)
            arena.path = self._path

    def close(self) -> None:
        if self._arena is None:
            return
        try:
            self.flush()
            with self._judged("close"):
                os.ftruncate(self._arena.fd, self._log.end)
        finally:
            self._give_up()

    def _give_up(self) -> None:
        if self._arena:
            self._arena.close()
            self._arena = None
        self._owner.release()
