"""Objects as files of a local directory.

A file is written aside, synced, given its name, and the directory is synced too: ``rename`` for ``put``, ``link`` for
``create``, which the system refuses when the name is taken. A write that fails leaves a name nobody asks for, and
the next attempt writes a file of its own; none is synced twice, as the second time would not tell the truth.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from constellationdb.errors import StorageFailure
from constellationdb.storage.buffers import Bytes
from constellationdb.storage.disk import ASIDE, DISK, Disk
from constellationdb.storage.objects.store import ObjectInfo


class LocalObjects:
    """Objects below ``root``, which is created. Who else may write there is the caller's business."""

    grace_seconds = 0.0

    def __init__(self, root: str | os.PathLike[str], disk: Disk = DISK) -> None:
        self._root = Path(root).absolute()
        self._disk = disk
        self._folders: set[Path] = set()
        self.place = str(self._root)

    def put(self, name: str, pieces: Sequence[Bytes]) -> None:
        with self._failures("write", name):
            self._disk.create(self._path_in_folder(name), *pieces)

    def create(self, name: str, pieces: Sequence[Bytes]) -> bool:
        with self._failures("write", name):
            return self._disk.create_only(self._path_in_folder(name), *pieces)

    def _path_in_folder(self, name: str) -> Path:
        path = self._root / name
        if path.parent not in self._folders:
            self._make(path.parent)
            self._folders.add(path.parent)
        return path

    def _make(self, folder: Path) -> None:
        missing = [path for path in (folder, *folder.parents) if not path.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        for path in missing:
            self._disk.sync_directory(path.parent)

    def get(self, name: str, start: int = 0, length: int | None = None) -> memoryview | None:
        with self._failures("read", name):
            try:
                with open(self._root / name, "rb") as file:
                    file.seek(start)
                    return memoryview(file.read(-1 if length is None else length))
            except FileNotFoundError:
                return None

    def list(self, prefix: str) -> list[ObjectInfo]:
        with self._failures("list", prefix):
            return sorted(self._infos(prefix), key=lambda info: info.name)

    def _infos(self, prefix: str) -> Iterator[ObjectInfo]:
        folder = self._root / prefix
        for path in folder.rglob("*") if folder.exists() else ():
            try:
                status = path.stat()
            except FileNotFoundError:  # removed meanwhile
                continue
            if path.is_file() and path.suffix != ASIDE:
                yield ObjectInfo(path.relative_to(self._root).as_posix(), status.st_size, status.st_mtime)

    def delete(self, names: Iterable[str]) -> None:
        folders = set()
        for name in names:
            with self._failures("remove", name):
                try:
                    self._disk.remove(self._root / name)
                except FileNotFoundError:
                    continue
                folders.add((self._root / name).parent)
        for folder in folders:
            with self._failures("remove", folder.name):
                self._disk.sync_directory(folder)

    def settle(self) -> None:
        """For the one who opens the directory: writes that were cut short leave nothing, and what there is stays.

        A name that a process saw before it was killed may not have been synced.
        """
        for path in self._root.rglob(f"*{ASIDE}"):
            with self._failures("remove", path.name):
                self._disk.remove(path)
        for folder in (self._root, *self._root.rglob("*/")):
            if folder.is_dir():
                with self._failures("sync", folder.name):
                    self._disk.sync_directory(folder)

    def close(self) -> None: ...

    @contextmanager
    def _failures(self, what: str, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            raise StorageFailure(
                f'could not {what} object "{name}" in "{self.place}": {error.strerror or error}',
                hint="free space there; it is tried again" if full else None,
            ) from error
