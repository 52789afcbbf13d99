"""A look at a source: SELECT … LIMIT ends with what is there, and SUBSCRIBE has the source read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from constellationdb.engine.cancellation import Cancellation
from constellationdb.engine.engine import Engine
from constellationdb.engine.selects import plan_continuous
from constellationdb.errors import FeatureNotSupported
from constellationdb.planner.statements import Query, Select
from constellationdb.planner.syntax import parse
from tests.unit.engine.statements import run

_GENERATED = """
    CREATE SOURCE {name} (symbol text, price double precision, size bigint, ts timestamp, WATERMARK FOR ts)
    WITH (connector = 'generator', preset = 'market', seed = '1', event_rate = '10', late = '0'{more})
"""


def select(sql: str) -> Query:
    (statement,) = parse(sql)
    assert isinstance(statement, Select)
    return statement.query


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine() as started:
        run(started.session(), "CREATE SOURCE pushed (a int, b text)")
        run(started.session(), _GENERATED.format(name="few", more=", \"limit\" = '50'"))
        run(started.session(), _GENERATED.format(name="paced", more=", rate = '100'"))
        yield started


@pytest.mark.parametrize("query", [
    "SELECT * FROM few LIMIT 100", "SELECT * FROM (SELECT * FROM few) AS q LIMIT 100 OFFSET 0",
])  # fmt: skip
def test_a_source_that_ends_before_the_limit(engine: Engine, query: str) -> None:
    assert len(run(engine.session(), query)) == 50


def test_a_push_source_keeps_no_rows_so_there_are_none_to_look_at(engine: Engine) -> None:
    session = engine.session()
    run(session, "INSERT INTO pushed VALUES (1, 'x')", "CREATE VIEW plain AS SELECT a FROM pushed")
    assert run(session, "SELECT * FROM pushed LIMIT 100") == []
    assert run(session, "SELECT * FROM plain LIMIT 100") == []
    assert run(session, "BEGIN", "DECLARE c CURSOR FOR SELECT * FROM pushed LIMIT 5", "FETCH ALL FROM c") == []


def test_a_source_that_goes_on_gives_as_many_rows_as_were_asked_for(engine: Engine) -> None:
    assert len(run(engine.session(), "SELECT * FROM paced LIMIT 7")) == 7


def test_a_source_that_brings_a_row_now_and_then_is_not_waited_for(engine: Engine) -> None:
    found = run(engine.session(), "SELECT * FROM paced LIMIT 100000")
    assert 0 < len(found) < 100_000


def test_a_look_ends_although_rows_go_on_to_come_that_it_does_not_want(engine: Engine) -> None:
    assert run(engine.session(), "SELECT * FROM paced WHERE size < 0 LIMIT 5") == []


def test_a_look_does_not_read_the_whole_history_of_its_source(engine: Engine) -> None:
    session = engine.session()
    run(session, _GENERATED.format(name="long", more=", \"limit\" = '200000'"))
    run(session, "CREATE MATERIALIZED VIEW read AS SELECT count(*) AS n FROM long", "FLUSH")
    while run(session, "SELECT n FROM read") != [(200_000,)]:
        run(session, "FLUSH")
    lowered, limit = plan_continuous(select("SELECT * FROM long LIMIT 3"), session.relations)
    job, subscription = engine.transient(lowered, Cancellation(), enough=limit)
    first = subscription.next(60)
    engine.drop_transient(job)
    assert first is not None
    assert 3 <= first.num_rows < 100_000


def test_who_takes_only_so_many_rows_need_not_say_so_in_sql(engine: Engine) -> None:
    (result,) = engine.session().execute("SELECT * FROM pushed")
    result.at_most = 3
    assert list(result.batches) == []
    (result,) = engine.session().execute("SELECT * FROM paced")
    result.at_most = 3
    assert sum(batch.num_rows for batch in result.batches) == 3


def test_the_limit_may_be_a_parameter(engine: Engine) -> None:
    session = engine.session()
    prepared = session.prepare("SELECT symbol FROM few LIMIT $1")
    result = session.execute_prepared(prepared, ("3",))
    assert sum(batch.num_rows for batch in result.batches) == 3


def test_a_limit_over_a_result_that_changes_is_still_refused(engine: Engine) -> None:
    with pytest.raises(FeatureNotSupported, match="the result of this continuous query changes"):
        run(engine.session(), "SELECT * FROM few ORDER BY price LIMIT 3")


def test_subscribe_has_a_source_read_that_nobody_else_reads(engine: Engine) -> None:
    session = engine.session()
    run(session, "DECLARE c CURSOR WITH HOLD FOR SUBSCRIBE few")
    assert len(run(session, "FETCH 50 FROM c WITH (timeout = '60s')")) == 50
    run(session, "CLOSE c")
    assert not engine.sources["few"].subscribers


def test_rows_of_a_source_that_its_subscriber_has_not_read_yet_are_kept(engine: Engine) -> None:
    session, other = engine.session(), engine.session()
    run(session, "DECLARE c CURSOR WITH HOLD FOR SUBSCRIBE pushed")
    for a in range(3):
        run(other, f"INSERT INTO pushed VALUES ({a}, 'x')")
        engine.tidy_base()
    found = run(session, "FETCH 3 FROM c WITH (timeout = '60s')")
    assert [row[2] for row in found] == [0, 1, 2]


def test_a_plain_view_over_a_source_shows_its_columns(engine: Engine) -> None:
    session = engine.session()
    run(session, "CREATE VIEW plain (one) AS SELECT a + 1, b FROM pushed")
    columns = "SELECT column_name FROM information_schema.columns WHERE table_name = 'plain' ORDER BY ordinal_position"
    assert run(session, columns) == [("one",), ("b",)]
    run(session, "CREATE OR REPLACE VIEW plain AS SELECT a AS one, b, 3 AS three FROM pushed")
    assert len(run(session, columns)) == 3
