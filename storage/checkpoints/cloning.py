"""A new data directory from a checkpoint of another one, which may be in use meanwhile."""

from __future__ import annotations

import os
from pathlib import Path

from constellationdb.errors import InvalidParameter
from constellationdb.storage.checkpoints.manifest import (
    DATABASE,
    CheckpointManifest,
    encode_manifest,
    manifest_name,
)
from constellationdb.storage.checkpoints.opening import HERE, Identity, open_objects, write_identity
from constellationdb.storage.checkpoints.reader import CheckpointReader, in_parallel
from constellationdb.storage.directory import DataDirectory
from constellationdb.storage.epochlog import FileEpochLog
from constellationdb.storage.objects.format import Kind, encode, encode_header
from constellationdb.storage.objects.store import ObjectStore


def clone(source: ObjectStore, epoch: int, root: Path, checkpoints: str = HERE) -> None:
    """Makes ``root`` a database of its own with the state of ``epoch``; its checkpoints are kept where that says.

    The manifest comes last, and the log begins behind it: what is cut short is no database that lacks something.
    """
    reader = CheckpointReader(source)
    manifest = reader.manifest(epoch)
    if root.exists() and any(root.iterdir()):
        raise InvalidParameter(f'directory "{root}" is not empty', hint="name an empty or missing directory")
    with DataDirectory(root) as directory:
        target = open_objects(checkpoints, directory.checkpoints)
        if target.get(DATABASE) is not None:
            raise InvalidParameter(f'object store "{target.place}" holds a database already')
        FileEpochLog(directory.log, begins=epoch + 1).close()
        identity = Identity(os.urandom(16).hex(), checkpoints)
        write_identity(directory.identity, identity)
        target.create(DATABASE, encode(Kind.DATABASE, identity.database.encode()))
        _copy_parts(reader, manifest, target)
        target.create(manifest_name(epoch), encode_manifest(manifest))


def _copy_parts(reader: CheckpointReader, manifest: CheckpointManifest, target: ObjectStore) -> None:
    """Each is verified on its way."""

    def copy(name: str) -> None:
        part = manifest.parts[name]
        kind = Kind.PACK if part.packed else Kind.BLOB
        target.put(name, [encode_header(kind, part.length, part.sha256), reader.part(name, part)])

    in_parallel(copy, list(manifest.parts))
