"""Joins of the streams a, b and c by their times and by their windows, and what is known of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Form:
    """``late``: the streams whose rows can be late for the join. ``windowed``: those whose rows can be for a window.

    ``closed``: what the answer is cut to under ON WINDOW CLOSE. ``most``: how many rows may be kept; None where one
    side is kept for ever.
    """

    sql: str
    late: str
    most: int | None = 150
    closed: str = ""
    duck: str = ""
    windowed: str = ""


_WITHIN = "a.ts BETWEEN b.ts - INTERVAL '8 seconds' AND b.ts + INTERVAL '3 seconds'"
_PAIR = "SELECT a.k, a.ts, a.v, b.ts AS bt, b.v AS bv FROM a"
_HOPS = (
    "SELECT x.k, x.window_end, x.v, y.v AS yv FROM {X} AS x {kind} JOIN {Y} AS y"
    " ON x.k = y.k AND x.window_start = y.window_start AND x.window_end = y.window_end"
)
TUMBLED = {name: f"TUMBLE({name}, ts, INTERVAL '10 seconds')" for name in "ab"}
BUCKETS = {
    name: "(SELECT *, time_bucket(INTERVAL '10 seconds', ts, TIMESTAMP '1970-01-01') AS window_start, window_start"
    f" + INTERVAL '10 seconds' AS window_end FROM {name} WHERE ts IS NOT NULL)"
    for name in "ab"
}


_USING = "SELECT window_end, k, x.v, y.v AS yv FROM {X} AS x FULL JOIN {Y} AS y USING (window_start, window_end, k)"


def _windows(kind: str, **more: Any) -> Form:
    sql, duck = (_HOPS.replace("{kind}", kind).format(X=w["a"], Y=w["b"]) for w in (TUMBLED, BUCKETS))
    return Form(sql, "", duck=duck, windowed="ab", **more)


FORMS = {
    "inner": Form(f"{_PAIR} JOIN b ON a.k = b.k AND {_WITHIN}", "ab"),
    "in where": Form(f"{_PAIR}, b WHERE a.k = b.k AND {_WITHIN} AND a.v > b.v", "ab"),
    "by difference": Form(
        f"{_PAIR} JOIN b ON a.k = b.k AND a.ts - b.ts < INTERVAL '3 seconds' AND b.ts - a.ts <= INTERVAL '4 seconds'",
        "ab",
    ),
    "without a key": Form(f"{_PAIR} JOIN b ON {_WITHIN}", "ab", 150),
    "at one time": Form(f"{_PAIR} JOIN b ON a.ts = b.ts", "ab"),
    "left": Form(f"{_PAIR} LEFT JOIN b ON a.k = b.k AND {_WITHIN}", "ab", 220),
    "right": Form(f"{_PAIR} RIGHT JOIN b ON a.k = b.k AND {_WITHIN}", "ab", 220),
    "full": Form(f"{_PAIR} FULL JOIN b ON a.k = b.k AND {_WITHIN}", "ab", 300),
    "semi": Form(f"SELECT a.k, a.ts FROM a WHERE EXISTS (SELECT FROM b WHERE a.k = b.k AND {_WITHIN})", "ab", 220,
                 duck=f"SELECT a.k, a.ts FROM a WHERE EXISTS (SELECT 1 FROM b WHERE a.k = b.k AND {_WITHIN})"),
    "anti": Form(f"SELECT a.k, a.ts FROM a WHERE NOT EXISTS (SELECT FROM b WHERE a.k = b.k AND {_WITHIN})", "ab", 220,
                 duck=f"SELECT a.k, a.ts FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE a.k = b.k AND {_WITHIN})"),
    "from below": Form(f"{_PAIR} JOIN b ON a.k = b.k AND a.ts >= b.ts AND a.v = b.v", "b", None),
    "from above": Form(f"{_PAIR} LEFT JOIN b ON a.k = b.k AND a.ts < b.ts + INTERVAL '5 seconds' AND a.v = b.v", "a",
                       None),
    "left on close": Form(f"{_PAIR} LEFT JOIN b ON a.k = b.k AND {_WITHIN}", "ab", 420,
                          "ts IS NULL OR ts < mark - INTERVAL '8 s'"),
    "grouped on close": Form(
        "SELECT a.k, a.ts, count(*) AS n, sum(b.v) AS s FROM a JOIN b ON a.k = b.k AND"
        f" {_WITHIN} GROUP BY a.k, a.ts", "ab", 420, "ts IS NULL OR ts < mark - INTERVAL '8 s'",
    ),
    "window grouped on close": Form(
        "SELECT a.window_end, count(*) AS n FROM {X} AS a JOIN b ON a.k = b.k AND "
        + _WITHIN + " GROUP BY a.window_end",
        "b", 300, "window_end <= mark - INTERVAL '8 s'", windowed="a",
    ),
    "three": Form(
        f"{_PAIR} JOIN b ON a.k = b.k AND {_WITHIN} JOIN c ON c.k = a.k AND c.ts BETWEEN a.ts AND a.ts"
        " + INTERVAL '5 seconds'", "abc", 400,
    ),
    "windows": _windows(""),
    "windows left": _windows("LEFT", most=250),
    "windows full": _windows("FULL", most=300),
    "windows full on close": Form(
        _USING.format(X=TUMBLED["a"], Y=TUMBLED["b"]), "", 300, "window_end <= mark",
        _USING.format(X=BUCKETS["a"], Y=BUCKETS["b"]), "ab",
    ),
    "windows full grouped on close": Form(
        "SELECT window_end, count(*) AS n, sum(v) AS s FROM ("
        + _USING.format(X=TUMBLED["a"], Y=TUMBLED["b"]) + ") AS q GROUP BY window_end", "", 300, "window_end <= mark",
        "SELECT window_end, count(*) AS n, sum(v) AS s FROM ("
        + _USING.format(X=BUCKETS["a"], Y=BUCKETS["b"]) + ") AS q GROUP BY window_end", "ab",
    ),
    "windows left on close": _windows("LEFT", most=300, closed="window_end <= mark"),
}  # fmt: skip
