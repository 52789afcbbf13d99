"""Users' functions where what they read is altered, and where views that call them are replaced."""

from __future__ import annotations

from pathlib import Path

import pytest

from constellationdb.engine.engine import Engine
from constellationdb.engine.session import Session
from constellationdb.errors import (
    DependentObjects,
    FeatureNotSupported,
    SerializationFailure,
    UndefinedColumn,
)
from tests.unit.engine.statements import run

_BEGIN = (
    "CREATE SCHEMA s",
    "SET search_path = s",
    "CREATE TABLE t (id int, a int)",
    "INSERT INTO t VALUES (1, 1), (2, 10)",
    "CREATE FUNCTION total() RETURNS bigint LANGUAGE SQL RETURN (SELECT sum(a) FROM t)",
    "CREATE FUNCTION twice(a int) RETURNS int IMMUTABLE LANGUAGE SQL RETURN a * 2",
)


def _session(engine: Engine) -> Session:
    session = engine.session()
    run(session, *_BEGIN)
    return session


def test_a_materialized_view_outlives_what_becomes_of_the_columns_of_its_function(tmp_path: Path) -> None:
    with Engine(tmp_path) as engine:
        session = _session(engine)
        run(session, "CREATE MATERIALIZED VIEW v AS SELECT total() AS s", "ALTER TABLE t RENAME COLUMN a TO b")
        with pytest.raises(UndefinedColumn):
            run(session, "SELECT total()")
        run(
            session, "ALTER TABLE t ADD COLUMN c int", "INSERT INTO t VALUES (3, 100, 1)", "ALTER TABLE t DROP COLUMN c"
        )
        assert run(session, "FLUSH", "SELECT * FROM v") == [(111,)]
    with Engine(tmp_path) as engine:
        session = engine.session()
        run(session, "SET search_path = s", "INSERT INTO t VALUES (4, 1000)")
        assert run(session, "FLUSH", "SELECT * FROM v") == [(1111,)]
        with pytest.raises(DependentObjects):
            run(session, "ALTER TABLE t DROP COLUMN b")
        run(session, "ALTER TABLE t DROP COLUMN b CASCADE")
        assert run(session, "SELECT count(*) FROM pg_class WHERE relname = 'v'") == [(0,)]


def test_a_body_that_has_lost_a_column_does_not_take_its_callers() -> None:
    with Engine() as engine:
        session = _session(engine)
        run(session, "ALTER TABLE t RENAME COLUMN a TO b")
        for statement in (
            "SELECT total() FROM (SELECT 1 AS a) x",
            "CREATE VIEW v AS SELECT total(), a FROM (SELECT 1 a) x",
        ):
            with pytest.raises(UndefinedColumn, match='column "a" does not exist'):
                run(session, statement)


def test_a_plain_view_that_calls_a_function_holds_the_names_that_this_reads() -> None:
    with Engine() as engine:
        session = _session(engine)
        run(session, "CREATE VIEW v AS SELECT id, total() AS s FROM t")
        with pytest.raises(FeatureNotSupported, match="cannot follow another name"):
            run(session, "ALTER TABLE t RENAME COLUMN a TO b")
        assert sorted(run(session, "SELECT * FROM v")) == [(1, 11), (2, 11)]


def test_a_next_version_of_a_view_calls_other_functions(tmp_path: Path) -> None:
    with Engine(tmp_path) as engine:
        session = _session(engine)
        run(session, "CREATE MATERIALIZED VIEW v AS SELECT id FROM t")
        run(session, "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT id, twice(a) AS d FROM t")
        with pytest.raises(DependentObjects):
            run(session, "DROP FUNCTION twice")
    with Engine(tmp_path) as engine:
        session = engine.session()
        run(session, "SET search_path = s", "INSERT INTO t VALUES (3, 7)")
        assert sorted(run(session, "FLUSH", "SELECT * FROM v")) == [(1, 2), (2, 20), (3, 14)]
        with pytest.raises(DependentObjects):
            run(session, "DROP FUNCTION twice")
        run(session, "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT id FROM t", "DROP FUNCTION twice")
        assert sorted(run(session, "SELECT * FROM v")) == [(1,), (2,), (3,)]


def test_a_view_is_not_made_over_a_function_that_was_defined_anew_meanwhile() -> None:
    with Engine() as engine:
        session, other = _session(engine), engine.session()
        run(session, "BEGIN", "CREATE VIEW v AS SELECT twice(id) AS d FROM t")
        run(other, "CREATE OR REPLACE FUNCTION twice(a int) RETURNS int IMMUTABLE LANGUAGE SQL RETURN a + a")
        with pytest.raises(SerializationFailure, match="twice"):
            run(session, "COMMIT")


def test_what_a_transaction_defines_goes_with_the_function_that_it_made() -> None:
    with Engine() as engine:
        session, other = _session(engine), engine.session()
        made = "CREATE FUNCTION f(a int) RETURNS int IMMUTABLE LANGUAGE SQL RETURN a + 1"
        view = "CREATE VIEW v AS SELECT f(id) AS d FROM t"
        run(session, "BEGIN", made, view)
        run(other, "CREATE TABLE between (a int)")  # takes the oid that the function was to have
        with pytest.raises(SerializationFailure):
            run(session, "COMMIT")
        run(session, "BEGIN", made, view, "COMMIT")
        with pytest.raises(DependentObjects):
            run(session, "DROP FUNCTION f")


@pytest.mark.parametrize(
    "body",
    [
        "RETURN (SELECT count(*) FROM t ASOF JOIN t u ON id = u.id AND a >= u.a)",
        "AS $$ SELECT count(*) FROM t ASOF LEFT JOIN t u ON id = u.id $$",
    ],
)
def test_asof_is_no_alias_in_a_body(body: str) -> None:
    with Engine() as engine, pytest.raises(FeatureNotSupported, match="ASOF JOIN"):
        run(_session(engine), f"CREATE FUNCTION f() RETURNS bigint LANGUAGE SQL {body}")


def test_a_body_reads_no_changelog() -> None:
    with Engine() as engine, pytest.raises(FeatureNotSupported, match=r"changelog\(\) in the body"):
        run(
            _session(engine),
            "CREATE FUNCTION f() RETURNS bigint LANGUAGE SQL RETURN (SELECT count(*) FROM changelog(t))",
        )


@pytest.mark.parametrize("name", ["nextval", "make_interval", "regexp_count", "justify_days", "lower"])
def test_names_of_the_system_are_not_taken(name: str) -> None:
    with Engine() as engine, pytest.raises(FeatureNotSupported, match=name):
        run(engine.session(), f"CREATE FUNCTION {name}(a int) RETURNS int LANGUAGE SQL RETURN a")
