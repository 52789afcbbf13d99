"""One case: a form in a mode under a seed, run on 1 to 3 workers and compared with DuckDB after every epoch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random

import pyarrow as pa

from constellationdb.engine import arrangement
from constellationdb.engine.operators import aggregate
from tests.properties.oracle.again import RunAgain
from tests.properties.oracle.answers import Answers
from tests.properties.oracle.compare import canonical, canonical_rows, difference, slack_difference
from tests.properties.oracle.forms import Form, Mode
from tests.properties.oracle.history import History, Relation
from tests.properties.oracle.pipeline import Batches, Pipeline, Setting
from tests.properties.oracle.snapshots import can_be_asked, snapshot
from tests.properties.oracle.tables import Row, Table
from tests.properties.oracle.windows import NO_MARK


class MismatchError(AssertionError):
    """The accumulated output is not the batch answer."""


@dataclass(frozen=True)
class Case:
    form: Form
    mode: Mode
    seed: int
    workers: int
    again: bool = False  # run a second time beside the first, in other batches and by other workers

    def __str__(self) -> str:
        return f"{self.form.name} over {self.mode}s, {self.workers} workers, seed {self.seed}"


@dataclass
class Met:
    """What one case went through: what makes it worth anything."""

    retractions: int = 0
    late: int = 0
    restarts: int = 0
    replayed: int = 0  # epochs that a restart ran once more
    asked: int = 0  # cases whose query was also asked as one SELECT
    begun: int = 0  # jobs that were made while their inputs already held rows
    borrowed: bool = False  # whether an operator read the rows of a relation by the shared index
    answers: int = 0
    taken_back: int = 0  # rows of the answer that went again
    again: int = 0  # comparisons with the second run
    busy: frozenset[int] | None = None  # the workers that got keyed rows; None where no key is exchanged


class CaseRun:
    """``part`` gives the randomness of a part of the case by its name (see ``choices``)."""

    def __init__(
        self, case: Case, tables: Mapping[str, Table], part: Callable[[str], Random], answers: Answers, epochs: int
    ) -> None:
        self._case, self._form, self._answers, self._epochs = case, case.form, answers, epochs
        self._schedule = part("schedule")
        self.relations = {name: Relation(table, is_source(case.mode, name)) for name, table in tables.items()}
        self._history = History(part, self.relations)
        self.setting = Setting(case.workers, late_rows=case.seed % 2 == 0, borrow=self._schedule.random() < 0.6)
        self._pipeline = Pipeline(case.form, self.relations, self.setting)
        self._references = {
            name: window.reference(tables[window.relation].places, case.form.lateness)
            for name, window in case.form.windows.items()
        }
        self._again = RunAgain(case.form, self.relations, self.setting, part("again")) if case.again else None
        self.met = Met()

    def run(self) -> Met:
        """Raise MismatchError, or whatever the engine raises."""
        restarts = set(self._schedule.sample(range(1, self._epochs), 2))
        with _eager_compaction(self._schedule.random() < 0.5):
            self._pipeline.start()
            self._compare(0)
            for epoch in range(1, self._epochs + 1):
                self._epoch(epoch)
                if self._schedule.random() < 0.2:
                    self.met.begun += self._pipeline.begin_again(self._schedule)
                self._compare(epoch)
                if self._schedule.random() < 0.5:
                    self._pipeline.checkpoint()
                if epoch in restarts:
                    self.met.restarts += 1
                    self.met.replayed += self._pipeline.recover(self._schedule)
        self._ask()
        self._pipeline.finish()
        self.met.retractions, self.met.taken_back = self._history.retractions, self._pipeline.taken_back
        self.met.borrowed = bool(self._pipeline.borrowed)
        if self._pipeline.exchanged:
            self.met.busy = frozenset(worker for worker, rows in enumerate(self._pipeline.rows_on) if rows)
        return self.met

    def _epoch(self, epoch: int) -> None:
        deltas = self._history.step(epoch)
        for reference in self._references.values():
            relation = self.relations[reference.window.relation]
            if relation.source:
                reference.add(relation.new, None if relation.mark_before == NO_MARK else relation.mark_before)
            else:
                reference.replace(relation.rows)
        marks = {name: relation.mark for name, relation in self.relations.items() if relation.source}
        count = max(1, *(len(parts) for parts in deltas.values()))
        batches: Batches = []
        for number in range(count):
            given: dict[str, pa.RecordBatch | None] = {
                name: parts[number] for name, parts in deltas.items() if number < len(parts)
            }
            last = number == count - 1
            if last:
                given = {name: given.get(name) for name in self.relations}
            batches.append((given, marks if last else {}))
        self._pipeline.run(epoch, batches, self._schedule)
        if self._again is not None:
            self._again.epoch(epoch, batches, last=epoch == self._epochs)

    def _compare(self, epoch: int) -> None:
        self._answers.hold(self.relations, self._references)
        read = {reference.window.relation for reference in self._references.values()} or set(self.relations)
        rows = self._answers.answer(self._form, min(self.relations[name].mark for name in read))
        self.met.answers += len(rows)
        self._fail(epoch, self._difference(rows))
        if self._form.fails:
            failed = self._answers.ask(self._form.fails)[0][0]
            have = sum(self._pipeline.errors.values())
            self._fail(epoch, None if failed == have else f"{have} error rows, {failed} expected")
        elif self._pipeline.errors:
            self._fail(epoch, f"unexpected error rows: {dict(self._pipeline.errors)}")
        if self._pipeline.window_calls == len(self._references):  # else a call was proven to be of no use
            self._fail(epoch, self._late_difference())
        if self._again is not None and epoch:
            self._fail(epoch, self._again.difference(self._pipeline))
            self.met.again += self._again.compared

    def _ask(self) -> None:
        """At the end also as one SELECT, which must give the same."""
        found = snapshot(self._form, self.relations) if can_be_asked(self._form) else None
        if found is None:
            return
        self.met.asked = 1
        got, floats = found
        rows = self._answers.answer(self._form, NO_MARK)
        if self._form.slack:
            told = slack_difference(got, rows, floats, exact=False)
        else:
            told = difference(got, canonical_rows(rows), floats, self._form.ulps)
        self._fail(self._epochs, told and f"as one SELECT: {told}")

    def _difference(self, rows: list[Row]) -> str | None:
        if self._pipeline.dropped:  # test_interval_joins knows which rows a join's time makes late; this does not
            return None
        got, floats = self._pipeline.content, self._pipeline.floats
        if self._form.slack:
            return slack_difference(got, rows, floats, exact=self._case.mode == "table")
        return difference(got, canonical_rows(rows), floats, self._form.ulps)

    def _late_difference(self) -> str | None:
        """assigned = used + late, row by row, in the window calls over sources together."""
        references = [r for r in self._references.values() if self.relations[r.window.relation].source]
        if len(references) < len(self._references):  # a table's rows are used and taken back: no such sum
            return None
        late: Counter[Row] = Counter()
        for reference in references:
            for (row, start, end), count in reference.late.items():
                shown = (*row, start, end) if self.setting.late_rows else (start, end)
                late[tuple(canonical(v) for v in shown)] += count
        self.met.late = sum(late.values())
        if late != self._pipeline.late:
            return f"late rows differ: {difference(self._pipeline.late, late, [], 0)}"
        assigned = sum(reference.assigned for reference in references)
        if assigned != self._pipeline.used + sum(late.values()):
            return f"{assigned} rows assigned, but {self._pipeline.used} used and {sum(late.values())} late"
        return None

    def _fail(self, epoch: int, difference_found: str | None) -> None:
        if difference_found is not None:
            raise MismatchError(f"{self._case}, epoch {epoch}\n{difference_found}")


def is_source(mode: Mode, name: str) -> bool:
    return mode == "source" or (mode == "mixed" and name == "t")


@contextmanager
def _eager_compaction(wanted: bool) -> Iterator[None]:
    """State that small tests would never compact, compacted whenever half of it is dead."""
    known = arrangement._COMPACT_ABOVE, aggregate._COMPACT_ABOVE
    if wanted:
        arrangement._COMPACT_ABOVE = aggregate._COMPACT_ABOVE = 0
    try:
        yield
    finally:
        arrangement._COMPACT_ABOVE, aggregate._COMPACT_ABOVE = known
