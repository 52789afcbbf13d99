"""The flights as they are replayed, and the demo's SQL said to DuckDB word for word."""

import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from constellationdb.cli.flights.compare import compare
from constellationdb.cli.flights.data import ROWS, FlightFiles, prepare
from constellationdb.cli.flights.expected import QUERIES, expected
from constellationdb.cli.flights.views import VIEWS, setup_sql

_TUMBLE = re.compile(r"TUMBLE\(flights, event_time, INTERVAL '1 hour'\)")
_HOURS = """(SELECT *, date_trunc('hour', event_time) AS window_start,
             date_trunc('hour', event_time) + INTERVAL 1 HOUR AS window_end FROM flights)"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> FlightFiles:
    return prepare(tmp_path_factory.mktemp("flights"))


@pytest.fixture(scope="module")
def duck(files: FlightFiles) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect()
    connection.execute(f"CREATE VIEW flights AS SELECT * FROM read_parquet('{files.flights}')")
    for name in ("airlines", "airports", "planes"):
        path = getattr(files, name)
        connection.execute(f"CREATE VIEW {name} AS SELECT * FROM read_csv('{path}', nullstr = 'NA')")
    yield connection
    connection.close()


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> object:
    row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def test_flights_come_in_event_time_order_with_every_row(files: FlightFiles) -> None:
    table = pq.read_table(files.flights, columns=["id", "event_time"])
    times = table.column("event_time").to_pylist()
    assert times == sorted(times)
    assert sorted(table.column("id").to_pylist()) == list(range(1, ROWS + 1))


def test_event_time_is_the_scheduled_departure_in_utc(duck: duckdb.DuckDBPyConnection) -> None:
    # the package's first row: 2013-01-01, 05:15 in New York, time_hour 10:00Z
    assert str(_one(duck, "SELECT event_time FROM flights WHERE id = 1")) == "2013-01-01 10:15:00"


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("SELECT count(*) FROM flights ANTI JOIN planes USING (tailnum)", 52_606),
        ("SELECT count(*) FROM flights WHERE dep_time IS NULL", 8_255),
        ("SELECT count(DISTINCT dest) FROM flights ANTI JOIN airports ON dest = faa", 4),
        ("SELECT count(*) FROM flights ANTI JOIN airports ON dest = faa", 7_602),
    ],
)
def test_the_gaps_in_the_data_are_the_known_ones(duck: duckdb.DuckDBPyConnection, query: str, count: int) -> None:
    assert _one(duck, query) == count


def test_a_second_preparation_keeps_the_file(files: FlightFiles) -> None:
    before = files.flights.stat().st_mtime_ns
    assert prepare(files.flights.parent) == files
    assert files.flights.stat().st_mtime_ns == before


def test_the_views_and_the_expected_answers_are_the_same_questions(
    files: FlightFiles, duck: duckdb.DuckDBPyConnection
) -> None:
    answers = expected(files)
    assert list(answers) == [name for name, _ in VIEWS] == list(QUERIES)
    for name, query in VIEWS:
        plain = _TUMBLE.sub(_HOURS, query).replace("FOR SYSTEM_TIME AS OF PROCTIME() ", "")
        duck.execute(f"CREATE TABLE {name} AS {plain.replace('EMIT ON WINDOW CLOSE', '')}")
        verdict = compare(name, answers[name], duck.execute(f"SELECT * FROM {name}").fetchall())
        assert verdict.ok, verdict
        assert verdict.rows > 9


def test_a_quote_in_a_path_stays_inside_its_literal() -> None:
    odd = FlightFiles(Path("/tmp/o'hare/flights.parquet"), Path("a.csv"), Path("b.csv"), Path("c.csv"))
    assert "path = '/tmp/o''hare/flights.parquet'" in setup_sql(odd)[0]
