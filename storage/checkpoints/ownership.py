"""Who commits to a store: the one with the highest number.

Whoever opens it creates the next number, which only one can. A commit asks, when its parts are written, whether its
number is still the highest; if not, somebody else has opened the store and does not know of this commit. What is
left is a moment between asking and creating the manifest: then a checkpoint is written that the other one does not
build upon, and both say so when they meet at one epoch.
"""

from __future__ import annotations

import os

from constellationdb.errors import StorageFailure
from constellationdb.storage.checkpoints.manifest import OWNERS, epoch_of
from constellationdb.storage.objects.format import Kind, encode
from constellationdb.storage.objects.store import ObjectStore


class Ownership:
    """Ours from here on, until somebody else's is made."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects
        former = self._numbers()
        self._number = max(former, default=0) + 1
        claim = encode(Kind.OWNER, os.urandom(16))
        while not objects.create(_name(self._number), claim):
            self._number += 1
        objects.delete(map(_name, former))

    def require(self) -> None:
        """StorageFailure when it is ours no longer."""
        if max(self._numbers(), default=0) != self._number:
            raise StorageFailure(
                f'another process has taken over the checkpoints in "{self._objects.place}"',
                hint="stop one of the two: only one can write them",
            )

    def _numbers(self) -> list[int]:
        return [number for info in self._objects.list(OWNERS) if (number := epoch_of(info.name)) is not None]


def _name(number: int) -> str:
    return f"{OWNERS}{number:020}"
