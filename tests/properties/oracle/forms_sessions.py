"""Query forms with SESSION and CUMULATE."""

from __future__ import annotations

from tests.properties.oracle.forms import Form, Stage, form
from tests.properties.oracle.windows import Session, Window

_SESSION = {"W": Session("t", 4)}
_WIDE = {"W": Session("t", 9)}
_WHOLE = {"W": Session("t", 2, ())}
_PAIR = {"W": Session("t", 6, ("k", "c"))}
_TWO = {"W": Session("t", 5), "V": Session("u", 5)}
_CUMULATED = {"W": Window("t", 12, 4, cumulative=True)}
_SHIFTED = {"W": Window("t", 12, 3, 5, cumulative=True)}

_BY_KEY = (
    "SELECT k, window_start, window_end, count(*) AS n, sum(b) AS s FROM {W} AS w GROUP BY k, window_start, window_end"
)
_RICH = (
    "SELECT k, window_end, count(*) AS n, count(c) AS m, sum(big) AS q, avg(b) AS a, min(dt) AS l, max(d) AS h,"
    " count(*) FILTER (WHERE x) AS x FROM {W} AS w GROUP BY k, window_end"
)
_EXTREMES = (
    "SELECT window_end, k, min(b) AS l, max(b + 1) AS h, sum(d) AS d, min(g) AS g, count(*) AS n FROM {W} AS w"
    " GROUP BY window_end, k, window_start"
)
_GENERAL = (
    "SELECT k, window_start, window_end, count(*) AS n, count(DISTINCT c) AS d, max(s) AS m FROM {W} AS w"
    " GROUP BY k, window_start, window_end"
)
_FILTERED = (
    "SELECT k, window_end, count(*) AS n, sum(b) AS s FROM {W} AS w WHERE b > 3 GROUP BY k, window_end, window_start"
)
_WITH_LENGTH = (
    "SELECT k, n, window_end, window_end > window_start + INTERVAL '5 seconds' AS l FROM"
    " (SELECT k, window_start, window_end, count(*) AS n FROM {W} AS w GROUP BY k, window_start, window_end) AS q"
)

SESSIONS: tuple[Form, ...] = (
    form("session", _BY_KEY, windows=_SESSION),
    form("session rows", "SELECT k, b, ts, window_start, window_end FROM {W} AS w", windows=_WIDE),
    form("session of everything", "SELECT window_start, window_end, count(*) AS n, sum(b) AS s FROM {W} AS w"
         " GROUP BY window_start, window_end", windows=_WHOLE, few_keys=True),
    form("session by two", "SELECT c, window_end, k, count(*) AS n FROM {W} AS w GROUP BY c, window_end, k",
         windows=_PAIR),
    form("session rich", _RICH, windows=_WIDE),
    form("session extremes", _EXTREMES, windows=_WIDE),
    form("session general", _GENERAL, windows=_WIDE),
    form("session filtered", _FILTERED, windows=_WIDE),
    form("session having", _BY_KEY + " HAVING count(*) > 1", windows=_WIDE),
    form("session lengths", _WITH_LENGTH, windows=_SESSION),
    form("session by other", "SELECT window_end, s, count(*) AS n FROM {W} AS w GROUP BY window_end, s",
         windows=_WIDE),
    form("session distinct", "SELECT DISTINCT k, window_start, window_end FROM {W} AS w", windows=_WIDE),
    form("sessions counted", "SELECT k, count(*) AS sessions, max(n) AS most FROM"
         " (SELECT k, window_start, window_end, count(*) AS n FROM {W} AS w GROUP BY k, window_start, window_end) AS q"
         " GROUP BY k", windows=_SESSION),
    form("session joined to table", "SELECT w.k, w.window_end, u.s FROM {W} AS w JOIN u ON w.k = u.k", windows=_WIDE),
    form("sessions joined", "SELECT a.k, a.window_start, a.window_end, z.window_start AS zs FROM"
         " (SELECT k, window_start, window_end FROM {W} AS w GROUP BY k, window_start, window_end) AS a JOIN"
         " (SELECT k, window_start, window_end FROM {V} AS v GROUP BY k, window_start, window_end) AS z"
         " ON a.k = z.k AND a.window_start < z.window_end AND z.window_start < a.window_end", windows=_TWO),
    form("session late allowed", _BY_KEY, modes=("source",), windows=_SESSION, lateness=10),
    form("session general late allowed", _GENERAL, modes=("source",), windows=_SESSION, lateness=10),
    form("session close", _BY_KEY, modes=("source",), windows=_SESSION, on_close=True),
    form("session close rich", _RICH, modes=("source",), windows=_WIDE, on_close=True),
    form("session close extremes", _EXTREMES, modes=("source",), windows=_WIDE, on_close=True),
    form("session close general", _GENERAL, modes=("source",), windows=_SESSION, on_close=True),
    form("session close filtered", _FILTERED, modes=("source",), windows=_SESSION, on_close=True),
    form("session close rows", "SELECT k, b, window_start, window_end FROM {W} AS w WHERE b > 1", modes=("source",),
         windows=_SESSION, on_close=True),
    form("session close of everything", "SELECT window_start, window_end, count(*) AS n FROM {W} AS w"
         " GROUP BY window_start, window_end", modes=("source",), windows=_WHOLE, on_close=True, few_keys=True),
    form("session close late allowed", _BY_KEY, modes=("source",), windows=_SESSION, lateness=10, on_close=True),
    form("session close general late allowed", _GENERAL, modes=("source",), windows=_SESSION, lateness=4,
         on_close=True),
    Form("view of sessions", (
        Stage("SELECT k, window_start, window_end, count(*) AS n FROM {W} AS w GROUP BY k, window_start, window_end",
              on_close=True, name="m"),
        Stage("SELECT k, count(*) AS c, sum(n) AS n FROM m GROUP BY k")), modes=("source",), windows=_SESSION),
    Form("session of plain view", (
        Stage("SELECT k, b, ts FROM t WHERE b > 2", name="p", plain=True),
        Stage("SELECT k, window_start, window_end, count(*) AS n FROM"
              " SESSION(p, k, ts, INTERVAL '4 seconds') AS w GROUP BY k, window_start, window_end",
              "SELECT k, min(ts) AS s, max(ts) + INTERVAL '4 seconds' AS e, count(*) AS n FROM"
              " (SELECT *, sum(fresh) OVER (PARTITION BY k ORDER BY ts, b) AS number FROM"
              " (SELECT *, CASE WHEN ts - lag(ts) OVER (PARTITION BY k ORDER BY ts, b) <= INTERVAL '4 seconds'"
              " THEN 0 ELSE 1 END AS fresh"
              " FROM p WHERE ts IS NOT NULL) AS f) AS q GROUP BY k, number")), modes=("table",)),
    form("cumulate", _BY_KEY, windows=_CUMULATED),
    form("cumulate shifted", _GENERAL, windows=_SHIFTED),
    form("cumulate starts", "SELECT k, window_start, count(*) AS n FROM {W} AS w GROUP BY k, window_start",
         windows=_CUMULATED),
    form("cumulate ends", "SELECT window_end, count(*) AS n FROM {W} AS w GROUP BY window_end",
         windows=_CUMULATED, few_keys=True),
    form("cumulate close", _BY_KEY, modes=("source",), windows=_CUMULATED, on_close=True),
    form("cumulate close late allowed", _BY_KEY, modes=("source",), windows=_SHIFTED, lateness=4, on_close=True),
    form("cumulate close rows", "SELECT k, b, window_start, window_end FROM {W} AS w", modes=("source",),
         windows=_CUMULATED, on_close=True),
)  # fmt: skip
