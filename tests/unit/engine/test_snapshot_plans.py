"""Plans of catalog queries that are kept answer as if they were made anew."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from constellationdb.engine.engine import Engine
from constellationdb.engine.session import Session
from constellationdb.errors import ConstellationError
from constellationdb.planner import statements as st
from constellationdb.planner.syntax import parse


@pytest.fixture
def session() -> Iterator[Session]:
    with Engine() as engine:
        yield engine.session("tester")


def run(session: Session, sql: str) -> list[tuple[Any, ...]]:
    return [
        tuple(row.values()) for result in session.execute(sql) for batch in result.batches for row in batch.to_pylist()
    ]


def is_kept(session: Session, sql: str) -> bool:
    """Whether asking again gives the same plan."""
    first, second = (session.engine.snapshot_plans.plan(session, _query(sql)) for _ in range(2))
    return first.tables is second.tables


_COUNT = "SELECT count(*) FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0"


def test_a_plan_is_kept_for_every_session_and_each_has_its_own_answers(session: Session) -> None:
    query = (
        "SELECT relname, pg_backend_pid() AS pid FROM pg_class WHERE relname = 'pg_class' AND pg_backend_pid() = oid"
    )
    assert not is_kept(session, query)
    other = session.engine.session("other")
    query = "SELECT pg_get_userbyid(oid), current_setting(rolname || '.x', true) FROM pg_roles WHERE rolname = 'tester'"
    assert is_kept(session, query)
    run(session, "SET tester.x = 'mine'")
    assert run(session, query) == [("tester", "mine")]
    assert run(other, query.replace("'tester'", "'other'")) == [("other", None)]
    run(other, "SET tester.x = 'others'")
    assert run(session, query) == [("tester", "mine")]


def test_an_oid_in_a_plan_is_that_of_the_catalog_as_it_is(session: Session) -> None:
    run(session, "CREATE TABLE t (a int)")
    assert is_kept(session, _COUNT)
    assert run(session, _COUNT) == [(1,)]
    run(session, "DROP TABLE t; CREATE TABLE t (a int, b int)")
    assert run(session, _COUNT) == [(2,)]
    run(session, "DROP TABLE t")
    with pytest.raises(ConstellationError, match='relation "t" does not exist'):
        run(session, _COUNT)


def test_a_transaction_and_a_temporary_table_are_for_their_session_only(session: Session) -> None:
    run(session, "CREATE TABLE t (a int)")
    other = session.engine.session()
    assert run(other, _COUNT) == [(1,)]
    run(session, "CREATE TEMP TABLE t (a int, b int, c int)")
    assert run(session, _COUNT) == [(3,)]
    assert run(other, _COUNT) == [(1,)]
    run(session, "DROP TABLE t")
    run(session, "BEGIN; DROP TABLE t; CREATE TABLE t (a int, b int)")
    assert run(session, _COUNT) == [(2,)]
    assert run(other, _COUNT) == [(1,)]
    run(session, "ROLLBACK")
    assert run(session, _COUNT) == [(1,)]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT now(), relname FROM pg_class",
        "SELECT relname FROM pg_class WHERE current_date > '2024-01-01'",
        "SELECT relname FROM pg_class WHERE pg_relation_size('t') > 0",
        "SELECT relname FROM pg_class, t",
        "SELECT * FROM t",
    ],
)
def test_what_may_change_is_planned_each_time(session: Session, sql: str) -> None:
    run(session, "CREATE TABLE t (a int)")
    assert not is_kept(session, sql)


def test_the_oldest_plans_make_room(session: Session) -> None:
    first = "SELECT relname FROM pg_class WHERE oid = 0"
    assert is_kept(session, first)
    kept = session.engine.snapshot_plans
    plan = kept.plan(session, _query(first))
    for number in range(1, 513):
        kept.plan(session, _query(f"SELECT relname FROM pg_class WHERE oid = {number}"))
    assert kept.plan(session, _query(first)).tables is not plan.tables


def _query(sql: str) -> st.Query:
    (statement,) = parse(sql)
    assert isinstance(statement, st.Select)
    return statement.query
