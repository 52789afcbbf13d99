"""SQLAlchemy reflects what is defined: MetaData.reflect and the Inspector, over psycopg as they come."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from constellationdb.engine.engine import Engine
from constellationdb.server.listener import Server
from tests.clients.catalog_corpus import SCHEMA


@pytest.fixture(scope="module")
def database() -> Iterator[Any]:
    with Engine() as engine, Server(engine, port=0) as server:
        for result in engine.session().execute(SCHEMA):
            list(result.batches)
        host, port = server.address
        made = sa.create_engine(f"postgresql+psycopg://constellation@{host}:{port}/constellation")
        yield made
        made.dispose()


def test_tables_and_views_are_reflected(database: Any) -> None:
    found = sa.MetaData()
    found.reflect(database, views=True)
    assert set(found.tables) == {"customer", "line", "note", "rich", "per_product", "per_product_errors"}
    customer = found.tables["customer"]
    assert {column.name: (str(column.type), column.nullable) for column in customer.columns} == {
        "id": ("BIGINT", False),
        "name": ("TEXT", False),
        "since": ("DATE", True),
        "balance": ("NUMERIC(12, 2)", False),
        "active": ("BOOLEAN", True),
    }
    assert [column.name for column in customer.primary_key.columns] == ["id"]
    assert str(customer.c.since.server_default.arg) == "'2024-01-01'::date"


def test_a_reflected_table_is_queried(database: Any) -> None:
    customer = sa.Table("customer", sa.MetaData(), autoload_with=database)
    with database.connect() as connection:
        rows = connection.execute(sa.select(customer.c.name, customer.c.balance).where(customer.c.id == 1)).all()
    assert [tuple(row) for row in rows] == [("ada", 10)]


@pytest.mark.parametrize("schema", [None, "public"])
def test_the_inspector_answers(database: Any, schema: str | None) -> None:
    inspector = sa.inspect(database)
    assert set(inspector.get_table_names(schema)) == {"customer", "line", "note"}
    assert inspector.get_view_names(schema) == ["rich"]
    assert set(inspector.get_materialized_view_names(schema)) == {"per_product", "per_product_errors"}
    assert inspector.get_pk_constraint("line", schema)["constrained_columns"] == ["order_id", "number"]
    assert inspector.get_view_definition("rich", schema).split() == (
        ["SELECT", "id,", "name", "FROM", "customer", "WHERE", "balance", ">", "100;"]
    )
    columns = {column["name"]: str(column["type"]) for column in inspector.get_columns("line", schema)}
    assert (columns["product"], columns["seen"]) == ("VARCHAR(40)", "TIMESTAMP")
    for nothing in ("get_foreign_keys", "get_unique_constraints", "get_check_constraints", "get_indexes"):
        assert getattr(inspector, nothing)("customer", schema) == []
    assert inspector.get_sequence_names(schema) == inspector.get_enums(schema) == []
    assert inspector.has_table("customer", schema)
    assert not inspector.has_table("nothing", schema)


def test_all_at_once(database: Any) -> None:
    inspector, every = sa.inspect(database), sa.engine.reflection.ObjectKind.ANY
    assert len(inspector.get_multi_columns(kind=every)) == 6
    keys = inspector.get_multi_pk_constraint(kind=every)
    assert keys[(None, "customer")]["name"] == "customer_pkey"
    for name in (
        "foreign_keys",
        "indexes",
        "unique_constraints",
        "check_constraints",
        "table_comment",
        "table_options",
    ):
        assert set(getattr(inspector, f"get_multi_{name}")(kind=every)) >= {(None, "customer"), (None, "line")}


def test_schemas(database: Any) -> None:
    assert sa.inspect(database).get_schema_names() == ["constellation", "information_schema", "public"]
