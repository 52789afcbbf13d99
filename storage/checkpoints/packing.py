"""Blobs into objects: large ones are objects of their own, small ones share one, the pack of their checkpoint.

A pack that is mostly dead is not rewritten: objects do not change. Its live blobs go into the next checkpoint's
pack, so that it goes itself when no checkpoint that is kept refers to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from constellationdb.errors import ConstellationError
from constellationdb.storage.buffers import Bytes, size_of
from constellationdb.storage.checkpoints.manifest import CheckpointManifest, Part, Place, part_name
from constellationdb.storage.checkpoints.reader import in_parallel
from constellationdb.storage.objects.format import Kind, digest, encode_header
from constellationdb.storage.objects.store import ObjectStore

PACKED_BELOW = 1 << 20
MAX_PACKS = 64
"""How many packs a checkpoint may refer to: each is one more to read on recovery."""


def put_parts(
    objects: ObjectStore, epoch: int, attempt: str, blobs: Mapping[str, Bytes]
) -> tuple[dict[str, Place], dict[str, Part]]:
    """Writes the blobs, several objects at a time. If one cannot be written, those that were go again."""
    large = [key for key, blob in blobs.items() if size_of(blob) >= PACKED_BELOW]
    small = [key for key, blob in blobs.items() if size_of(blob) < PACKED_BELOW]
    members = {part_name(epoch, attempt, n): [key] for n, key in enumerate(large)}
    pack = part_name(epoch, attempt, None)
    if small:
        members[pack] = small

    def put(name: str) -> Part:
        pieces = [blobs[key] for key in members[name]]
        part = Part(sum(map(size_of, pieces)), digest(pieces), name == pack)
        kind = Kind.PACK if part.packed else Kind.BLOB
        objects.put(name, [encode_header(kind, part.length, part.sha256), *pieces])
        return part

    try:
        parts = dict(zip(members, in_parallel(put, list(members)), strict=True))
    except BaseException:
        _delete_if_possible(objects, members)
        raise
    places = {key: Place(name, 0, parts[name].length, parts[name].sha256) for name in members for key in members[name]}
    return places | _places_in_pack(pack, [(key, blobs[key]) for key in small]), parts


def _places_in_pack(pack: str, blobs: Sequence[tuple[str, Bytes]]) -> dict[str, Place]:
    places, offset = {}, 0
    for key, blob in blobs:
        places[key] = Place(pack, offset, size_of(blob), digest((blob,)))
        offset += size_of(blob)
    return places


def _delete_if_possible(objects: ObjectStore, names: Mapping[str, object]) -> None:
    try:
        objects.delete(names)
    except ConstellationError:
        return  # the store is failing; what is left there is collected later


def crowded(kept: Mapping[str, Place], manifest: CheckpointManifest) -> list[str]:
    """The blobs that better move on into the next pack: of packs mostly dead, and of the smallest if they are many."""
    live: dict[str, int] = {}
    for place in kept.values():
        if manifest.parts[place.object].packed:
            live[place.object] = live.get(place.object, 0) + place.length
    left = {name for name, size in live.items() if 2 * size < manifest.parts[name].length}
    whole = sorted(live.keys() - left, key=lambda name: (live[name], name))
    left.update(whole[: max(0, len(whole) - MAX_PACKS + 1)])
    return [key for key, place in kept.items() if place.object in left]
