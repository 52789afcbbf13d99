"""Whether every byte of the checkpoints in a store is as it was written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from constellationdb.errors import CorruptState
from constellationdb.storage.checkpoints.manifest import DATABASE, NAMES, OWNERS, SET_ASIDE, CheckpointManifest
from constellationdb.storage.checkpoints.reader import CheckpointReader
from constellationdb.storage.objects.format import Kind, decode
from constellationdb.storage.objects.store import ObjectStore


@dataclass(frozen=True)
class Finding:
    """``damages`` is empty when all is well."""

    what: str
    damages: tuple[str, ...]


def verify(objects: ObjectStore) -> Iterator[Finding]:
    """One finding for each checkpoint, the newest first, then for those set aside, and for all the rest together.

    A part that several checkpoints refer to is read once, and counts for each of them.
    """
    reader = CheckpointReader(objects)
    known: dict[str, str | None] = {}
    for epoch in reader.epochs():
        try:
            damages = _of_parts(reader, reader.manifest(epoch), known)
        except CorruptState as damage:
            damages = (damage.message,)
        if not damages or epoch in reader.epochs():  # else it was collected meanwhile
            yield Finding(f"checkpoint of epoch {epoch}", damages)
    for name, manifest in reader.set_aside():
        yield Finding(f"{name}, checkpoint of epoch {manifest.epoch}", _of_parts(reader, manifest, known))
    yield Finding("all other objects", tuple(_of_others(objects)))


def _of_parts(reader: CheckpointReader, manifest: CheckpointManifest, known: dict[str, str | None]) -> tuple[str, ...]:
    unknown = {name: part for name, part in manifest.parts.items() if name not in known}
    known |= reader.damages(unknown)
    return tuple(damage for name in sorted(manifest.parts) if (damage := known[name]) is not None)


def _of_others(objects: ObjectStore) -> Iterator[str]:
    kinds = {NAMES: Kind.NAME, OWNERS: Kind.OWNER, SET_ASIDE: Kind.MANIFEST}
    names = [(info.name, kind) for prefix, kind in kinds.items() for info in objects.list(prefix)]
    for name, kind in [(DATABASE, Kind.DATABASE), *names]:
        try:
            if (data := objects.get(name)) is not None:
                decode(data, kind, name)
        except CorruptState as damage:
            yield damage.message
