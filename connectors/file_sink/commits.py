"""The record of the last commit in a sink's directory, and what follows from it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from constellationdb.errors import SinkFailure
from constellationdb.storage.disk import DISK, Disk

FOLDER = "_constellation"
VERSION = 1


class Commit(msgspec.Struct, frozen=True):
    """``files``: the name aside and the final one of each, both below the sink's directory."""

    version: int
    sink: str
    id: str
    epoch: int
    files: tuple[tuple[str, str], ...]


class Commits:
    """The commits of the sink ``id`` in ``directory``. Every method raises OSError and leaves judging it."""

    def __init__(self, directory: Path, sink: str, id: str, disk: Disk = DISK) -> None:  # noqa: A002
        self._directory = directory
        self._folder = directory / FOLDER
        self._sink, self._id = sink, id
        self._disk = disk

    def staged(self, first: int, number: int) -> str:
        """A name aside, of a transaction from epoch ``first`` on: what the record lists is never of another one."""
        return f"{FOLDER}/staged-{first}-{number}.tmp"

    def last(self) -> Commit | None:
        """SinkFailure when the directory is another sink's, or of a later version."""
        records = self._records()
        if not records:
            return None
        try:
            found = msgspec.json.decode(records[-1].read_bytes(), type=Commit)
        except msgspec.DecodeError as error:
            raise SinkFailure(f'"{records[-1]}" is damaged: {error}') from None
        if records[-1].name != _record(found.epoch):
            raise SinkFailure(f'"{records[-1]}" is damaged: it says that it is of epoch {found.epoch}')
        if found.version > VERSION:
            raise SinkFailure(f'"{records[-1]}" is of version {found.version}, this server knows {VERSION}')
        if found.id != self._id:
            raise SinkFailure(
                f'directory "{self._directory}" has the output of another sink, "{found.sink}"',
                hint="give this one a path of its own, or remove what is there",
            )
        return found

    def recover(self) -> Commit | None:
        """After ``last``: finish the commit that was under way, and remove what none lists."""
        found = self.last()
        if found is not None:
            self._finish(found)
            self._forget_before(found.epoch)
        if self._folder.is_dir():
            for aside in [*self._folder.glob("*.tmp")]:
                self._disk.remove(aside)
        return found

    def begin(self) -> None:
        """Make sure that there is room for names aside."""
        if not self._folder.is_dir():
            self._folder.mkdir(parents=True, exist_ok=True)
            self._disk.sync_directory(self._directory)
            self._disk.sync_directory(self._directory.parent)

    def commit(self, after: int | None, epoch: int, files: tuple[tuple[str, str], ...]) -> None:
        """The files, synced, are there from now on; ``after``: the epoch of the commit before.

        SinkFailure when somebody else has committed since.
        """
        last = self.last()
        if (None if last is None else last.epoch) != after:
            raise SinkFailure(f'another server writes to "{self._directory}" as sink "{self._sink}"')
        made = Commit(VERSION, self._sink, self._id, epoch, files)
        self._disk.sync_directory(self._folder)
        self._disk.create(self._folder / _record(epoch), msgspec.json.encode(made))
        self._finish(made)
        self._forget_before(epoch)

    def _finish(self, commit: Commit) -> None:
        """Give the files their names; those that a killed process gave it may not have synced."""
        places = set()
        for aside, name in commit.files:
            source, target = self._directory / aside, self._directory / name
            if source.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                self._disk.rename(source, target)
            if target.parent.is_dir():
                places |= {target.parent, *target.parent.relative_to(self._directory).parents}
        for place in places:
            self._disk.sync_directory(self._directory / place)

    def _forget_before(self, epoch: int) -> None:
        for record in self._records():
            if record.name != _record(epoch):
                self._disk.remove(record)

    def _records(self) -> list[Path]:
        if self._directory.exists() and not self._directory.is_dir():
            raise NotADirectoryError(20, "Not a directory")  # which does not mean that nothing was committed
        return sorted(self._folder.glob("commit-*.json")) if self._folder.is_dir() else []


def _record(epoch: int) -> str:
    return f"commit-{epoch:020}.json"
