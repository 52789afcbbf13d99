"""The benchmark of state stores compares what it reads with what it wrote, and tells when they differ."""

from __future__ import annotations

import pytest

from bench import state
from constellationdb.storage.state.versions import VersionLog


def test_every_store_answers_right() -> None:
    (*lines,) = state.measure(list(state.STORES), 3_000, core=-1)
    assert {line.store for line in lines} == set(state.STORES)
    assert all(line.answer_ok for line in lines)
    assert state.table_of(lines).count("ok") == len(lines)


def test_a_wrong_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(VersionLog, "_sort", lambda *_: None)
    wrong = [line.case for line in state.measure(["memory"], 1_000, core=-1) if not line.answer_ok]
    assert "scan" in wrong
