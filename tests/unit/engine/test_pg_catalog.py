"""What pg_catalog and information_schema tell: of what is defined, of the session, of an open transaction."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from constellationdb.engine.engine import Engine
from constellationdb.engine.pg_catalog.objects import Part
from constellationdb.engine.session import Session
from constellationdb.errors import ConstellationError


@pytest.fixture
def session() -> Iterator[Session]:
    with Engine() as engine:
        yield engine.session("tester")


def run(session: Session, sql: str) -> list[tuple[Any, ...]]:
    return [
        tuple(row.values()) for result in session.execute(sql) for batch in result.batches for row in batch.to_pylist()
    ]


_OWN = "SELECT relname, relkind FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY relname"


def test_each_kind_of_relation_has_its_relkind(session: Session) -> None:
    run(session, "CREATE TABLE t (a int PRIMARY KEY); CREATE VIEW v AS SELECT a FROM t")
    run(session, "CREATE MATERIALIZED VIEW m AS SELECT count(*) AS n FROM t; CREATE SOURCE pushed (a int)")
    run(session, "CREATE SOURCE polled WITH (connector = 'generator', preset = 'market', seed = '1', \"limit\" = '1')")
    run(session, "CREATE LOOKUP TABLE l (k int PRIMARY KEY) WITH (connector = 'inline', rows = '[[1]]')")
    kinds = dict(run(session, _OWN))
    assert {name: kinds[name] for name in ("t", "v", "m", "pushed", "polled", "l", "t_pkey", "m_errors")} == {
        "t": "r", "v": "v", "m": "m", "pushed": "r", "polled": "f", "l": "f", "t_pkey": "i", "m_errors": "m",
    }  # fmt: skip


def test_a_transaction_sees_what_it_has_defined_and_others_do_not(session: Session) -> None:
    other = session.engine.session()
    run(session, "BEGIN; CREATE TABLE made_here (a int)")
    assert ("made_here", "r") in run(session, _OWN)
    assert run(session, "SELECT 'made_here'::regclass::text") == [("made_here",)]
    assert run(other, _OWN) == []
    run(session, "ROLLBACK")
    assert run(session, _OWN) == []


def test_what_is_dropped_is_gone(session: Session) -> None:
    run(session, "CREATE TABLE t (a int)")
    assert run(session, _OWN) == [("t", "r")]
    run(session, "DROP TABLE t")
    assert run(session, _OWN) == []


def test_oids_stay_while_other_things_come_and_go(session: Session) -> None:
    run(session, "CREATE TABLE gone (a int PRIMARY KEY); CREATE TABLE t (a int PRIMARY KEY)")
    query = "SELECT oid, relname, reltype FROM pg_class WHERE relname IN ('t', 't_pkey') ORDER BY relname"
    before = run(session, query)
    run(session, "DROP TABLE gone; CREATE TABLE another (a int PRIMARY KEY)")
    assert run(session, query) == before
    assert before[1][0] == Part.INDEX.of(before[0][0])


def test_every_oid_is_of_one_object(session: Session) -> None:
    run(
        session,
        "CREATE TABLE t (a int PRIMARY KEY, b int DEFAULT 1, c int DEFAULT 2); CREATE VIEW v AS SELECT a FROM t",
    )
    for catalog in ("pg_class", "pg_type", "pg_constraint", "pg_attrdef", "pg_proc", "pg_operator", "pg_rewrite"):
        twice = run(session, f"SELECT oid FROM {catalog} GROUP BY oid HAVING count(*) > 1")
        assert (catalog, twice) == (catalog, [])


def test_a_type_has_a_row_for_every_oid_that_a_column_names(session: Session) -> None:
    run(session, "CREATE TABLE t (a uuid, b jsonb, c int[], d text[], e numeric(5,2), f oid)")
    lost = "SELECT attname FROM pg_attribute WHERE NOT EXISTS (SELECT 1 FROM pg_type t WHERE t.oid = atttypid)"
    assert run(session, lost) == []


def test_views_show_the_columns_of_what_they_read_as_it_is_now(session: Session) -> None:
    columns = "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'w'::regclass"
    run(session, "CREATE TABLE t (a int, b text); CREATE VIEW v AS SELECT a FROM t; CREATE VIEW w AS SELECT * FROM v")
    assert run(session, columns) == [("a", "integer")]
    run(session, "CREATE OR REPLACE VIEW v AS SELECT a, b FROM t")
    assert run(session, columns) == [("a", "integer"), ("b", "text")]


def test_pg_catalog_is_searched_before_public(session: Session) -> None:
    run(session, "CREATE TABLE pg_am (a int PRIMARY KEY); INSERT INTO public.pg_am VALUES (1)")
    assert run(session, "SELECT count(*) > 1 FROM pg_am") == [(True,)]
    assert run(session, "SELECT a FROM public.pg_am WHERE a = 1") == [(1,)]
    assert run(session, "SELECT 'public.pg_am'::regclass::text") == [("public.pg_am",)]
    assert run(session, "SELECT pg_table_is_visible('public.pg_am'::regclass)") == [(False,)]


def test_two_sessions_are_told_of_themselves(session: Session) -> None:
    other = session.engine.session("somebody")
    assert run(session, "SELECT current_user, session_user, user") == [("tester",) * 3]
    assert run(other, "SELECT current_user") == [("somebody",)]
    assert ("somebody",) in run(other, "SELECT rolname FROM pg_roles")
    assert ("somebody",) not in run(session, "SELECT rolname FROM pg_roles")


def test_set_config_sets(session: Session) -> None:
    assert run(session, "SELECT set_config('application_name', 'mine', false)") == [("mine",)]
    assert run(session, "SELECT current_setting('application_name')") == [("mine",)]
    assert run(session, "SELECT setting FROM pg_settings WHERE name = 'application_name'") == [("mine",)]
    assert run(session, "SELECT current_setting('no.such', true)") == [(None,)]


def test_describing_does_not_set(session: Session) -> None:
    session.prepare("SELECT set_config('application_name', 'mine', false)")
    assert session.setting("application_name") == ""


def test_live_rows_are_counted_now(session: Session) -> None:
    run(session, "CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2)")
    query = "SELECT n_live_tup FROM pg_stat_user_tables WHERE relname = 't'"
    assert run(session, query) == [(2,)]
    run(session, "DELETE FROM t WHERE a = 1")
    assert run(session, query) == [(1,)]


def test_a_view_may_read_the_catalog(session: Session) -> None:
    run(session, "CREATE VIEW mine AS SELECT relname FROM pg_class WHERE pg_get_userbyid(relowner) = current_user")
    owner = session.engine.session("constellation")
    assert run(session, "SELECT * FROM mine") == []
    assert ("mine",) in run(owner, "SELECT * FROM mine")


def test_a_dml_statement_may_read_the_catalog(session: Session) -> None:
    run(session, "CREATE TABLE t (name text); INSERT INTO t SELECT relname FROM pg_class WHERE oid = 't'::regclass")
    assert run(session, "SELECT name FROM t") == [("t",)]


@pytest.mark.parametrize(
    ("sql", "sqlstate", "message"),
    [
        ("SELECT 'nothing'::regclass", "42P01", 'relation "nothing" does not exist'),
        ("SELECT 'public.nothing'::regclass", "42P01", 'relation "public.nothing" does not exist'),
        ("SELECT 'nothing'::regtype", "42704", 'type "nothing" does not exist'),
        ("SELECT 'nothing'::regproc", "42883", 'function "nothing" does not exist'),
        ("SELECT 'upper'::regproc", "42725", 'more than one function named "upper"'),
        ("SELECT 'nothing'::regnamespace", "3F000", 'schema "nothing" does not exist'),
        ("SELECT 'nothing'::regrole", "42704", 'role "nothing" does not exist'),
        ("SELECT has_table_privilege('nothing', 'SELECT')", "42P01", 'relation "nothing" does not exist'),
        ("SELECT has_schema_privilege('nothing', 'USAGE')", "3F000", 'schema "nothing" does not exist'),
        ("SELECT current_setting('nothing')", "42704", 'unrecognized configuration parameter "nothing"'),
        ("SELECT pg_get_userbyid('x', 1)", "42883", "function pg_get_userbyid(unknown, integer) does not exist"),
        ("SELECT * FROM pg_catalog.nothing", "42P01", 'relation "pg_catalog.nothing" does not exist'),
        ("SELECT nothing FROM pg_class", "42703", 'column "nothing" does not exist'),
        ("INSERT INTO pg_class (oid) VALUES (1)", "42501", 'permission denied: "pg_class" is a system catalog'),
        ("SELECT pg_get_functiondef('sum(integer)'::regproc)", "22023", None),
    ],
)
def test_what_is_not_there_is_an_error(session: Session, sql: str, sqlstate: str, message: str | None) -> None:
    with pytest.raises(ConstellationError) as raised:
        run(session, sql)
    assert raised.value.sqlstate == sqlstate
    assert message in (None, raised.value.message)


def test_a_materialized_view_cannot_read_the_catalog(session: Session) -> None:
    for query in ("SELECT relname FROM pg_class", "SELECT relname FROM pg_catalog.pg_class"):
        with pytest.raises(ConstellationError, match="cannot read system table") as raised:
            run(session, f"CREATE MATERIALIZED VIEW m AS {query}")
        assert raised.value.sqlstate == "0A000"


def test_a_continuous_query_cannot_ask_for_the_session(session: Session) -> None:
    run(session, "CREATE TABLE t (a int)")
    with pytest.raises(ConstellationError, match="not supported in a continuous query") as raised:
        run(session, "CREATE MATERIALIZED VIEW m AS SELECT a, current_user AS who FROM t")
    assert raised.value.sqlstate == "0A000"
    with pytest.raises(ConstellationError, match="not supported") as raised:
        run(session, "CREATE MATERIALIZED VIEW m AS SELECT pg_get_userbyid(a) AS who FROM t")
    assert raised.value.sqlstate == "0A000"


@pytest.mark.parametrize(
    ("sql", "position"),
    [
        ("SELECT 1, 'nothing'::regclass", 11),
        ("SELECT relname FROM pg_class WHERE oid = CAST('nothing' AS regclass)", 47),
        ("SELECT true; SELECT regtype 'nothing'", 29),
        ("SELECT 1, '1x'::int", 11),
        ("SELECT 1 WHERE 5 = 'it''s'", 20),
        ("SELECT '99999999999'::int", 8),
    ],
)
def test_a_literal_that_is_no_value_of_its_type_has_a_place(session: Session, sql: str, position: int) -> None:
    with pytest.raises(ConstellationError) as raised:
        run(session, sql)
    assert raised.value.position == position


def test_too_many_names_are_no_relation(session: Session) -> None:
    with pytest.raises(ConstellationError, match=r"improper relation name \(too many dotted names\): a.b.c.d"):
        run(session, "SELECT 'a.b.c.d'::regclass")


def test_arrays_of_registered_oids_are_shown_by_name(session: Session) -> None:
    run(session, "CREATE TABLE t (a int, b text[])")
    query = """SELECT array_agg(atttypid::regtype ORDER BY attnum), ARRAY['t'::regclass, NULL] AS some,
               ARRAY[]::regtype[] AS none
               FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0"""
    assert run(session, query) == [(["integer", "text[]"], ["t", None], [])]
    (result,) = session.execute("SELECT ARRAY['t'::regclass] AS a")
    (column,) = result.columns or ()
    assert column.oids is not None
    (batch,) = result.batches
    assert column.oids(batch.column(0)).to_pylist() == [
        [oid for (oid,) in run(session, "SELECT oid FROM pg_class WHERE relname = 't'")]
    ]


def test_a_temporary_table_is_in_a_schema_of_its_session_which_is_searched_first(session: Session) -> None:
    other = session.engine.session()
    run(session, "CREATE TABLE t (a int); CREATE TEMP TABLE t (a int PRIMARY KEY, b text); INSERT INTO t VALUES (1)")
    schema = f"pg_temp_{session.pid}"
    places = "SELECT relnamespace::regnamespace::text, relpersistence, pg_table_is_visible(oid) AS shown FROM pg_class"
    query = f"{places} WHERE relname IN ('t', 't_pkey') ORDER BY 1, relname"
    assert run(session, query) == [(schema, "t", True), (schema, "t", True), ("public", "p", False)]
    assert run(other, query) == [(schema, "t", False), (schema, "t", False), ("public", "p", True)]
    columns = "SELECT count(*) FROM pg_attribute WHERE attrelid = '{}'::regclass AND attnum > 0"
    assert run(session, columns.format("t")) == run(session, columns.format("pg_temp.t")) == [(2,)]
    assert run(other, columns.format("t")) == [(1,)]
    assert run(other, columns.format(f"{schema}.t")) == [(2,)]
    name = "SELECT c.oid::regclass::text FROM pg_class c WHERE c.relname = 't' AND c.relpersistence = 't'"
    assert (run(session, name), run(other, name)) == ([("t",)], [(f"{schema}.t",)])
    kinds = "SELECT table_type FROM information_schema.tables WHERE table_name = 't' ORDER BY table_schema"
    assert run(other, kinds) == [("LOCAL TEMPORARY",), ("BASE TABLE",)]
    counts = f"SELECT n_live_tup FROM pg_stat_user_tables WHERE schemaname = '{schema}'"
    assert run(session, counts) == [(1,)]
    run(session, "DROP TABLE t")
    assert run(session, f"SELECT nspname FROM pg_namespace WHERE nspname = '{schema}'") == []
    assert run(session, columns.format("t")) == [(1,)]


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE t SET b = 'x' WHERE a = 'bad'",
        "UPDATE t SET b = 'x' WHERE a = 1 RETURNING a, 'bad'::int",
        "DELETE FROM t WHERE a = 'bad'",
        "INSERT INTO t (a) SELECT 'bad'::int",
        "PREPARE p (int) AS SELECT $1; EXECUTE p ('bad')",
    ],
)
def test_so_has_one_in_a_change(session: Session, sql: str) -> None:
    run(session, "CREATE TABLE t (a int PRIMARY KEY, b text)")
    with pytest.raises(ConstellationError) as raised:
        run(session, sql)
    assert raised.value.position == sql.index("'bad'") + 1
