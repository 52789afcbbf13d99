"""Schemas and comments as clients use them; each claim is true of a real Postgres, too."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import psycopg
import pytest
import sqlalchemy as sa

from tests.clients.conftest import Served
from tests.postgres_fixture import postgres_program

_MADE = """
CREATE SCHEMA shop;
CREATE TABLE item (id int PRIMARY KEY, public_name text);
CREATE TABLE shop.item (id int PRIMARY KEY, name text);
CREATE VIEW shop.names AS SELECT name FROM shop.item;
INSERT INTO shop.item VALUES (1, 'plum'), (2, 'fig');
COMMENT ON SCHEMA shop IS 'all that is sold';
COMMENT ON TABLE shop.item IS 'one a row';
COMMENT ON COLUMN shop.item.name IS 'as it is called';
COMMENT ON VIEW shop.names IS 'the names'
"""


@pytest.fixture
def made(either: Served) -> Iterator[Served]:
    with psycopg.connect(either.dsn, autocommit=True) as connection:
        connection.execute(_MADE)
        yield either
        connection.execute("DROP SCHEMA IF EXISTS shop, other CASCADE; DROP TABLE item")


def test_sqlalchemy_reflects_a_schema(made: Served) -> None:
    database = sa.create_engine(made.url("postgresql+psycopg"))
    inspector = sa.inspect(database)
    assert "shop" in inspector.get_schema_names()
    assert inspector.get_table_names("shop") == ["item"]
    assert inspector.get_view_names("shop") == ["names"]
    assert inspector.get_table_comment("item", "shop") == {"text": "one a row"}
    assert inspector.get_table_comment("item") == {"text": None}
    columns = {column["name"]: column["comment"] for column in inspector.get_columns("item", "shop")}
    assert columns == {"id": None, "name": "as it is called"}
    assert inspector.get_pk_constraint("item", "shop")["name"] == "item_pkey"
    found = sa.MetaData()
    found.reflect(database, schema="shop", views=True)
    assert set(found.tables) == {"shop.item", "shop.names"}
    database.dispose()


def test_sqlalchemy_writes_and_reads_a_schema(made: Served) -> None:
    database = sa.create_engine(made.url("postgresql+psycopg"))
    metadata = sa.MetaData(schema="other")
    basket = sa.Table(
        "basket", metadata, sa.Column("id", sa.Integer, primary_key=True, autoincrement=False), comment="b"
    )
    item = sa.Table("item", sa.MetaData(), schema="shop", autoload_with=database)
    with database.begin() as connection:
        connection.execute(sa.schema.CreateSchema("other", if_not_exists=True))
        metadata.create_all(connection)
        connection.execute(basket.insert(), [{"id": 2}])
        joined = sa.select(item.c.name, basket.c.id).join(basket, basket.c.id == item.c.id)
        assert [tuple(row) for row in connection.execute(joined)] == [("fig", 2)]
    assert sa.inspect(database).get_table_comment("basket", "other") == {"text": "b"}
    with database.begin() as connection:
        metadata.drop_all(connection)
        connection.execute(sa.schema.DropSchema("other"))
    database.dispose()


def test_a_search_path_from_the_start(made: Served) -> None:
    with psycopg.connect(f"{made.dsn} options='-c search_path=shop'", autocommit=True) as connection:
        assert connection.execute("SELECT current_schema(), name FROM item WHERE id = 1").fetchall() == [
            ("shop", "plum")
        ]
        connection.execute("PREPARE p AS SELECT count(*) FROM item")
        assert connection.execute("EXECUTE p").fetchone() == (2,)
        with pytest.raises(psycopg.errors.UndefinedColumn):
            connection.execute("SELECT public_name FROM item")
        assert connection.execute("SELECT public_name FROM public.item").fetchall() == []


def test_prepared_statements_of_two_schemas(made: Served) -> None:
    with psycopg.connect(made.dsn, autocommit=True) as connection:
        connection.execute("SET search_path = shop")
        insert = "INSERT INTO item VALUES (%s, %s)"
        for number in range(3, 9):  # from the sixth on, psycopg has prepared it
            connection.execute(insert, (number, "nut"), prepare=True)
        read = "SELECT name FROM item WHERE id = %s"
        assert connection.execute(read, (8,), prepare=True).fetchall() == [("nut",)]
    with psycopg.connect(made.dsn) as connection:
        assert connection.execute("SELECT count(*) FROM shop.item").fetchone() == (8,)
        assert connection.execute("SELECT count(*) FROM item").fetchone() == (0,)


def test_a_column_tells_its_table(made: Served) -> None:
    with psycopg.connect(made.dsn, autocommit=True) as connection:
        oids = connection.execute("SELECT 'item'::regclass::oid, 'shop.item'::regclass::oid").fetchone()
        assert oids is not None
        cursor = connection.execute("SELECT item.id, i.name FROM item, shop.item i")
        assert cursor.pgresult is not None
        assert [(cursor.pgresult.ftable(i), cursor.pgresult.ftablecol(i)) for i in (0, 1)] == [
            (oids[0], 1),
            (oids[1], 2),
        ]


def test_copy_knows_schemas(made: Served) -> None:
    with psycopg.connect(made.dsn, autocommit=True) as connection, connection.cursor() as cursor:
        with cursor.copy("COPY shop.item (id, name) FROM STDIN") as copy:
            copy.write_row((9, "quince"))
        with cursor.copy("COPY shop.item TO STDOUT") as copy:
            assert sorted(copy.rows()) == [("1", "plum"), ("2", "fig"), ("9", "quince")]
        with (
            pytest.raises(psycopg.errors.InvalidTextRepresentation) as error,
            cursor.copy("COPY shop.item FROM STDIN") as copy,
        ):
            copy.write("x\ty\n")
    assert error.value.diag.context == 'COPY item, line 1, column id: "x"'


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (r"\dn+ shop", ("all that is sold",)),
        (r"\dt+ shop.*", ("shop   | item | table", "one a row")),
        (r"\dv+ shop.names", ("the names",)),
        (r"\d+ shop.item", ('Table "shop.item"', "as it is called")),
        (r"\d item", ('Table "public.item"', "public_name")),
        (r"\dt", ("public | item",)),
        (r"\dd shop.*", ()),
    ],
)
def test_psql_shows_them(made: Served, command: str, shown: tuple[str, ...]) -> None:
    asked = subprocess.run(
        [str(postgres_program("psql")), "-X", made.dsn, "-c", command], capture_output=True, text=True, check=True
    )
    assert all(text in asked.stdout for text in shown), asked.stdout
    assert not asked.stderr
