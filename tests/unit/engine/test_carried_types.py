"""uuid, JSON, names, oids and arrays where no SQL script goes: views, COPY, the embedded insert, and a restart."""

from __future__ import annotations

from pathlib import Path

import pytest

import constellationdb
from constellationdb.catalog import types
from constellationdb.catalog.types import of_field
from constellationdb.engine.engine import Engine
from constellationdb.engine.session import Session
from constellationdb.errors import InvalidTextRepresentation

_TABLE = "CREATE TABLE t (id uuid PRIMARY KEY, doc jsonb, label name, ref oid, sizes int[], tags text[])"
_VIEW = "CREATE MATERIALIZED VIEW v AS SELECT label, id, doc, ref, sizes, tags, sizes[1] AS first FROM t"
_GROUPED = "CREATE MATERIALIZED VIEW g AS SELECT sizes, count(*) AS n, max(ref) AS ref FROM t GROUP BY sizes"
_ROW = (
    "INSERT INTO t VALUES ('A0EEBC999C0B4EF8BB6D6BB9BD380A11', '{\"b\":1, \"a\":2}', 'x', 7, '{1,NULL}', '{\"a b\"}')"
)
_STORED = ["x", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", '{"a": 2, "b": 1}', 7, [1, None], ["a b"], 1]


def _asked(session: Session, sql: str) -> tuple[list[str], list[list[object]]]:
    *_, result = session.execute(sql)
    assert result.columns is not None
    rows = [list(row.values()) for batch in result.batches for row in batch.to_pylist()]
    return [column.type.name for column in result.columns], rows


def test_types_go_through_views_and_restarts(tmp_path: Path) -> None:
    for life in range(2):
        with Engine(tmp_path / "db") as engine:
            session = engine.session()
            for statement in (_TABLE, _VIEW, _GROUPED, _ROW) if life == 0 else ():
                list(session.execute(statement))
            names, rows = _asked(session, "SELECT * FROM v")
            assert names == ["name", "uuid", "jsonb", "oid", "integer[]", "text[]", "integer"]
            assert rows == [_STORED]
            names, rows = _asked(session, "SELECT * FROM g")
            assert (names, rows) == (["integer[]", "bigint", "oid"], [[[1, None], 1, 7]])


def test_a_subscription_says_the_types() -> None:
    with Engine() as engine:
        session = engine.session()
        for statement in (_TABLE, _VIEW, _ROW):
            list(session.execute(statement))
        found = engine.subscribe("v", snapshot=True)
        assert [of_field(field) for field in found.schema][2:5] == [types.NAME, types.UUID, types.JSONB]


def test_copy_names_the_line_of_a_bad_value() -> None:
    with Engine() as engine:
        session = engine.session()
        list(session.execute(_TABLE))
        (result,) = session.execute("COPY t (id, sizes) FROM STDIN")
        assert result.copy_in is not None
        result.copy_in.write(b"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\t{1}\nnope\t{2}\n")
        with pytest.raises(InvalidTextRepresentation, match='type uuid: "nope"') as caught:
            result.copy_in.finish()
        assert caught.value.context == 'COPY t, line 2, column id: "nope"'
        assert _asked(session, "SELECT count(*) FROM t")[1] == [[0]]


def test_the_embedded_insert_checks_and_spells() -> None:
    with constellationdb.connect() as database:
        database.execute(_TABLE)
        database.insert(
            "t", [{"id": "B0EEBC999C0B4EF8BB6D6BB9BD380A11", "doc": "[1,2]", "sizes": [1, 2], "tags": ["q"]}]
        )
        rows = database.sql("SELECT id, doc, sizes, tags FROM t").fetchall()
        assert rows == [("b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "[1, 2]", [1, 2], ["q"])]
        with pytest.raises(InvalidTextRepresentation, match="invalid input syntax for type json"):
            database.insert("t", [{"id": "C0EEBC999C0B4EF8BB6D6BB9BD380A11", "doc": "[1,"}])
