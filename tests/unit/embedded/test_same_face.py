"""What a program can do, inside and over the wire alike: parameters, transactions, COPY, cancel, notices, errors."""

import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from io import BytesIO, StringIO
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest

from constellationdb.embedded import Database
from constellationdb.embedded.remote_errors import class_of
from constellationdb.engine.result import Notice
from constellationdb.errors import (
    BadCopyFormat,
    ConstellationError,
    DependentObjects,
    DivisionByZero,
    HistoryExpired,
    InFailedTransaction,
    InvalidParameter,
    NotNullViolation,
    ProgramLimitExceeded,
    ProtocolViolation,
    QueryCanceled,
    RelationUnusable,
    SqlSyntaxError,
    SubscriberTooSlow,
    UndefinedRelation,
    UniqueViolation,
)

PATIENCE_S = 20.0


@pytest.fixture
def stock(database: Database) -> Database:
    database.execute("CREATE TABLE stock (item text PRIMARY KEY, n int NOT NULL)")
    database.execute("INSERT INTO stock VALUES ('tea', 3), ('mug', 1)")
    return database


# -- parameters -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "cast", "expected"),
    [
        (None, "int", None),
        (True, "boolean", True),
        (7, "int", 7),
        (2**40, "bigint", 2**40),
        (-7, "int", -7),
        (1.5, "double precision", 1.5),
        (float("-inf"), "double precision", float("-inf")),
        (Decimal("12.50"), "numeric(8,2)", Decimal("12.50")),
        ("it's \\ $1 ü", "text", "it's \\ $1 ü"),
        (b"\x00\xff", "bytea", b"\x00\xff"),
        (date(2024, 2, 29), "date", date(2024, 2, 29)),
        (time(12, 30, 1), "time", time(12, 30, 1)),
        (datetime(2024, 2, 29, 12, 0, 0, 5), "timestamp", datetime(2024, 2, 29, 12, 0, 0, 5)),
        (datetime(2024, 2, 29, 12, tzinfo=UTC), "timestamptz", datetime(2024, 2, 29, 12, tzinfo=UTC)),
        (UUID(int=5), "text", str(UUID(int=5))),
        ({"a": [1]}, "text", '{"a": [1]}'),
    ],
)
def test_a_value_of_any_kind_comes_back(database: Database, value: Any, cast: str, expected: Any) -> None:
    assert database.sql(f"SELECT $1::{cast} AS v", [value]).fetchall() == [(expected,)]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Amsterdam", "America/St_Johns", "Africa/Monrovia"])
def test_a_moment_is_the_same_in_any_zone(database: Database, zone: str) -> None:
    database.execute(f"SET timezone = '{zone}'")
    database.execute("SET bytea_output = 'escape'")
    texts = ["1890-01-01 00:00:00.5+00", "1971-06-01 12:00:00+00", "2024-07-01 00:00:00+00"]
    moments = [datetime.fromisoformat(text) for text in texts]
    query = ", ".join(f"timestamptz '{text}'" for text in texts)
    (found,) = database.sql(f"SELECT {query}, ARRAY[{query}], '\\x0001ff415c'::bytea AS b").fetchall()
    assert found == (*moments, moments, b"\x00\x01\xffA\\")
    database.execute("RESET ALL")


def test_names_of_oids_come_as_texts(database: Database) -> None:
    query = "SELECT 'pg_class'::regclass AS c, ARRAY['int4'::regtype, NULL] AS t, 'abs'::name AS n, 7::oid AS o"
    table = database.sql(query).arrow()
    assert table.to_pydict() == {"c": ["pg_class"], "t": [["integer", None]], "n": ["abs"], "o": [7]}
    assert table.schema.field("t").type == pa.list_(pa.string())


def test_a_span_of_time_comes_back(database: Database) -> None:
    span = timedelta(days=2, hours=3, microseconds=7)
    (found,) = database.sql("SELECT $1::interval AS v", [span]).fetchall()[0]
    assert (found.months, found.days, found.nanoseconds) == (0, 2, 3 * 3_600_000_000_000 + 7_000)


def test_parameters_in_every_kind_of_statement(stock: Database) -> None:
    assert stock.execute("INSERT INTO stock VALUES ($1, $2)", ("pot", 9)) == "INSERT 0 1"
    assert stock.execute("UPDATE stock SET n = n + $1 WHERE item = $2", (1, "pot")) == "UPDATE 1"
    relation = stock.sql("SELECT n FROM stock WHERE item = $1", ["pot"])
    assert relation.columns == ["n"]
    assert relation.fetchall() == list(relation) == [(10,)]
    assert pa.table(relation).to_pydict() == {"n": [10]}
    assert stock.sql("SELECT item FROM stock WHERE n = ANY($1) ORDER BY item", [[1, 3]]).fetchall() == [
        ("mug",), ("tea",),
    ]  # fmt: skip
    assert stock.sql("SELECT item FROM stock WHERE item = ANY($1)", [["mug", 'a"b']]).fetchall() == [("mug",)]


def test_parameters_that_do_not_fit_are_errors_of_their_own(stock: Database) -> None:
    with pytest.raises(ProtocolViolation, match='supplies 1 parameters, but prepared statement "" requires 2'):
        stock.execute("SELECT $2::int", [1])
    with pytest.raises(InvalidParameter, match="must be a sequence"):
        stock.sql("SELECT $1", "text")
    with pytest.raises(InvalidParameter, match="a object cannot be a parameter"):
        stock.sql("SELECT $1", [object()])
    with pytest.raises(SqlSyntaxError, match="cannot insert multiple commands"):
        stock.execute("SELECT $1::int; SELECT 2", [1])
    assert stock.sql("SELECT 1").fetchall() == [(1,)]


# -- statements as they run -----------------------------------------------------------------------


def test_events_are_columns_rows_and_tags_in_order(stock: Database) -> None:
    events = list(
        stock.events("SELECT item FROM stock ORDER BY item; DELETE FROM stock WHERE n = 1; SELECT 1 WHERE false")
    )
    kinds = [type(event) for event in events]
    assert kinds == [pa.Schema, pa.RecordBatch, str, str, pa.Schema, str]
    assert [event for event in events if isinstance(event, str)] == ["SELECT 2", "DELETE 1", "SELECT 0"]
    rows = events[1]
    assert isinstance(rows, pa.RecordBatch)
    assert rows.column(0).to_pylist() == ["mug", "tea"]


def test_results_before_the_error_are_seen_and_undone(stock: Database) -> None:
    events = stock.events("DELETE FROM stock; SELECT 1 / 0; SELECT 2")
    assert next(events) == "DELETE 2"
    with pytest.raises(DivisionByZero):
        next(events)
    assert stock.sql("SELECT count(*) FROM stock").fetchall() == [(2,)]


def test_events_that_are_left_leave_the_session_usable(database: Database) -> None:
    database.execute("CREATE SOURCE ticks WITH (connector = 'generator', preset = 'sensors', rate = '200')")
    events = database.events("SELECT * FROM ticks")
    assert isinstance(next(events), pa.Schema)
    assert isinstance(next(events), pa.RecordBatch)
    events.close()  # type: ignore[attr-defined]
    assert database.sql("SELECT 1").fetchall() == [(1,)]
    assert database.transaction_status == "I"


def test_cancel_ends_what_another_thread_waits_for(database: Database) -> None:
    database.execute("CREATE SOURCE ticks WITH (connector = 'generator', preset = 'sensors', rate = '200')")
    caught: list[ConstellationError] = []
    begun = threading.Event()

    def read() -> None:
        try:
            for _ in database.events("SELECT * FROM ticks"):
                begun.set()
        except ConstellationError as error:
            caught.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    assert begun.wait(PATIENCE_S)
    database.cancel()
    thread.join(PATIENCE_S)
    assert [(type(error), error.sqlstate) for error in caught] == [(QueryCanceled, "57014")]
    assert database.sql("SELECT 1").fetchall() == [(1,)]


# -- transactions ---------------------------------------------------------------------------------


def test_a_transaction_holds_together_or_not_at_all(stock: Database) -> None:
    with stock.transaction():
        assert stock.transaction_status == "T"
        stock.insert("stock", [("pot", 2)])
        stock.copy_in("COPY stock FROM STDIN", "pan\t4\n")
    assert stock.transaction_status == "I"
    assert stock.sql("SELECT count(*) FROM stock").fetchall() == [(4,)]
    with pytest.raises(UniqueViolation), stock.transaction():
        stock.execute("DELETE FROM stock WHERE item = 'pot'; INSERT INTO stock VALUES ('tea', 1)")
    assert stock.sql("SELECT count(*) FROM stock").fetchall() == [(4,)]


def test_a_failed_transaction_says_so(stock: Database) -> None:
    stock.execute("BEGIN")
    with pytest.raises(DivisionByZero):
        stock.execute("SELECT 1 / 0")
    assert stock.transaction_status == "E"
    with pytest.raises(InFailedTransaction):
        stock.sql("SELECT 1").fetchall()
    assert stock.execute("COMMIT") == "ROLLBACK"
    assert stock.transaction_status == "I"


def test_another_session_has_a_transaction_of_its_own(stock: Database) -> None:
    stock.execute("BEGIN; DELETE FROM stock")
    with stock.session() as other:
        assert other.transaction_status == "I"
        assert other.sql("SELECT count(*) FROM stock").fetchall() == [(2,)]
    stock.execute("ROLLBACK")
    assert stock.sql("SELECT count(*) FROM stock").fetchall() == [(2,)]


# -- COPY -----------------------------------------------------------------------------------------


def _pieces() -> Iterator[bytes]:
    yield from (b"pot", b"\t2\npa", b"n\t4\n")


@pytest.mark.parametrize(
    "data", ["pot\t2\npan\t4\n", b"pot\t2\npan\t4\n", StringIO("pot\t2\npan\t4\n"), BytesIO(b"pot\t2\npan\t4\n"), None]
)
def test_copy_takes_data_in_many_shapes(stock: Database, data: Any) -> None:
    given = _pieces() if data is None else data
    if hasattr(given, "seek"):
        given.seek(0)
    assert stock.copy_in("COPY stock FROM STDIN", given) == "COPY 2"
    assert stock.sql("SELECT sum(n) FROM stock").fetchall() == [(10,)]


def test_copy_gives_what_is_there(stock: Database) -> None:
    text = b"".join(stock.copy_out("COPY (SELECT * FROM stock ORDER BY n) TO STDOUT WITH (FORMAT csv, HEADER)"))
    assert text == b"item,n\nmug,1\ntea,3\n"
    assert b"".join(stock.copy_out("COPY (SELECT 1 WHERE false) TO STDOUT")) == b""


def test_copy_of_what_is_wrong_copies_nothing(stock: Database) -> None:
    with pytest.raises(BadCopyFormat) as caught:
        stock.copy_in("COPY stock FROM STDIN", "pot\t2\nx\n")
    assert caught.value.context is not None
    assert caught.value.context.startswith("COPY stock, line 2")
    with pytest.raises(NotNullViolation):
        stock.copy_in("COPY stock FROM STDIN", "pot\t\\N\n")

    def failing() -> Iterator[str]:
        yield "pot\t2\n"
        raise KeyError("the file ended in the middle")

    with pytest.raises(KeyError):
        stock.copy_in("COPY stock FROM STDIN", failing())
    with pytest.raises(InvalidParameter, match="not a COPY FROM STDIN"):
        stock.copy_in("SELECT 1", "x")
    with pytest.raises(InvalidParameter, match="not a COPY TO STDOUT"):
        list(stock.copy_out("SELECT 1"))
    with pytest.raises(InvalidParameter, match="takes text or bytes"):
        stock.copy_in("COPY stock FROM STDIN", [1])  # type: ignore[arg-type]
    assert stock.sql("SELECT count(*) FROM stock").fetchall() == [(2,)]


def test_a_copy_that_does_not_end_can_be_left(stock: Database) -> None:
    lines = stock.copy_out("COPY (SUBSCRIBE stock) TO STDOUT")
    assert next(lines).count(b"\n") >= 1
    lines.close()  # type: ignore[attr-defined]
    assert stock.sql("SELECT 1").fetchall() == [(1,)]


# -- errors and notices ---------------------------------------------------------------------------


def test_an_error_is_the_same_in_everything_that_it_says(stock: Database) -> None:
    stock.execute("CREATE MATERIALIZED VIEW total AS SELECT sum(n) AS n FROM stock")
    with pytest.raises(DependentObjects) as caught:
        stock.execute("DROP TABLE stock")
    error = caught.value
    assert (error.sqlstate, error.code) == ("2BP01", "CON-1009")
    assert error.message == "cannot drop table stock because other objects depend on it"
    assert error.detail == "materialized view total depends on table stock"
    assert error.hint == "Use DROP ... CASCADE to drop the dependent objects too."
    with pytest.raises(SqlSyntaxError) as syntax:
        stock.execute("SELECT 1;\nSELEC 2")
    assert syntax.value.position == 11
    stock.execute("CREATE TABLE keyed (id int PRIMARY KEY)")
    with pytest.raises(UniqueViolation) as unique:
        stock.execute("INSERT INTO keyed VALUES (1), (1)")
    about = unique.value
    assert (about.schema, about.table, about.column, about.constraint) == ("public", "keyed", None, "keyed_pkey")


def test_two_errors_of_one_sqlstate_are_told_apart_by_the_code_that_the_server_sends() -> None:
    kinds = [HistoryExpired, RelationUnusable, SubscriberTooSlow, ProgramLimitExceeded]
    assert [class_of(kind.sqlstate, kind.code) for kind in kinds] == kinds
    assert class_of("54000", None) is ProgramLimitExceeded
    assert class_of("P0001", "raise").sqlstate == "P0001"


def test_notices_are_heard(stock: Database, heard: list[Notice]) -> None:
    stock.execute("COMMIT")
    stock.execute("CREATE TABLE IF NOT EXISTS stock (a int)")
    assert [(notice.severity, notice.sqlstate, notice.message) for notice in heard] == [
        ("WARNING", "25P01", "there is no transaction in progress"),
        ("NOTICE", "42P07", 'relation "stock" already exists, skipping'),
    ]


def test_a_subscription_to_what_is_dropped_ends_with_an_error(stock: Database) -> None:
    with stock.subscribe("stock") as subscription:
        assert len(subscription.next(PATIENCE_S) or ()) == 2
        stock.execute("DROP TABLE stock")
        with pytest.raises(UndefinedRelation):
            subscription.next(PATIENCE_S)
        with pytest.raises(UndefinedRelation):
            subscription.next(PATIENCE_S)


# -- types ----------------------------------------------------------------------------------------


def test_numerics_keep_all_their_digits(database: Database) -> None:
    sql = "SELECT 2.0 / 3 AS a, 12345678901234567890.5 AS b, -0.001 AS c"
    assert database.sql(sql).fetchall() == [
        (Decimal("0.66666666666666666667"), Decimal("12345678901234567890.5"), Decimal("-0.001"))
    ]
    assert list(database.sql(sql)) == database.sql(sql).fetchall()
    assert pa.table(database.sql(sql)).to_pylist()[0]["a"] == Decimal("0.66666666666666666667")


def test_rows_without_columns_are_counted(database: Database) -> None:
    assert database.sql("SELECT FROM generate_series(1, 3)").fetchall() == [(), (), ()]


def test_many_rows_come_whole_and_in_order(database: Database) -> None:
    sql = "SELECT i, i::text AS t, i * 1.5 AS d FROM generate_series(1, 20000) AS g(i)"
    table = database.sql(sql).arrow()
    assert table.column("i").to_pylist() == list(range(1, 20_001))
    assert table.column("t").to_pylist()[-1] == "20000"
