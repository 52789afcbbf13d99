"""Query forms that join: every kind, with residuals, NULL keys, keys of unequal types, and joins of answers."""

from __future__ import annotations

from tests.properties.oracle.forms import Form, form

_COUNTS = (
    "(SELECT k, count(*) AS n FROM t GROUP BY k) AS x {} JOIN"
    " (SELECT k, count(*) AS n, max(b) AS m FROM u GROUP BY k) AS y"
)

JOINS: tuple[Form, ...] = (
    form("inner", "SELECT t.k, t.b, u.s FROM t JOIN u ON t.k = u.k"),
    form("inner residual", "SELECT t.k, t.b, u.b AS ub FROM t JOIN u ON t.k = u.k AND t.b < u.b"),
    form("inner composite", "SELECT t.k, t.s, u.b AS ub FROM t JOIN u ON t.k = u.k AND t.s = u.s"),
    form("inner expression", "SELECT t.b, u.b AS ub, t.s FROM t JOIN u ON t.b + 1 = u.b AND t.c = u.c"),
    form("inner double", "SELECT t.f, u.b FROM t JOIN u ON t.f = u.f"),
    form("inner numeric", "SELECT t.d, u.d AS ud, u.b FROM t JOIN u ON t.d = u.d AND t.b = u.b"),
    form("inner failing residual", "SELECT t.k, t.b / u.c AS q FROM t JOIN u ON t.k = u.k AND t.b / u.c > 0",
         "SELECT t.k, t.b // u.c AS q FROM t JOIN u ON t.k = u.k AND t.b // nullif(u.c, 0) > 0",
         fails="SELECT count(*) FROM t JOIN u ON t.k = u.k WHERE u.c = 0 AND t.b IS NOT NULL"),
    form("using", "SELECT k, t.b, u.c FROM t JOIN u USING (k)"),
    form("null safe", "SELECT t.s, t.b, u.c FROM t JOIN u ON t.s IS NOT DISTINCT FROM u.s AND t.b = u.b"),
    form("left", "SELECT t.k, t.b, u.b AS ub, u.s FROM t LEFT JOIN u ON t.k = u.k"),
    form("left residual", "SELECT t.k, t.b, u.b AS ub FROM t LEFT JOIN u ON t.k = u.k AND t.b < u.b"),
    form("left filtered", "SELECT t.k, t.b, u.b AS ub FROM t LEFT JOIN u ON t.k = u.k AND u.x"
         " WHERE u.b > 1 OR u.k IS NULL"),
    form("right", "SELECT t.b, u.k, u.s FROM t RIGHT JOIN u ON t.k = u.k AND t.b > 2"),
    form("full", "SELECT t.k, t.b, u.k AS uk, u.b AS ub FROM t FULL JOIN u ON t.k = u.k"),
    form("full composite", "SELECT t.k, t.s, u.k AS uk, u.s AS us FROM t FULL JOIN u ON t.k = u.k AND t.s = u.s"),
    form("full residual", "SELECT t.k, t.b, u.k AS uk, u.b AS ub FROM t FULL JOIN u ON t.k = u.k AND t.b < u.b"),
    form("full using", "SELECT coalesce(t.k, u.k) AS k, t.b, u.b AS ub FROM t FULL JOIN u ON t.k = u.k"),
    form("semi", "SELECT k, b FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.k = t.k)"),
    form("semi residual", "SELECT k, b FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.k = t.k AND u.b > t.b)"),
    form("anti", "SELECT k, b FROM t WHERE NOT EXISTS (SELECT 1 FROM u WHERE u.k = t.k)"),
    form("anti residual", "SELECT k, b FROM t WHERE NOT EXISTS (SELECT 1 FROM u WHERE u.k = t.k AND u.b < t.b)"),
    form("cross", "SELECT t.b, u.b AS ub FROM t CROSS JOIN u WHERE t.b + u.b = 4"),
    form("cross count", "SELECT count(*) AS n FROM t, u"),
    form("unequal", "SELECT t.b, u.b AS ub FROM t JOIN u ON t.b < u.b AND t.x AND u.x"),
    form("left unequal", "SELECT t.b, t.s, u.b AS ub FROM t LEFT JOIN u ON t.b > u.b AND u.c = 1"),
    form("self", "SELECT a.k, a.b, z.b AS zb FROM t AS a JOIN t AS z ON a.k = z.k AND a.b <= z.b"),
    form("self left", "SELECT a.k, a.b, z.s FROM t AS a LEFT JOIN t AS z ON a.b = z.c AND z.x"),
    form("three inner", "SELECT t.k, u.b, v.s FROM t JOIN u ON t.k = u.k JOIN v ON u.b = v.b AND v.k = t.k"),
    form("three mixed", "SELECT t.k, u.b, v.s FROM t LEFT JOIN u ON t.k = u.k AND t.b = u.b JOIN v ON v.k = t.k"),
    form("left of left", "SELECT t.k, u.b, v.s FROM t LEFT JOIN u ON t.k = u.k LEFT JOIN v ON u.b = v.b AND v.k = t.k"),
    form("join then group", "SELECT t.k, count(*) AS n, sum(u.b) AS s FROM t JOIN u ON t.k = u.k GROUP BY t.k"),
    form("left then group", "SELECT t.k, count(u.b) AS n, max(u.s) AS s FROM t LEFT JOIN u ON t.k = u.k GROUP BY t.k"),
    form("groups joined", f"SELECT x.k, x.n, y.m FROM {_COUNTS.format('')} ON x.k = y.k"),
    form("groups left joined", f"SELECT x.k, x.n, y.n AS yn FROM {_COUNTS.format('LEFT')} ON x.k = y.k"),
    form("groups full joined", f"SELECT coalesce(x.k, y.k) AS k, x.n, y.m FROM {_COUNTS.format('FULL')} ON x.k = y.k"),
    form("sum of joined balances", "SELECT sum(a.s + z.s) AS total FROM (SELECT k, sum(b) AS s FROM t GROUP BY k) AS a"
         " JOIN (SELECT k, sum(c) AS s FROM t GROUP BY k) AS z ON a.k = z.k"),
)  # fmt: skip
