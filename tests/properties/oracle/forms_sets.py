"""Query forms of set operations, subqueries, OVER, and ORDER BY with LIMIT."""

from __future__ import annotations

from tests.properties.oracle.forms import Form, form

_ORDER = "b, s, c, big, k, dt, x"  # enough columns that rows equal in them are equal in what is shown

_ALONE = "b, s, c, big, dt, x, f"  # the same within one k

SETS: tuple[Form, ...] = (
    form("union", "SELECT k, s FROM t UNION SELECT k, s FROM u"),
    form("union all", "SELECT k, b FROM t UNION ALL SELECT k, c FROM u"),
    form("union of numbers", "SELECT b AS n FROM t UNION ALL SELECT d FROM u UNION ALL SELECT d FROM t"),
    form("union of numerics", "SELECT d FROM t UNION SELECT d FROM u"),
    form("union of doubles", "SELECT f, x FROM t UNION SELECT g, x FROM u"),
    form("except", "SELECT b, s FROM t EXCEPT SELECT b, s FROM u"),
    form("intersect", "SELECT b, s FROM t INTERSECT SELECT b, s FROM u"),
    form("except all", "SELECT b, s FROM t EXCEPT ALL SELECT b, s FROM u"),
    form("intersect all", "SELECT b, c FROM t INTERSECT ALL SELECT b, c FROM u"),
    form("except doubles", "SELECT f, x FROM t EXCEPT SELECT f, x FROM u"),
    form("nested sets", "(SELECT b, s FROM t UNION SELECT b, s FROM u) EXCEPT SELECT b, s FROM v"),
    form("union all of itself", "SELECT k, b FROM t UNION ALL SELECT k, b FROM t"),
)

SUBQUERIES: tuple[Form, ...] = (
    form("in", "SELECT k, b FROM t WHERE b IN (SELECT c FROM u)"),
    form("not in", "SELECT k, b FROM t WHERE b NOT IN (SELECT c FROM u WHERE c > 1)"),
    form("not in nulls", "SELECT k, b FROM t WHERE b NOT IN (SELECT c FROM u WHERE s = 'x' AND x)"),
    form("in correlated", "SELECT k, b FROM t WHERE b IN (SELECT u.c FROM u WHERE u.k = t.k)"),
    form("scalar correlated", "SELECT k, (SELECT max(b) FROM u WHERE u.k = t.k) AS m FROM t"),
    form("count correlated", "SELECT k, b, (SELECT count(*) FROM u WHERE u.k = t.k) AS n FROM t"),
    form("scalar", "SELECT k, b FROM t WHERE b > (SELECT avg(c) FROM u)"),
    form("scalar selected", "SELECT k, b - (SELECT min(b) FROM u) AS d FROM t"),
    form("exists anything", "SELECT k FROM t WHERE EXISTS (SELECT 1 FROM u WHERE b = 3)"),
    form("exists or", "SELECT k FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.k = t.k) OR b = 1"),
    form("in having", "SELECT k, sum(b) AS s FROM t GROUP BY k HAVING sum(b) > (SELECT avg(b) FROM u)"),
    form("cte twice", "WITH q AS (SELECT k, count(*) AS n FROM t GROUP BY k)"
         " SELECT a.k, z.n FROM q AS a JOIN q AS z ON a.n = z.n"),
    form("share of total", "SELECT k, sum(b) AS s, (SELECT count(*) FROM t) AS n FROM t GROUP BY k"),
)  # fmt: skip

OVER: tuple[Form, ...] = (
    form("row_number", "SELECT k, b, s, c, row_number() OVER (PARTITION BY k ORDER BY b, s, c) AS n FROM t"),
    form("rank", "SELECT k, b, rank() OVER (ORDER BY b) AS r, dense_rank() OVER (ORDER BY b) AS d FROM t"),
    form("rank doubles", "SELECT f, rank() OVER (ORDER BY f) AS r FROM t"),
    form("partition doubles", "SELECT f, b, count(*) OVER (PARTITION BY f) AS n FROM t"),
    form("rows frame", f"SELECT k, b, sum(b) OVER (PARTITION BY k ORDER BY {_ORDER} ROWS BETWEEN 1 PRECEDING"
         f" AND CURRENT ROW)"
         " AS n FROM t"),
    form("following frame", f"SELECT k, b, max(c) OVER (PARTITION BY k ORDER BY {_ORDER}"
         " ROWS BETWEEN CURRENT ROW AND 2 FOLLOWING) AS n FROM t"),
    form("range frame", "SELECT k, b, sum(c) OVER (PARTITION BY k ORDER BY b RANGE BETWEEN 2 PRECEDING AND 1 FOLLOWING)"
         " AS n, count(*) OVER (ORDER BY d DESC NULLS LAST RANGE BETWEEN 0.5 PRECEDING AND 2 FOLLOWING EXCLUDE TIES)"
         " AS m FROM t"),
    form("range of doubles", "SELECT f, count(*) OVER (ORDER BY f RANGE BETWEEN 0.5 PRECEDING AND CURRENT ROW) AS n"
         " FROM t", "SELECT f, (SELECT count(*) FROM t AS o WHERE CASE WHEN t.f IS NULL THEN o.f IS NULL"
         " WHEN isnan(t.f) THEN isnan(o.f) ELSE o.f >= t.f - 0.5 AND o.f <= t.f END) AS n FROM t"),
    form("range of days", "SELECT k, dt, sum(b) OVER (PARTITION BY k ORDER BY dt RANGE BETWEEN INTERVAL '1 day'"
         " PRECEDING AND INTERVAL '2 days' FOLLOWING) AS n FROM t"),
    form("groups frame", "SELECT k, b, sum(c) OVER (PARTITION BY k ORDER BY b GROUPS BETWEEN 1 PRECEDING AND"
         " 1 FOLLOWING) AS n, max(s) OVER (ORDER BY b DESC GROUPS BETWEEN 2 PRECEDING AND CURRENT ROW EXCLUDE GROUP)"
         " AS m FROM t"),
    form("frame of doubles", f"SELECT k, f, sum(f) OVER w AS s, count(f) OVER w AS n FROM t WINDOW w AS (PARTITION BY k"
         f" ORDER BY {_ALONE} ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING)",
         f"SELECT k, f, exact_sum(list(f) OVER w) AS s, count(f) OVER w AS n FROM t WINDOW w AS (PARTITION BY k"
         f" ORDER BY {_ALONE} ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING)"),
    form("running peers", "SELECT k, b, sum(c) OVER (PARTITION BY k ORDER BY b) AS n FROM t"),
    form("partition totals", "SELECT k, b, sum(b) OVER (PARTITION BY k) AS s, count(*) OVER (PARTITION BY k) AS n,"
         " avg(g) OVER (PARTITION BY k) AS a FROM t"),
    form("over everything", "SELECT k, b, count(*) OVER () AS n, max(b) OVER () AS m FROM t"),
    form("lag lead", f"SELECT k, b, lag(b) OVER (PARTITION BY k ORDER BY {_ORDER}) AS p,"
         f" lead(b, 1, -1) OVER (PARTITION BY k ORDER BY {_ORDER}) AS n FROM t"),
    form("first last", f"SELECT k, b, first_value(b) OVER (PARTITION BY k ORDER BY {_ORDER}) AS f,"
         f" last_value(b) OVER (PARTITION BY k ORDER BY {_ORDER} ROWS BETWEEN CURRENT ROW AND UNBOUNDED"
         f" FOLLOWING) AS l FROM t"),
    form("ntile", f"SELECT b, ntile(3) OVER (ORDER BY {_ORDER}) AS n FROM t"),
    form("top per key", "SELECT k, b, s FROM (SELECT k, b, s, row_number() OVER (PARTITION BY k ORDER BY b"
         " DESC, s DESC) AS n"
         " FROM t) AS q WHERE n <= 2"),
    form("over groups", "SELECT k, n, rank() OVER (ORDER BY n DESC) AS r FROM (SELECT k, count(*) AS n FROM t"
         " GROUP BY k) AS q"),
    form("over join", "SELECT t.k, u.b, row_number() OVER (PARTITION BY t.k ORDER BY u.b, t.b) AS n"
         " FROM t JOIN u ON t.k = u.k"),
    form("failing in partitions", "SELECT k, b, c, sum(b / c) OVER (PARTITION BY k) AS n FROM t",
         "SELECT k, b, c, sum(b // nullif(c, 0)) OVER (PARTITION BY k) AS n FROM t"
         " QUALIFY NOT coalesce(bool_or(c = 0 AND b IS NOT NULL) OVER (PARTITION BY k), false)",
         fails="SELECT count(*) FROM (SELECT k FROM t WHERE c = 0 AND b IS NOT NULL GROUP BY k)"),
)  # fmt: skip

TOP: tuple[Form, ...] = (
    form("ties", "SELECT k, b, s FROM t ORDER BY b FETCH FIRST 2 ROWS WITH TIES",
         "SELECT k, b, s FROM t QUALIFY rank() OVER (ORDER BY b) <= 2"),
    form("limit by subquery", f"SELECT k, b, s FROM t ORDER BY {_ORDER} LIMIT (SELECT count(*) / 2 FROM u)",
         f"SELECT k, b, s FROM t QUALIFY row_number() OVER (ORDER BY {_ORDER}) <= (SELECT count(*) // 2 FROM u)"),
    form("top", f"SELECT k, b, s FROM t ORDER BY {_ORDER} LIMIT 3"),
    form("top descending", "SELECT b, s FROM t ORDER BY b DESC, s DESC LIMIT 4"),
    form("top nulls last", "SELECT b, c FROM t ORDER BY b DESC NULLS LAST, c NULLS FIRST LIMIT 4"),
    form("top ties", "SELECT b FROM t ORDER BY b LIMIT 5"),
    form("top doubles", "SELECT f FROM t ORDER BY f LIMIT 6"),
    form("offset", "SELECT b, c FROM t ORDER BY b, c LIMIT 3 OFFSET 2"),
    form("top of groups", "SELECT n, k FROM (SELECT k, count(*) AS n FROM t GROUP BY k) AS q ORDER BY n DESC, k"
         " LIMIT 3"),
    form("limit inside", "SELECT c, count(*) AS n FROM (SELECT c, b FROM t ORDER BY b, c LIMIT 5) AS q GROUP BY c",
         few_keys=True),
)  # fmt: skip
