"""The portable scripts with every subquery unnested, not only where DataFusion cannot plan it: the same answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from constellationdb.cli.slt.engines import LABEL
from constellationdb.cli.slt.report import describe
from constellationdb.cli.slt.session_connection import SessionConnection
from constellationdb.cli.slt.suite import Suite
from constellationdb.engine.engine import Engine
from constellationdb.errors import ConstellationError
from constellationdb.planner.snapshot import SnapshotPlan, SnapshotPlanner
from constellationdb.planner.statements import Query

FOLDER = Path(__file__).parent / "portable"
# Where subqueries are; the others would say nothing new.
SCRIPTS = sorted(path for path in FOLDER.glob("*.slt") if path.read_text().count("(SELECT") > 2)


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The queries that were unnested; what that refuses is planned as ever, to fail with its own message."""
    found: list[str] = []
    as_ever = SnapshotPlanner.plan

    def plan(self: SnapshotPlanner, query: Query) -> SnapshotPlan:
        if self._unnesting:
            return as_ever(self, query)
        try:
            made = as_ever(self._again(unnesting=True), query)
        except ConstellationError:
            return as_ever(self, query)
        found.append(query.text)
        return made

    monkeypatch.setattr(SnapshotPlanner, "plan", plan)
    return found


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_the_answers_stay(script: Path, planned: list[str]) -> None:
    with Engine() as engine:
        suite = Suite(
            lambda _script: lambda _name: SessionConnection(engine.session()),
            frozenset({LABEL}),
            strict_types=True,
            say=lambda _text: None,
        )
        outcome = suite.run_file(script)

    assert not outcome.failures, "\n\n".join(describe(failure) for failure in outcome.failures)
    assert len(planned) >= 4
