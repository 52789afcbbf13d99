"""Query forms with TUMBLE and HOP, EMIT ON WINDOW CLOSE, and views over views."""

from __future__ import annotations

from tests.properties.oracle.forms import Form, Stage, form
from tests.properties.oracle.windows import Window

_TUMBLE = {"W": Window("t", 10)}
_HOP = {"W": Window("t", 10, 5)}
_UNEVEN = {"W": Window("t", 10, 4)}
_SPARSE = {"W": Window("t", 3, 10)}
_SHIFTED = {"W": Window("t", 10, offset=3)}
_TWO = {"W": Window("t", 10), "V": Window("u", 10)}

_BY_KEY = (
    "SELECT k, window_start, window_end, count(*) AS n, sum(b) AS s FROM {W} AS w GROUP BY k, window_start, window_end"
)
_BY_KEY_RICH = (
    "SELECT k, window_end, count(*) AS n, min(b) AS l, max(s) AS m, count(DISTINCT c) AS d FROM {W} AS w"
    " GROUP BY k, window_end"
)
_JOINED = (
    "SELECT a.k, a.window_end, a.b, z.b AS zb FROM {W} AS a JOIN {V} AS z ON a.k = z.k AND a.window_end = z.window_end"
)
_COUNTED = (
    "SELECT x.k, x.window_end, x.n, y.m FROM"
    " (SELECT k, window_end, count(*) AS n FROM {W} AS a GROUP BY k, window_end) AS x {kind} JOIN"
    " (SELECT k, window_end, max(b) AS m FROM {V} AS z GROUP BY k, window_end) AS y"
    " ON x.k = y.k AND x.window_end = y.window_end"
)


_DISTINCT_JOINED = (
    "SELECT x.k, x.c, x.window_start FROM"
    " (SELECT k, c, window_start, window_end FROM {W} AS a GROUP BY k, c, window_start, window_end) AS x JOIN"
    " (SELECT k, window_start, window_end FROM {V} AS z GROUP BY k, window_start, window_end) AS y"
    " ON x.k = y.k AND x.window_start = y.window_start AND x.window_end = y.window_end"
)


def _counted(kind: str) -> str:
    return _COUNTED.replace("{kind}", kind)


WINDOWS: tuple[Form, ...] = (
    form("tumble", "SELECT window_start, window_end, count(*) AS n, sum(b) AS s FROM {W} AS w GROUP BY"
         " window_start, window_end",
         windows=_TUMBLE, few_keys=True),
    form("tumble by key", _BY_KEY, windows=_TUMBLE),
    form("tumble rows", "SELECT k, b, ts, window_start, window_end FROM {W} AS w", windows=_TUMBLE),
    form("tumble shifted", _BY_KEY, windows=_SHIFTED),
    form("hop", _BY_KEY, windows=_HOP),
    form("hop uneven", _BY_KEY, windows=_UNEVEN),
    form("hop with gaps", _BY_KEY, windows=_SPARSE, few_keys=True),
    form("tumble rich", _BY_KEY_RICH, windows=_TUMBLE),
    form("tumble listed", "SELECT k, window_end, string_agg(s, ',' ORDER BY s, b) AS l, median(b) AS m FROM {W} AS w"
         " GROUP BY k, window_end", windows=_TUMBLE),
    form("tumble rolled up", "SELECT k, window_start, count(*) AS n, max(s) AS m FROM {W} AS w"
         " GROUP BY window_start, ROLLUP (k)", windows=_HOP),
    form("tumble distinct", "SELECT DISTINCT k, window_start FROM {W} AS w", windows=_TUMBLE),
    form("tumble having", _BY_KEY + " HAVING count(*) > 1", windows=_HOP),
    form("tumble filtered", "SELECT k, window_end, avg(b) AS a FROM {W} AS w WHERE b > 1 GROUP BY k, window_end",
         windows=_TUMBLE),
    form("tumble doubles", "SELECT window_end, f, count(*) AS n, min(g) AS g FROM {W} AS w GROUP BY window_end, f",
         windows=_TUMBLE),
    form("windows joined", _JOINED, windows=_TWO),
    form("window counts joined", _counted(""), windows=_TWO),
    form("window distincts joined", _DISTINCT_JOINED, windows=_TWO),
    form("window counts left joined", _counted("LEFT"), windows=_TWO),
    form("window top", "SELECT k, window_end, b FROM (SELECT k, window_end, b, row_number()"
         " OVER (PARTITION BY window_end ORDER BY b DESC, k, c) AS r FROM {W} AS w) AS q WHERE r <= 2",
         windows=_TUMBLE, few_keys=True),
    form("window joined to table", "SELECT w.k, w.window_end, u.s FROM {W} AS w JOIN u ON w.k = u.k", windows=_TUMBLE),
    form("late allowed", _BY_KEY, modes=("source",), windows=_TUMBLE, lateness=10),
    form("late allowed rich", _BY_KEY_RICH, modes=("source",), windows=_HOP, lateness=4),
    form("late allowed join", _JOINED, modes=("source",), windows=_TWO, lateness=10),
)  # fmt: skip

CLOSES: tuple[Form, ...] = (
    form("close tumble", _BY_KEY, modes=("source",), windows=_TUMBLE, on_close=True),
    form("close listed", "SELECT k, window_end, string_agg(s, ',' ORDER BY s, b) AS l, count(DISTINCT b) AS m"
         " FROM {W} AS w GROUP BY k, window_end", modes=("source",), windows=_TUMBLE, on_close=True),
    form("close rolled up", "SELECT k, window_end, count(*) AS n, max(b) AS m FROM {W} AS w"
         " GROUP BY window_end, ROLLUP (k)", modes=("source",), windows=_TUMBLE, on_close=True),
    form("close hop", _BY_KEY, modes=("source",), windows=_UNEVEN, on_close=True),
    form("close shifted", _BY_KEY, modes=("source",), windows=_SHIFTED, on_close=True),
    form("close rich", _BY_KEY_RICH, modes=("source",), windows=_TUMBLE, on_close=True),
    form("close rows", "SELECT k, b, window_start, window_end FROM {W} AS w WHERE b > 1", modes=("source",),
         windows=_HOP, on_close=True),
    form("close having", _BY_KEY + " HAVING count(*) > 1 OR sum(b) IS NULL", modes=("source",), windows=_TUMBLE,
         on_close=True),
    form("close computed", "SELECT k, window_end, count(*) * 2 AS n, sum(f) AS s FROM {W} AS w GROUP BY k, window_end",
         "SELECT k, window_end, count(*) * 2 AS n, exact_sum(list(f)) AS s,"
         " count(f) * exact_sum(list(abs(f))) AS slack FROM {W} AS w GROUP BY k, window_end",
         modes=("source",), windows=_TUMBLE, on_close=True, slack=True),
    form("close distinct", "SELECT DISTINCT window_end, x FROM {W} AS w", modes=("source",), windows=_HOP,
         on_close=True, few_keys=True),
    form("close window", "SELECT window_end, count(*) AS n FROM {W} AS w GROUP BY window_end", modes=("source",),
         windows=_TUMBLE, on_close=True, few_keys=True),
    form("close joined", _JOINED, modes=("source",), windows=_TWO, on_close=True),
    form("close counts joined", _counted(""), modes=("source",), windows=_TWO, on_close=True),
    form("close late allowed", _BY_KEY, modes=("source",), windows=_TUMBLE, lateness=10, on_close=True),
    form("close hop late allowed", _BY_KEY_RICH, modes=("source",), windows=_HOP, lateness=4, on_close=True),
)  # fmt: skip


def _chain(name: str, *stages: Stage, **more: object) -> Form:
    return Form(name, stages, **more)  # type: ignore[arg-type]


_COUNTS = Stage("SELECT k, count(*) AS n, sum(b) AS s FROM t GROUP BY k", name="m")
_WINDOW_COUNTS = Stage("SELECT k, window_end, count(*) AS n FROM {W} AS w GROUP BY k, window_end", name="m")
_CLOSED_COUNTS = Stage(_WINDOW_COUNTS.sql, on_close=True, name="m")

VIEWS: tuple[Form, ...] = (
    _chain("view of view", _COUNTS, Stage("SELECT n, count(*) AS m, max(k) AS k FROM m GROUP BY n"), few_keys=True),
    _chain("view filtered", _COUNTS, Stage("SELECT k, s FROM m WHERE n > 1")),
    _chain("view joined to base", _COUNTS, Stage("SELECT t.k, t.b, m.n FROM t JOIN m ON t.k = m.k")),
    _chain("view joined to view", _COUNTS, Stage("SELECT k, max(b) AS w FROM u GROUP BY k", name="w"),
           Stage("SELECT m.k, m.s, w.w FROM m LEFT JOIN w ON m.k = w.k")),
    _chain("view of top", Stage("SELECT k, b FROM t ORDER BY b, k, s, c LIMIT 6", name="m"),
           Stage("SELECT b, count(*) AS n FROM m GROUP BY b"), few_keys=True),
    _chain("view of global", Stage("SELECT count(*) AS n, max(b) AS m FROM t", name="m"),
           Stage("SELECT u.k, m.n FROM u CROSS JOIN m")),
    _chain("view of window", _WINDOW_COUNTS, Stage("SELECT window_end, max(n) AS n FROM m GROUP BY window_end"),
           windows=_TUMBLE, few_keys=True),
    _chain("busiest of window", _WINDOW_COUNTS,
           Stage("SELECT m.k, m.window_end, m.n FROM m"
                 " JOIN (SELECT window_end, max(n) AS n FROM m GROUP BY window_end) AS x"
                 " ON m.window_end = x.window_end AND m.n = x.n"), windows=_HOP),
    _chain("view of closed", _CLOSED_COUNTS, Stage("SELECT k, sum(n) AS n FROM m GROUP BY k"),
           modes=("source",), windows=_TUMBLE),
    _chain("closed of closed", _CLOSED_COUNTS,
           Stage("SELECT window_end, max(n) AS n, count(*) AS c FROM m GROUP BY window_end", on_close=True),
           modes=("source",), windows=_TUMBLE, few_keys=True),
    _chain("window of closed",
           Stage("SELECT k, window_end AS done, count(*) AS n FROM {W} AS w GROUP BY k, window_end",
                 on_close=True, name="m", window_end="done"),
           Stage("SELECT k, window_start AS w, sum(n) AS n FROM TUMBLE(m, done, INTERVAL '30 seconds') AS q"
                 " GROUP BY k, window_start",
                 "SELECT k, time_bucket(INTERVAL '30 seconds', done, TIMESTAMP '1970-01-01') AS w, sum(n) AS n FROM m"
                 " GROUP BY k, time_bucket(INTERVAL '30 seconds', done, TIMESTAMP '1970-01-01')"),
           modes=("source",), windows=_TUMBLE),
    _chain("plain view", Stage("SELECT k, b, s FROM t WHERE s <> 'x'", name="p", plain=True),
           Stage("SELECT k, count(*) AS n FROM p WHERE b > 1 GROUP BY k")),
    _chain("plain view of window", Stage(_WINDOW_COUNTS.sql, name="p", plain=True),
           Stage("SELECT window_end, max(n) AS n FROM p GROUP BY window_end"), windows=_TUMBLE, few_keys=True),
    _chain("plain view twice", Stage("SELECT k, count(*) AS n FROM t GROUP BY k", name="p", plain=True),
           Stage("SELECT a.k, z.n FROM p AS a JOIN p AS z ON a.n = z.n")),
)  # fmt: skip
