"""What every view must hold, from DuckDB over the same files.

Written apart from the views: hours are cut by ``date_trunc`` instead of a
window function, lookups are ordinary joins, nothing is built on another view.
"""

from __future__ import annotations

from typing import Any

from constellationdb.cli.flights.data import NULL, FlightFiles
from constellationdb.errors import MissingExtra

Rows = list[tuple[Any, ...]]

_NAMED = """\
flights LEFT JOIN airlines USING (carrier) LEFT JOIN airports ON dest = faa LEFT JOIN planes USING (tailnum)"""

QUERIES = {
    "delays_closed": """\
SELECT date_trunc('hour', event_time), date_trunc('hour', event_time) + INTERVAL 1 HOUR, carrier, origin, count(*),
       count(dep_delay), sum(dep_delay)::BIGINT, max(dep_delay), sum(dep_delay)::DOUBLE / count(dep_delay)
FROM flights GROUP BY ALL""",
    "delays_now": """\
SELECT date_trunc('hour', event_time), carrier, origin, count(*), count(dep_delay), sum(dep_delay)::BIGINT,
       sum(dep_delay)::DOUBLE / count(dep_delay)
FROM flights GROUP BY ALL""",
    "flights_named": f"""\
SELECT id, event_time, carrier, airlines.name, origin, dest, airports.name, tailnum, manufacturer, planes.year, seats,
       dep_delay, arr_delay, distance
FROM {_NAMED}""",
    "routes": """\
SELECT origin, dest, count(*), count(dep_delay), sum(dep_delay)::BIGINT, sum(dep_delay)::DOUBLE / count(dep_delay),
       max(dep_delay)
FROM flights GROUP BY ALL""",
    "top_delayed_routes": """\
SELECT origin, dest, departed, delay::DOUBLE / departed AS mean
FROM (SELECT origin, dest, count(dep_delay) AS departed, sum(dep_delay) AS delay FROM flights GROUP BY ALL)
WHERE departed >= 100
QUALIFY row_number() OVER (ORDER BY mean DESC, origin, dest) <= 10""",
    "makers": f"""\
SELECT airlines.name, manufacturer, count(*), count(DISTINCT tailnum), sum(seats)::BIGINT, min(planes.year),
       sum(distance)::BIGINT
FROM {_NAMED} GROUP BY ALL""",
    "worse_than_route": f"""\
SELECT id, event_time, airlines.name, airports.name, dep_delay, usual, dep_delay - usual
FROM {_NAMED} JOIN (SELECT origin, dest, sum(dep_delay)::DOUBLE / count(dep_delay) AS usual FROM flights GROUP BY ALL)
     USING (origin, dest)
WHERE dep_delay >= 240""",
}


def expected(files: FlightFiles) -> dict[str, Rows]:
    """Every view's rows, in no order."""
    try:
        import duckdb
    except ImportError:
        raise MissingExtra(
            "the flights demo checks itself with duckdb, which is not installed",
            hint="pip install 'constellation-db[flights]'",
        ) from None
    with duckdb.connect() as connection:
        connection.execute(f"CREATE VIEW flights AS SELECT * FROM read_parquet({_quoted(files.flights)})")
        for name in ("airlines", "airports", "planes"):
            source = f"read_csv({_quoted(getattr(files, name))}, header = true, nullstr = '{NULL}')"
            connection.execute(f"CREATE VIEW {name} AS SELECT * FROM {source}")
        return {view: connection.execute(query).fetchall() for view, query in QUERIES.items()}


def _quoted(path: object) -> str:
    return "'" + str(path).replace("'", "''") + "'"
