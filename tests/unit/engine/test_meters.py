"""What operators say of themselves: rows, failures, state; EXPLAIN ANALYZE and constellation.operators."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from constellationdb.engine.engine import Engine
from constellationdb.engine.footprint import Footprint, footprint
from constellationdb.engine.session import Session
from constellationdb.errors import FeatureNotSupported, WrongObjectType


@pytest.fixture
def session() -> Iterator[Session]:
    engine = Engine().start()
    session = engine.session()
    yield session
    session.close()
    engine.close()


def run(session: Session, sql: str) -> list[dict[str, Any]]:
    return [row for result in session.execute(sql) for batch in result.batches for row in batch.to_pylist()]


def plan_of(session: Session, sql: str) -> list[str]:
    return [row["QUERY PLAN"] for row in run(session, sql)]


def operators(session: Session, view: str) -> dict[str, dict[str, Any]]:
    run(session, "FLUSH")
    return {r["kind"]: r for r in run(session, f"SELECT * FROM constellation.operators WHERE name = '{view}'")}


def test_every_row_is_counted_where_it_passes(session: Session) -> None:
    run(session, "CREATE TABLE t (k int, x int)")
    run(session, "CREATE MATERIALIZED VIEW v AS SELECT k, 10 / x AS y FROM t WHERE k > 0")
    run(session, "CREATE MATERIALIZED VIEW n AS SELECT k, count(*) AS n FROM t GROUP BY k")
    run(session, "INSERT INTO t VALUES (0, 1), (1, 0), (1, 2), (2, 5)")
    run(session, "DELETE FROM t WHERE k = 2")
    of = operators(session, "v")
    assert (of["Scan t (table)"]["rows_out"], of["Fragment (DataFusion)"]["rows_in"]) == (5, 5)
    assert (of["Fragment (DataFusion)"]["rows_out"], of["Fragment (DataFusion)"]["rows_error"]) == (3, 1)
    group = operators(session, "n")["Aggregate"]
    assert (group["rows_in"], group["rows_out"], group["path"]) == (5, 4, "fast")
    assert group["state_rows"] == 3  # an empty group keeps its place
    assert group["state_bytes"] > 0
    assert group["inputs"] == str(operators(session, "n")["Scan t (table)"]["operator"])
    jobs = {r["name"]: r for r in run(session, "SELECT * FROM constellation.jobs")}
    assert (jobs["v"]["rows_error"], jobs["v"]["epochs_behind"], jobs["n"]["rows_error"]) == (1, 0, 0)
    assert jobs["v"]["busy_ms"] > 0


def test_state_that_the_watermark_frees_is_kept_no_longer(session: Session) -> None:
    run(session, "CREATE SOURCE s (k int, ts timestamp, WATERMARK FOR ts)")
    for name, window in (
        ("tumbling", "TUMBLE(s, ts, INTERVAL '1 minute')"),
        ("hopping", "HOP(s, ts, INTERVAL '1 minute', INTERVAL '2 minutes')"),
        ("sessions", "SESSION(s PARTITION BY k, ts, INTERVAL '1 minute')"),
    ):
        select = "SELECT k, window_start, window_end, count(*) AS n"
        run(session, f"CREATE MATERIALIZED VIEW {name} AS {select} FROM {window} GROUP BY 1, 2, 3")
    run(session, "INSERT INTO s VALUES (1, '2024-01-01 00:00:01'), (2, '2024-01-01 00:00:02')")
    run(session, "FLUSH")
    sums = "SELECT name, sum(state_rows) AS n FROM constellation.operators GROUP BY name ORDER BY name"
    assert [r["n"] for r in run(session, sums)] == [4, 2, 2]
    run(session, "INSERT INTO s VALUES (1, '2024-01-01 02:00:00')")
    run(session, "FLUSH")
    assert [r["n"] for r in run(session, sums)] == [2, 1, 1]
    run(session, "INSERT INTO s VALUES (1, '2024-01-01 00:00:01')")
    assert operators(session, "tumbling")["Tumble on ts"]["rows_late"] == 1


def test_a_join_keeps_its_own_rows_and_not_those_it_borrows(session: Session) -> None:
    run(session, "CREATE SOURCE s (k int, x int)")
    run(session, "CREATE TABLE t (k int PRIMARY KEY, y int)")
    run(session, "CREATE MATERIALIZED VIEW v AS SELECT s.x, t.y FROM s JOIN t ON s.k = t.k")
    run(session, "CREATE MATERIALIZED VIEW r AS SELECT k, string_agg(x::text, ',') AS xs FROM s GROUP BY k")
    run(session, "INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)")
    run(session, "INSERT INTO s VALUES (1, 10), (1, 11)")
    join = operators(session, "v")["Inner join"]
    assert (join["rows_in"], join["rows_out"], join["state_rows"]) == (5, 2, 2)
    again = operators(session, "r")["RecomputeAffected"]
    assert (again["path"], again["state_rows"]) == ("generic", 3)  # two rows, one answer


def test_explain_analyze_shows_a_view_as_it_runs(session: Session) -> None:
    query = "SELECT k, count(*) AS n FROM t GROUP BY k"
    run(session, "CREATE TABLE t (k int, id int)")
    run(session, f"CREATE MATERIALIZED VIEW v AS {query}")
    run(session, "INSERT INTO t VALUES (1, 1), (1, 2), (2, 3)")
    run(session, "FLUSH")
    planned = plan_of(session, "EXPLAIN MATERIALIZED VIEW v")
    analyzed = plan_of(session, "EXPLAIN (ANALYZE) MATERIALIZED VIEW v")
    assert [line for line in analyzed if "actual" not in line] == planned
    assert planned == plan_of(session, f"EXPLAIN CREATE MATERIALIZED VIEW v AS {query}")
    actual = [line.strip() for line in analyzed if "actual" in line]
    assert actual[0].startswith("actual  running; 1 epochs run, at epoch ")
    assert actual[0].endswith("; 3 rows in and 2 out since the first answer")
    assert actual[1].startswith("actual   3 rows in; 2 rows out; time ")
    assert "; keeps 2 rows in " in actual[1]
    assert actual[2].startswith("actual   3 rows out; time ")


def test_explain_analyze_runs_a_query(session: Session) -> None:
    run(session, "CREATE TABLE t (k int)")
    run(session, "INSERT INTO t VALUES (1), (1), (2), (5)")
    lines = plan_of(session, "EXPLAIN ANALYZE SELECT k, count(*) FROM t WHERE k < 4 GROUP BY k")
    assert "  read   t: 4 rows" in lines
    assert any("FilterExec: k@0 < 4" in line and line.endswith(" rows=3)") for line in lines)
    assert any("AggregateExec" in line and line.endswith(" rows=2)") for line in lines)
    assert [line.split(":")[0] for line in lines[-2:]] == ["Planning Time", "Execution Time"]
    changes = plan_of(session, "EXPLAIN ANALYZE SUBSCRIBE (SELECT k, count(*) FROM t GROUP BY k)")
    assert any("3 rows in; 3 rows out" in line for line in changes)
    assert not run(session, "SELECT * FROM constellation.jobs")


def test_explain_analyze_changes_nothing(session: Session) -> None:
    run(session, "CREATE TABLE t (k int)")
    run(session, "INSERT INTO t VALUES (1)")
    with pytest.raises(FeatureNotSupported, match="EXPLAIN ANALYZE of a statement that changes something"):
        run(session, "EXPLAIN ANALYZE DELETE FROM t")
    with pytest.raises(WrongObjectType, match='"t" is not a materialized view'):
        run(session, "EXPLAIN ANALYZE MATERIALIZED VIEW t")
    assert run(session, "SELECT * FROM t") == [{"k": 1}]


def test_a_footprint_counts_what_is_shared_once() -> None:
    array, batch = np.zeros(10, np.int64), pa.record_batch({"a": [1, 2, 3]})
    assert footprint([array, array], {"x": batch}) == Footprint(3, 80 + batch.nbytes, 80 + batch.nbytes)
    assert footprint() == Footprint(0, 0)
