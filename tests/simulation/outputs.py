"""What goes out of the simulated database: sinks that are stepped, and who reads a named subscription.

A sink's target is at every commit what its relation was at the epoch of the marker. Of the subscription every row comes
once: what was acknowledged never again, what was not as it was, over crashes and restarts.
"""

from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress
from pathlib import Path

from constellationdb.connectors.api import SinkWriter
from constellationdb.engine import batch as zset
from constellationdb.engine.session import Session
from constellationdb.errors import ConnectorFailure
from tests.simulation.model import SINKS, History, Rows
from tests.simulation.stepped import SteppedEngine

Row = tuple[object, ...]


class SimulatedSink:
    """One sink of ``SINKS``: its delivery, step by step. ``out``: where the files are."""

    def __init__(self, name: str, out: Path) -> None:
        self.name = name
        self.relation = SINKS[name].relation
        self._out = out / name
        self._writer: SinkWriter | None = None

    def step(self, engine: SteppedEngine) -> bool:
        """Open it, or commit; False where there is nothing to do, or the target is in trouble."""
        sink = engine.sinks.get(self.name)
        if sink is None or sink.state == "failed":
            return False
        try:
            if self._writer is None:
                self._writer = sink._opens(sink).open()
                if sink._resume(self._writer.position()) and not sink._snapshot(self._writer):
                    return False
                sink._works()
                return True
            if not sink._is_behind():
                return False
            sink._commit(self._writer)
        except ConnectorFailure as error:
            sink._trouble("retrying", error)
            self.abandon()
            return False
        return True

    def abandon(self) -> None:
        """What it had open is let go."""
        if self._writer is not None:
            with suppress(BaseException):
                self._writer.close()
            self._writer = None

    def check(self, engine: SteppedEngine, history: History) -> bool:
        """Whether it can be: where the target was asked, which gives the last commit's files their names."""
        sink = engine.sinks.get(self.name)
        if self._writer is None or sink is None or sink.position is None:
            return False
        expected = history.at(sink.position).rows(self.relation, 0)
        found = self._in_table(engine) if SINKS[self.name].into else self._in_files()
        assert found == expected, f"sink {self.name} at {sink.position}: {found} instead of {expected}"
        return True

    def _in_table(self, engine: SteppedEngine) -> Rows:
        rows = zset.weighted(engine.states[SINKS[self.name].into or ""].version().weighted(engine.epoch))
        *columns, weights = [column.to_pylist() for column in rows.columns]
        found: Rows = Counter()
        for row, weight in zip(zip(*columns, strict=True), weights, strict=True):
            found[row] += weight
        return found

    def _in_files(self) -> Rows:
        """What the changes lead to; or the rows, where there are only rows."""
        found: Rows = Counter()
        for path in sorted(self._out.glob("*.jsonl")):
            for line in path.read_text().splitlines():
                change = json.loads(line)
                if "op" not in change:
                    found[tuple(change.values())] += 1
                    continue
                for side, weight in (("before", -1), ("after", 1)):
                    if change[side] is not None:
                        row = tuple(change[side].values())
                        found[row] += weight
                        assert found[row] in (0, 1), f"{path.name}: {line}"
        return Counter({row: n for row, n in found.items() if n})


class SimulatedReader:
    """Of the subscription ``name``. What came last is acknowledged by asking for more."""

    def __init__(self, name: str, relation: str) -> None:
        self._name = name
        self._relation = relation
        self._session: Session | None = None
        self._last: list[Row] = []  # came, and is acknowledged if the next call gets an answer
        self._contents: Rows = Counter()
        self._epoch = 0  # of the last row that was acknowledged
        self._seen: set[Row] = set()  # of this epoch

    def attach(self) -> None:
        """In a new life."""
        self._session = None

    def step(self, engine: SteppedEngine, history: History, count: int) -> None:
        if self._name not in engine.subscriptions:
            return
        if self._session is None:
            self._resume(engine, history)
            return
        rows = self._fetch(count)
        self._acknowledged(history)
        self._last = rows

    def _resume(self, engine: SteppedEngine, history: History) -> None:
        """Nobody knows whether what came last was acknowledged: the next rows tell."""
        session = engine.session()
        list(session.execute(f"DECLARE c SUBSCRIPTION CURSOR FOR {self._name}"))
        self._session = session
        if self._last:
            rows = self._fetch(len(self._last))
            if rows != self._last:
                assert not set(rows) & set(self._last), "a part of what was not acknowledged"
                self._acknowledged(history)
            self._last = rows

    def _fetch(self, count: int) -> list[Row]:
        assert self._session is not None
        (result,) = self._session.execute(f"FETCH {count} FROM c WITH (timeout = '0s')")
        return [tuple(row.values()) for batch in result.batches for row in batch.to_pylist()]

    def _acknowledged(self, history: History) -> None:
        for row in self._last:
            epoch, diff, *values = row
            if epoch != self._epoch:
                self._finish(history)
                assert int(str(epoch)) > self._epoch, f"epoch {epoch} after {self._epoch}"
                self._epoch, self._seen = int(str(epoch)), set()
            assert row not in self._seen, f"{row} came twice"
            self._seen.add(row)
            self._contents[tuple(values)] += int(str(diff))
        self._last = []

    def _finish(self, history: History) -> None:
        """An epoch is through: then the rows are those of the model."""
        self._contents = Counter({row: n for row, n in self._contents.items() if n})
        expected = history.at(self._epoch).rows(self._relation, 0)
        assert self._contents == expected, f"{self._name} at {self._epoch}: {self._contents} instead of {expected}"
