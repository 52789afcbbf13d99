"""Schemas, search paths and comments: what a session sees, and what outlives the process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pyarrow as pa
import pytest

from constellationdb.catalog.catalog import Catalog
from constellationdb.catalog.model import PUBLIC, Create, CreateSchema, DropSchema, make_relation
from constellationdb.engine.engine import Engine
from constellationdb.engine.manifest import Manifest, catalog_of
from constellationdb.errors import (
    ConstellationError,
    DependentObjects,
    DuplicateRelation,
    InsufficientPrivilege,
    SerializationFailure,
    UndefinedRelation,
    UndefinedSchema,
)
from tests.unit.engine.statements import run


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine() as started:
        yield started


def test_each_session_has_its_own_path(engine: Engine) -> None:
    one, other = engine.session("ada"), engine.session("ben", settings={"search_path": "s, public"})
    run(one, "CREATE SCHEMA s", "CREATE TABLE t (a int)", "CREATE TABLE s.t (a int)")
    run(one, "INSERT INTO t VALUES (1)", "INSERT INTO s.t VALUES (2)")
    assert run(one, "SELECT a FROM t") == [(1,)]
    assert run(other, "SELECT a FROM t") == [(2,)]
    run(one, 'CREATE SCHEMA "ada"', "CREATE TABLE t (a int)", "INSERT INTO t VALUES (3)")
    assert run(one, "SELECT a FROM t") == run(one, "SELECT a FROM ada.t") == [(3,)]


def test_what_was_prepared_follows_the_path(engine: Engine) -> None:
    session = engine.session()
    run(session, "CREATE SCHEMA s", "CREATE TABLE t (a int PRIMARY KEY)", "CREATE TABLE s.t (a int PRIMARY KEY, b int)")
    run(session, "INSERT INTO t VALUES (1)", "INSERT INTO s.t VALUES (1, 2)")
    for path, expected in (("public", [(1,)]), ("s", [(1, 2)]), ("public", [(1,)])):
        run(session, f"SET search_path = {path}")
        prepared = session.prepare("SELECT * FROM t WHERE a = $1")
        rows = session.execute_prepared(prepared, ("1",))
        assert [tuple(row.values()) for batch in rows.batches for row in batch.to_pylist()] == expected
        session.sync()
        insert = session.prepare("INSERT INTO t VALUES ($1)")
        assert insert.parameters == (23,)


def test_subscriptions_and_explain_find_their_relation(engine: Engine) -> None:
    session = engine.session()
    run(
        session,
        "CREATE SCHEMA s",
        "CREATE TABLE s.t (a int)",
        "CREATE SOURCE s.e (a int)",
        "INSERT INTO s.t VALUES (1)",
    )
    run(session, "CREATE MATERIALIZED VIEW s.v AS SELECT count(*) AS n FROM s.e")
    run(session, "SET search_path = s", "INSERT INTO e VALUES (7), (8)")
    assert run(session, "SELECT n FROM v") == [(2,)]
    assert run(session, "SELECT * FROM v_errors") == []
    assert "Subscription to table s.t" in str(run(session, "EXPLAIN SUBSCRIBE t"))
    assert "Scan s.e (source)" in str(run(session, "EXPLAIN CREATE MATERIALIZED VIEW w AS SELECT a FROM e"))


def test_windows_and_late_rows_know_schemas(engine: Engine) -> None:
    session = engine.session()
    run(session, "CREATE SCHEMA s", "SET search_path = s")
    run(session, "CREATE SOURCE e (a int, ts timestamp, WATERMARK FOR ts AS ts - INTERVAL '1 second')")
    run(
        session,
        "CREATE MATERIALIZED VIEW w AS SELECT window_start, count(*) AS n FROM TUMBLE(s.e, ts, INTERVAL '1 minute')"
        " GROUP BY window_start EMIT ON WINDOW CLOSE LATE DATA TO public.late",
    )
    run(session, "INSERT INTO e VALUES (1, '2026-01-01 00:00:01')", "INSERT INTO e VALUES (2, '2026-01-01 00:05:00')")
    run(session, "INSERT INTO e VALUES (3, '2026-01-01 00:00:02')", "FLUSH")
    assert run(session, "SELECT n FROM w") == [(1,)]
    assert run(session, "SELECT a FROM public.late") == [(3,)]
    with pytest.raises(UndefinedRelation):
        run(session, "SELECT a FROM late")
    with pytest.raises(DependentObjects) as blocked:
        run(session, "DROP SCHEMA public")
    assert blocked.value.detail == "materialized view w depends on schema public"
    run(session, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    assert run(session, "SELECT relname FROM pg_class WHERE relname IN ('w', 'late', 'e')") == [("e",)]


def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    for checkpoint in (False, True):
        folder = tmp_path / str(checkpoint)
        with Engine(folder) as engine:
            session = engine.session()
            run(session, "CREATE SCHEMA s", "CREATE TABLE t (a int)", "CREATE TABLE s.t (a int)", "CREATE SCHEMA gone")
            run(session, "CREATE MATERIALIZED VIEW s.v AS SELECT sum(a) AS n FROM s.t", "DROP SCHEMA gone")
            run(session, "SET search_path = s", "CREATE VIEW public.w AS SELECT a FROM t", "RESET search_path")
            run(
                session,
                "COMMENT ON TABLE s.t IS 'kept'",
                "COMMENT ON COLUMN s.t.a IS 'too'",
                "COMMENT ON SCHEMA s IS 's'",
            )
            run(session, "ALTER SCHEMA s RENAME TO r", "CREATE SCHEMA s", "CREATE TABLE s.t (a int)")
            run(session, "INSERT INTO t VALUES (1)", "INSERT INTO r.t VALUES (2)", "INSERT INTO s.t VALUES (3)")
            if checkpoint:
                run(session, "CHECKPOINT")
        with Engine(folder) as engine:
            session = engine.session()
            for name, value in (("t", 1), ("r.t", 2), ("s.t", 3), ("w", 2)):
                assert run(session, f"SELECT a FROM {name}") == [(value,)], (checkpoint, name)
            run(session, "INSERT INTO r.t VALUES (5)")
            assert run(session, "SELECT n FROM r.v") == [(7,)]
            described = "obj_description('r.t'::regclass) AS a, col_description('r.t'::regclass, 1) AS b"
            assert run(session, f"SELECT {described}, obj_description('r'::regnamespace) AS c") == [
                ("kept", "too", "s")
            ]
            with pytest.raises(UndefinedSchema):
                run(session, "CREATE TABLE gone.t (a int)")


def test_a_checkpoint_from_before_there_were_schemas() -> None:
    old = {"epoch": 7, "catalog_version": 3, "next_oid": 16390, "relations": [], "sources": {}, "jobs": {}, "blobs": {}}
    manifest = msgspec.convert({**old, "forgotten": {}}, Manifest)
    catalog = catalog_of(manifest)
    assert (catalog.version, catalog.next_oid, dict(catalog.schemas)) == (3, 16390, {"public": PUBLIC})


def test_a_renamed_schema_keeps_what_the_transaction_wrote(engine: Engine) -> None:
    session = engine.session()
    run(session, "CREATE SCHEMA s", "CREATE TABLE s.t (a int)", "INSERT INTO s.t VALUES (1)")
    run(session, "BEGIN", "INSERT INTO s.t VALUES (2)", "ALTER SCHEMA s RENAME TO r", "INSERT INTO r.t VALUES (3)")
    assert run(session, "SELECT a FROM r.t ORDER BY a") == [(1,), (2,), (3,)]
    run(session, "COMMIT")
    assert run(engine.session(), "SELECT a FROM r.t ORDER BY a") == [(1,), (2,), (3,)]
    run(session, "BEGIN", "DROP SCHEMA r CASCADE", "ROLLBACK")
    assert run(session, "SELECT count(*) FROM r.t") == [(3,)]


def test_a_schema_that_somebody_drops_takes_no_table(engine: Engine) -> None:
    one, other = engine.session(), engine.session()
    run(one, "CREATE SCHEMA s")
    run(one, "BEGIN", "CREATE TABLE s.t (a int)")
    run(other, "DROP SCHEMA s")
    with pytest.raises((UndefinedSchema, SerializationFailure)):
        run(one, "COMMIT")
    run(one, "ROLLBACK") if one.transaction_status != "I" else None
    run(one, "CREATE SCHEMA s", "BEGIN", "DROP SCHEMA s")
    run(other, "CREATE TABLE s.t (a int)")
    with pytest.raises(DependentObjects):
        run(one, "COMMIT")
    assert run(other, "SELECT count(*) FROM s.t") == [(0,)]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("CREATE TABLE pg_catalog.t (a int)", InsufficientPrivilege),
        ("CREATE SOURCE constellation.t (a int)", InsufficientPrivilege),
        ("CREATE SOURCE missing.t (a int)", UndefinedSchema),
        ("CREATE LOOKUP TABLE missing.t (a int PRIMARY KEY) WITH (connector = 'inline', rows = '[]')", UndefinedSchema),
        ("CREATE MATERIALIZED VIEW missing.v AS SELECT 1 AS a", UndefinedSchema),
        ("CREATE TABLE s.t (a int)", DuplicateRelation),
        ("SUBSCRIBE s.missing", UndefinedRelation),
        ("COPY s.missing FROM STDIN", UndefinedRelation),
    ],
)
def test_errors(engine: Engine, text: str, error: type[ConstellationError]) -> None:
    session = engine.session()
    run(session, "CREATE SCHEMA s", "CREATE TABLE s.t (a int)")
    with pytest.raises(error):
        run(session, text)


def test_the_catalog_keeps_schemas_and_places_apart() -> None:
    schema = pa.schema([("a", pa.int64())])
    with_schema = Catalog().apply(CreateSchema("s"))
    oid = with_schema.schema("s")
    assert oid >= 16384
    made = with_schema.apply(Create((make_relation("s.t", "table", schema, namespace=oid, label="t"),)))
    both = made.apply(Create((make_relation("t", "table", schema),)))
    assert {place: r.name for place, r in both.by_place.items()} == {(oid, "t"): "s.t", (PUBLIC, "t"): "t"}
    with pytest.raises(DuplicateRelation):
        both.apply(Create((make_relation("other", "table", schema, namespace=oid, label="t"),)))
    with pytest.raises(DependentObjects):
        both.apply(DropSchema(("s",)))
    with pytest.raises(UndefinedSchema):
        both.apply(Create((make_relation("x", "table", schema, namespace=3),)))
