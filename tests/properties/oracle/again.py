"""The same case once more beside the first run: other workers, other batches, other epochs, another restart.

A table's changes of an epoch, or of several, come in one batch; a source's rows cut anew. Where times
decide what is late the epochs stay: a watermark holds from the end of its epoch on.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

import pyarrow as pa

from constellationdb.engine import batch as zset
from tests.properties.oracle.compare import difference
from tests.properties.oracle.forms import Form
from tests.properties.oracle.history import Relation
from tests.properties.oracle.pipeline import Batches, Pipeline, Setting


class RunAgain:
    """Fed with what the first run gets. ``difference`` says how its answer differs; None while it is behind."""

    def __init__(self, form: Form, relations: Mapping[str, Relation], setting: Setting, random: Random) -> None:
        workers = random.choice([n for n in (1, 2, 3) if n != setting.workers])
        other = Setting(workers, setting.late_rows, borrow=random.random() < 0.5)
        self._random, self._relations, self._form = random, relations, form
        self._pipeline = Pipeline(form, relations, other)
        self._pipeline.start()
        self._restart: int | None = random.randint(1, 4)
        self._held: dict[str, list[pa.RecordBatch]] = {}
        self._behind = False

    def epoch(self, number: int, batches: Batches, *, last: bool) -> None:
        marks: dict[str, int] = {}
        for deltas, given in batches:
            marks |= given
            for name, delta in deltas.items():
                if delta is not None:
                    self._held.setdefault(name, []).append(delta)
        timed = any(relation.source for relation in self._relations.values())
        self._behind = not (last or timed) and self._random.random() < 0.4
        if self._behind:
            return
        self._pipeline.run(number, self._cut(marks), self._random)
        self._held.clear()
        if self._restart is not None and number >= self._restart:
            self._restart = None
            self._pipeline.recover(self._random)
        elif self._random.random() < 0.5:
            self._pipeline.checkpoint()

    def _cut(self, marks: dict[str, int]) -> Batches:
        """Everything in the last batch but some first rows of sources."""
        first: dict[str, pa.RecordBatch | None] = {}
        rest: dict[str, pa.RecordBatch | None] = dict.fromkeys(self._relations)
        for name, deltas in self._held.items():
            whole = zset.concat(deltas)
            assert whole is not None
            at = self._random.randint(0, whole.num_rows) if self._relations[name].source else 0
            rest[name] = whole.slice(at)
            if at:
                first[name] = whole.slice(0, at)
        return [(first, {}), (rest, marks)] if first else [(rest, marks)]

    def difference(self, first: Pipeline) -> str | None:
        mine = self._pipeline
        if self._behind or mine.dropped or first.dropped:  # which rows a join of times leaves out, is open
            return None
        told = difference(mine.content, first.content, first.floats, self._form.ulps)
        if told is None and mine.late != first.late:
            told = f"late rows: {difference(mine.late, first.late, [], 0)}"
        return told and f"other batches and workers: {told}"

    @property
    def compared(self) -> bool:
        return not self._behind
