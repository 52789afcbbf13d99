"""changelog(t): a relation's changes as rows, the same that SUBSCRIBE gives, also after a restart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from constellationdb.engine.engine import Engine
from constellationdb.engine.session import Session
from constellationdb.errors import ConstellationError
from tests.unit.engine.statements import run


@pytest.fixture
def session() -> Iterator[Session]:
    engine = Engine().start()
    session = engine.session()
    yield session
    session.close()
    engine.close()


CHANGES = (
    "INSERT INTO t VALUES (1, 10), (2, 20), (3, NULL)",
    "UPDATE t SET x = x + 1",
    "DELETE FROM t WHERE k = 2",
    "INSERT INTO t VALUES (2, 20)",
    "UPDATE t SET x = 5 WHERE x IS NULL",
)


@pytest.mark.parametrize("relation", ["t", "v"])
@pytest.mark.parametrize("workers", [1, 3])
def test_it_has_the_rows_of_a_subscription(relation: str, workers: int) -> None:
    engine = Engine(workers=workers).start()
    session = engine.session()
    run(session, "CREATE TABLE t (k int PRIMARY KEY, x int)")
    run(session, "CREATE MATERIALIZED VIEW v AS SELECT x, count(*) AS n FROM t GROUP BY x")
    run(session, f"CREATE MATERIALIZED VIEW c AS SELECT * FROM changelog({relation})")
    subscription = engine.subscribe(relation)
    subscription.start()
    run(session, *CHANGES, "FLUSH")
    expected = []
    while (batch := subscription.next(0)) is not None:
        expected += [tuple(row.values()) for row in batch.to_pylist()]
    rows = run(session, "SELECT * FROM c")
    assert sorted(rows, key=repr) == sorted(expected, key=repr)
    assert len(rows) >= 9
    assert {row[1] for row in rows} == {1, -1}
    subscription.close()
    session.close()
    engine.close()


def test_it_begins_with_what_there_is(session: Session) -> None:
    run(session, "CREATE TABLE t (x int)", "INSERT INTO t VALUES (7), (7), (8)")
    run(session, "CREATE MATERIALIZED VIEW c AS SELECT _diff, x FROM changelog(t) AS changed")
    run(session, "DELETE FROM t WHERE x = 7", "FLUSH")
    assert sorted(run(session, "SELECT * FROM c")) == [(-2, 7), (1, 8), (2, 7)]


def test_its_sum_is_the_relation(session: Session) -> None:
    run(session, "CREATE TABLE t (k int PRIMARY KEY, x int)", CHANGES[0])
    run(session, "CREATE MATERIALIZED VIEW s AS SELECT k, x, sum(_diff) AS n FROM changelog(t) GROUP BY k, x")
    run(session, *CHANGES[1:], "FLUSH")
    held = run(session, "SELECT k, x, n::int FROM s WHERE n <> 0 ORDER BY k")
    assert held == [(*row, 1) for row in run(session, "SELECT k, x FROM t ORDER BY k")]


def test_a_continuous_query_reads_it(session: Session) -> None:
    run(session, "CREATE TABLE t (k int, x int)", "INSERT INTO t VALUES (1, 1), (2, 2)")
    run(session, "CREATE VIEW plain AS SELECT k, _diff FROM changelog(t)")
    assert sorted(run(session, "SELECT * FROM plain LIMIT 2")) == [(1, 1), (2, 1)]
    assert run(session, "WITH c AS CHANGELOG FROM t SELECT k FROM c WHERE x > 1 LIMIT 1") == [(2,)]
    assert run(session, "WITH c AS CHANGELOG FROM public.t, d AS (TABLE c) SELECT k FROM d WHERE x > 1 LIMIT 1") == [
        (2,)
    ]


def test_the_watermark_of_a_source_closes_its_windows(session: Session) -> None:
    run(session, "CREATE SOURCE s (k int, ts timestamp, WATERMARK FOR ts)")
    run(session, "CREATE MATERIALIZED VIEW k AS SELECT * FROM changelog(s)")
    window = "SELECT window_end, sum(_diff)::int AS n FROM TUMBLE(k, ts, INTERVAL '1 minute') GROUP BY 1"
    run(session, f"CREATE MATERIALIZED VIEW w AS {window} EMIT ON WINDOW CLOSE")
    run(session, "INSERT INTO s VALUES (1, '2024-01-01 00:00:01'), (1, '2024-01-01 00:00:01')")
    run(session, "INSERT INTO s VALUES (2, '2024-01-01 00:01:00')", "FLUSH")
    assert [n for _, n in run(session, "SELECT * FROM w")] == [2]


def test_it_goes_on_after_a_restart(tmp_path: Path) -> None:
    engine = Engine(tmp_path).start()
    session = engine.session()
    run(session, "CREATE TABLE t (k int PRIMARY KEY, x int)", *CHANGES[:2])
    run(session, "CREATE MATERIALIZED VIEW c AS SELECT * FROM changelog(t)", CHANGES[2], "CHECKPOINT", CHANGES[3])
    run(session, "FLUSH")
    before = run(session, "SELECT * FROM c")
    session.close()
    engine.close()
    engine = Engine(tmp_path).start()
    session = engine.session()
    run(session, "FLUSH")
    assert sorted(run(session, "SELECT * FROM c"), key=repr) == sorted(before, key=repr)
    run(session, CHANGES[4], "FLUSH")
    assert len(run(session, "SELECT * FROM c")) == len(before) + 2
    session.close()
    engine.close()


@pytest.mark.parametrize(
    ("text", "message", "position"),
    [
        ("SELECT * FROM changelog(nope)", 'relation "nope" does not exist', 25),
        ("WITH c AS CHANGELOG FROM nope SELECT * FROM c", 'relation "nope" does not exist', 26),
        ("SELECT * FROM changelog(1)", "changelog takes the name of a relation", 15),
        ("SELECT * FROM changelog()", "changelog takes the name of a relation", 15),
        ("SELECT * FROM changelog(p)", '"p" is a view: it has no changes of its own', 25),
        ("INSERT INTO t TABLE p", "changelog(t) has no rows that a statement could read at once", None),
        ("SELECT count(*) FROM changelog(t)", "the result of this continuous query changes", 1),
    ],
)
def test_what_it_cannot_do_is_said(session: Session, text: str, message: str, position: int | None) -> None:
    run(session, "CREATE TABLE t (k int, x int)", "CREATE VIEW p AS SELECT k, x FROM changelog(t)")
    with pytest.raises(ConstellationError) as refused:
        run(session, text)
    assert (refused.value.message, refused.value.position) == (message, position)
