"""Senders wait while the views over a push source have too much to do: its rows lie in memory, and in the log.

    INSERT, COPY, COMMIT ──▶ is there room? ──▶ the sequencer       in the thread of the session, before its rows go in
                              └─ no: until views have done some, or the statement is cancelled

Nothing is divided: a statement or a transaction goes in as a whole as soon as there is any room at all. Whoever waits
holds nothing that another session needs. Views that have stopped are not waited for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pyarrow as pa

from constellationdb.engine.job import Job
from constellationdb.engine.sources import SourceState
from constellationdb.engine.stopped import is_stopped
from constellationdb.errors import ShuttingDown

if TYPE_CHECKING:
    from constellationdb.engine.cancellation import Cancellation
    from constellationdb.engine.engine import Engine


@contextmanager
def admitted(
    engine: Engine, pushed: Mapping[SourceState, pa.RecordBatch | None], cancelled: Cancellation | None
) -> Iterator[None]:
    """Inside, these rows may go in; None: how many is not known yet."""
    sizes = {state: (0, 0) if rows is None else (rows.num_rows, rows.nbytes) for state, rows in pushed.items()}
    _admit(engine, sizes, cancelled)
    try:
        yield
    finally:
        with engine.lock:
            for state, (rows, size) in sizes.items():
                state.backlog.admit(-rows, -size)
            engine.waiting.moved()


def has_room(engine: Engine, state: SourceState) -> bool:
    """Under the engine's lock: whether a statement need not wait, also because its source is gone."""
    settle(state)
    return state.backlog.has_room or engine.states.get(state.name) is not state


def settle(state: SourceState) -> None:
    """Under the engine's lock: forget what all views that go on have done."""
    going = (follower for follower in state.consumers if not (isinstance(follower, Job) and is_stopped(follower)))
    state.backlog.done(min((follower.reached() for follower in going), default=state.frontier))


def _admit(engine: Engine, sizes: Mapping[SourceState, tuple[int, int]], cancelled: Cancellation | None) -> None:
    while True:
        with engine.lock:
            if all(has_room(engine, state) for state in sizes):
                for state, (rows, size) in sizes.items():
                    state.backlog.admit(rows, size)
                return
            for state in sizes:
                state.backlog.senders += 1
        try:
            engine.wait(lambda: all(has_room(engine, state) for state in sizes), cancelled)
        finally:
            with engine.lock:
                for state in sizes:
                    state.backlog.senders -= 1
        if engine.waiting.stopping:
            raise ShuttingDown("the engine is shutting down")
