"""Objects: named bytes that are written whole, and the seam between a checkpoint and the place it is kept in.

    create("manifests/00000000000000000040", …)   True; False from then on, whoever asks
    get("parts/…", start=96, length=4000)

An object is either absent or whole, and durable when the call that wrote it returns. Two homes: a local directory
(`local.py`) and an object store over HTTP (`remote.py`). What both can do is what is asked for:
create if absent, but no rename, no append, and no replacing of an object only if it is unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from constellationdb.storage.buffers import Bytes


@dataclass(frozen=True)
class ObjectInfo:
    name: str
    size: int
    modified: float  # seconds since 1970, by the store's clock


class ObjectStore(Protocol):
    """Named bytes. Any thread may call anything. StorageFailure when the store cannot do what it should.

    Names are parts of letters, digits and ``-_.%``, separated by slashes.
    """

    place: str  # what messages call it
    grace_seconds: float  # what is younger than this may be somebody's work in progress

    def put(self, name: str, pieces: Sequence[Bytes]) -> None:
        """Writes the object, of these bytes one after the other; replaces one that is there."""
        ...

    def create(self, name: str, pieces: Sequence[Bytes]) -> bool:
        """Writes the object unless there is one. False: there is, and it is not what this call wrote."""
        ...

    def get(self, name: str, start: int = 0, length: int | None = None) -> memoryview | None:
        """Bytes of the object, fewer than asked for where it ends; None when there is no such object."""
        ...

    def list(self, prefix: str) -> list[ObjectInfo]:
        """The objects whose names begin with ``prefix``, which ends in a slash, in order of name."""
        ...

    def delete(self, names: Iterable[str]) -> None:
        """Removes objects; those that are not there are as good as removed."""
        ...

    def close(self) -> None: ...
