"""The named blobs of a checkpoint: which are written anew, and which stay what an earlier one wrote.

    contents/<relation>/            its rows, as they were at some checkpoint
    contents/<relation>/<epoch>     what changed from the one before to this epoch: at most ten, then all rows again
    job/<view>/<operator>/…         an operator's state, …+<epoch>: what changed in it up to that checkpoint
    answers/<view>/…                what lookups have found, where that was still on its way to the view
    history/<relation>/<epoch>      the changes up to it that are kept for those who look back, in a few blobs of
                                    growing size (``history_blobs``); marks/…: their watermarks

Names of relations are written so that no slash is in them (``blob_names``).
Nothing is remembered of a checkpoint before it is written (``Draft.accept``): what failed is as if it had not been.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import pyarrow as pa

from constellationdb.engine.blob_names import group as group_of
from constellationdb.engine.capture import Held, TakenJob
from constellationdb.engine.changelog import Change, packed, packed_marks
from constellationdb.engine.history_blobs import joined, together
from constellationdb.engine.job import Answered
from constellationdb.engine.manifest import AnsweredManifest, JobManifest
from constellationdb.errors import CorruptState
from constellationdb.storage.arrow_blobs import ipc_buffer

_LONGEST_CHAIN = 10
_LATER = "+"  # between the name of an operator's part and the checkpoint that its changes came with
Blob = TypeVar("Blob")


@dataclass(frozen=True)
class Chain:
    """Rows and the changes to them. ``epoch``: what they come to; None where they do not say what to add to."""

    oid: int
    epoch: int | None
    changes: int
    rows_bytes: int
    changes_bytes: int

    @property
    def is_long(self) -> bool:
        return self.changes >= _LONGEST_CHAIN or self.changes_bytes > self.rows_bytes


@dataclass
class Written:
    """What the newest checkpoint holds, as blobs."""

    names: dict[str, str] = field(default_factory=dict)  # name → the key it is stored under
    marks: dict[str, Hashable] = field(default_factory=dict)  # group → how much had happened to it
    chains: dict[str, Chain] = field(default_factory=dict)  # by relation
    job_chains: dict[str, Chain] = field(default_factory=dict)
    changes: dict[str, int] = field(default_factory=dict)  # relation → the last epoch whose changes are in blobs
    jobs: dict[str, JobManifest] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)  # of the blobs of history

    def under(self, prefix: str) -> dict[str, str]:
        return {name: key for name, key in self.names.items() if name.startswith(prefix)}


class Draft:
    """The blobs of the checkpoint of epoch ``number``, in the making.

    ``redefined``: relations that are not what they were in ``written``, and have no history from before.
    ``handed_over``: their marks in ``written`` are not theirs. ``read``: what an earlier checkpoint wrote under a key.
    """

    def __init__(
        self,
        written: Written,
        number: int,
        redefined: set[str],
        handed_over: set[str],
        read: Callable[[str], pa.RecordBatch],
    ) -> None:
        self._written = written
        self._read = read
        self._number = number
        self.redefined = redefined
        self.handed_over = handed_over
        self._next = Written()
        self.fresh: dict[str, pa.Buffer] = {}

    @property
    def names(self) -> dict[str, str]:
        return self._next.names

    def contents(self, name: str, oid: int, held: Held, since: int | None) -> None:
        """What a relation held; ``since``: from which epoch on somebody still reads it, if not the checkpoint's."""
        group, mark = group_of("contents", name), (oid, held.changes, since)
        chain = self._written.chains.get(name)
        if self._is_unchanged(group, mark, name):
            self._keep(group, mark)
            if chain is not None:
                self._next.chains[name] = chain
        elif held.eager is not None or since is not None:
            rows = held.eager or ipc_buffer(held.version.stamped(since or 0, held.position))
            self._next.chains[name] = Chain(oid, None, 0, rows.size, 0)
            self._write(group, mark, {"": rows})
        elif chain is None or not self._is_continued(chain, name, oid, held):
            rows = ipc_buffer(held.version.weighted(held.position))
            self._next.chains[name] = Chain(oid, held.position, 0, rows.size, 0)
            self._write(group, mark, {"": rows})
        else:
            self._continue(group, mark, name, chain, held)

    def _is_continued(self, chain: Chain, name: str, oid: int, held: Held) -> bool:
        return (
            chain.epoch is not None
            and chain.oid == oid
            and not chain.is_long
            and name not in self.redefined
            and chain.epoch <= held.position
            and held.version.knows_since(chain.epoch)
        )

    def _continue(self, group: str, mark: Hashable, name: str, chain: Chain, held: Held) -> None:
        assert chain.epoch is not None
        self._keep(group, mark)
        changed = held.version.between(chain.epoch, held.position)
        if changed.num_rows == 0:
            self._next.chains[name] = replace(chain, epoch=held.position)
            return
        rows = ipc_buffer(changed)
        self._next.chains[name] = replace(
            chain, epoch=held.position, changes=chain.changes + 1, changes_bytes=chain.changes_bytes + rows.size
        )
        self._write(group, mark, {str(held.position): rows})

    def job(self, name: str, taken: TakenJob) -> None:
        group, state, chain = group_of("job", name), taken.state, self._written.job_chains.get(name)
        self._next.jobs[name] = taken.manifest
        if state is None:
            self._keep(group, taken.mark)
            if chain is not None:
                self._next.job_chains[name] = chain
            return
        if chain is None or state.anew is None:
            self._next.job_chains[name] = Chain(0, self._number, 0, _size(state.whole), 0)
        else:
            again = tuple(f"{group}/{prefix}" for prefix in state.anew)
            kept = self._written.under(f"{group}/").items()
            self.names.update((part, key) for part, key in kept if not part.startswith(again))
            self._next.job_chains[name] = replace(
                chain,
                epoch=self._number,
                changes=chain.changes + bool(state.changed),
                changes_bytes=chain.changes_bytes + _size(state.changed),
            )
        later = {f"{part}{_LATER}{self._number}": body for part, body in state.changed.items()}
        self._write(group, taken.mark, {**state.whole, **later})

    def answers(self, name: str, answers: Sequence[Answered]) -> list[AnsweredManifest]:
        """What lookups of a job have found that it has yet to take."""
        found = []
        for number, given in enumerate(answers):
            prefix = f"{group_of('answers', name)}/{number}"
            keys, rows = f"{prefix}/keys@{self._number}", f"{prefix}/rows@{self._number}"
            for key, batch in ((keys, given.answer.keys), (rows, given.answer.rows)):
                self.names[key], self.fresh[key] = key, ipc_buffer(batch)
            found.append(AnsweredManifest(given.epoch, given.at_us, given.node, keys, rows))
        return found

    def history(self, name: str, changes: Sequence[Change], forgotten: int, upto: int, since: int | None) -> None:
        """The changes after those that are written, beside those that are still kept, or as one with the last of these.

        Where a job has yet to do them (``since``), their watermarks too, and those that had no rows.
        """
        self._next.changes[name] = upto
        parts = {f"{group_of('history', name)}/": (forgotten, packed(changes))}
        if since is not None:
            parts[f"{group_of('marks', name)}/"] = (since, packed_marks(changes) if changes else None)
        for prefix, (behind, batch) in parts.items():
            known = {} if name in self.redefined else self._written.under(prefix)
            self._put_history(prefix, {n: k for n, k in known.items() if last_of(n) > behind}, behind, batch)

    def _put_history(self, prefix: str, kept: dict[str, str], behind: int, batch: pa.RecordBatch | None) -> None:
        sizes = self._written.sizes
        if batch is not None:
            body, last = ipc_buffer(batch), f"{prefix}{self._number}"
            in_order = sorted(kept, key=last_of)
            if count := joined([sizes[name] for name in in_order], body.size):
                body = self._joined(kept, in_order[-count:], batch, behind)
            self.names[last], self.fresh[last], self._next.sizes[last] = last, body, body.size
        self.names.update(kept)
        self._next.sizes.update((name, sizes[name]) for name in kept)

    def _joined(self, kept: dict[str, str], names: list[str], batch: pa.RecordBatch, behind: int) -> pa.Buffer:
        """These blobs and the changes after them as one; damaged ones stay where they are, for whoever asks."""
        try:
            former = [self._read(kept[name]) for name in names]
        except CorruptState:
            return ipc_buffer(batch)
        for name in names:
            del kept[name]
        return ipc_buffer(together([*former, batch], behind))

    def changes_known(self, name: str) -> int:
        """The last epoch of a relation whose changes are written."""
        return 0 if name in self.redefined else self._written.changes.get(name, 0)

    def accept(self) -> Written:
        """It is on disk."""
        return self._next

    def _is_unchanged(self, group: str, mark: Hashable, name: str) -> bool:
        known = self._written.marks.get(group) == mark and name not in self.redefined | self.handed_over
        return known and bool(self._written.under(f"{group}/"))

    def _keep(self, group: str, mark: Hashable) -> None:
        self.names.update(self._written.under(f"{group}/"))
        self._next.marks[group] = mark

    def _write(self, group: str, mark: Hashable, parts: Mapping[str, pa.Buffer]) -> None:
        for part, body in parts.items():
            name = f"{group}/{part}"
            key = f"{name}@{self._number}"
            self.names[name], self.fresh[key] = key, body
        self._next.marks[group] = mark


def _size(blobs: Mapping[str, pa.Buffer]) -> int:
    return sum(blob.size for blob in blobs.values())


def state_and_changes(state: Mapping[str, Blob]) -> tuple[dict[str, Blob], list[dict[str, Blob]]]:
    """A job's parts: those that are whole, and the changes to others, checkpoint by checkpoint."""
    whole: dict[str, Blob] = {}
    later: dict[int, dict[str, Blob]] = {}
    for name, blob in state.items():
        part, _, number = name.partition(_LATER)
        (later.setdefault(int(number), {}) if number else whole)[part] = blob
    return whole, [later[number] for number in sorted(later)]


def last_of(name: str) -> int:
    """The last epoch of a blob of changes."""
    return int(name.rpartition("/")[2])
