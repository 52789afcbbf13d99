"""Random changes to relations, cut into epochs and split into shuffled, weighted deltas."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import pyarrow as pa

from tests.properties.oracle.tables import BASE, Row, Table
from tests.properties.oracle.windows import NO_MARK, micros

WEIGHT = "__weight"
_DELAY_S = 5


@dataclass
class Relation:
    """A table (rows come and go) or a source (rows only come; a watermark follows their times)."""

    table: Table
    source: bool
    rows: list[Row] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)  # the watermark at the end of every epoch so far
    new: list[Row] = field(default_factory=list)  # what a source brought in the last epoch

    @property
    def mark(self) -> int:
        return self.marks[-1] if self.marks else NO_MARK

    @property
    def mark_before(self) -> int:
        return self.marks[-2] if len(self.marks) > 1 else NO_MARK


@dataclass
class History:
    """``step`` makes one epoch: for each relation a list of deltas to be fed one after the other.

    ``part``: the randomness of one part of the case, by name; each relation's changes in an epoch are one.
    """

    part: Callable[[str], Random]
    relations: dict[str, Relation]
    now: datetime.datetime = BASE
    retractions: int = 0
    random: Random = field(init=False)

    def step(self, epoch: int) -> dict[str, list[pa.RecordBatch]]:
        self.now += datetime.timedelta(seconds=self.part("clock").randint(0, 9))
        return {name: self._change(epoch, relation) for name, relation in self.relations.items()}

    def _change(self, epoch: int, relation: Relation) -> list[pa.RecordBatch]:
        self.random = self.part(f"{relation.table.name} in epoch {epoch}")
        count = self.random.choice((0, 2, 6, 12, 18, 26))
        changes = self._source(relation, count) if relation.source else self._table(relation, count)
        deltas = [self._delta(relation, part) for part in self._split(changes)]
        return [d for d in deltas if d is not None]

    def _source(self, relation: Relation, count: int) -> list[tuple[Row, int]]:
        relation.new = [relation.table.draw(self.random, self.now) for _ in range(count)]
        relation.rows += relation.new
        time = relation.table.column("ts")
        latest = max((micros(row[time]) for row in relation.rows if row[time] is not None), default=None)
        mark = NO_MARK if latest is None else latest - _DELAY_S * 1_000_000
        relation.marks.append(max(relation.mark, mark))
        return [(row, 1) for row in relation.new]

    def _table(self, relation: Relation, count: int) -> list[tuple[Row, int]]:
        changes = []
        for _ in range(count):
            rows, draw = relation.rows, self.random.random()
            if rows and draw < 0.3:
                changes.append((rows.pop(self.random.randrange(len(rows))), -1))
            else:
                row = self.random.choice(rows) if rows and draw < 0.45 else relation.table.draw(self.random, self.now)
                rows.append(row)
                changes.append((row, 1))
        self.retractions += sum(1 for _, weight in changes if weight < 0)
        return changes

    def _split(self, changes: list[tuple[Row, int]]) -> list[list[tuple[Row, int]]]:
        """An epoch may arrive in several batches; no cut leaves a row less than none."""
        if len(changes) < 2 or self.random.random() < 0.6:
            return [changes]
        cut = self.random.randint(1, len(changes) - 1)
        return [changes[:cut], changes[cut:]]

    def _delta(self, relation: Relation, changes: list[tuple[Row, int]]) -> pa.RecordBatch | None:
        """One batch of changes in random order, equal rows sometimes as one of greater weight."""
        if self.random.random() < 0.3 and not relation.source:
            merged: Counter[tuple[int, Row]] = Counter()
            for row, weight in changes:
                merged[id(row), row] += weight
            changes = [(row, weight) for (_, row), weight in merged.items() if weight]
        if not changes:
            return None
        self.random.shuffle(changes)
        batch = relation.table.batch([row for row, _ in changes])
        if relation.source:
            return batch
        weights = pa.array([weight for _, weight in changes], pa.int64())
        return batch.append_column(WEIGHT, weights)
