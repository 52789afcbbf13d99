"""A form on worker processes: what they answer, and whether the places they name are those of the rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from itertools import count
from random import Random

import pyarrow as pa

from constellationdb.engine.arrangement import Arrangement
from constellationdb.engine.graph import Graph, Input, Output
from constellationdb.engine.processes.placement import is_for_workers
from constellationdb.engine.processes.pool import Pool
from constellationdb.engine.processes.remote import RemoteGraph
from constellationdb.planner import plan as plans
from tests.properties.oracle.answers import Answers
from tests.properties.oracle.case import Case, CaseRun, MismatchError
from tests.properties.oracle.forms import Form
from tests.properties.oracle.history import Relation
from tests.properties.oracle.pipeline import Batches, Pipeline, Setting, _add
from tests.properties.oracle.tables import Row, draw_tables

_numbers = count(1)


class RemotePipeline(Pipeline):
    """``remote`` counts the graphs that ran on workers. The last stage's rows are kept once more, as a view's are."""

    def __init__(self, form: Form, relations: Mapping[str, Relation], setting: Setting, pool: Pool) -> None:
        self._pool = pool
        self.remote = 0
        super().__init__(form, relations, setting)
        self._view = self._empty_view()
        self._view_then: pa.RecordBatch | None = None

    def _graph(self, lowered: plans.Plan) -> Graph:
        if not is_for_workers(lowered.root):
            return Graph(lowered.root)
        self.remote += 1
        return RemoteGraph(self._pool, next(_numbers), plans.encode(lowered), is_kept=True)  # type: ignore[return-value]

    def _empty_view(self) -> Arrangement:
        lowered = self._stages[-1][1]
        return Arrangement(lowered.output, unique=plans.unique_key(lowered.root))

    def _hand_on(self, inputs: dict[str, Input], name: str, lowered: plans.Plan, output: Output, tick: int) -> None:
        super()._hand_on(inputs, name, lowered, output, tick)
        if name == self._stages[-1][0] and output.placed:
            self._view.place(output.placed, tick)

    def run(self, epoch: int, batches: Batches, random: Random) -> None:
        super().run(epoch, batches, random)
        if random.random() < 0.3:
            self._view.compact(self._tick)
        self._check_view()

    def _check_view(self) -> None:
        if not self.remote or self._view.unique is None:
            return
        have: Counter[Row] = Counter()
        _add(have, self._view.snapshot())
        if have != self.content:
            raise MismatchError(f"rows in their places: {have - self.content} too many, {self.content - have} missing")

    def checkpoint(self) -> None:
        super().checkpoint()
        self._view_then = self._view.snapshot()

    def recover(self, random: Random) -> int:
        self._view = self._empty_view()
        assert self._view_then is not None
        self._view.restore(self._view_then, 0)
        return super().recover(random)

    def _note_workers(self) -> None:
        """Their rows are counted where they are."""


class RemoteRun(CaseRun):
    """``lose``: the epochs in which a worker dies."""

    def __init__(self, form: Form, seed: int, pool: Pool, answers: Answers, lose: frozenset[int] = frozenset()) -> None:
        case = Case(form, form.modes[seed % len(form.modes)], seed, pool.workers)
        random = Random(f"{form.name} {seed}")
        super().__init__(case, draw_tables(random), lambda _part: random, answers, epochs=5)
        self.setting = replace(self.setting, borrow=False)
        self._pool, self._lose = pool, lose
        self._pipeline: RemotePipeline = RemotePipeline(form, self.relations, self.setting, pool)

    @property
    def remote(self) -> int:
        return self._pipeline.remote

    def _epoch(self, epoch: int) -> None:
        if epoch in self._lose:
            self._pool.processes[epoch % self._pool.workers].popen.kill()
        super()._epoch(epoch)
