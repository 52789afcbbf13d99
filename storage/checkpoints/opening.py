"""Which checkpoints belong to which data directory.

A store says whose checkpoints it holds (the object ``database``), and a directory (``D/identity``) which database it
is and where its checkpoints are. So none is ever combined with another's: a log replayed on top of somebody else's
state would be a silent wrong answer. One combination is welcome: a directory without a log and a store that has
checkpoints, as after the loss of a machine. The database goes on there from its newest checkpoint; what was in the
log that is lost is lost.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

from constellationdb.errors import InvalidParameter, StorageFailure
from constellationdb.storage.checkpoints.former import find_former
from constellationdb.storage.checkpoints.manifest import DATABASE
from constellationdb.storage.checkpoints.retention import RETAINED
from constellationdb.storage.checkpoints.store import CheckpointStore
from constellationdb.storage.directory import DataDirectory
from constellationdb.storage.disk import DISK, Disk
from constellationdb.storage.objects.format import Kind, decode, encode
from constellationdb.storage.objects.local import LocalObjects
from constellationdb.storage.objects.store import ObjectStore

HERE = "here"
_REMOTE = ("s3", "s3a", "gs", "az", "azure", "abfs", "abfss", "adl")


class Identity(msgspec.Struct, frozen=True):
    """``checkpoints``: the address of their store, or "here"."""

    database: str
    checkpoints: str


def read_identity(path: Path) -> Identity | None:
    """What the file says; None when there is none yet."""
    if not path.exists():
        return None
    _, body = decode(memoryview(path.read_bytes()), Kind.DATABASE, str(path))
    return msgspec.msgpack.decode(body, type=Identity)


def write_identity(path: Path, identity: Identity, disk: Disk = DISK) -> None:
    try:
        disk.create(path, *encode(Kind.DATABASE, msgspec.msgpack.encode(identity)))
    except OSError as error:
        raise StorageFailure(f'could not write file "{path}": {error.strerror}') from error


def open_objects(url: str, folder: Path) -> ObjectStore:
    """The store at ``url``; ``folder`` when it is "here"."""
    if url == HERE:
        return LocalObjects(folder)
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return LocalObjects(unquote(parts.path))
    if parts.scheme in _REMOTE:
        from constellationdb.storage.objects.remote import RemoteObjects

        return RemoteObjects(url)
    raise InvalidParameter(
        f'"{url}" is not the address of an object store',
        hint="it looks like s3://bucket/prefix, gs://bucket/prefix, az://container/prefix or file:///directory",
    )


def open_checkpoints(
    directory: DataDirectory, url: str | None = None, disk: Disk = DISK, kept: int = RETAINED
) -> CheckpointStore:
    """The checkpoints of this database, at ``url``, or where they were the last time."""
    known = read_identity(directory.identity)
    if known is not None and url is not None and url != known.checkpoints:
        raise InvalidParameter(
            f'the checkpoints of data directory "{directory.root}" are in "{_shown(known.checkpoints, directory)}"',
            detail=f'they were asked for in "{url}"',
            hint="leave the option out, or make a copy of the database whose checkpoints are there: "
            '"constellation checkpoints clone"',
        )
    place = known.checkpoints if known else url or HERE
    objects = LocalObjects(directory.checkpoints, disk) if place == HERE else open_objects(place, directory.checkpoints)
    if isinstance(objects, LocalObjects):
        objects.settle()
    found = _database_of(objects)
    if known is None:
        ours = place == HERE or not any(directory.log.glob("*.wal"))
        known = Identity(found if found and ours else os.urandom(16).hex(), place)
        if found in (None, known.database):
            write_identity(directory.identity, known, disk)
    if found is None:
        objects.create(DATABASE, encode(Kind.DATABASE, known.database.encode()))
        found = _database_of(objects)
    if found != known.database:
        raise InvalidParameter(
            f'the checkpoints in "{objects.place}" are those of another database',
            detail=f'data directory "{directory.root}" holds database {known.database}, they are of {found}',
            hint="give each database a place of its own, for example another prefix",
        )
    return CheckpointStore(objects, kept, former=find_former(directory.checkpoints))


def objects_of(root: Path) -> ObjectStore:
    """The checkpoints of the data directory ``root``, to be read only: somebody else may have it open."""
    if not (root / "format").exists():
        raise InvalidParameter(f'directory "{root}" is not a constellation data directory')
    known = read_identity(root / "identity")
    return open_objects(known.checkpoints if known else HERE, root / "checkpoints")


def _database_of(objects: ObjectStore) -> str | None:
    data = objects.get(DATABASE)
    return None if data is None else bytes(decode(data, Kind.DATABASE, DATABASE)[1]).decode()


def _shown(place: str, directory: DataDirectory) -> str:
    return str(directory.checkpoints) if place == HERE else place
