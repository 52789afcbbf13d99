"""The benchmarks of joins and curves compare their answers with DuckDB's, and tell when they differ."""

from __future__ import annotations

import pytest

from bench import curves, joins
from constellationdb.engine.operators.standing import Standing


@pytest.mark.parametrize("case", ["left residual", "anti"])
def test_the_answers_are_duckdbs(case: str) -> None:
    (*lines,) = joins.measure([case], 30_000, 400, 2, core=-1)
    assert [line.state for line in lines] == [30_000]
    assert all(line.answer_ok for line in lines)
    assert joins.table_of(lines).count("ok") == len(lines)


def test_a_wrong_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Standing, "shown", lambda *_: None)
    line, *_ = joins.measure(["left"], 30_000, 400, 1, core=-1)
    assert not line.answer_ok


def test_a_curve_is_of_one_delta_and_three_states() -> None:
    (*lines,) = curves.measure(["top 2 of each key", "tumble", "one group: percentile_disc"], 1_000, 40, 1, core=-1)
    assert [line.rows for line in lines] == [1_000, 10_000, 100_000] * 3
    assert {line.changes for line in lines} == {40}
    assert all(line.answer_ok for line in lines)
    assert [line.again for line in lines[::3]] == ["", "", "by key"]
    assert curves.table_of(lines).count("ok") == len(lines)


@pytest.mark.parametrize("case", ["lookup join", "temporal filter", "cumulate", "session", "recursion", "asof join"])
def test_every_kind_of_curve_is_checked(case: str) -> None:
    (*lines,) = curves.measure([case], 100, 40, 1, core=-1)
    assert [line.rows for line in lines] == [100, 1_000, 10_000]
    assert all(line.answer_ok for line in lines)
