"""One case: a random database of ours and a Postgres get the same statements and must hold the same rows after each."""

from __future__ import annotations

import datetime
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from constellationdb.clock import ManualClock, SystemClock
from constellationdb.embedded.database import Database
from constellationdb.embedded.local import LocalLink
from constellationdb.engine.engine import Engine
from constellationdb.errors import ConstellationError, FeatureNotSupported
from tests.properties.oracle.choices import Draws
from tests.properties.oracle.compare import canonical, difference
from tests.properties.oracle.constructs import wanted
from tests.properties.oracle.forms import Form
from tests.properties.oracle.generate import Generated, generate_one, generate_over
from tests.properties.oracle.tables import BASE, Column, Row
from tests.properties.postgres.constructs import CONSTRUCTS, FEATURES
from tests.properties.postgres.lookups import LOOKUP
from tests.properties.postgres.probes import PROBES, DifferenceError, Probe, Viewed
from tests.properties.postgres.server import DONE, Postgres
from tests.properties.postgres.shapes import PostgresShapes
from tests.properties.postgres.statements import Statement, Statements, scope_of
from tests.properties.postgres.tables import Stored, draw_stored

EPOCHS = 6
_ADDED = Column("added", pa.int32(), lambda random: random.choice((None, 0, 1, 2, 3)))


class NotJudgedError(Exception):
    """Postgres does not run the query."""


class StandingClock(ManualClock):
    """The time that epochs have moves only when it is moved; waiting takes as long as it takes."""

    def monotonic(self) -> float:
        return SystemClock().monotonic()


@dataclass
class Met:
    statements: Counter[str] = field(default_factory=Counter)  # that changed rows
    proved: Counter[str] = field(default_factory=Counter)  # constructs and features, by comparisons worth something
    errors: Counter[str] = field(default_factory=Counter)  # statements that both refused alike
    compared: int = 0
    failing: int = 0  # comparisons without an answer, for the query fails in Postgres
    rows: int = 0
    restarts: int = 0
    taken_back: int = 0  # rows of the view
    asked: int = 0


@dataclass(frozen=True)
class Case:
    stored: Mapping[str, Stored]
    generated: Generated
    features: frozenset[str]
    draws: Draws

    @property
    def form(self) -> Form:
        return self.generated.form


def draw_case(seed: int, draws: Draws) -> Case:
    """With the construct whose turn it is."""
    stored, turn = draw_stored(draws.part("tables")), wanted(seed, CONSTRUCTS)
    scopes = {name: scope_of(table) for name, table in stored.items()}
    features = draws.part("features")
    chosen = {feature for feature in FEATURES if features.random() < 0.3 or feature == turn}
    if "OR REPLACE" in chosen:  # it may have other columns, which a changelog cannot have
        chosen.discard("changelog")
    generated = draws.until(
        ("query",),
        lambda: generate_over(f"random query {seed}", scopes, draws.part("query"), PostgresShapes),
        lambda made: turn in FEATURES or turn in made.tags,
    )
    if "temporal filter" in generated.tags:
        chosen.discard("time zone of the session")
    return Case(stored, generated, frozenset(chosen), draws)


class CaseRun:
    def __init__(self, case: Case, judge: Postgres) -> None:
        self._case, self._judge = case, judge
        self._schedule = schedule = case.draws.part("schedule")
        self._restart_at = schedule.randint(1, EPOCHS)
        self._change_at = schedule.randint(3, EPOCHS - 1)
        self._stored = dict(case.stored)
        self._tags = set(case.generated.tags)
        self._query, self._ulps = case.form.stages[-1].sql.format(), case.form.ulps
        self._probes: list[Probe] = [probe for probe in (make() for make in PROBES) if probe.name in case.features]
        self._has_views = False
        self._content: Counter[Row] = Counter()
        self._clock = StandingClock()
        self._folder = tempfile.mkdtemp(prefix="constellation-beside-")
        self._log: list[str] = []
        self.met = Met()

    @property
    def script(self) -> str:
        """All statements so far, as a person would run them again."""
        return "\n".join(f"{line};" for line in self._log)

    def run(self) -> Met:
        self._judge.empty()
        self._open()
        try:
            for stored in self._stored.values():
                self._both(Statement("", stored.definition()))
            self._both(Statement("", "CREATE TABLE tick (n int)"))
            LOOKUP.create(self._database, self._judge)
            for epoch in range(1, EPOCHS + 1):
                self._set_clock(BASE + datetime.timedelta(seconds=5 * epoch))
                if epoch == (3 if "made late" in self._case.features else 1):
                    self._make_views()
                if epoch == self._change_at:
                    self._change_definitions()
                self._epoch(epoch)
                if epoch == self._restart_at:
                    self._restart()
                    self._compare()
        finally:
            self._close()
            shutil.rmtree(self._folder, ignore_errors=True)
        return self.met

    def _open(self) -> None:
        """In a process of one worker or two."""
        engine = Engine(Path(self._folder), clock=self._clock, workers=self._schedule.choice((1, 1, 2))).start()
        self._database = Database(LocalLink(engine))
        if "time zone of the session" in self._case.features:
            self._both(Statement("", "SET TimeZone = 'America/New_York'"))

    def _set_clock(self, now: datetime.datetime) -> None:
        """An epoch is what brings the time to the views."""
        now = now.replace(tzinfo=datetime.UTC)
        self._clock.advance(now.timestamp() - self._clock.now_us() / 1e6)
        self._judge.set_clock(now)
        self._both(Statement("", f"INSERT INTO tick VALUES ({len(self._log)})"))

    def _make_views(self) -> None:
        for stage in self._case.form.stages:
            sql = stage.sql.format()
            kept = " WITH (retain_history = '1 hour')" if stage.name == "answer" else ""
            kind = "VIEW" if stage.plain else "MATERIALIZED VIEW"
            self._view(f"CREATE {kind} {stage.name}{kept} AS {sql}", f"CREATE VIEW {stage.name} AS {sql}")
        self._has_views = True
        for probe in self._probes:
            probe.begin(self._database)

    def _view(self, ours: str, theirs: str) -> None:
        self._log.append(ours)
        code = self._judge.execute(theirs)
        try:
            self._database.execute(ours)
        except FeatureNotSupported:
            raise
        except ConstellationError:
            if code != DONE:
                raise NotJudgedError(code) from None
            raise
        if code != DONE:
            raise NotJudgedError(code)

    def _change_definitions(self) -> None:
        if "ADD COLUMN" in self._case.features:
            for probe in self._probes:  # what runs over the table is set up again
                probe.interrupt()
            self._both(Statement("", "ALTER TABLE t ADD COLUMN added integer DEFAULT 7"))
            self._stored["t"] = self._stored["t"].with_column(_ADDED)
            self.met.proved["ADD COLUMN"] += 1
        if "OR REPLACE" in self._case.features and self._has_views:
            self._replace()

    def _replace(self) -> None:
        """By another query, which knows the columns that have come; where it is refused the view stays as it is."""
        scopes = {name: scope_of(stored) for name, stored in self._stored.items()}
        made = generate_one("replaced", scopes, self._case.draws.part("replaced"), PostgresShapes)
        sql = made.form.stages[-1].sql.format()
        self._judge.execute("BEGIN")
        self._judge.execute("DROP VIEW answer")
        code = self._judge.execute(f"CREATE VIEW answer AS {sql}")
        if code != DONE or "temporal filter" in made.tags:
            self._judge.execute("ROLLBACK")
            return
        for probe in self._probes:
            probe.forget()
        ours = f"CREATE OR REPLACE MATERIALIZED VIEW answer WITH (retain_history = '1 hour') AS {sql}"
        self._log.append(ours)
        try:
            self._database.execute(ours)
        except FeatureNotSupported:
            self._judge.execute("ROLLBACK")
            return
        self._judge.execute("COMMIT")
        self._query, self._ulps, self._tags = sql, made.form.ulps, {*made.tags, "OR REPLACE"}
        self._content.clear()

    def _epoch(self, epoch: int) -> None:
        statements = Statements(self._case.draws.part(f"epoch {epoch}"), self._stored, epoch)
        if epoch == 1:
            for statement in statements.filled():
                self._both(statement)
        written = statements.epoch()
        for statement in written:
            self._both(statement)
            if written[0].sql != "BEGIN":
                self._compare()
        self._compare()
        for stored in self._stored.values():
            self._equal(f"table {stored.name}", f"SELECT * FROM {stored.name}", 0)
        if self._has_views and "now()" not in "".join(stage.sql for stage in self._case.form.stages):
            self.met.asked += self._equal("SELECT", self._query, self._ulps) is not None

    def _both(self, statement: Statement) -> None:
        self._log.append(statement.sql)
        code = self._judge.execute(statement.sql)
        if self._judge.changed or statement.kind.startswith("transaction") or statement.kind == "TRUNCATE":
            self.met.statements[statement.kind] += code == DONE
        try:
            self._database.execute(statement.sql)
        except ConstellationError as error:
            if error.sqlstate != code:
                raise DifferenceError(f"Postgres says {code}: {statement.sql}") from error
            self.met.errors[code] += 1
        else:
            if code != DONE:
                raise DifferenceError(f"Postgres refuses with {code}: {statement.sql}")

    def _compare(self) -> None:
        if not self._has_views:
            return
        found = self._equal("view", "SELECT * FROM answer", self._ulps)
        if found is None:
            return
        content, table = found
        taken_back = (self._content - content).total()
        self.met.taken_back += taken_back
        if taken_back and content:
            self.met.proved.update(self._tags | (self._case.features & {"time zone of the session", "made late"}))
        self._content = content
        view = Viewed(
            self._database, self._query, content, _floats(table), self._ulps or 4, self._schedule, table.schema
        )
        for probe in self._probes:
            self.met.proved[probe.name] += probe.check(view) and self.met.taken_back > 0

    def _equal(self, what: str, query: str, ulps: int) -> tuple[Counter[Row], pa.Table] | None:
        """An average of integers is a numeric of some twenty digits in Postgres, a double here."""
        want = self._judge.rows(query)
        if isinstance(want, str):
            self.met.failing += 1
            return None
        table = self._database.sql(query).arrow()
        got = Counter(tuple(canonical(v) for v in row) for row in _rows(table))
        floats = _floats(table)
        reals = [i for i, kind in enumerate(table.schema.types) if kind == pa.float32()]
        differs = difference(got, _canonical_rows(want, floats, reals), floats, ulps or 4)
        if differs is not None:
            raise DifferenceError(f"{what}: {query}\n{differs}")
        self.met.compared += 1
        self.met.rows += table.num_rows
        return got, table

    def _restart(self) -> None:
        self._log.append("-- restart")
        self._close()
        self._open()
        self.met.restarts += 1

    def _close(self) -> None:
        for probe in self._probes:
            probe.interrupt()
        self._database.close()


def _rows(table: pa.Table) -> list[Row]:
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def _floats(table: pa.Table) -> list[int]:
    return [i for i, column in enumerate(table.columns) if any(isinstance(v, float) for v in column.to_pylist())]


def _canonical_rows(rows: list[Row], floats: list[int], reals: list[int]) -> Counter[Row]:
    return Counter(tuple(canonical(_alike(v, i in floats, i in reals)) for i, v in enumerate(row)) for row in rows)


def _alike(value: Any, double: bool, real: bool) -> Any:
    """Postgres prints of a real only the digits that tell it from others."""
    if real and isinstance(value, float):
        return float(np.float32(value))
    return float(value) if double and isinstance(value, Decimal) else value
