"""Query forms over one relation: rows one by one, groups, and rows that fail."""

from __future__ import annotations

from tests.properties.oracle.forms import Form, form

_SUMS = "exact_sum(list(f)) AS sum, exact_sum(list(f)) / count(f) AS avg"

ROWS: tuple[Form, ...] = (
    form("star", "SELECT * FROM t"),
    form("filter", "SELECT k, b FROM t WHERE b > 2 AND (s <> 'x' OR s IS NULL)"),
    form("arithmetic", "SELECT b * 2 + c AS n, -b AS m, abs(c - b) AS w, b % 3 AS r, b / 2 AS h FROM t",
         "SELECT b * 2 + c AS n, -b AS m, abs(c - b) AS w, b % 3 AS r, b // 2 AS h FROM t"),
    form("conditional", "SELECT CASE WHEN b > 3 THEN 'hi' WHEN b IS NULL THEN 'none' ELSE s END AS v,"
         " coalesce(s, '-') AS w, nullif(b, 3) AS n, greatest(b, c) AS g, least(b, c) AS l FROM t"),
    form("text", "SELECT upper(s) AS a, lower(s) AS b, length(s) AS c, s || '-' || s AS d, substr(s, 1, 1) AS e,"
         " trim(s) AS f, replace(s, 'a', 'bb') AS g, strpos(s, 'b') AS h, left(s, 1) AS i, right(s, 1) AS j,"
         " reverse(s) AS l, repeat(s, 2) AS m, split_part(s, 'a', 1) AS n, lpad(s, 3, '*') AS o, md5(s) AS p FROM t"),
    form("times", "SELECT date_trunc('minute', ts) AS m, CAST(extract(second FROM ts) AS bigint) AS s,"
         " CAST(ts AS date) AS d, ts + INTERVAL '90 seconds' AS l, date_trunc('day', ts) AS n FROM t",
         "SELECT date_trunc('minute', ts) AS m, CAST(round(extract(microsecond FROM ts) / 1000000.0) AS bigint) AS s,"
         " CAST(ts AS date) AS d, ts + INTERVAL '90 seconds' AS l, date_trunc('day', ts) AS n FROM t"),
    form("tests", "SELECT k, s FROM t WHERE s LIKE 'a%' OR b IN (1, 2, 3) OR c BETWEEN 2 AND 3 OR x IS TRUE"),
    form("doubles", "SELECT f, g FROM t WHERE f > 0.5 OR f = 0.0 OR g < 1.25"),
    form("distinct from", "SELECT b, c, b IS DISTINCT FROM c AS d, x IS NOT TRUE AS n FROM t"
         " WHERE b IS NOT DISTINCT FROM c"
         " OR s IS NULL"),
    form("numeric", "SELECT d, d + d AS dd, d * 2 AS e, d > 1 AS g, -d AS m, abs(d) AS p FROM t WHERE d <> 0"),
    form("nothing passes", "SELECT k FROM t WHERE b > 2 UNION ALL SELECT k FROM t WHERE b > 100"),
    form("division by zero", "SELECT k, b / c AS q, b % c AS m FROM t",
         "SELECT k, b // c AS q, b % c AS m FROM t WHERE c <> 0 OR c IS NULL OR b IS NULL",
         fails="SELECT count(*) FROM t WHERE c = 0 AND b IS NOT NULL"),
    form("overflow", "SELECT big + 1 AS n, b FROM t",
         "SELECT big + 1 AS n, b FROM t WHERE big < 9223372036854775807 OR big IS NULL",
         fails="SELECT count(*) FROM t WHERE big = 9223372036854775807"),
    form("bad casts", "SELECT CAST(s AS integer) AS n FROM t",
         "SELECT CAST(s AS integer) AS n FROM t WHERE s = '7' OR s IS NULL",
         fails="SELECT count(*) FROM t WHERE s <> '7'"),
    form("guarded division", "SELECT k, CASE WHEN c <> 0 THEN b / c END AS q FROM t WHERE c = 0 OR b / c > 1",
         "SELECT k, CASE WHEN c <> 0 THEN b // c END AS q FROM t WHERE c = 0 OR b // c > 1"),
    form("failing rows in groups", "SELECT k, sum(b / c) AS q FROM t GROUP BY k",
         "SELECT k, sum(b // c) AS q FROM t WHERE c <> 0 OR c IS NULL OR b IS NULL GROUP BY k",
         fails="SELECT count(*) FROM t WHERE c = 0 AND b IS NOT NULL"),
)  # fmt: skip

GROUPS: tuple[Form, ...] = (
    form("count sum avg", "SELECT k, count(*) AS n, count(b) AS m, sum(b) AS s, avg(b) AS a FROM t GROUP BY k"),
    form("min max", "SELECT k, min(b), max(c), min(ts) AS l, max(dt) AS d, min(big) AS p, max(big) AS q FROM t"
         " GROUP BY k"),
    form("min max text", "SELECT k, min(s) AS a, max(s) AS b, min(d) AS c, max(d) AS e FROM t GROUP BY k"),
    form("min max double", "SELECT k, min(f) AS a, max(f) AS b, min(g) AS c FROM t GROUP BY k"),
    form("sum double", "SELECT k, sum(f) AS sum, avg(f) AS avg FROM t GROUP BY k",
         f"SELECT k, {_SUMS}, count(f) * exact_sum(list(abs(f))) AS slack FROM t GROUP BY k", slack=True),
    form("sum numeric", "SELECT k, sum(d) AS s, count(d) AS n FROM t GROUP BY k"),
    form("sum extremes", "SELECT k, sum(big) AS s, avg(c) AS a, count(DISTINCT big) AS n FROM t GROUP BY k"),
    form("count distinct", "SELECT k, count(DISTINCT b) AS a, count(DISTINCT f) AS c, sum(DISTINCT b) AS s,"
         " count(DISTINCT s) AS t FROM t GROUP BY k"),
    form("bools", "SELECT k, bool_and(x) AS a, bool_or(x) AS o, bool_and(b > 2) AS c FROM t GROUP BY k"),
    # Both compute in one pass over the group, each in its own order: at most some dozens of roundings.
    form("variance", "SELECT k, var_samp(g) AS v, stddev_pop(b) AS p, stddev(g) AS s FROM t GROUP BY k",
         "SELECT k, var_samp(g) AS v, stddev_pop(b) AS p, stddev(g) AS s FROM t GROUP BY k", ulps=256),
    form("regression", "SELECT k, covar_pop(g, b) AS a, covar_samp(g, b) AS e, regr_count(g, b) AS n,"
         " regr_avgx(g, b) AS x, regr_avgy(g, b) AS y, regr_sxx(g, b) AS u, regr_syy(g, b) AS w"
         " FROM t GROUP BY k", ulps=256),
    form("distinct and all", "SELECT k, count(*) AS n, sum(b) AS s, sum(DISTINCT b) AS d, max(b) AS x, min(b) AS m,"
         " count(DISTINCT b) FILTER (WHERE c > 1) AS p, max(b) FILTER (WHERE c > 1) AS q, count(DISTINCT d) AS e,"
         " sum(DISTINCT d) AS t, avg(DISTINCT b) AS a, max(DISTINCT s) AS z FROM t GROUP BY k"),
    form("distinct doubles", "SELECT k, count(DISTINCT g) AS n, var_pop(DISTINCT b) AS v FROM t GROUP BY k", ulps=256),
    form("global ends", "SELECT max(f) AS a, min(f) AS b, count(DISTINCT s) AS n, min(d) AS c, max(s) AS e,"
         " bool_or(x) AS o, bit_or(b) AS p FROM t WHERE b > 1"),
    form("rollup", "SELECT k, x, count(*) AS n, sum(b) AS s, max(s) AS m, grouping(k) AS g, grouping(x) AS h FROM t"
         " GROUP BY ROLLUP (k, x)"),
    form("cube", "SELECT k, x, count(DISTINCT b) AS d, min(d) AS m FROM t GROUP BY CUBE (k, x) HAVING count(*) > 1"),
    form("grouping sets", "SELECT k, s, string_agg(s, ',' ORDER BY s) AS l, sum(b) AS n FROM t"
         " GROUP BY GROUPING SETS ((k, s), (s), ())"),
    form("percentile_disc", "SELECT k, percentile_disc(0.5) WITHIN GROUP (ORDER BY b) AS m,"
         " percentile_disc(0.9) WITHIN GROUP (ORDER BY s DESC) AS n FROM t GROUP BY k",
         "SELECT k, quantile_disc(b, 0.5) AS m, list_reverse_sort(list(s) FILTER (WHERE s IS NOT NULL))"
         "[CAST(greatest(ceil(0.9 * count(s)), 1) AS bigint)] AS n FROM t GROUP BY k"),
    form("place of a value", "SELECT k, rank(2) WITHIN GROUP (ORDER BY b) AS r,"
         " dense_rank(2) WITHIN GROUP (ORDER BY b DESC) AS d FROM t GROUP BY k",
         "SELECT k, 1 + count(*) FILTER (WHERE b < 2) AS r, 1 + count(DISTINCT b) FILTER (WHERE b > 2)"
         " + CAST(bool_or(b IS NULL) AS bigint) AS d FROM t GROUP BY k"),
    form("counted rows", "SELECT k, count(DISTINCT (b, s)) AS n FROM t GROUP BY k",
         "SELECT k, count(DISTINCT (b IS NULL, coalesce(b, 0), s IS NULL, coalesce(s, ''))) AS n FROM t GROUP BY k"),
    form("ends of groups", "SELECT max(n) AS a, min(m) AS b, count(DISTINCT n) AS d FROM (SELECT k, count(*) AS n,"
         " max(b) AS m FROM t GROUP BY k) AS q"),
    form("median", "SELECT k, median(g) AS m FROM t GROUP BY k"),
    form("having", "SELECT k, sum(b) AS s FROM t GROUP BY k HAVING count(*) > 1 AND max(c) > 1"),
    form("aggregate filter", "SELECT k, count(*) FILTER (WHERE b > 2) AS n, sum(b) FILTER (WHERE s = 'a' OR x) AS m,"
         " max(b) FILTER (WHERE x) AS w FROM t GROUP BY k"),
    form("global", "SELECT count(*) AS n, sum(b) AS s, max(big) AS m, min(s) AS t, avg(c) AS a FROM t"),
    form("global fast", "SELECT count(*) AS n, sum(b) AS s, avg(c) AS a FROM t WHERE b > 1"),
    form("global double", "SELECT sum(f) AS s, avg(g) AS a, count(f) AS n FROM t",
         "SELECT exact_sum(list(f)) AS s, avg(g) AS a, count(f) AS n, count(f) * exact_sum(list(abs(f))) FROM t",
         slack=True),
    form("by expression", "SELECT b % 3 AS m, count(*) AS n, sum(c) AS s FROM t GROUP BY b % 3", few_keys=True),
    form("by two", "SELECT k, s, count(*) AS n, sum(b) AS m FROM t GROUP BY k, s"),
    form("by double", "SELECT f, count(*) AS n, sum(b) AS m, min(c) AS l FROM t GROUP BY f"),
    form("by double recomputed", "SELECT f, count(DISTINCT b) AS n, max(s) AS m FROM t GROUP BY f"),
    form("by numeric", "SELECT d, count(*) AS n FROM t GROUP BY d"),
    form("by boolean", "SELECT x, count(*) AS n, sum(b) AS m FROM t GROUP BY x", few_keys=True),
    form("by date", "SELECT dt, k, count(*) AS n FROM t GROUP BY dt, k"),
    form("string_agg", "SELECT k, string_agg(s, ',' ORDER BY s, b) AS l FROM t GROUP BY k"),
    form("bits", "SELECT k, bit_and(b) AS a, bit_or(b) AS o, bit_xor(b) AS x FROM t GROUP BY k"),
    form("group only", "SELECT k FROM t GROUP BY k"),
    form("groups of groups", "SELECT n, count(*) AS m FROM (SELECT k, count(*) AS n FROM t GROUP BY k) AS q GROUP BY n",
         few_keys=True),
    form("global of groups", "SELECT max(n) AS a, count(*) AS b, sum(n) AS c"
         " FROM (SELECT k, count(*) AS n FROM t GROUP BY k) AS q"),
    form("global of global", "SELECT count(*) AS n, sum(m) AS s FROM (SELECT count(*) AS m FROM t) AS q"),
    form("with constants", "SELECT a, count(*) AS n FROM (SELECT b AS a FROM t UNION ALL"
         " SELECT * FROM (VALUES (1), (77)) AS w(a)) AS q GROUP BY a", few_keys=True),
    form("distinct", "SELECT DISTINCT k, s FROM t"),
    form("distinct double", "SELECT DISTINCT f, x FROM t"),
    form("distinct on", "SELECT DISTINCT ON (k) k, b, s, c FROM t ORDER BY k, b DESC, s, c"),
    form("group of distinct", "SELECT k, count(*) AS n FROM (SELECT DISTINCT k, s, b FROM t) AS q GROUP BY k"),
)  # fmt: skip
