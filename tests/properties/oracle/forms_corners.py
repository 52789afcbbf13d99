"""Corners: forms in which something once failed, or in which DataFusion, Substrait or a rewrite could mislead us."""

from __future__ import annotations

import re

from tests.properties.oracle.forms import Form, form
from tests.properties.oracle.windows import Window

_TUMBLE = {"W": Window("t", 10)}
_TOTAL = "b, s, c, big, f, g, d, x, dt, ts"  # rows equal in these are equal in what is shown
_DOUBLES = (
    "SELECT coalesce(f, 0.25) AS a, CASE WHEN x THEN f ELSE 0.5 END AS b, nullif(f, 0.1) AS c, greatest(g, 0.75) AS d,"
    " f IN (0.1, 1.0, 0.30000000000000004) AS e, f > 1e-200 AS h, f < 1e50 AS i, g * 0.5 AS j, g + 1 AS l,"
    " f BETWEEN 0.1 AND 0.3 AS m FROM t WHERE coalesce(f, 0.0) <> 0.2"
)


def _in_doubles(sql: str) -> str:
    """With constants that DuckDB takes for doubles, as Postgres does where they meet one."""
    return re.sub(r"\d+\.\d+", r"CAST(\g<0> AS DOUBLE)", sql)


NUMBERS: tuple[Form, ...] = (
    form("doubles meet numerics", _DOUBLES, _in_doubles(_DOUBLES)),
    form("double joins numeric", "SELECT t.f, u.d FROM t JOIN u ON t.f = u.d",
         "SELECT t.f, u.d FROM t JOIN u ON t.f = CAST(u.d AS DOUBLE)"),
    form("double joins integer", "SELECT t.g, u.b FROM t LEFT JOIN u ON t.g = u.b"),
    form("numeric joins integer", "SELECT t.d, u.b FROM t FULL JOIN u ON t.d = u.b"),
    form("doubles in cases", "SELECT k, sum(CASE WHEN x THEN g ELSE 0.0 END) AS s, max(coalesce(f, 0.5)) AS m FROM"
         " t GROUP BY k",
         "SELECT k, sum(CASE WHEN x THEN g ELSE 0.0 END) AS s, max(coalesce(f, CAST(0.5 AS DOUBLE))) AS m FROM t"
         " GROUP BY k"),
    form("quotients of sums", "SELECT k, sum(b) / count(*) AS a, avg(b) * 2 AS c, sum(big + 0) AS e FROM t"
         " WHERE big < 9223372036854775807 GROUP BY k",
         "SELECT k, sum(b) // count(*) AS a, avg(b) * 2 AS c, sum(big + 0) AS e FROM t"
         " WHERE big < 9223372036854775807 GROUP BY k"),
    form("percentile", "SELECT k, percentile_cont(0.25) WITHIN GROUP (ORDER BY g) AS l FROM t GROUP BY k",
         "SELECT k, quantile_cont(g, 0.25) AS l FROM t GROUP BY k", ulps=4),
)  # fmt: skip

FOUND: tuple[Form, ...] = (  # each was once answered wrong
    form("offset descending", "SELECT k, b FROM t ORDER BY b DESC, k DESC LIMIT 2 OFFSET 2"),
    form("offset of computed", "SELECT b + 1 AS n FROM t ORDER BY b DESC LIMIT 3 OFFSET 1"),
    form("offset of hidden", "SELECT c FROM t ORDER BY b DESC, c LIMIT 3 OFFSET 1"),
    form("semi join of a CTE", "WITH q AS (SELECT DISTINCT b FROM t) SELECT z.b, z.b AS c FROM q AS a JOIN q AS z"
         " ON a.b = z.b"),
    form("constants aggregated", "SELECT k, sum(2) AS a, max(3) AS m, count(1) AS n FROM t GROUP BY k"),
    form("sum of extremes over", "SELECT k, sum(big) OVER (PARTITION BY k) AS s, sum(big) OVER (PARTITION BY k"
         " ORDER BY b) AS r FROM t"),
    form("order of negated doubles", "SELECT g, rank() OVER (ORDER BY -f DESC) AS r FROM t"),
    form("partitions of negated doubles", "SELECT b, count(*) OVER (PARTITION BY -f) AS n FROM t",
         "SELECT b, count(*) OVER (PARTITION BY f) AS n FROM t"),
    form("top negated doubles", "SELECT f FROM t ORDER BY -f DESC LIMIT 6"),
    form("not in correlated", "SELECT t.k, t.b FROM t WHERE t.b NOT IN (SELECT u.c FROM u WHERE u.k = t.k)"),
    form("less than any correlated", "SELECT t.k, t.b FROM t WHERE t.b < ANY (SELECT u.c FROM u WHERE u.k = t.k)"),
    form("more than all correlated", "SELECT t.k, t.b FROM t WHERE t.b >= ALL (SELECT u.c FROM u WHERE u.k = t.k)"),
    form("in doubles selected", "SELECT k, -f IN (SELECT f FROM u) AS a, g IN (SELECT f FROM u) AS c FROM t"),
    form("zeros and NaNs compared", "SELECT nullif(0 * -g, 0) AS a, nullif(-f, f) AS c, CASE g WHEN 0 THEN 1 ELSE 2 END"
         " AS d, CASE -f WHEN f THEN 1 ELSE 2 END AS e, -f = f AS h, -f > f AS i, -f IN (f, 1) AS j,"
         " -f BETWEEN f AND f AS l FROM t WHERE -f > 1 OR f <= -f OR b > 4"),
    form("negated joins", "SELECT q.n, u.f FROM (SELECT -f AS n, k FROM t) AS q LEFT JOIN u ON q.n > u.f"
         " AND q.k = u.k"),
    form("full join on one side", "SELECT t.b, u.c FROM t FULL JOIN u ON t.b = u.c AND u.b = u.c AND t.c = t.b"),
    form("full join on distinct", "SELECT t.b, u.c FROM t FULL JOIN u ON t.b = u.c AND u.b IS NOT DISTINCT FROM u.c"),
    form("union of aggregated strings", "SELECT string_agg(s, ',' ORDER BY s) AS l FROM t UNION ALL SELECT s FROM u"),
    form("except aggregated strings", "SELECT s FROM u EXCEPT SELECT string_agg(s, ',' ORDER BY s) FROM t GROUP BY k"),
    form("casts beside columns", "SELECT CAST(b AS text) AS a, b, min(CAST(c AS text)) AS d, min(c) AS e FROM t"
         " GROUP BY CAST(b AS text), b"),
    form("not in or", "SELECT b FROM t WHERE x OR b NOT IN (SELECT b FROM u)"),
    form("not in or correlated", "SELECT b FROM t WHERE c = 1 OR t.b NOT IN (SELECT u.b FROM u WHERE u.k = t.k)"),
    form("not and in", "SELECT b FROM t WHERE NOT (x AND b IN (SELECT c FROM u WHERE c > 0))"),
    form("not or in correlated", "SELECT b FROM t WHERE NOT (c = 1 OR t.b IN (SELECT u.b FROM u WHERE u.k = t.k))"),
    form("not in is not true", "SELECT b FROM t WHERE (b NOT IN (SELECT b FROM u)) IS NOT TRUE"),
    form("in is not true", "SELECT b FROM t WHERE (t.b IN (SELECT u.b FROM u WHERE u.k = t.k)) IS NOT TRUE"),
    form("not in under case", "SELECT b FROM t WHERE CASE WHEN t.b NOT IN (SELECT u.b FROM u WHERE u.k = t.k)"
         " THEN false ELSE true END"),
    form("less than all or", "SELECT b FROM t WHERE x OR b < ALL (SELECT b FROM u)"),
    form("less than any and not", "SELECT b FROM t WHERE NOT (x OR b < ANY (SELECT b FROM u WHERE c > 1))"),
    form("in aggregated", "SELECT k, sum(CASE WHEN b IN (SELECT c FROM u) THEN 1 ELSE 0 END) AS n FROM t GROUP BY k"),
    form("having not in", "SELECT b FROM t GROUP BY b HAVING b NOT IN (SELECT b FROM u)"),
    form("equal in a join of the same", "SELECT t.k, t.b FROM t JOIN u ON t.c = u.c"
         " JOIN v ON t.b IS NOT DISTINCT FROM v.b"),
    form("the same in a join of equals", "SELECT t.k, t.b FROM t JOIN v ON t.b IS NOT DISTINCT FROM v.b"
         " JOIN u ON t.c = u.c"),
    form("the same where equal", "SELECT t.k, u.b FROM t JOIN u ON t.b IS NOT DISTINCT FROM u.b WHERE t.c = u.c"),
    form("the same or nothing where equal", "SELECT t.k, u.b FROM t LEFT JOIN u ON t.b IS NOT DISTINCT FROM u.b"
         " WHERE t.c = u.c"),
    form("lateral behind a join", "SELECT t.k, q.m FROM t JOIN u ON t.c = u.c CROSS JOIN LATERAL (SELECT max(v.b) AS m"
         " FROM v WHERE v.x = t.x) AS q", few_keys=True),
    form("lateral where equal", "SELECT t.k, q.m FROM t, LATERAL (SELECT max(u.b) AS m FROM u WHERE u.c < t.c) AS q"
         " WHERE t.b = q.m", few_keys=True),
)  # fmt: skip

CLAUSES: tuple[Form, ...] = (
    form("having alone", "SELECT count(*) AS n FROM t HAVING count(*) > 3"),
    form("group by constant", "SELECT 'x' AS c, count(*) AS n FROM t GROUP BY 1", few_keys=True),
    form("filtered extremes", "SELECT k, min(b) FILTER (WHERE x) AS a, max(g) FILTER (WHERE c > 1) AS m FROM t"
         " GROUP BY k"),
    form("aggregate twice", "SELECT k, sum(b) AS a, sum(b) AS e, count(*) AS c, sum(b) + count(*) AS d FROM t"
         " GROUP BY k"),
    form("distinct strings", "SELECT k, string_agg(DISTINCT s, ',' ORDER BY s) AS l FROM t GROUP BY k"),
    form("distinct filtered", "SELECT count(DISTINCT k) AS n, count(DISTINCT s) FILTER (WHERE x) AS m FROM t"),
    form("casts to text", "SELECT CAST(b AS text) AS a, CAST(d AS text) AS c, CAST(dt AS text) AS g, concat(s, b,"
         " 'x') AS h,"
         " s || b AS i FROM t"),
    form("more text", "SELECT trim(both 'a' FROM s) AS a, position('a' IN s) AS b, substring(s FROM 1 FOR 2) AS c,"
         " ltrim(s) AS d,"
         " rtrim(s, 'a') AS e, s ILIKE 'A%' AS f, s NOT LIKE '%b' AS h FROM t",
         "SELECT trim(s, 'a') AS a, position('a' IN s) AS b, substring(s, 1, 2) AS c, ltrim(s) AS d, rtrim(s, 'a')"
         " AS e,"
         " s ILIKE 'A%' AS f, s NOT LIKE '%b' AS h FROM t"),
    form("times compared", "SELECT ts, ts > TIMESTAMP '2024-02-29 23:59:05' AS a, dt < DATE '2024-03-01' AS b,"
         " ts >= '2024-02-29 23:59:05' AS c, dt + 1 AS e FROM t"),
    form("lists with NULL", "SELECT k FROM t WHERE b IN (1, NULL, 3) OR b NOT IN (1, 2)"),
    form("negations", "SELECT k FROM t WHERE NOT (b > 3 AND c < 2) AND NOT (s = 'a')"),
    form("constant", "SELECT 1 AS a, 'x' AS b"),
    form("values", "SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS v(a, b)"),
    form("values joined", "SELECT t.k, w.n FROM t JOIN (VALUES (1, 'one'), (2, 'two')) AS w(b, n) ON t.b = w.b",
         few_keys=True),
    form("order without limit", "SELECT k, b FROM t ORDER BY b, k"),
    form("offset alone", "SELECT b FROM t ORDER BY b OFFSET 3"),
    form("count of limit", "SELECT count(*) AS n FROM (SELECT k FROM t LIMIT 4) AS q"),
    form("union of totals", "SELECT 'all' AS k, count(*) AS n FROM t UNION ALL SELECT s, count(*) FROM t GROUP BY s"),
    form("unknown beside numbers", "SELECT k, NULL AS n FROM t UNION ALL SELECT k, b FROM u"),
    form("ctes in a row", "WITH a AS (SELECT k, b FROM t WHERE b > 1), c AS (SELECT k, sum(b) AS s FROM a GROUP BY k)"
         " SELECT a.k, a.b, c.s FROM a JOIN c ON a.k = c.k"),
)  # fmt: skip

CONDITIONS: tuple[Form, ...] = (
    form("or in join", "SELECT t.k, u.b FROM t JOIN u ON t.b = u.b OR t.s = u.s"),
    form("or in left join", "SELECT t.k, u.b FROM t LEFT JOIN u ON (t.b = u.b AND t.x) OR t.s = u.s"),
    form("on true", "SELECT t.b, u.c FROM t JOIN u ON true WHERE t.b = 1"),
    form("left on false", "SELECT t.b, u.c FROM t LEFT JOIN u ON false"),
    form("left on left", "SELECT t.b, u.c FROM t LEFT JOIN u ON t.x AND t.k = u.k"),
    form("left on left alone", "SELECT t.b, u.c FROM t LEFT JOIN u ON t.x AND t.b > 8"),
    form("full on both", "SELECT t.b, u.c FROM t FULL JOIN u ON t.b = u.b AND t.x AND u.x"),
    form("full join using", "SELECT k, t.b, u.c FROM t FULL JOIN u USING (k)"),
    form("natural", "SELECT * FROM (SELECT k, b FROM t) AS a NATURAL JOIN (SELECT k, c FROM u) AS z"),
    form("not exists or", "SELECT k FROM t WHERE NOT EXISTS (SELECT 1 FROM u WHERE u.k = t.k) OR b > 5"),
    form("in selected", "SELECT k, b IN (SELECT c FROM u) AS e FROM t"),
    form("any", "SELECT k FROM t WHERE b = ANY (SELECT c FROM u) OR s = 'a'"),
    form("less than any", "SELECT v FROM (SELECT b AS v FROM t) AS w WHERE v < ANY (SELECT c FROM u WHERE x)"),
    form("more than all", "SELECT v FROM (SELECT b AS v FROM t) AS w WHERE v >= ALL (SELECT c FROM u WHERE s = 'x'"
         " AND x)"),
    form("not in of v", "SELECT v FROM (SELECT b AS v FROM t) AS w WHERE v NOT IN (SELECT c FROM u WHERE c IS NOT"
         " NULL)"),
    form("exists unequal", "SELECT k, b FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.b > t.b AND u.x)"),
    form("nested exists", "SELECT k FROM t WHERE EXISTS"
         " (SELECT 1 FROM u WHERE u.k = t.k AND NOT EXISTS (SELECT 1 FROM v WHERE v.b = u.b))"),
    form("scalar in case", "SELECT k, CASE WHEN b > (SELECT avg(c) FROM u) THEN 1 ELSE 0 END AS e FROM t"),
    form("two scalars", "SELECT k FROM t WHERE b > (SELECT avg(c) FROM u) AND c < (SELECT max(c) FROM v)"),
    form("two correlated", "SELECT k, (SELECT sum(u.b) FROM u WHERE u.k = t.k AND u.c > 1) AS s,"
         " (SELECT count(*) FROM v WHERE v.b = t.b) AS n FROM t"),
    form("joined to top", "SELECT t.k, t.b FROM t JOIN (SELECT k FROM u GROUP BY k ORDER BY count(*) DESC, k LIMIT"
         " 2) AS q"
         " ON t.k = q.k", few_keys=True),
    form("two partitions", f"SELECT k, row_number() OVER (PARTITION BY k ORDER BY {_TOTAL}) AS a,"
         " rank() OVER (PARTITION BY s ORDER BY b) AS r FROM t"),
    form("percent_rank", "SELECT b, percent_rank() OVER (ORDER BY b) AS p, cume_dist() OVER (ORDER BY b) AS c FROM t",
         ulps=2),
    form("named window", "SELECT k, sum(b) OVER w AS s, count(*) OVER w AS n FROM t WINDOW w AS (PARTITION BY k"
         " ORDER BY c)"),
    form("partition by expression", "SELECT b, count(*) OVER (PARTITION BY b % 3) AS n FROM t", few_keys=True),
    form("window joined and grouped", "SELECT w.window_end, count(*) AS n FROM {W} AS w JOIN u ON w.k = u.k GROUP"
         " BY w.window_end",
         windows=_TUMBLE, few_keys=True),
    form("window compared", "SELECT w.k, w.window_end FROM {W} AS w WHERE w.b > (SELECT avg(b) FROM u)",
         windows=_TUMBLE),
    form("window start closes", "SELECT k, window_start, count(*) AS n, window_start + INTERVAL '10 seconds' AS"
         " window_end"
         " FROM {W} AS w GROUP BY k, window_start", modes=("source",), windows=_TUMBLE, on_close=True),
)  # fmt: skip

CORNERS: tuple[Form, ...] = (*NUMBERS, *FOUND, *CLAUSES, *CONDITIONS)
