"""A data directory: what lies where, which format it has, who owns it.

    D/format        one line: "constellation data directory, format 2"
    D/owner.lock    held by the one process that has it open
    D/identity      which database this is, and where its checkpoints are (`checkpoints/opening.py`)
    D/going-back    what is to be done to go back to a checkpoint, until it is done (`engine/going_back.py`)
    D/log/          the epoch log
    D/checkpoints/  the checkpoints, unless they are in an object store
    D/state/        keyed state that outgrew memory; derived, may be deleted while nobody has it open

``format`` is written last, so a directory whose creation was cut short is still empty in the eyes of the next
opener, which finishes it. A directory of format 1, whose checkpoint was in RocksDB, is of format 2 once it was opened:
an earlier release would take it for one without a checkpoint.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Self

from constellationdb.errors import CorruptState, FeatureNotSupported, InvalidParameter, StorageFailure
from constellationdb.storage.disk import DISK, Disk
from constellationdb.storage.lockfile import FILE_NAME as LOCK_NAME
from constellationdb.storage.lockfile import DirectoryLock

FORMAT = 2
_LINE = re.compile(r"constellation data directory, format (\d+)\n")
_PARTS = ("log", "checkpoints", "state")


class DataDirectory:
    """An open data directory, ours until ``close``. Opening creates it when it is missing or empty."""

    def __init__(self, root: str | os.PathLike[str], disk: Disk = DISK) -> None:
        self.root = Path(root).absolute()
        try:
            self._make_root(disk)
            self._lock = DirectoryLock(self.root)
        except OSError as error:
            raise StorageFailure(f'could not open data directory "{self.root}": {error.strerror}') from error
        try:
            self._create_or_check(disk)
        except OSError as error:
            self.close()
            raise StorageFailure(f'could not open data directory "{self.root}": {error.strerror}') from error
        except BaseException:
            self.close()
            raise
        self.log, self.checkpoints, self.state = (self.root / part for part in _PARTS)
        self.identity = self.root / "identity"
        self.going_back = self.root / "going-back"

    def _make_root(self, disk: Disk) -> None:
        missing = [path for path in (self.root, *self.root.parents) if not path.exists()]
        self.root.mkdir(parents=True, exist_ok=True)
        for path in missing:
            disk.sync_directory(path.parent)

    def _create_or_check(self, disk: Disk) -> None:
        marker = self.root / "format"
        is_new = not marker.exists()
        if is_new and (foreign := self._first_foreign()):
            raise InvalidParameter(
                f'directory "{self.root}" is not a constellation data directory',
                detail=f'it has no "format" file but holds "{foreign}"',
                hint="name an empty or missing directory to create a database there",
            )
        current = not is_new and _checked_format(marker) == FORMAT
        for part in _PARTS:
            (self.root / part).mkdir(exist_ok=True)
        if not current:
            disk.sync_directory(self.root)
            disk.create(marker, f"constellation data directory, format {FORMAT}\n".encode())

    def _first_foreign(self) -> str | None:
        """Anything that a creation cut short cannot have left behind."""
        ours = {LOCK_NAME, "format.tmp"}
        ours |= {part for part in _PARTS if (self.root / part).is_dir() and not any((self.root / part).iterdir())}
        return min({path.name for path in self.root.iterdir()} - ours, default=None)

    def close(self) -> None:
        """Gives the directory up to the next process."""
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _checked_format(marker: Path) -> int:
    match = _LINE.fullmatch(marker.read_text("utf-8", errors="replace"))
    if match is None:
        raise CorruptState(f'file "{marker}" does not name a data directory format')
    if (found := int(match[1])) > FORMAT:
        raise FeatureNotSupported(
            f'data directory "{marker.parent}" has format {found}, this release reads up to {FORMAT}',
            hint="open it with the release that wrote it, or a newer one",
        )
    return found
