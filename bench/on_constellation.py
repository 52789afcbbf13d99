"""One query on the engine: sources, a materialized view, and a subscriber that takes every change."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Sequence

import pyarrow as pa

from bench import memory_source
from bench.queries import Query
from bench.run import Run
from bench.sinks import Answer, read_columns
from bench.streams import build, write, write_side
from constellationdb.engine.engine import Engine
from constellationdb.engine.job import Job
from constellationdb.engine.operators.base import ENDED
from constellationdb.engine.relation import RelationState
from constellationdb.engine.subscription import Subscription

Take = Callable[[pa.RecordBatch], object]

_TYPES = {pa.int64(): "bigint", pa.string(): "text", pa.timestamp("us"): "timestamp"}


class ConstellationRun:
    """The rows are made once; every ``execute`` is a fresh engine."""

    def __init__(self, run: Run, query: Query) -> None:
        self._run = run
        self._query = query
        self._gate = threading.Event()
        self._streams: dict[str, list[pa.RecordBatch]] = {}
        if run.input == "memory":
            self._streams = {stream: build(stream, run.events) for stream in query.streams}
            memory_source.provide(self._streams, self._gate)

    def timed(self) -> float:
        return self._execute(lambda changes: read_columns(changes))

    def answer(self) -> Answer:
        answer = Answer(self._query.types)
        self._execute(lambda c: answer.add(c.select(range(2, c.num_columns)), c.column("_diff")))
        return answer

    def _execute(self, take: Take) -> float:
        gc.collect()  # the engine of the run before: its memory is free again before this one asks for its own
        self._gate.clear()
        with Engine() as engine:
            for statement in self._definitions():
                _say(engine, statement)
            if self._run.input != "memory":  # a file is read from the moment a view reads it
                begin = time.perf_counter()
                self._create_view(engine)
            else:
                self._create_view(engine)
                begin = time.perf_counter()
            subscription = engine.subscribe("answer")
            self._gate.set()
            _drain(engine, subscription, take)
            seconds = time.perf_counter() - begin
            subscription.close()
            if engine.jobs["answer"].failure is not None:
                raise RuntimeError(f"{self._query.name} failed") from engine.jobs["answer"].failure
        return seconds

    def _create_view(self, engine: Engine) -> None:
        _say(engine, f"CREATE MATERIALIZED VIEW answer AS {self._query.view}")

    def _definitions(self) -> Sequence[str]:
        made = [self._source(stream) for stream in self._query.streams]
        if self._query.side:
            path = write_side(self._query.side, self._run.folder)
            made.append(
                f"CREATE LOOKUP TABLE side (key bigint PRIMARY KEY, value text) "
                f"WITH (connector = 'file', path = '{path}')"
            )
        return made

    def _source(self, stream: str) -> str:
        if self._run.input == "memory":
            schema, options = self._streams[stream][0].schema, f"connector = 'memory', stream = '{stream}'"
        else:
            schema = build(stream, 50)[0].schema
            path = write(stream, self._run.events, self._run.input, self._run.folder)
            options = f"connector = 'file', path = '{path}'"
        columns = ", ".join(f"{f.name} {_TYPES[f.type]}" for f in schema)
        return f"CREATE SOURCE {stream} ({columns}, WATERMARK FOR date_time AS date_time) WITH ({options})"


def _say(engine: Engine, statement: str) -> None:
    for result in engine.session().execute(statement):
        assert result.columns is None, "a definition has no rows"


def _drain(engine: Engine, subscription: Subscription, take: Take) -> None:
    """Take what comes until the sources have ended and everything they brought has come."""
    state, job = engine.state("answer"), engine.jobs["answer"]
    while True:
        _wait_for_news(engine, state, job)
        ended = state.watermark == ENDED or job.failure is not None
        while (changes := subscription.next(timeout=0)) is not None:
            take(changes)
        if ended:
            return


def _wait_for_news(engine: Engine, state: RelationState, job: Job) -> None:
    reached = state.frontier
    engine.wait(lambda: state.frontier > reached or state.watermark == ENDED or job.failure is not None)
