"""The benchmark of joins compares its answers with DuckDB's, and tells when they differ."""

from __future__ import annotations

import pytest

from bench import joins
from constellationdb.engine.operators.standing import Standing


@pytest.mark.parametrize("case", ["left residual", "anti"])
def test_the_answers_are_duckdbs(case: str) -> None:
    (*lines,) = joins.measure([case], 30_000, 400, 2, core=-1)
    assert [line.state for line in lines] == [30_000, 300, 3_000, 30_000]
    assert all(line.answer_ok for line in lines)
    assert joins.table_of(lines).count("ok") == len(lines)


def test_a_wrong_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Standing, "shown", lambda *_: None)
    line, *_ = joins.measure(["left"], 30_000, 400, 1, core=-1)
    assert not line.answer_ok
