"""Reading checkpoints: what there are, their blobs, and whether every byte of them is as it was written.

Anybody may read, also while another process writes: objects do not change, they come and go. Of what is gone since it
was listed the reader says that it is damaged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from constellationdb.errors import CorruptState
from constellationdb.storage.buffers import Bytes
from constellationdb.storage.checkpoints.manifest import (
    MANIFESTS,
    NAMES,
    SET_ASIDE,
    CheckpointManifest,
    Part,
    Place,
    Savepoint,
    decode_manifest,
    decode_savepoint,
    epoch_of,
    manifest_name,
)
from constellationdb.storage.objects.format import HEADER_SIZE, Kind, decode, digest
from constellationdb.storage.objects.store import ObjectInfo, ObjectStore

T = TypeVar("T")
PARALLEL = 8
"""How many objects are on their way at a time."""


@dataclass(frozen=True)
class CheckpointInfo:
    """A checkpoint as it is listed. ``damage``: why nothing more is known of it. ``content``: its caller's manifest."""

    epoch: int
    at_us: int
    parts: int
    bytes: int
    names: tuple[str, ...]
    damage: str | None = None
    content: Bytes = b""


class CheckpointReader:
    def __init__(self, objects: ObjectStore) -> None:
        self.objects = objects
        self._known: dict[int, CheckpointManifest] = {}
        self._savepoints: dict[ObjectInfo, Savepoint] = {}

    def epochs(self) -> list[int]:
        """Of all complete checkpoints, the newest first."""
        found = (epoch_of(info.name) for info in self.objects.list(MANIFESTS))
        return sorted((epoch for epoch in found if epoch is not None), reverse=True)

    def names(self) -> dict[str, int]:
        """The savepoints' epochs. CorruptState when one is damaged."""
        savepoints = [self._savepoint(info) for info in self.objects.list(NAMES)]
        return {savepoint.name: savepoint.epoch for savepoint in savepoints}

    def _savepoint(self, info: ObjectInfo) -> Savepoint:
        if info not in self._savepoints:
            self._savepoints[info] = self._read_whole(info.name, decode_savepoint)
        return self._savepoints[info]

    def forget_names(self) -> None:
        """They have changed, perhaps so that the list of them looks as before."""
        self._savepoints.clear()

    def manifest(self, epoch: int) -> CheckpointManifest:
        if epoch not in self._known:
            self._known[epoch] = self._read_whole(manifest_name(epoch), decode_manifest)
        return self._known[epoch]

    def forget(self, epoch: int) -> None:
        self._known.pop(epoch, None)

    def set_aside(self) -> Iterator[tuple[str, CheckpointManifest]]:
        """The manifests that were set aside; those too damaged to read are left out."""
        for info in self.objects.list(SET_ASIDE):
            try:
                yield info.name, self._read_whole(info.name, decode_manifest)
            except CorruptState:
                continue

    def infos(self) -> list[CheckpointInfo]:
        """All checkpoints, the newest first; damaged ones too."""
        names: dict[int, list[str]] = {}
        for name, epoch in sorted(self.names().items()):
            names.setdefault(epoch, []).append(name)
        infos = [self._info(epoch, tuple(names.get(epoch, ()))) for epoch in self.epochs()]
        still_there = set(self.epochs()) if any(info.damage for info in infos) else set()
        return [info for info in infos if info.damage is None or info.epoch in still_there]

    def _info(self, epoch: int, names: tuple[str, ...]) -> CheckpointInfo:
        try:
            manifest = self.manifest(epoch)
        except CorruptState as damage:
            return CheckpointInfo(epoch, 0, 0, 0, names, damage.message)
        return CheckpointInfo(epoch, manifest.at_us, len(manifest.blobs), manifest.size, names, None, manifest.content)

    # ------------------------------------------------------------------ blobs

    def blob(self, key: str, place: Place) -> memoryview:
        """One blob, verified, without the rest of its object."""
        data = self._get(place.object, HEADER_SIZE + place.offset, place.length)
        if len(data) != place.length or digest((data,)) != place.sha256:
            raise CorruptState(f'blob "{key}" in object "{place.object}" fails its checksum')
        return data

    def blobs(self, manifest: CheckpointManifest, keys: Iterable[str]) -> dict[str, memoryview]:
        """Blobs with the whole objects they lie in, each read once and verified to its last bit."""
        places = {key: manifest.blobs[key] for key in keys}
        parts = sorted({place.object for place in places.values()})
        bodies = dict(zip(parts, in_parallel(lambda name: self.part(name, manifest.parts[name]), parts), strict=True))
        return {key: bodies[p.object][p.offset : p.offset + p.length] for key, p in places.items()}

    def part(self, name: str, part: Part) -> memoryview:
        """The body of an object of a checkpoint."""
        header, body = decode(self._get(name), Kind.PACK if part.packed else Kind.BLOB, name)
        if (header.length, header.sha256) != (part.length, part.sha256):
            raise CorruptState(f'object "{name}" is not the one that the manifest refers to')
        return body

    def damages(self, parts: Mapping[str, Part]) -> dict[str, str | None]:
        """What is wrong with each of these objects; None when every bit is as it was written."""

        def damage(name: str) -> str | None:
            try:
                self.part(name, parts[name])
            except CorruptState as found:
                return found.message
            return None

        return dict(zip(parts, in_parallel(damage, list(parts)), strict=True))

    def _read_whole(self, name: str, decoded: Callable[[memoryview, str], T]) -> T:
        return decoded(self._get(name), name)

    def _get(self, name: str, start: int = 0, length: int | None = None) -> memoryview:
        data = self.objects.get(name, start, length)
        if data is None:
            raise CorruptState(f'object "{name}" is missing')
        return data


def in_parallel(work: Callable[[str], T], names: list[str]) -> list[T]:
    """The results in order; the first failure is raised when all have ended."""
    if len(names) < 2:
        return [work(name) for name in names]
    with ThreadPoolExecutor(min(PARALLEL, len(names)), thread_name_prefix="checkpoint parts") as threads:
        return list(threads.map(work, names))
