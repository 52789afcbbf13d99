"""What a checkpoint in an object store consists of, and what its objects are called.

    manifests/{epoch:020}                 one per checkpoint; it is complete when this is there
    parts/{epoch:020}-{attempt}-pack      the small blobs that a checkpoint brought, one after the other
    parts/{epoch:020}-{attempt}-{n:06}    a large blob that a checkpoint brought
    names/{name}                          a savepoint: which checkpoint has this name
    set-aside/{epoch:020}-{attempt}       the manifest of a checkpoint that is off the line of history
    owners/{number:020}                   who writes here: the highest number
    database                              whose checkpoints these are

A manifest names every blob of its checkpoint, those that earlier ones brought too. ``attempt`` is random, so that a
failed attempt at an epoch and the next one share no object but the manifest, which only one of them can create.
"""

from __future__ import annotations

import os
from typing import TypeVar
from urllib.parse import quote, unquote

import msgspec

from constellationdb.errors import CorruptState
from constellationdb.storage.buffers import Bytes
from constellationdb.storage.objects.format import Kind, decode, encode

T = TypeVar("T")

MANIFESTS = "manifests/"
PARTS = "parts/"
NAMES = "names/"
SET_ASIDE = "set-aside/"
OWNERS = "owners/"
DATABASE = "database"


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Where a blob lies: in the body of which object, and its own checksum."""

    object: str
    offset: int
    length: int
    sha256: bytes


class Part(msgspec.Struct, frozen=True, array_like=True):
    """An object that a checkpoint refers to: the length and checksum of its body."""

    length: int
    sha256: bytes
    packed: bool


class CheckpointManifest(msgspec.Struct, frozen=True):
    epoch: int
    attempt: str
    at_us: int
    content: bytes  # the caller's own manifest
    blobs: dict[str, Place]
    parts: dict[str, Part]

    @property
    def size(self) -> int:
        """The bytes of its blobs."""
        return sum(place.length for place in self.blobs.values())


class Savepoint(msgspec.Struct, frozen=True):
    name: str
    epoch: int
    attempt: str


def new_attempt() -> str:
    return os.urandom(6).hex()


def manifest_name(epoch: int) -> str:
    return f"{MANIFESTS}{epoch:020}"


def part_name(epoch: int, attempt: str, number: int | None) -> str:
    """Of the blob of that number, or of the pack."""
    return f"{PARTS}{epoch:020}-{attempt}-{'pack' if number is None else f'{number:06}'}"


def set_aside_name(epoch: int) -> str:
    return f"{SET_ASIDE}{epoch:020}-{new_attempt()}"


def savepoint_object(name: str) -> str:
    return NAMES + quote(name, safe="").replace(".", "%2E").replace("~", "%7E")


def savepoint_name(object_name: str) -> str:
    return unquote(object_name.removeprefix(NAMES))


def epoch_of(object_name: str) -> int | None:
    """The epoch in the name of a manifest or part; None for what is called like neither."""
    digits = object_name.rpartition("/")[2].partition("-")[0]
    return int(digits) if len(digits) == 20 and digits.isdigit() else None


def encode_manifest(manifest: CheckpointManifest) -> list[Bytes]:
    return encode(Kind.MANIFEST, msgspec.msgpack.encode(manifest))


def decode_manifest(data: memoryview, name: str) -> CheckpointManifest:
    manifest = _decoded(data, Kind.MANIFEST, name, CheckpointManifest)
    if manifest.epoch != epoch_of(name):
        raise CorruptState(f'object "{name}" is the manifest of epoch {manifest.epoch}')
    return manifest


def encode_savepoint(savepoint: Savepoint) -> list[Bytes]:
    return encode(Kind.NAME, msgspec.msgpack.encode(savepoint))


def decode_savepoint(data: memoryview, name: str) -> Savepoint:
    savepoint = _decoded(data, Kind.NAME, name, Savepoint)
    if savepoint.name != savepoint_name(name):
        raise CorruptState(f'object "{name}" is the savepoint "{savepoint.name}"')
    return savepoint


def _decoded(data: memoryview, kind: Kind, name: str, type_: type[T]) -> T:
    _, body = decode(data, kind, name)
    try:
        return msgspec.msgpack.decode(body, type=type_)
    except msgspec.MsgspecError as error:
        raise CorruptState(f'object "{name}" is not readable', detail=str(error)) from error
