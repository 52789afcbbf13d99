"""One case: a random database of ours and a Postgres get the same statements and must hold the same rows after each."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from constellationdb import embedded
from constellationdb.embedded.subscription import Subscription
from constellationdb.errors import ConstellationError, FeatureNotSupported
from tests.properties.oracle.choices import Draws
from tests.properties.oracle.compare import canonical, difference
from tests.properties.oracle.forms import Form
from tests.properties.oracle.generate import Generated, generate_over
from tests.properties.oracle.tables import Row
from tests.properties.postgres.server import Postgres
from tests.properties.postgres.shapes import PostgresShapes
from tests.properties.postgres.statements import Statements, scope_of
from tests.properties.postgres.tables import Stored, draw_stored

EPOCHS = 6
_PATIENCE_S = 3.0  # only a defect waits so long
_DONE = "00000"


class DifferenceError(AssertionError):
    """We do not hold, or do not say, what Postgres does."""


class NotJudgedError(Exception):
    """Postgres does not run the query."""


@dataclass
class Met:
    statements: Counter[str] = field(default_factory=Counter)
    errors: int = 0  # statements that both refused alike
    compared: int = 0
    failing: int = 0  # comparisons without an answer, for the query fails in Postgres
    rows: int = 0
    restarts: int = 0
    followed: int = 0  # epochs that a subscription told
    retractions: int = 0
    asked: int = 0


@dataclass(frozen=True)
class Case:
    stored: Mapping[str, Stored]
    generated: Generated
    draws: Draws

    @property
    def form(self) -> Form:
        return self.generated.form

    def views(self, ours: bool) -> list[str]:
        made = []
        for stage in self.form.stages:
            kind = "VIEW" if stage.plain or not ours else "MATERIALIZED VIEW"
            made.append(f"CREATE {kind} {stage.name} AS {stage.sql.format()}")
        return made


def draw_case(seed: int, draws: Draws) -> Case:
    stored = draw_stored(draws.part("tables"))
    scopes = {name: scope_of(table) for name, table in stored.items()}
    return Case(stored, generate_over(f"random query {seed}", scopes, draws.part("query"), PostgresShapes), draws)


class CaseRun:
    def __init__(self, case: Case, judge: Postgres) -> None:
        self._case, self._judge = case, judge
        self._schedule = case.draws.part("schedule")
        self._made_late = self._schedule.random() < 0.4
        self._restarts = set(self._schedule.sample(range(1, EPOCHS + 1), 1))
        self._follows = self._schedule.random() < 0.4
        self._followed: Counter[Row] = Counter()
        self._subscription: Subscription | None = None
        self._folder = tempfile.mkdtemp(prefix="constellation-beside-")
        self._log: list[str] = []
        self.met = Met()

    @property
    def script(self) -> str:
        """All statements so far, as a person would run them again."""
        return "\n".join(f"{line};" for line in self._log)

    def run(self) -> Met:
        self._judge.empty()
        self._database = embedded.connect(self._folder)
        try:
            for stored in self._case.stored.values():
                self._both(stored.definition())
            for epoch in range(1, EPOCHS + 1):
                if epoch == (3 if self._made_late else 1):
                    self._make_views()
                self._epoch(epoch)
                if epoch in self._restarts:
                    self._restart()
                    self._compare()
        finally:
            self._close()
            shutil.rmtree(self._folder, ignore_errors=True)
        return self.met

    def _make_views(self) -> None:
        for ours, theirs in zip(self._case.views(True), self._case.views(False), strict=True):
            self._log.append(ours)
            code = self._judge.execute(theirs)
            try:
                self._database.execute(ours)
            except FeatureNotSupported:
                raise
            except ConstellationError:
                if code != _DONE:
                    raise NotJudgedError(code) from None
                raise
            if code != _DONE:
                raise NotJudgedError(code)
        self._has_views = True
        if self._follows:
            self._subscription = self._database.subscribe("answer")

    def _epoch(self, epoch: int) -> None:
        statements = Statements(self._case.draws.part(f"epoch {epoch}"), self._case.stored, epoch)
        written = statements.epoch()
        self.met.statements.update(statements.kinds)
        for statement in written:
            self._both(statement)
            if "BEGIN" not in written:
                self._compare()
        self._compare()
        for stored in self._case.stored.values():
            self._equal(f"table {stored.name}", f"SELECT * FROM {stored.name}")
        self._ask()

    def _both(self, statement: str) -> None:
        self._log.append(statement)
        code = self._judge.execute(statement)
        try:
            self._database.execute(statement)
        except ConstellationError as error:
            if error.sqlstate != code:
                raise DifferenceError(f"Postgres says {code}: {statement}") from error
            self.met.errors += 1
        else:
            if code != _DONE:
                raise DifferenceError(f"Postgres refuses with {code}: {statement}")

    def _compare(self) -> None:
        if not getattr(self, "_has_views", False):
            return
        got = self._equal("view", "SELECT * FROM answer")
        if got is not None and self._subscription is not None:
            self._follow(got)

    def _ask(self) -> None:
        """The last query as one SELECT."""
        if getattr(self, "_has_views", False):
            self.met.asked += self._equal("SELECT", self._case.form.stages[-1].sql.format()) is not None

    def _equal(self, what: str, query: str) -> Counter[Row] | None:
        want = self._judge.rows(query)
        if isinstance(want, str):
            self.met.failing += 1
            return None
        table = self._database.sql(query).arrow()
        columns = [column.to_pylist() for column in table.columns]
        got = Counter(tuple(canonical(v) for v in row) for row in zip(*columns, strict=True))
        floats = [i for i, column in enumerate(columns) if any(isinstance(v, float) for v in column)]
        reals = [i for i, kind in enumerate(table.schema.types) if kind == pa.float32()]
        expected = _canonical_rows(want, floats, reals)
        differs = difference(got, expected, floats, self._ulps)
        if differs is not None:
            raise DifferenceError(f"{what}: {query}\n{differs}")
        self.met.compared += 1
        self.met.rows += table.num_rows
        return got

    @property
    def _ulps(self) -> int:
        """An average of integers is a numeric of some twenty digits in Postgres, a double here."""
        return self._case.form.ulps or 4

    def _follow(self, content: Counter[Row]) -> None:
        """What a subscriber has accumulated becomes the view, and never less than nothing of a row."""
        assert self._subscription is not None
        while +self._followed != content:
            changes = self._subscription.next(timeout=_PATIENCE_S)
            if changes is None:
                raise DifferenceError(f"subscription: {difference(self._followed, content, [], 0)}")
            for weight, row in changes:
                self._followed[tuple(canonical(v) for v in row)] += weight
                self.met.retractions += max(0, -weight)
            negative = {row: n for row, n in self._followed.items() if n < 0}
            if negative:
                raise DifferenceError(f"subscription: negative counts {negative}")
            self.met.followed += 1

    def _restart(self) -> None:
        self._log.append("-- restart")
        token = self._subscription.resume_token if self._subscription else None
        self._close()
        self._database = embedded.connect(self._folder)
        if self._subscription is not None:
            self._subscription = self._database.subscribe("answer", resume=token)
        self.met.restarts += 1

    def _close(self) -> None:
        if self._subscription is not None:
            self._subscription.close()
        self._database.close()


def _canonical_rows(rows: list[Row], floats: list[int], reals: list[int]) -> Counter[Row]:
    return Counter(tuple(canonical(_alike(v, i in floats, i in reals)) for i, v in enumerate(row)) for row in rows)


def _alike(value: Any, double: bool, real: bool) -> Any:
    """Postgres prints of a real only the digits that tell it from others."""
    if real and isinstance(value, float):
        return float(np.float32(value))
    return float(value) if double and isinstance(value, Decimal) else value
