"""A disk that forgets: real files, and beside them what of them a power cut would leave.

    write     what is written is in the system's cache
    sync      … and on the medium, if the drive does not say that it failed: then it never will be
    rename, link, remove, the creation of a file: in the cache, and on the medium with the directory's next sync;
              of a file that goes to another directory one of the two names is always there

A slow disk lets others go on before an operation is done: ``meanwhile``.

``crash`` leaves either what the cache has (the process was killed) or what the medium has (the power went): there
every write and every name that was not synced may have arrived or not, each for itself; a write may also be torn, or
be zeros. Nothing that happens after it counts, until ``restart``.
"""

from __future__ import annotations

import errno
import os
import random
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NoReturn

from constellationdb.storage.buffers import Bytes
from constellationdb.storage.disk import Disk

SECTOR = 512
Crash = Literal["kill", "power cut"]
CRASHES: list[Crash] = ["kill", "power cut"]


class CrashError(BaseException):
    """The process is no more."""


@dataclass
class File:
    """What the medium has of a file, and the writes that only the cache has: (offset, bytes).

    ``doomed``: those of which the drive said that they failed. The cache takes them for written.
    """

    safe: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, bytes]] = field(default_factory=list)
    doomed: list[tuple[int, bytes]] = field(default_factory=list)

    def cached(self) -> bytes:
        return self._with([*self.doomed, *self.pending])

    def _with(self, writes: list[tuple[int, bytes]]) -> bytes:
        content = bytearray(self.safe)
        for offset, data in writes:
            _put(content, offset, data)
        return bytes(content)

    def after_power_cut(self, draw: random.Random) -> bytes:
        content = bytearray(self.safe)
        for offset, data in [*self.doomed, *self.pending]:
            fate = draw.random()
            if fate < 0.35:
                _put(content, offset, data)
            elif fate < 0.65:
                _put(content, offset, _torn(offset, data, draw))
        return bytes(content)

    def sync(self) -> None:
        self.safe, self.pending = bytearray(self._with(self.pending)), []

    def fail(self) -> None:
        self.doomed, self.pending = [*self.doomed, *self.pending], []

    def cut(self, size: int) -> None:
        """As if it were durable at once: those who cut a file sync it before they write to it."""
        del self.safe[size:]
        self.pending = [(offset, data[: size - offset]) for offset, data in self.pending if offset < size]
        self.doomed = [(offset, data[: size - offset]) for offset, data in self.doomed if offset < size]


def _put(content: bytearray, offset: int, data: bytes) -> None:
    content.extend(bytes(max(0, offset - len(content))))
    content[offset : offset + len(data)] = data


def _torn(offset: int, data: bytes, draw: random.Random) -> bytes:
    """Some sectors of it are zeros, and its end is missing."""
    torn = bytearray(data[: draw.randrange(len(data) + 1)])
    for start in range(-(offset % SECTOR), len(torn), SECTOR):
        if draw.random() < 0.3:
            begin, end = max(start, 0), min(start + SECTOR, len(torn))
            torn[begin:end] = bytes(end - begin)
    return bytes(torn)


@dataclass
class Left:
    """What a crash has left: the files as the next process sees them, and what of them the medium has.

    Paths are below the root. Several names may be of one file.
    """

    files: dict[Path, File]
    names: dict[Path, dict[str, File]]
    folders: set[Path]


@dataclass(frozen=True)
class Trouble:
    """What happens at the ``count``-th operation of a name: a crash, or an error of the system."""

    step: str | None  # None: at any
    count: int
    crash: Crash | None = None
    error: int = errno.EIO


class SimulatedDisk(Disk):
    """Files below ``root``. ``steps`` counts the operations by name: what is done, and to what kind of file."""

    def __init__(self, root: Path, draw: random.Random) -> None:
        self.root = root
        self._draw = draw
        self._files: dict[int, File] = {}  # by inode
        self._names: dict[Path, dict[str, File]] = {}  # what the medium has of each directory; no entry: nothing
        self.left: Left | None = None
        self.steps: Counter[str] = Counter()
        self.crashed_at: Counter[str] = Counter()
        self.trouble: Trouble | None = None
        self.meanwhile: Callable[[], None] | None = None
        self._moved: list[tuple[Path, Path, File]] = []  # from one directory to another
        self._since = 0  # the operations that the trouble might have been at

    # ------------------------------------------------------------------ operations

    def write(self, fd: int, data: Bytes) -> None:
        view = bytes(memoryview(data).cast("B"))
        self._do(
            "write in", _folder_of(fd), lambda: self._write(fd, view), lambda: self._write(fd, view[: len(view) // 2])
        )

    def _write(self, fd: int, data: bytes) -> None:
        status = os.fstat(fd)
        if status.st_size == 0 or status.st_ino not in self._files:
            self._files[status.st_ino] = File()
        self._files[status.st_ino].pending.append((status.st_size, data))
        super().write(fd, data)

    def sync(self, fd: int) -> None:
        file = self._files[os.fstat(fd).st_ino]
        self._do("sync in", _folder_of(fd), file.sync, None, file.fail)

    def sync_directory(self, path: Path) -> None:
        self._do("sync names in", path, lambda: self._sync_names(path))

    def _sync_names(self, path: Path) -> None:
        self._names[path.relative_to(self.root)] = {entry.name: self._entry(entry) for entry in os.scandir(path)}

    def _entry(self, entry: os.DirEntry[str]) -> File:
        """A file, or an empty one in place of a directory."""
        if entry.is_dir():
            return File()
        inode = entry.stat().st_ino
        if inode not in self._files:  # written by no disk: the lock
            self._files[inode] = File(bytearray(Path(entry.path).read_bytes()))
        return self._files[inode]

    def rename(self, path: Path, to: Path) -> None:
        self._do("rename in", to.parent, lambda: self._rename(path, to))

    def _rename(self, path: Path, to: Path) -> None:
        if path.parent != to.parent:
            file = self._files[path.stat().st_ino]
            self._moved.append((path.relative_to(self.root), to.relative_to(self.root), file))
        os.rename(path, to)

    def link(self, path: Path, to: Path) -> None:
        self._do("link in", to.parent, lambda: os.link(path, to))

    def remove(self, path: Path) -> None:
        self._do("remove in", path.parent, path.unlink)

    def truncate(self, fd: int, size: int) -> None:
        self._do("truncate in", _folder_of(fd), lambda: self._truncate(fd, size))

    def _truncate(self, fd: int, size: int) -> None:
        os.ftruncate(fd, size)
        self._files[os.fstat(fd).st_ino].cut(size)

    def _do(
        self,
        what: str,
        folder: Path,
        work: Callable[[], None],
        half: Callable[[], None] | None = None,
        fail: Callable[[], None] | None = None,
    ) -> None:
        """An operation, or the trouble that is due at it: before, after or in the middle of it."""
        if self.left is not None:
            raise CrashError
        self._be_slow(folder)
        step = f"{what} {folder.relative_to(self.root)}"
        self.steps[step] += 1
        trouble = self.trouble
        if trouble is None or trouble.step not in (None, step):
            work()
            return
        self._since += 1
        if self._since < trouble.count:
            work()
            return
        self.set_trouble(None)
        if trouble.crash is None:
            if (failing := fail or half) is not None:
                failing()
            raise OSError(trouble.error, os.strerror(trouble.error))
        for part in self._draw.choice([[work], [half or work], []]):
            part()
        self.crashed_at[step] += 1
        self.crash(trouble.crash)

    def _be_slow(self, folder: Path) -> None:
        """Nobody goes on while the log is written, but everybody while checkpoints and the files of sinks are."""
        if self.meanwhile is not None and folder.name != "log" and self._draw.random() < 0.1:
            others, self.meanwhile = self.meanwhile, None
            try:
                others()
            finally:
                self.meanwhile = others

    def flip(self, path: Path, draw: random.Random) -> None:
        """A bit of a file at rest."""
        content = bytearray(path.read_bytes())
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        path.write_bytes(content)
        self._files[path.stat().st_ino] = self._names[path.parent.relative_to(self.root)][path.name] = File(content)

    # ------------------------------------------------------------------ trouble

    def set_trouble(self, trouble: Trouble | None) -> None:
        self.trouble, self._since = trouble, 0

    @property
    def has_crashed(self) -> bool:
        return self.left is not None

    def crash(self, crash: Crash) -> NoReturn:
        """Settles what is left, and ends the process."""
        self.left = self._after_kill() if crash == "kill" else self._after_power_cut()
        if crash == "power cut":
            self._moved = []
        raise CrashError

    def _after_kill(self) -> Left:
        folders = self._folders()
        files = {folder / name: file for folder in folders for name, file in self._cached(folder).items()}
        return Left(files, self._names, folders)

    def _after_power_cut(self) -> Left:
        """Each name for itself: as it is in the cache, or as it was when its directory was synced."""
        contents: dict[int, File] = {}
        left = Left({}, {}, set())
        for folder in sorted(self._folders(), key=lambda path: (len(path.parts), path)):
            known = folder == Path() or folder.name in self._names.get(folder.parent, {})
            if folder != Path() and (folder.parent not in left.folders or not (known or self._draw.random() < 0.5)):
                continue
            left.folders.add(folder)
            cached, safe = self._cached(folder), self._names.get(folder, {})
            for name in sorted(cached.keys() | safe.keys()):
                file = (cached if self._draw.random() < 0.5 else safe).get(name)
                if file is not None and not (self.root / folder / name).is_dir():
                    if id(file) not in contents:
                        contents[id(file)] = File(bytearray(file.after_power_cut(self._draw)))
                    left.files[folder / name] = contents[id(file)]
        for source, target, file in self._moved:
            if target not in left.files and source not in left.files and source.parent in left.folders:
                left.files[source] = contents.setdefault(id(file), File(bytearray(file.after_power_cut(self._draw))))
        left.names = {folder: {} for folder in left.folders}
        for path, file in [*left.files.items(), *((folder, File()) for folder in left.folders - {Path()})]:
            left.names[path.parent][path.name] = file
        return left

    def _folders(self) -> set[Path]:
        below = (path.relative_to(self.root) for path in self.root.rglob("*") if path.is_dir())
        return {Path(), *below}

    def _cached(self, folder: Path) -> dict[str, File]:
        return {entry.name: self._entry(entry) for entry in os.scandir(self.root / folder) if entry.is_file()}

    def restart(self) -> None:
        """The next process finds what the crash has left."""
        assert self.left is not None
        left, self.left = self.left, None
        self._names, self._files = left.names, {}
        self.set_trouble(None)
        shutil.rmtree(self.root)
        for folder in sorted(left.folders):
            (self.root / folder).mkdir(exist_ok=True)
        made: dict[int, Path] = {}
        for name, file in left.files.items():
            path = self.root / name
            if id(file) in made:
                os.link(made[id(file)], path)
            else:
                path.write_bytes(file.cached())
                made[id(file)] = path
            self._files[path.stat().st_ino] = file


def _folder_of(fd: int) -> Path:
    return Path(os.readlink(f"/proc/self/fd/{fd}")).parent
