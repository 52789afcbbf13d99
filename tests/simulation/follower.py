"""Who subscribes to a view, goes on with a token in the next life, and notices when an epoch is told differently."""

from __future__ import annotations

import random
from collections import Counter

from constellationdb.engine.engine import Engine
from constellationdb.engine.subscription import Subscription
from constellationdb.errors import HistoryExpired, SubscriberTooSlow
from tests.simulation.model import History, Rows

_MOST = 60  # epochs that are asked for again


class Follower:
    def __init__(self, relation: str) -> None:
        self.relation = relation
        self.epoch = 0
        self._contents: Rows = Counter()
        self._epochs: dict[int, Rows] = {}
        self._feed: Subscription | None = None

    def attach(self, engine: Engine, draw: random.Random, *, forgets: bool) -> None:
        """In a new life: first hear again what was told before."""
        self._feed = None
        if self.epoch and self.relation in engine.states:
            self._hear_again(engine, draw, forgets=forgets)
        self._begin(engine)

    def _begin(self, engine: Engine) -> None:
        if self.relation not in engine.states:
            return
        if not self.epoch:
            self._contents, self._epochs = Counter(), {}
            self._feed = engine.subscribe(self.relation)
        else:
            self._feed = engine.subscribe(self.relation, snapshot=False, as_of=self.epoch)

    def _hear_again(self, engine: Engine, draw: random.Random, *, forgets: bool) -> None:
        came_to = engine.states[self.relation].frontier
        assert came_to >= self.epoch, f"{self.relation} was told up to {self.epoch}, and is at {came_to} again"
        told = sorted(self._epochs)[-_MOST:]
        if not told:
            return
        back = draw.choice(told)
        feed = engine.subscribe(self.relation, snapshot=False, as_of=back)
        again: dict[int, Rows] = {}
        try:
            while (batch := feed.next(0)) is not None:
                _note(batch.to_pydict(), again)
        except HistoryExpired:
            assert forgets
            return
        again = {epoch: rows for epoch, rows in again.items() if epoch <= self.epoch}
        before = {epoch: rows for epoch, rows in self._epochs.items() if epoch > back}
        assert again == before, f"{self.relation} after {back}: {before} became {again}"

    def follow(self, engine: Engine, history: History, *, forgets: bool) -> None:
        """What there is now; the contents have to be the model's at the end of it."""
        if self._feed is None:
            self._begin(engine)
        if self._feed is None:
            return
        try:
            if self.epoch == 0:
                self._snapshot(history)
            while (batch := self._feed.next(0)) is not None:
                self._take(batch.to_pydict(), history)
        except (HistoryExpired, SubscriberTooSlow):  # the clock has gone on further than changes are kept
            assert forgets
            self.restart()
            return
        self.epoch = self._feed.epoch

    def _snapshot(self, history: History) -> None:
        assert self._feed is not None
        if not self._feed.start():
            return
        first = self._feed._pending
        while first:
            batch, self.epoch = first.popleft()
            rows = batch.to_pydict()
            for row, weight in _rows(rows):
                self._contents[row] += weight
        self.epoch = self._feed.epoch
        self._check(self.epoch, history)

    def _take(self, columns: dict[str, list[object]], history: History) -> None:
        changes: dict[int, Rows] = {}
        _note(columns, changes)
        for epoch, changed in sorted(changes.items()):
            assert epoch > self.epoch, f"{self.relation}: epoch {epoch} came again after {self.epoch}"
            self._epochs[epoch], self.epoch = changed, epoch
            for row, weight in changed.items():
                self._contents[row] += weight
            self._check(epoch, history)

    def _check(self, epoch: int, history: History) -> None:
        self._contents = Counter({row: n for row, n in self._contents.items() if n})
        fed = history.fed.get(epoch)
        if self.relation == "fed" and fed is None:
            fed = sum(int(str(row[1])) for row in self._contents)  # then it has to be the answer to so many rows
        expected = history.at(epoch).rows(self.relation, fed or 0)
        assert self._contents == expected, f"{self.relation} at {epoch}: {self._contents} instead of {expected}"

    def restart(self) -> None:
        """It begins with what there is."""
        self.epoch, self._feed = 0, None


def _note(columns: dict[str, list[object]], into: dict[int, Rows]) -> None:
    epochs = columns["_epoch"]
    for epoch, (row, weight) in zip(epochs, _rows(columns), strict=True):
        into.setdefault(int(str(epoch)), Counter())[row] += weight


def _rows(columns: dict[str, list[object]]) -> list[tuple[tuple[object, ...], int]]:
    values = [column for name, column in columns.items() if name not in ("_epoch", "_diff")]
    rows = list(zip(*values, strict=True))
    return [(row, int(str(weight))) for row, weight in zip(rows, columns["_diff"], strict=True)]
