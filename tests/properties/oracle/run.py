"""One case: a form in a mode under a seed, compared with DuckDB after every epoch; and what it has to have seen."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random

import pyarrow as pa

from constellationdb.engine import arrangement
from constellationdb.engine.operators import aggregate
from tests.properties.oracle.answers import Answers
from tests.properties.oracle.compare import canonical, canonical_rows, difference, slack_difference
from tests.properties.oracle.forms import Form, Mode
from tests.properties.oracle.history import History, Relation
from tests.properties.oracle.pipeline import Pipeline
from tests.properties.oracle.tables import Row, draw_tables
from tests.properties.oracle.windows import NO_MARK, Reference

EPOCHS = 7
RUNS = int(os.environ.get("CONSTELLATION_ORACLE_RUNS", "1"))
FIRST_SEED = int(os.environ.get("CONSTELLATION_ORACLE_SEED", "0"))


class MismatchError(AssertionError):
    """The accumulated output is not the batch answer."""


@dataclass(frozen=True)
class Case:
    form: Form
    mode: Mode
    seed: int
    workers: int

    def __str__(self) -> str:
        return f"{self.form.name} over {self.mode}s, {self.workers} workers, seed {self.seed}"

    def reproduce(self) -> str:
        test = f"tests/properties/test_oracle.py -k '{self.form.name.replace(' ', '-')}'"
        return f"CONSTELLATION_ORACLE_SEED={self.seed} python -m pytest {test}"


def cases_of(form: Form) -> list[Case]:
    """The cases of one form: in every mode one per seed, with 1, 2 and 3 workers in turn."""
    start = sum(form.name.encode())
    return [
        Case(form, mode, seed, 1 + (start + seed + place) % 3)
        for seed in range(FIRST_SEED, FIRST_SEED + RUNS)
        for place, mode in enumerate(form.modes)
    ]


@dataclass
class Seen:
    """What the cases of one form met; ``missing`` says what they should have met and did not."""

    form: Form
    retractions: int = 0
    late: int = 0
    restarts: int = 0
    answers: Counter[Mode] = field(default_factory=Counter)
    busy: dict[int, set[int]] = field(default_factory=dict)  # number of workers → those that got keyed rows

    def add(self, case: Case, history: History, pipeline: Pipeline) -> None:
        self.retractions += history.retractions
        if pipeline.exchanged:
            found = self.busy.setdefault(case.workers, set())
            found |= {worker for worker, rows in enumerate(pipeline.rows_on) if rows}

    def missing(self) -> list[str]:
        form, lacks = self.form, []
        if "table" in form.modes and not self.retractions:
            lacks.append("a retraction")
        if "source" in form.modes and form.windows and not self.late:
            lacks.append("a late row")
        if not self.restarts:
            lacks.append("a restart")
        lacks += [f"an answer with rows over {mode}s" for mode in form.modes if not self.answers[mode]]
        if not form.few_keys:
            lacks += [f"work for each of {n} workers" for n, busy in self.busy.items() if len(busy) < n]
        return lacks


def run_form(form: Form, answers: Answers) -> None:
    """Every case of a form; AssertionError also when they together have not seen what makes them worth anything."""
    seen = Seen(form)
    for case in cases_of(form):
        run_case(case, answers, seen)
    missing = seen.missing()
    assert not missing, f"{form.name} proves nothing: it saw no {', no '.join(missing)}"


def run_case(case: Case, answers: Answers, seen: Seen) -> None:
    """Raise MismatchError, or whatever the engine raises, with the way to see it again."""
    try:
        _Run(case, answers, seen).run()
    except Exception as error:
        error.add_note(f"in {case}\nagain: {case.reproduce()}")
        raise


class _Run:
    def __init__(self, case: Case, answers: Answers, seen: Seen) -> None:
        self._case, self._form, self._answers, self._seen = case, case.form, answers, seen
        self._random = Random(f"{case.form.name}/{case.mode}/{case.seed}")
        tables = draw_tables(self._random)
        source = case.mode == "source"
        relations = {name: Relation(table, source) for name, table in tables.items()}
        self._history = History(self._random, relations)
        self._pipeline = Pipeline(case.form, relations, case.workers, late_rows=case.seed % 2 == 0)
        self._references = {
            name: Reference(window, tables[window.relation].column("ts"), case.form.lateness)
            for name, window in case.form.windows.items()
        }

    def run(self) -> None:
        restarts = set(self._random.sample(range(1, EPOCHS), 2))
        with _eager_compaction(self._random.random() < 0.5):
            self._pipeline.start(0)
            self._compare(0)
            for epoch in range(1, EPOCHS + 1):
                self._epoch(epoch)
                self._compare(epoch)
                if epoch in restarts:
                    self._pipeline.restart(epoch, self._random)
                    self._seen.restarts += 1
        self._pipeline.finish()
        self._seen.add(self._case, self._history, self._pipeline)

    def _epoch(self, epoch: int) -> None:
        deltas = self._history.step()
        relations = self._history.relations
        for reference in self._references.values():
            relation = relations[reference.window.relation]
            if relation.source:
                reference.add(relation.new, None if relation.mark_before == NO_MARK else relation.mark_before)
            else:
                reference.replace(relation.rows)
        marks = {name: relation.mark for name, relation in relations.items() if relation.source}
        batches = max(1, *(len(parts) for parts in deltas.values()))
        for number in range(batches):
            given: dict[str, pa.RecordBatch | None] = {
                name: parts[number] for name, parts in deltas.items() if number < len(parts)
            }
            last = number == batches - 1
            if last:
                given = {name: given.get(name) for name in relations}
            self._pipeline.run(epoch, given, marks if last else {})

    def _compare(self, epoch: int) -> None:
        relations = self._history.relations
        self._answers.hold(relations, self._references)
        read = {reference.window.relation for reference in self._references.values()} or set(relations)
        rows = self._answers.answer(self._form, min(relations[name].mark for name in read))
        self._seen.answers[self._case.mode] += len(rows)
        self._fail(epoch, self._difference(rows))
        if self._form.fails:
            failed = self._answers.ask(self._form.fails)[0][0]
            have = sum(self._pipeline.errors.values())
            self._fail(epoch, None if failed == have else f"{have} error rows, {failed} expected")
        elif self._pipeline.errors:
            self._fail(epoch, f"unexpected error rows: {dict(self._pipeline.errors)}")
        if self._references and self._case.mode == "source":
            self._fail(epoch, self._late_difference())

    def _difference(self, rows: list[Row]) -> str | None:
        got, floats = self._pipeline.content, self._pipeline.floats
        if self._form.slack:
            return slack_difference(got, rows, floats, exact=self._case.mode == "table")
        return difference(got, canonical_rows(rows), floats, self._form.ulps)

    def _late_difference(self) -> str | None:
        """assigned = used + late, row by row, in every window call together."""
        late: Counter[Row] = Counter()
        for reference in self._references.values():
            for (row, start, end), count in reference.late.items():
                shown = (*row, start, end) if self._pipeline.late_rows else (start, end)
                late[tuple(canonical(v) for v in shown)] += count
        self._seen.late += sum(late.values())
        if late != self._pipeline.late:
            return f"late rows differ: {difference(self._pipeline.late, late, [], 0)}"
        assigned = sum(reference.assigned for reference in self._references.values())
        if assigned != self._pipeline.used + sum(late.values()):
            return f"{assigned} rows assigned, but {self._pipeline.used} used and {sum(late.values())} late"
        return None

    def _fail(self, epoch: int, difference_found: str | None) -> None:
        if difference_found is not None:
            raise MismatchError(f"{self._case}, epoch {epoch}\n{difference_found}")


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
