"""Statements in, rows out, on both kinds of connection."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import pandas
import polars
import pyarrow as pa
import pytest

from constellationdb.embedded import Database, connect
from constellationdb.errors import (
    ConnectorFailure,
    DatatypeMismatch,
    FeatureNotSupported,
    InvalidParameter,
    UndefinedColumn,
    UndefinedRelation,
    UniqueViolation,
)

CREATE = """CREATE TABLE trades (
    id bigint PRIMARY KEY, symbol text DEFAULT 'none', price numeric(10,2), at timestamp, weight double precision)"""
AT = datetime(2024, 5, 6, 7, 8, 9, 10)
ROW = (1, "A\tB\\", Decimal("2.50"), AT, 0.1)
COLUMNS = {name: [value] for name, value in zip(["id", "symbol", "price", "at", "weight"], ROW, strict=True)}


@pytest.fixture
def trades(database: Database) -> Database:
    assert database.execute(CREATE) == "CREATE TABLE"
    return database


def test_a_relation_runs_when_rows_are_asked_for_and_each_time_anew(trades: Database) -> None:
    relation = trades.sql("SELECT count(*) FROM trades")
    assert relation.fetchall() == [(0,)]
    trades.execute("INSERT INTO trades (id) VALUES (1), (2)")
    assert relation.fetchall() == [(2,)]


def test_every_way_of_looking_shows_the_same_rows(trades: Database, capsys: pytest.CaptureFixture[str]) -> None:
    trades.insert("trades", [ROW])
    relation = trades.sql("SELECT * FROM trades")
    assert relation.columns == list(COLUMNS)
    assert relation.fetchall() == list(relation) == [relation.fetchone()] == [ROW]
    assert relation.arrow().to_pydict() == pa.table(relation).to_pydict() == COLUMNS
    assert relation.df().to_dict("list")["symbol"] == relation.pl()["symbol"].to_list() == ["A\tB\\"]
    relation.show()
    assert capsys.readouterr().out.splitlines()[0].split(" | ")[0] == "id"


def test_html_escapes_what_it_shows(trades: Database) -> None:
    trades.execute("INSERT INTO trades (id, symbol) VALUES (1, '<b>')")
    html = trades.sql("SELECT symbol, price FROM trades")._repr_html_()
    assert "<th>symbol</th>" in html
    assert "<td>&lt;b&gt;</td><td>NULL</td>" in html


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param(lambda: [ROW], id="tuples"),
        pytest.param(lambda: [dict(zip(COLUMNS, ROW, strict=True))], id="mappings"),
        pytest.param(lambda: COLUMNS, id="columns"),
        pytest.param(lambda: pa.table(COLUMNS), id="arrow table"),
        pytest.param(lambda: pa.RecordBatch.from_pydict(COLUMNS), id="arrow batch"),
        pytest.param(lambda: pandas.DataFrame(COLUMNS), id="pandas"),
        pytest.param(lambda: polars.DataFrame(COLUMNS).select("weight", "id", "at", "price", "symbol"), id="polars"),
    ],
)
def test_insert_takes_rows_in_many_shapes(trades: Database, shape: Callable[[], Any]) -> None:
    epoch = trades.insert("trades", shape())
    assert epoch > 0
    assert trades.sql("SELECT * FROM trades").fetchall() == [ROW]


def test_columns_that_are_not_given_take_their_default(trades: Database) -> None:
    trades.insert("trades", [{"id": 1, "price": "1.25"}, {"id": 2, "price": None}])
    rows = trades.sql("SELECT id, symbol, price, weight FROM trades ORDER BY id").fetchall()
    assert rows == [(1, "none", Decimal("1.25"), None), (2, "none", None, None)]


def test_inserted_rows_are_in_the_views_that_are_read_next(trades: Database) -> None:
    trades.execute("CREATE MATERIALIZED VIEW n AS SELECT count(*) AS rows FROM trades")
    for expected in range(1, 6):
        trades.insert("trades", [{"id": expected}])
        assert trades.sql("SELECT rows FROM n").fetchone() == (expected,)


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        ([{"id": 1, "colour": 2}], UndefinedColumn, 'column "colour" of relation "trades" does not exist'),
        ([(1, 2)], InvalidParameter, "a row has 2 values, the relation has 5 columns"),
        ([7], InvalidParameter, "a row must be a mapping or a sequence"),
        ([{"id": "seven"}], DatatypeMismatch, 'rows for "trades" do not fit its columns'),
        (pa.table({"id": ["x"]}), DatatypeMismatch, 'column "id" of "trades" cannot take these values'),
    ],
)
def test_rows_that_do_not_fit_are_named(trades: Database, rows: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        trades.insert("trades", rows)
    assert trades.sql("SELECT * FROM trades").fetchall() == []


def test_errors_are_of_our_tree_with_position_and_leave_the_connection_usable(trades: Database) -> None:
    with pytest.raises(UndefinedColumn) as caught:
        trades.sql("SELECT nope FROM trades").fetchall()
    assert (caught.value.message, caught.value.position) == ('column "nope" does not exist', 8)
    trades.insert("trades", [{"id": 1}])
    with pytest.raises(UniqueViolation):
        trades.insert("trades", [ROW])
    with pytest.raises(UndefinedRelation):
        trades.insert("nowhere", [ROW])
    assert trades.sql("SELECT 1").fetchall() == [(1,)]


def test_a_transaction_holds_statements_and_inserts_together(trades: Database) -> None:
    trades.execute("BEGIN")
    trades.insert("trades", [{"id": 1}])
    trades.execute("INSERT INTO trades (id) VALUES (2)")
    assert [row[0] for row in trades.sql("SELECT id FROM trades ORDER BY id")] == [1, 2]
    trades.execute("ROLLBACK")
    assert trades.sql("SELECT * FROM trades").fetchall() == []


def test_several_statements_answer_one_by_one(trades: Database) -> None:
    answers = trades.answers("INSERT INTO trades (id) VALUES (1); SELECT id FROM trades; SELECT 2 AS two")
    assert [answer.tag for answer in answers] == ["INSERT 0 1", "SELECT 1", "SELECT 1"]
    assert [answer.schema and answer.schema.names for answer in answers] == [None, ["id"], ["two"]]


def test_a_query_that_never_ends_can_be_left(database: Database) -> None:
    database.execute("CREATE SOURCE ticks WITH (connector = 'generator', preset = 'sensors', rate = '500')")
    seen = []
    for row in database.sql("SELECT * FROM ticks"):
        seen.append(row)
        if len(seen) == 40:
            break
    assert len(seen) == 40
    assert database.sql("SELECT 1").fetchall() == [(1,)]


def test_values_of_every_type_come_back_as_they_are(database: Database) -> None:
    sql = """SELECT true AS b, 1::smallint AS s, 2::integer AS i, 3::bigint AS l, 1.5::real AS r,
                    'NaN'::double precision AS d, 12.50::numeric(6,2) AS n, 'x' AS t, date '2024-02-29' AS day,
                    timestamp '2024-02-29 12:00:00.5' AS ts, interval '1 day 2 hours 3 minutes 4 seconds' AS span,
                    NULL::integer AS nothing"""
    row = database.sql(sql).arrow().to_pylist()[0]
    assert str(row.pop("d")) == "nan"
    span = row.pop("span")
    assert (span.months, span.days, span.nanoseconds) == (0, 1, 7_384_000_000_000)
    assert row == {
        "b": True, "s": 1, "i": 2, "l": 3, "r": 1.5, "n": Decimal("12.50"), "t": "x",
        "day": datetime(2024, 2, 29).date(), "ts": datetime(2024, 2, 29, 12, 0, 0, 500_000), "nothing": None,
    }  # fmt: skip


def test_copy_is_for_clients_with_a_stream(trades: Database) -> None:
    with pytest.raises(FeatureNotSupported):
        trades.execute("COPY trades FROM STDIN")
    with pytest.raises(FeatureNotSupported):
        trades.execute("COPY trades TO STDOUT")
    assert trades.sql("SELECT 1").fetchall() == [(1,)]


def test_no_server_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(ConnectorFailure) as caught:
        connect("postgres://127.0.0.1:1/constellation")
    assert caught.value.hint == "start one: constellation serve"
