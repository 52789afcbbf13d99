"""Schemas, names in them, and COMMENT ON, as statements say them."""

from __future__ import annotations

import pytest

from constellationdb.errors import FeatureNotSupported
from constellationdb.planner.references import reference, split
from constellationdb.planner.statements import (
    Comment,
    CommentedKind,
    CreateSchema,
    CreateTable,
    DropSchema,
    RenameSchema,
)
from tests.unit.planner.test_syntax_session import one


def test_schemas() -> None:
    assert one("CREATE SCHEMA s") == CreateSchema("CREATE SCHEMA s", 0, "s")
    sql = "CREATE SCHEMA IF NOT EXISTS AUTHORIZATION ada"
    assert one(sql) == CreateSchema(sql, 0, "ada", True, "ada")
    sql = 'DROP SCHEMA IF EXISTS a, "B c" CASCADE'
    assert one(sql) == DropSchema(sql, 0, ("a", "B c"), True, True)
    assert one("ALTER SCHEMA a RENAME TO b") == RenameSchema("ALTER SCHEMA a RENAME TO b", 0, "a", "b")


@pytest.mark.parametrize(
    "sql", ["CREATE SCHEMA s CREATE TABLE t (a int)", "ALTER SCHEMA s OWNER TO ada", "ALTER TABLE t SET SCHEMA s"]
)
def test_what_is_refused_by_name(sql: str) -> None:
    with pytest.raises(FeatureNotSupported, match="is not supported"):
        one(sql)


@pytest.mark.parametrize(
    ("sql", "kind", "named", "part", "text"),
    [
        ("COMMENT ON TABLE s.t IS 'x'", "table", "s.t", "", "x"),
        ("COMMENT ON SOURCE t IS 'it''s'", "source", "t", "", "it's"),
        ("COMMENT ON LOOKUP TABLE t IS NULL", "lookup table", "t", "", None),
        ("COMMENT ON MATERIALIZED VIEW v IS ''", "materialized view", "v", "", ""),
        ("COMMENT ON COLUMN s.t.a IS 'x'", "column", "s.t", "a", "x"),
        ("COMMENT ON CONSTRAINT c ON s.t IS 'x'", "constraint", "s.t", "c", "x"),
        ("COMMENT ON SCHEMA s IS 'x'", "schema", "s", "", "x"),
    ],
)
def test_comments(sql: str, kind: CommentedKind, named: str, part: str, text: str | None) -> None:
    assert one(sql) == Comment(sql, 0, kind, named, part, text)


@pytest.mark.parametrize("parts", [(None, "t"), ("s", "t"), ("a.b", 'c"d'), (None, "a.b"), ("S p", "T.t")])
def test_a_reference_is_read_as_it_was_written(parts: tuple[str | None, str]) -> None:
    assert split(reference(*parts)) == parts


def test_a_name_keeps_its_schema() -> None:
    for sql, name in (("CREATE TABLE t (a int)", "t"), ('CREATE TABLE "x.y".t (a int)', '"x.y".t')):
        found = one(sql)
        assert isinstance(found, CreateTable)
        assert found.name == name
