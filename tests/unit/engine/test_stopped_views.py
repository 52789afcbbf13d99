"""A view whose job fails stops; nobody waits for it, nobody is shown what it had, and the rest goes on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from constellationdb.engine.engine import Engine
from constellationdb.engine.session import Session
from constellationdb.errors import RelationUnusable
from tests.unit.engine.failing_views import CHAIN, fail_at_seven
from tests.unit.engine.statements import run


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    """``second``, which is over ``first`` and under ``third``, fails at the first row with a 7; ``beside`` does not."""
    fail_at_seven(monkeypatch)
    with Engine() as engine:
        session = engine.session()
        run(session, *CHAIN)
        yield session


@pytest.mark.parametrize("query", ["SELECT * FROM second", "SELECT * FROM third", "SELECT a FROM second WHERE a = 1"])
def test_a_reader_is_told(session: Session, query: str) -> None:
    """Whether it would have to wait for its own write or not, in a transaction and outside."""
    run(session, "CREATE INDEX ON second (a)", "INSERT INTO t VALUES (7)")
    other = session.engine.session()
    for reader, before in ((session, ()), (other, ()), (other, ("BEGIN",))):
        with pytest.raises(RelationUnusable, match='"second" has failed and stopped after epoch') as caught:
            run(reader, *before, query)
        assert caught.value.sqlstate == "55000"
        assert caught.value.detail == "an operator gave up"


def test_the_rest_goes_on(session: Session) -> None:
    run(session, "INSERT INTO t VALUES (7)", "INSERT INTO t VALUES (8)", "FLUSH")
    assert run(session, "SELECT n FROM beside") == [(3,)]
    assert run(session, "SELECT name, state, error FROM constellation.jobs ORDER BY name") == [
        ("beside", "running", None),
        ("first", "running", None),
        ("second", "failed", "an operator gave up"),
        ("third", "stopped", '"second" has failed'),
    ]


def test_its_answer_until_then_can_be_asked_for(session: Session) -> None:
    before = session.last_epoch
    run(session, "INSERT INTO t VALUES (7)")
    assert run(session, f"SELECT a FROM second AS OF EPOCH {before}") == [(1,)]


@pytest.mark.parametrize("view", ["second", "third"])
def test_a_subscriber_is_told_after_what_there_was(session: Session, view: str) -> None:
    feed = session.engine.subscribe(view)
    assert feed.next(10) is not None
    run(session, "INSERT INTO t VALUES (7)")
    with pytest.raises(RelationUnusable, match='"second" has failed'):
        feed.next(10)


def test_nothing_is_built_on_it(session: Session) -> None:
    run(session, "INSERT INTO t VALUES (7)", "FLUSH")
    with pytest.raises(RelationUnusable, match='"second" has failed'):
        run(session, "CREATE MATERIALIZED VIEW fourth AS SELECT n FROM third")
    assert "fourth" not in session.engine.catalog.relations


def test_another_version_lets_those_over_it_go_on(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    run(session, "INSERT INTO t VALUES (7)", "FLUSH")
    monkeypatch.undo()
    run(session, "CREATE OR REPLACE MATERIALIZED VIEW second AS SELECT a FROM first WHERE a > 0", "WAIT")
    assert run(session, "SELECT a FROM second ORDER BY a") == [(1,), (7,)]
    assert run(session, "SELECT n FROM third") == [(2,)]
