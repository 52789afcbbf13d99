"""Checkpoints: state as of an epoch, as named blobs and one manifest, committed as one.

    commit(40, manifest, {"job1/agg/3/40": …, "job1/join/0/40": …}, deleted={"job1/agg/3/10"})
    latest()            (40, manifest)
    get_all([…])        the blobs of that checkpoint, those that earlier ones brought too

A blob lives from the commit that brings it to the one that deletes it. Names are the caller's; by convention
``job/operator/vnode group/epoch``. The newest checkpoints are kept (`retention.py`), and those with a name.

How a commit goes (the objects are in `manifest.py`): large blobs as objects of their own and small ones
in one pack, several at a time; then the manifest, created only if there is none of that epoch. Whatever fails before
leaves objects that no manifest refers to, which a later commit collects; the next attempt has names of its own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping

import structlog

from constellationdb.errors import (
    ConstellationError,
    CorruptState,
    DuplicateObject,
    InternalError,
    StorageFailure,
    UndefinedObject,
)
from constellationdb.storage.buffers import Bytes
from constellationdb.storage.checkpoints import manifest as layout
from constellationdb.storage.checkpoints.fallback import FALLBACKS
from constellationdb.storage.checkpoints.former import FormerCheckpoints
from constellationdb.storage.checkpoints.manifest import CheckpointManifest, Place, Savepoint
from constellationdb.storage.checkpoints.ownership import Ownership
from constellationdb.storage.checkpoints.packing import crowded, put_parts
from constellationdb.storage.checkpoints.reader import CheckpointInfo, CheckpointReader
from constellationdb.storage.checkpoints.retention import RETAINED, collect
from constellationdb.storage.objects.store import ObjectStore

_log = structlog.get_logger()


class CheckpointStore:
    """The checkpoints in an object store, and the one of them that is built upon: the newest, or another (``go_to``).

    Any thread may call anything; commits queue up. One process at a time commits, see `ownership.py`. What is read
    is verified against its checksum: CorruptState, never wrong bytes.
    """

    def __init__(
        self,
        objects: ObjectStore,
        retained: int = RETAINED,
        former: FormerCheckpoints | None = None,
    ) -> None:
        self._objects = objects
        self._reader = CheckpointReader(objects)
        self._owner = Ownership(objects)
        self._retained = retained
        self._former = former  # those of an earlier release, until the first commit has taken them over
        self._committing = threading.Lock()
        self._closed = False
        self._epochs = self._reader.epochs()
        if former is not None and self._epochs:  # the commit that took them over was not the last thing we did
            former.remove()
            self._former = None
        self._current: CheckpointManifest | None = None
        self._epoch = self._epochs[0] if self._epochs else 0
        self.infos: list[CheckpointInfo] = []  # all there are, the newest first
        self._refresh()

    # ------------------------------------------------------------------ writing

    def commit(self, epoch: int, manifest: bytes, blobs: Mapping[str, Bytes], deleted: Iterable[str] = ()) -> None:
        """Makes this the latest checkpoint: durable when it returns, wholly absent if it does not.

        Deletions come first; deleting what is not there is fine. InternalError unless ``epoch`` is above the latest.
        """
        with self._committing:
            self._require_open()
            if epoch <= self._epoch:
                raise InternalError(f"checkpoint of epoch {epoch} committed after that of epoch {self._epoch}")
            if self._former is not None:
                self._take_over(self._former)
            gone = set(deleted)
            kept = {key: place for key, place in self._places().items() if key not in gone and key not in blobs}
            moved = crowded(kept, self._current) if self._current else []
            staying = {key: place for key, place in kept.items() if key not in set(moved)}
            made = self._put(epoch, manifest, {**blobs, **self._read(moved)}, staying)
            self._collect(made)
            self._refresh()

    def _take_over(self, former: FormerCheckpoints) -> None:
        """The checkpoint of an earlier release becomes one of ours."""
        if (latest := former.latest()) is not None:
            self._put(*latest, {key: former.get(key) for key in former.keys()}, {})  # noqa: SIM118
        self._former = None
        former.remove()

    def _put(
        self, epoch: int, content: bytes, blobs: Mapping[str, Bytes], kept: Mapping[str, Place]
    ) -> CheckpointManifest:
        attempt = layout.new_attempt()
        places, parts = put_parts(self._objects, epoch, attempt, blobs)
        if self._current is not None:
            parts |= {place.object: self._current.parts[place.object] for place in kept.values()}
        made = CheckpointManifest(epoch, attempt, time.time_ns() // 1000, content, {**kept, **places}, parts)
        self._owner.require()  # as late as can be: whoever has taken over meanwhile does not know of these parts
        self._set_aside_after(self._epoch)
        if not self._objects.create(layout.manifest_name(epoch), layout.encode_manifest(made)):
            raise StorageFailure(
                f'there is another checkpoint of epoch {epoch} in "{self._objects.place}"',
                hint="its outcome was not known when it was written; the next one builds upon what this process holds",
            )
        self._current, self._epoch = made, epoch
        return made

    def _set_aside_after(self, epoch: int) -> None:
        """What is newer than the checkpoint that is built upon is no longer history. Only of those there at first."""
        for later in (later for later in self._epochs if later > epoch):
            set_aside(self._reader, later)
        self._epochs = []

    def _collect(self, current: CheckpointManifest) -> None:
        try:
            collect(self._reader, current, self._retained)
        except ConstellationError as error:  # the checkpoint is there all the same; the next one tries again
            _log.warning("old checkpoints stay", place=self._objects.place, error=error.message)

    # ------------------------------------------------------------------ reading

    @property
    def place(self) -> str:
        """Where they are, for messages."""
        return self._objects.place

    def latest(self) -> tuple[int, bytes] | None:
        """Epoch and manifest of the checkpoint that is built upon."""
        if self._former is not None:
            return self._former.latest()
        return (self._epoch, self._opened().content) if self._epoch else None

    def epochs(self) -> list[int]:
        """Of all checkpoints that can be gone to, the newest first."""
        if self._former is not None:
            latest = self._former.latest()
            return [latest[0]] if latest else []
        return self._reader.epochs()

    def go_to(self, epoch: int) -> bytes:
        """The manifest of this checkpoint, which is built upon from now on. Those after it are set aside then."""
        with self._committing:
            if self._former is not None:
                latest = self._former.latest()
                if latest is None or latest[0] != epoch:
                    raise UndefinedObject(f"there is no checkpoint of epoch {epoch}")
                return latest[1]
            self._current, self._epoch = self._reader.manifest(epoch), epoch
            return self._current.content

    def go_back_to(self, epoch: int) -> None:
        """The same, with those after it set aside now; their names go."""
        self.go_to(epoch)
        with self._committing:
            self._owner.require()
            self._set_aside_after(epoch)
            self._objects.delete(layout.savepoint_object(n) for n, of in self._reader.names().items() if of > epoch)
            self._reader.forget_names()
            self._refresh()

    def get(self, key: str) -> bytes | memoryview | None:
        if self._former is not None:
            return self._former.get(key) if key in self._former.keys() else None  # noqa: SIM118
        place = self._places().get(key)
        return None if place is None else self._reader.blob(key, place)

    def get_all(self, keys: Iterable[str]) -> dict[str, bytes | memoryview]:
        """Several blobs, read side by side with the objects they lie in; CorruptState when one is missing."""
        wanted = list(keys)
        there = set(self.keys())
        if missing := [key for key in wanted if key not in there]:
            raise CorruptState(f'the checkpoint of epoch {self._epoch} lacks its blob "{missing[0]}"')
        return self._read(wanted)

    def _read(self, keys: list[str]) -> dict[str, bytes | memoryview]:
        if self._former is not None:
            return {key: self._former.get(key) for key in keys}
        return {**self._reader.blobs(self._opened(), keys)} if keys else {}

    def keys(self, prefix: str = "") -> list[str]:
        """The live blobs' names in order, without reading the blobs."""
        keys = self._former.keys() if self._former is not None else self._places()
        return sorted(key for key in keys if key.startswith(prefix))

    def blobs(self, prefix: str = "") -> Iterator[tuple[str, bytes | memoryview]]:
        """Names and contents in order of name, as of the call."""
        return iter(sorted(self._read(self.keys(prefix)).items()))

    def damages(self, epoch: int) -> list[str]:
        """What is wrong with the parts of the checkpoint of this epoch."""
        if self._former is not None:
            return []
        return [damage for damage in self._reader.damages(self._reader.manifest(epoch).parts).values() if damage]

    def _refresh(self) -> None:
        try:
            self.infos = self._reader.infos()
        except ConstellationError as error:
            _log.warning("checkpoints cannot be listed", place=self._objects.place, error=error.message)

    def oldest_retained(self) -> int:
        """The epoch of the oldest checkpoint that recovery may fall back to: the log behind it is needed."""
        return min((info.epoch for info in self.infos[: min(self._retained, FALLBACKS + 1)]), default=0)

    def _places(self) -> Mapping[str, Place]:
        return self._opened().blobs if self._epoch else {}

    def _opened(self) -> CheckpointManifest:
        self._require_open()
        if self._current is None:
            self._current = self._reader.manifest(self._epoch)
        return self._current

    # ------------------------------------------------------------------ names

    def add_name(self, name: str) -> None:
        """Makes the checkpoint that is built upon a savepoint. DuplicateObject when there is one of the name."""
        with self._committing:
            if self._former is not None:
                self._take_over(self._former)
            current = self._opened()
            savepoint = Savepoint(name, current.epoch, current.attempt)
            if not self._objects.create(layout.savepoint_object(name), layout.encode_savepoint(savepoint)):
                raise DuplicateObject(f'savepoint "{name}" already exists')
            self._reader.forget_names()
            self._refresh()

    def named(self, name: str) -> int:
        """The epoch of a savepoint."""
        names = self._reader.names()
        if name not in names:
            raise UndefinedObject(f'savepoint "{name}" does not exist')
        return names[name]

    def has_name(self, name: str) -> bool:
        return self._objects.get(layout.savepoint_object(name), 0, 1) is not None

    def drop_name(self, name: str) -> None:
        """Its checkpoint is one like all others from now on."""
        with self._committing:
            if not self.has_name(name):
                raise UndefinedObject(f'savepoint "{name}" does not exist')
            self._objects.delete([layout.savepoint_object(name)])
            self._reader.forget_names()
            self._refresh()

    # ------------------------------------------------------------------ ending

    def _require_open(self) -> None:
        if self._closed:
            raise InternalError(f'the checkpoint store in "{self._objects.place}" is closed')

    def close(self) -> None:
        """Harmless when done twice."""
        with self._committing:
            self._closed = True
            if self._former is not None:
                self._former.close()
            self._objects.close()


def set_aside(reader: CheckpointReader, epoch: int) -> None:
    """Takes a checkpoint off the line of history. Its manifest is kept under another name, and so are its parts."""
    name = layout.manifest_name(epoch)
    content = reader.objects.get(name)
    if content is not None:
        reader.objects.put(layout.set_aside_name(epoch), [content])
        reader.objects.delete([name])
        reader.forget(epoch)
