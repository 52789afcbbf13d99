"""Four views in a chain, of which the second can be made to fail, for the tests of this folder."""

from __future__ import annotations

from typing import Any

import pytest

from constellationdb.engine.job import Job
from constellationdb.errors import InternalError

CHAIN = (
    "CREATE TABLE t (a int PRIMARY KEY)",
    "CREATE MATERIALIZED VIEW first AS SELECT a FROM t",
    "CREATE MATERIALIZED VIEW second AS SELECT a FROM first",
    "CREATE MATERIALIZED VIEW third AS SELECT count(*) AS n FROM second",
    "CREATE MATERIALIZED VIEW beside AS SELECT count(*) AS n FROM first",
    "INSERT INTO t VALUES (1)",
    "FLUSH",
)


def fail_at_seven(monkeypatch: pytest.MonkeyPatch) -> None:
    """``second`` fails at the first epoch with a 7."""
    step = Job.step

    def failing(job: Job, work: Any) -> Any:
        deltas = [] if work is None else [i.delta for i in work.inputs.values() if i.delta is not None]
        if job.name == "second" and any(row.get("a") == 7 for delta in deltas for row in delta.to_pylist()):
            raise InternalError("an operator gave up")
        return step(job, work)

    monkeypatch.setattr(Job, "step", failing)
