"""All SQL of the demo, in the order in which it is said."""

from __future__ import annotations

from pathlib import Path

from constellationdb.cli.flights.data import NULL, FlightFiles

SOURCE = """\
CREATE SOURCE IF NOT EXISTS flights (
    id bigint, event_time timestamp, carrier text, flight integer, tailnum text, origin text, dest text,
    distance integer, dep_time integer, dep_delay integer, arr_delay integer, air_time integer,
    WATERMARK FOR event_time AS event_time - INTERVAL '5 minutes'
) WITH (connector = 'file', path = '{path}');
"""

LOOKUPS = """\
CREATE LOOKUP TABLE IF NOT EXISTS airlines (carrier text, name text, PRIMARY KEY (carrier))
WITH (connector = 'file', path = '{airlines}', "null" = '{null}');

CREATE LOOKUP TABLE IF NOT EXISTS airports (
    faa text, name text, lat double precision, lon double precision, alt integer, tz integer, dst text, tzone text,
    PRIMARY KEY (faa)
) WITH (connector = 'file', path = '{airports}', "null" = '{null}');

CREATE LOOKUP TABLE IF NOT EXISTS planes (
    tailnum text, year integer, type text, manufacturer text, model text, engines integer, seats integer,
    speed integer, engine text, PRIMARY KEY (tailnum)
) WITH (connector = 'file', path = '{planes}', "null" = '{null}');
"""

# Name and definition. The first six read the stream or one another; the last one joins two of them.
VIEWS: tuple[tuple[str, str], ...] = (
    (
        "delays_closed",
        """\
SELECT window_start, window_end, carrier, origin, count(*) AS flights, count(dep_delay) AS departed,
       sum(dep_delay) AS delay, max(dep_delay) AS worst, avg(dep_delay::double precision) AS mean
FROM TUMBLE(flights, event_time, INTERVAL '1 hour')
GROUP BY window_start, window_end, carrier, origin
EMIT ON WINDOW CLOSE""",
    ),
    (
        "delays_now",
        """\
SELECT window_start, carrier, origin, count(*) AS flights, count(dep_delay) AS departed, sum(dep_delay) AS delay,
       avg(dep_delay::double precision) AS mean
FROM TUMBLE(flights, event_time, INTERVAL '1 hour')
GROUP BY window_start, carrier, origin""",
    ),
    (
        "flights_named",
        """\
SELECT f.id, f.event_time, f.carrier, l.name AS airline, f.origin, f.dest, d.name AS airport,
       f.tailnum, p.manufacturer, p.year AS built, p.seats, f.dep_delay, f.arr_delay, f.distance
FROM flights f
LEFT JOIN airlines FOR SYSTEM_TIME AS OF PROCTIME() AS l ON f.carrier = l.carrier
LEFT JOIN airports FOR SYSTEM_TIME AS OF PROCTIME() AS d ON f.dest = d.faa
LEFT JOIN planes FOR SYSTEM_TIME AS OF PROCTIME() AS p ON f.tailnum = p.tailnum""",
    ),
    (
        "routes",
        """\
SELECT origin, dest, count(*) AS flights, count(dep_delay) AS departed, sum(dep_delay) AS delay,
       avg(dep_delay::double precision) AS mean, max(dep_delay) AS worst
FROM flights
GROUP BY origin, dest""",
    ),
    (
        "top_delayed_routes",
        """\
SELECT origin, dest, departed, mean
FROM routes
WHERE departed >= 100
ORDER BY mean DESC, origin, dest
LIMIT 10""",
    ),
    (
        "makers",
        """\
SELECT airline, manufacturer, count(*) AS flights, count(DISTINCT tailnum) AS planes, sum(seats) AS seats,
       min(built) AS oldest, sum(distance) AS miles
FROM flights_named
GROUP BY airline, manufacturer""",
    ),
    (
        "worse_than_route",
        """\
SELECT n.id, n.event_time, n.airline, n.airport, n.dep_delay, r.mean AS usual, n.dep_delay - r.mean AS excess
FROM flights_named n
JOIN routes r ON n.origin = r.origin AND n.dest = r.dest
WHERE n.dep_delay >= 240""",
    ),
)


def setup_sql(files: FlightFiles) -> list[str]:
    """One statement a text. Every name may exist already, so that a restarted demo goes on."""
    tables = LOOKUPS.format(
        airlines=_quoted(files.airlines), airports=_quoted(files.airports), planes=_quoted(files.planes), null=NULL
    )
    views = [f"CREATE MATERIALIZED VIEW IF NOT EXISTS {name} AS\n{query};" for name, query in VIEWS]
    return [SOURCE.format(path=_quoted(files.flights)), *tables.split("\n\n"), *views]


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
