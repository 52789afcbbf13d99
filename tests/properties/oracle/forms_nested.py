"""Query forms of correlated subqueries, LATERAL, functions that return sets, and recursion."""

from __future__ import annotations

from tests.properties.oracle.forms import Form, form

_CORRELATED: tuple[Form, ...] = (
    form("scalar by inequality", "SELECT b, (SELECT max(u.b) FROM u WHERE u.c < t.c) AS m FROM t", few_keys=True),
    form("count by inequality", "SELECT b, c, (SELECT count(*) FROM u WHERE u.c > t.c AND u.k = t.k) AS n FROM t"),
    form("exists by inequality", "SELECT b, s FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.c < t.c AND u.b > t.b)"),
    form("exists in the list", "SELECT k, EXISTS (SELECT 1 FROM u WHERE u.k = t.k AND u.b > t.b) AS e FROM t"),
    form("not exists by inequality", "SELECT b, c FROM t WHERE NOT EXISTS (SELECT 1 FROM u WHERE u.b > t.b)"),
    form("any subquery", "SELECT b, b > ANY (SELECT u.b FROM u WHERE u.k = t.k) AS n FROM t"),
    form("all", "SELECT b FROM t WHERE b >= ALL (SELECT u.b FROM u WHERE u.k = t.k)"),
    form("in as a value", "SELECT b, b IN (SELECT u.c FROM u WHERE u.x = t.x) AS n FROM t"),
    form("row in", "SELECT b, c FROM t WHERE (b, c) IN (SELECT u.b, u.c FROM u)"),
    form("row in as a value", "SELECT b, c, (b, c) IN (SELECT u.b, u.c FROM u WHERE u.b < 4) AS n FROM t",
         "SELECT b, c, (SELECT CASE WHEN bool_or(u.b = t.b AND u.c = t.c) THEN true"
         " WHEN count(*) > count((u.b = t.b AND u.c = t.c)) THEN NULL ELSE false END"
         " FROM u WHERE u.b < 4) AS n FROM t"),
    form("nested correlation", "SELECT b FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.c = t.c"
         " AND EXISTS (SELECT 1 FROM v WHERE v.b > u.b AND v.b < t.b))"),
    form("array of a subquery", "SELECT b, ARRAY(SELECT u.c FROM u WHERE u.b = t.b ORDER BY u.c) AS a FROM t"),
    form("in having correlated", "SELECT c, count(*) AS n FROM t GROUP BY c"
         " HAVING count(*) > (SELECT count(*) FROM u WHERE u.c < t.c)",
         few_keys=True),
    form("subquery in on", "SELECT t.b, u.c FROM t LEFT JOIN u ON t.k = u.k AND u.b > (SELECT min(v.b) FROM v)"),
    form("lateral aggregate", "SELECT t.b, m.n, m.h FROM t, LATERAL (SELECT count(*) AS n, max(u.b) AS h FROM u"
         " WHERE u.c <= t.c) AS m", few_keys=True),
    form("lateral top", "SELECT t.b, m.b AS other FROM t, LATERAL (SELECT u.b FROM u WHERE u.k = t.k"
         " ORDER BY u.b DESC LIMIT 2) AS m"),
    form("left lateral", "SELECT t.b, m.c FROM t LEFT JOIN LATERAL (SELECT u.c FROM u WHERE u.b > t.b"
         " ORDER BY u.c LIMIT 1) AS m ON true"),
    form("scalar failing", "SELECT b, (SELECT u.b FROM u WHERE u.k = t.k AND u.x) AS n FROM t",
         "SELECT b, (SELECT max(u.b) FROM u WHERE u.k = t.k AND u.x) AS n FROM t"
         " WHERE (SELECT count(*) FROM u WHERE u.k = t.k AND u.x) < 2",
         fails="SELECT count(*) FROM t WHERE (SELECT count(*) FROM u WHERE u.k = t.k AND u.x) > 1"),
)  # fmt: skip

_ARRAY = "CASE WHEN c > 1 THEN ARRAY[b, c, NULL] WHEN c = 1 THEN ARRAY[b] WHEN c = 0 THEN ARRAY[b, b] END"

_SETS: tuple[Form, ...] = (
    form("unnest in the list", f"SELECT k, unnest({_ARRAY}) AS e FROM t", few_keys=True),
    form("unnest computed", f"SELECT b + unnest({_ARRAY}) AS e, s FROM t WHERE b < 8", few_keys=True),
    form("unnest in from", f"SELECT q.b, e FROM (SELECT b, {_ARRAY} AS a FROM t) AS q, unnest(q.a) AS e(e)",
         "SELECT b, unnest(a) AS e FROM (SELECT b, " + _ARRAY + " AS a FROM t) AS q", few_keys=True),
    form("unnest grouped", f"SELECT e, count(*) AS n FROM (SELECT unnest({_ARRAY}) AS e FROM t) AS q GROUP BY e"),
    form("unnest of a group", "SELECT k, unnest(ARRAY[min(b), max(b)]) AS e FROM t GROUP BY k"),
    form("series by columns", "SELECT b, e FROM t, generate_series(c, 3) AS e",
         "SELECT b, unnest(generate_series(CAST(c AS bigint), 3)) AS g FROM t", few_keys=True),
    form("series of a join", "SELECT t.b, generate_series(u.c, t.c) AS g FROM t JOIN u ON t.k = u.k",
         "SELECT t.b, unnest(generate_series(CAST(u.c AS bigint), CAST(t.c AS bigint))) AS g"
         " FROM t JOIN u ON t.k = u.k"),
)  # fmt: skip

_REACHED = "WITH RECURSIVE r(x, y) AS (SELECT b, c FROM t UNION SELECT r.x, t.c FROM r JOIN t ON t.b = r.y)"

_RECURSION: tuple[Form, ...] = (
    form("transitive closure", f"{_REACHED} SELECT x, y FROM r", few_keys=True),
    form("reached from", f"{_REACHED} SELECT x, count(*) AS n FROM r WHERE x < 5 GROUP BY x", few_keys=True),
    form("paths", "WITH RECURSIVE r(x, n) AS (SELECT c, 1 FROM t WHERE x UNION ALL SELECT t.c, r.n + 1 FROM r"
         " JOIN t ON t.b = r.x WHERE r.n < 3) SELECT x, n FROM r", few_keys=True),
    form("recursion over two", "WITH RECURSIVE r(x) AS (SELECT b FROM t WHERE c = 1 UNION SELECT u.b FROM r"
         " JOIN u ON u.c = r.x JOIN v ON v.b = u.b) SELECT x FROM r", few_keys=True),
    form("recursion of pairs", "WITH RECURSIVE r(x, n) AS (SELECT b, 0 FROM t UNION SELECT u.c, r.n + 1 FROM r"
         " JOIN u ON u.b = r.x WHERE r.n < 4) SELECT n, count(*) AS m FROM r GROUP BY n", few_keys=True),
    form("recursion unless", "WITH RECURSIVE r(x) AS (SELECT b FROM t WHERE c = 0 UNION SELECT u.b FROM r JOIN u"
         " ON u.c = r.x WHERE NOT EXISTS (SELECT 1 FROM v WHERE v.b = u.b)) SELECT x FROM r",
         "WITH RECURSIVE stop AS (SELECT b FROM v WHERE b IS NOT NULL), r(x) AS (SELECT b FROM t WHERE c = 0 UNION"
         " SELECT u.b FROM r JOIN u ON u.c = r.x LEFT JOIN stop ON stop.b = u.b WHERE stop.b IS NULL)"
         " SELECT x FROM r", few_keys=True),
    form("counting up", "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5)"
         " SELECT t.b, r.n FROM t JOIN r ON r.n <= t.c", few_keys=True),
)  # fmt: skip

NESTED: tuple[Form, ...] = (*_CORRELATED, *_SETS, *_RECURSION)
