"""A database that meets everything there is to do on a disk, and what has to be there of it afterwards.

``use``: statements one after the other, whatever becomes of them; ``check``: with a disk that works again, all that was
acknowledged is there, nothing else but the one statement that was not answered, and the sink has every change once.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

from constellationdb.engine import durability
from constellationdb.engine.engine import Engine
from constellationdb.errors import ConstellationError
from constellationdb.storage.checkpoints import packing
from constellationdb.storage.checkpoints.verifying import verify
from constellationdb.storage.disk import DISK, Disk
from constellationdb.storage.epochlog import FileEpochLog
from constellationdb.storage.objects.local import LocalObjects

Rows = dict[int, int]
_VIEW = "SELECT v % 5 AS k, count(*) AS n, sum(id) AS total FROM t GROUP BY 1"


class Workload:
    def __init__(self, place: Path) -> None:
        self.data, self.out = place / "data", place / "out"
        self.acknowledged: Rows = {}
        self.unknown: Rows | None = None  # what it may be instead
        self.errors: list[ConstellationError] = []
        self.checkpoints = 0
        self._next = 0

    def use(self, disk: Disk = DISK) -> None:
        """Two lives of the database."""
        for rounds in (5, 2):
            try:
                with self.opened(disk) as engine:
                    self._settle(engine)
                    self._define(engine)
                    for number in range(rounds):
                        self._round(engine, number)
            except ConstellationError as error:
                self.errors.append(error)

    @contextmanager
    def opened(self, disk: Disk = DISK) -> Iterator[Engine]:
        """With a log of many files, and parts that soon are of no use any more."""
        with (
            mock.patch.object(durability, "FileEpochLog", partial(FileEpochLog, segment_bytes=2048)),
            mock.patch.object(packing, "MAX_PACKS", 1),
        ):
            engine = Engine(self.data, disk=disk)
            try:
                yield engine.start()
            finally:
                engine.close()

    def _define(self, engine: Engine) -> None:
        if "t" not in engine.catalog.relations:
            self.say(engine, "CREATE TABLE t (id int PRIMARY KEY, v int)")
        if "s" not in engine.catalog.relations:
            self.say(engine, f"CREATE MATERIALIZED VIEW s AS {_VIEW}")
        if "o" not in engine.catalog.relations:
            files = f"connector = 'file', path = '{self.out}', type = 'debezium', commit_interval = '1ms'"
            self.say(engine, f"CREATE SINK o FROM s WITH ({files})")

    def _round(self, engine: Engine, number: int) -> None:
        self.insert(engine, 20)
        self._change(engine, "UPDATE t SET v = v + 1 WHERE id % 3 = 0", self._updated())
        gone = [key for key in self.acknowledged if key % 7 == 5]
        if gone:
            kept = {key: v for key, v in self.acknowledged.items() if key not in gone}
            self._change(engine, "DELETE FROM t WHERE id % 7 = 5", kept)
        self.say(engine, "WAIT")
        self.checkpoints += self.say(engine, "CHECKPOINT")
        if number % 3 == 1:
            self.say(engine, "CREATE SAVEPOINT IF NOT EXISTS mark")
        if number % 3 == 2:
            self.say(engine, "DROP SAVEPOINT IF EXISTS mark")

    def insert(self, engine: Engine, count: int) -> None:
        keys = range(self._next, self._next + count)
        self._next += count
        rows = ", ".join(f"({key}, {key % 11})" for key in keys)
        self._change(engine, f"INSERT INTO t VALUES {rows}", self.acknowledged | {key: key % 11 for key in keys})

    def _updated(self) -> Rows:
        return {key: v + (key % 3 == 0) for key, v in self.acknowledged.items()}

    def _change(self, engine: Engine, text: str, after: Rows) -> None:
        """Once one was not answered, none is acknowledged any more."""
        if self.say(engine, text):
            assert self.unknown is None, "acknowledged after the log has failed"
            self.acknowledged = after
        elif self.unknown is None:
            self.unknown = after

    def say(self, engine: Engine, text: str) -> bool:
        try:
            for result in engine.session().execute(text):
                list(result.batches)
        except ConstellationError as error:
            self.errors.append(error)
            return False
        return True

    # ------------------------------------------------------------------ afterwards

    def check(self) -> None:
        with self.opened() as engine:
            self._settle(engine)
            self._define(engine)
            self.insert(engine, 20)
            self._check_contents(engine)
            assert self.say(engine, "CHECKPOINT"), self.errors[-1]
        with self.opened() as engine:
            self._check_contents(engine)
        damages = [damage for finding in verify(LocalObjects(self.data / "checkpoints")) for damage in finding.damages]
        assert not damages

    def _settle(self, engine: Engine) -> None:
        found = dict(rows(engine, "SELECT id, v FROM t")) if "t" in engine.catalog.relations else {}
        assert found in (self.acknowledged, self.unknown or self.acknowledged), "not what was acknowledged"
        self.acknowledged, self.unknown = found, None

    def _check_contents(self, engine: Engine) -> None:
        assert self.say(engine, "WAIT"), self.errors[-1]
        assert dict(rows(engine, "SELECT id, v FROM t")) == self.acknowledged
        view = sorted(rows(engine, "SELECT k, n, total FROM s"))
        assert view == sorted(rows(engine, _VIEW))
        ((state, error),) = rows(engine, "SELECT state, error FROM constellation.sinks")
        assert state == "running", error
        assert sorted(replayed(self.out)) == view


def rows(engine: Engine, text: str) -> list[Any]:
    found: list[Any] = []
    for result in engine.session().execute(text):
        found += [tuple(row.values()) for batch in result.batches for row in batch.to_pylist()]
    return found


def replayed(folder: Path) -> Counter[tuple[int, ...]]:
    """What the changes in the files lead to; each takes away what is there, and adds what is not."""
    content: Counter[tuple[int, ...]] = Counter()
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text().splitlines():
            change = json.loads(line)
            for side, weight in (("before", -1), ("after", 1)):
                if change[side] is not None:
                    row = tuple(change[side].values())
                    content[row] += weight
                    assert content[row] in (0, 1), f"{path.name}: {line}"
    return +content
