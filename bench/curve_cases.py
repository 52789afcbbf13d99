"""The views whose cost is drawn over their state: one for every operator and every way to keep a measure."""

from __future__ import annotations

from dataclasses import dataclass

from bench.changing import BEGIN
from bench.joins import CASES as JOINS


@dataclass(frozen=True)
class Case:
    """``theirs``: the query as DuckDB says it, where that differs; ``rows_a_key``: None when one key has all.

    In both queries ``$half`` is half of how many rows a table has, and in DuckDB's ``$now`` the clock.
    """

    sql: str
    theirs: str | None = None
    rows_a_key: int | None = 10


def _measure(call: str, theirs: str | None = None) -> Case:
    sql = "SELECT k, CAST({} AS bigint) AS m FROM (SELECT k, id * 7919 % 1000003 AS x FROM a) AS q GROUP BY k"
    return Case(sql.format(call), None if theirs is None else sql.format(theirs), rows_a_key=None)


def _timed(table: str, seconds: str = "id") -> str:
    return f"(SELECT *, timestamp '{BEGIN}' + {seconds} * interval '1 second' AS ts FROM {table})"


# -- windows --------------------------------------------------------------------------------------

_WINDOWED = (
    "SELECT k, CAST(extract(epoch FROM window_start) AS bigint) AS s, CAST(extract(epoch FROM window_end) AS bigint)"
    " AS e, count(*) AS n, CAST(sum(v) AS bigint) AS v FROM {} AS w GROUP BY k, window_start, window_end"
)


def _windowed(ours: str, theirs: str) -> Case:
    """``theirs``: of every row the windows it is in."""
    return Case(_WINDOWED.format(ours), _WINDOWED.format(theirs))


def _steps(begin: str, end: str) -> str:
    """Windows that begin and end so many steps of 20 seconds, ``i``, after the one that a row lies in."""
    bucket = f"time_bucket(INTERVAL '20 seconds', ts, timestamp '{BEGIN}')"
    first = f"time_bucket(INTERVAL '60 seconds', ts, timestamp '{BEGIN}')"
    places = begin.format(bucket=bucket, first=first), end.format(bucket=bucket, first=first)
    rows = f"(SELECT *, unnest([0, 1, 2]) AS i FROM {_timed('a')})"
    windows = f"SELECT k, v, ts, {places[0]} AS window_start, {places[1]} AS window_end FROM {rows}"
    return f"(SELECT * FROM ({windows}) WHERE ts < window_end)"


_SPREAD = _timed("a", "(id * 7919 % 600)")  # the rows of a key lie as close together however many keys there are
_ISLANDS = (
    "(SELECT k, v, min(ts) OVER (PARTITION BY k, g) AS window_start,"
    " max(ts) OVER (PARTITION BY k, g) + INTERVAL '60 seconds' AS window_end"
    " FROM (SELECT *, sum(begins) OVER (PARTITION BY k ORDER BY ts) AS g"
    " FROM (SELECT *, CASE WHEN ts - lag(ts) OVER (PARTITION BY k ORDER BY ts) <= INTERVAL '60 seconds'"
    f" THEN 0 ELSE 1 END AS begins FROM {_SPREAD})))"
)
_WINDOWS = {
    "tumble": _windowed(
        f"TUMBLE({_timed('a')}, ts, INTERVAL '60' SECOND)",
        f"(SELECT k, v, time_bucket(INTERVAL '60 seconds', ts, timestamp '{BEGIN}') AS window_start,"
        f" window_start + INTERVAL '60 seconds' AS window_end FROM {_timed('a')})",
    ),
    "hop": _windowed(
        f"HOP({_timed('a')}, ts, INTERVAL '20' SECOND, INTERVAL '60' SECOND)",
        _steps("{bucket} - i * INTERVAL '20 seconds'", "window_start + INTERVAL '60 seconds'"),
    ),
    "cumulate": _windowed(
        f"CUMULATE({_timed('a')}, ts, INTERVAL '20' SECOND, INTERVAL '60' SECOND)",
        _steps("{first}", "window_start + (i + 1) * INTERVAL '20 seconds'"),
    ),
    "session": _windowed(f"SESSION({_SPREAD} PARTITION BY k, ts, INTERVAL '60' SECOND)", _ISLANDS),
}

# -- joins and filters in time --------------------------------------------------------------------

_PAST = "SELECT id FROM (SELECT id, timestamptz '{}+00' + id * interval '1 second' AS ts FROM a) AS q WHERE ts > {}"
_TIMES = {
    "interval join": Case(
        f"SELECT x.id, y.id AS other FROM {_timed('a')} AS x JOIN {_timed('b')} AS y"
        " ON x.k = y.k AND y.ts BETWEEN x.ts - INTERVAL '1 hour' AND x.ts"
    ),
    "asof join": Case(
        f"SELECT x.id, y.v FROM {_timed('a')} AS x ASOF JOIN {_timed('b')} AS y ON x.k = y.k AND x.ts >= y.ts"
    ),
    "lookup join": Case(
        "SELECT a.id, side.w FROM a JOIN side ON side.key = a.k",
        "SELECT id, 3 * k AS w FROM a",
    ),
    "temporal filter": Case(
        _PAST.format(BEGIN, "now() - INTERVAL '$half' SECOND"),
        _PAST.format(BEGIN, "$now - INTERVAL '$half' SECOND"),
    ),
}

# -- everything -----------------------------------------------------------------------------------

_RANKED = "SELECT id, k FROM (SELECT id, k, {} OVER (PARTITION BY k ORDER BY v, id) AS r FROM a) AS q WHERE r <= 2"
_OVER = "SELECT id, CAST(sum(v) OVER (PARTITION BY k ORDER BY id {}) AS bigint) AS s FROM a"

CASES = {
    "filter and project": Case("SELECT id, v * 2 AS w FROM a WHERE v < 50"),
    "union all": Case("SELECT id, v FROM a UNION ALL SELECT id, v FROM b"),
    "union": Case("SELECT k, v FROM a UNION SELECT k, v FROM b"),
    "distinct": Case("SELECT DISTINCT k FROM a"),
    "intersect": Case("SELECT k, v FROM a INTERSECT SELECT k, v FROM b"),
    "intersect all": Case("SELECT k FROM a INTERSECT ALL SELECT k FROM b"),
    "except": Case("SELECT k, v FROM a EXCEPT SELECT k, v FROM b"),
    "except all": Case("SELECT k FROM a EXCEPT ALL SELECT k FROM b"),
    **{f"{name} join": Case(sql, rows_a_key=1 if name == "anti" else 10) for name, sql in JOINS.items()},
    "self join": Case("SELECT x.id, y.id AS other FROM a AS x JOIN a AS y ON x.k = y.k AND x.v < y.v"),
    **_TIMES,
    "aggregate": Case("SELECT k, count(*) AS n, sum(v) AS s, min(v) AS low, max(v) AS high FROM a GROUP BY k"),
    "aggregate, all rows": Case("SELECT count(*) AS n, CAST(sum(v) AS bigint) AS s, max(v) AS m FROM a"),
    "aggregate of a join": Case("SELECT a.k, count(*) AS n, sum(b.v) AS v FROM a JOIN b ON a.k = b.k GROUP BY a.k"),
    "grouping sets": Case("SELECT k, v % 2 AS p, count(*) AS n FROM a GROUP BY GROUPING SETS ((k), (v % 2), ())"),
    "rollup": Case("SELECT k, v % 2 AS p, count(*) AS n FROM a GROUP BY ROLLUP (k, v % 2)",
                   "SELECT k, v % 2 AS p, count(*) AS n FROM a GROUP BY ROLLUP (k, (v % 2))"),
    "top 2 of each key": Case(_RANKED.format("row_number()")),
    "rank of each key": Case(_RANKED.format("rank()")),
    "running sum": Case(_OVER.format("")),
    "moving sum": Case(_OVER.format("ROWS BETWEEN 2 PRECEDING AND CURRENT ROW")),
    "distinct on": Case("SELECT DISTINCT ON (k) k, id FROM a ORDER BY k, v DESC, id"),
    "first 10": Case("SELECT id, v FROM a ORDER BY v DESC, id LIMIT 10"),
    "scalar subquery": Case("SELECT id FROM a WHERE v >= (SELECT max(v) FROM b)"),
    "correlated subquery": Case("SELECT id, (SELECT max(v) FROM b WHERE b.k = a.k) AS m FROM a"),
    "not in": Case("SELECT id FROM a WHERE k NOT IN (SELECT k FROM b)", rows_a_key=1),
    "recursion": Case(
        "WITH RECURSIVE r(k, n) AS (SELECT k, v FROM a UNION"
        " SELECT r.k, b.v FROM r JOIN b ON b.k = r.k AND b.v < r.n) SELECT k, n FROM r"
    ),
    "unnest": Case("SELECT id, unnest(ARRAY[k, v]) AS e FROM a"),
    **_WINDOWS,
    **{
        f"one group: {name}": case
        for name, case in {
            "max": _measure("max(x)"),
            "count distinct": _measure("count(DISTINCT x)"),
            "sum distinct": _measure("sum(DISTINCT x)"),
            "variance": _measure("floor(var_pop(x % 1000))"),
            "bit_or": _measure("bit_or(x)"),
            "percentile_disc": _measure("percentile_disc(0.5) WITHIN GROUP (ORDER BY x)"),
        }.items()
    },
}  # fmt: skip
