SELECT $1
SELECT $1, $2
SELECT $1::int
SELECT $1::bigint, $2::double precision, $3::bool
SELECT $1::text || $2
SELECT '1' || $1
SELECT $1 || 'x'
SELECT $1 || $2
SELECT $1 || 5
SELECT CAST($1 AS numeric(10,2))
SELECT CAST($1 AS varchar(5))
SELECT $1::char(3)
SELECT $1::timestamptz, $2::date, $3::time, $4::interval, $5::timestamp
SELECT $1::uuid, $2::json, $3::jsonb, $4::bytea, $5::oid, $6::name
SELECT $1::int[], $2::text[], $3::timestamptz[]
SELECT ARRAY[$1, 2]
SELECT ARRAY[$1, $2]
SELECT ARRAY[$1, 'x']
SELECT ARRAY[$1, 2]::bigint[]
SELECT ARRAY[[$1], [1.5]]
SELECT a FROM t WHERE a = $1
SELECT a FROM t WHERE $1 = a
SELECT a FROM t WHERE b > $1
SELECT a FROM t WHERE c <> $1
SELECT a FROM t WHERE d <= $1
SELECT a FROM t WHERE e = $1
SELECT a FROM t WHERE n < $1
SELECT a FROM t WHERE v = $1
SELECT a FROM t WHERE da >= $1 AND da < $2
SELECT a FROM t WHERE ti = $1
SELECT a FROM t WHERE tz = $1
SELECT a FROM t WHERE iv > $1
SELECT a FROM t WHERE r = $1
SELECT a FROM t WHERE s = $1
SELECT a FROM t WHERE by = $1
SELECT a FROM t WHERE a = $1 AND b = $2 OR c = $3
SELECT a FROM t WHERE $1
SELECT a FROM t WHERE NOT $1
SELECT a FROM t WHERE $1 IS TRUE
SELECT a FROM t WHERE $1 IS NULL
SELECT a FROM t WHERE $1 IS NULL OR a = $1
SELECT a FROM t WHERE a = $1 OR $1 IS NULL
SELECT a FROM t WHERE a + $1 > 5
SELECT a + $1 FROM t
SELECT $1 + a FROM t
SELECT i + $1 FROM t
SELECT b * $1 FROM t
SELECT n / $1 FROM t
SELECT a % $1 FROM t
SELECT -$1
SELECT $1 + $2
SELECT $1 + 1
SELECT $1 - 1.5
SELECT $1 * 1e0::float8
SELECT $1 / 2::bigint
SELECT 2 ^ $1
SELECT 2.0 ^ $1
SELECT a & $1 FROM t
SELECT a << $1 FROM t
SELECT d - $1 FROM t
SELECT d + $1 FROM t
SELECT $1 + d FROM t
SELECT da + $1 FROM t
SELECT da - $1 FROM t
SELECT tz - $1 FROM t
SELECT tz + $1 FROM t
SELECT ti + $1 FROM t
SELECT ti - $1 FROM t
SELECT now() - $1
SELECT now() - $1::interval
SELECT $1 * INTERVAL '1 day'
SELECT INTERVAL '1 day' * $1
SELECT INTERVAL '1 day' / $1
SELECT INTERVAL '1 day' + $1
SELECT $1 - INTERVAL '1 day'
SELECT date '2024-01-01' + $1
SELECT a FROM t LIMIT $1
SELECT a FROM t LIMIT $1 OFFSET $2
SELECT a FROM t OFFSET $2 LIMIT $1
SELECT a FROM t FETCH FIRST $1 ROWS ONLY
SELECT a FROM t WHERE a IN ($1, $2)
SELECT a FROM t WHERE a IN ($1)
SELECT a FROM t WHERE a IN ($1, 2, b)
SELECT a FROM t WHERE c IN ($1, 'x')
SELECT a FROM t WHERE $1 IN (1, 2)
SELECT a FROM t WHERE $1 IN (a, b)
SELECT a FROM t WHERE $1 IN ($2, $3)
SELECT a FROM t WHERE i IN ($1, 5000000000)
SELECT a FROM t WHERE i NOT IN ($1, $2)
SELECT a FROM t WHERE a = ANY($1)
SELECT a FROM t WHERE c = ANY($1)
SELECT a FROM t WHERE d > ALL($1)
SELECT a FROM t WHERE i = ANY($1::bigint[])
SELECT a FROM t WHERE c LIKE ANY($1)
SELECT a FROM t WHERE $1 = ANY(ar)
SELECT a FROM t WHERE ar = $1
SELECT ar || $1 FROM t
SELECT a FROM t WHERE ar @> $1
SELECT ar[$1] FROM t
SELECT a FROM t WHERE a BETWEEN $1 AND $2
SELECT a FROM t WHERE $1 BETWEEN a AND b
SELECT a FROM t WHERE d NOT BETWEEN $1 AND $2
SELECT a FROM t WHERE a BETWEEN SYMMETRIC $1 AND $2
SELECT a FROM t WHERE c LIKE $1
SELECT a FROM t WHERE c ILIKE $1
SELECT a FROM t WHERE c NOT LIKE $1
SELECT a FROM t WHERE c ~ $1
SELECT a FROM t WHERE c SIMILAR TO $1
SELECT a FROM t WHERE c LIKE $1 ESCAPE $2
SELECT a FROM t WHERE a IS DISTINCT FROM $1
SELECT a FROM t WHERE a IS NOT DISTINCT FROM $1
SELECT NULLIF(a, $1) FROM t
SELECT NULLIF($1, 'x')
SELECT NULLIF($1, 0)
SELECT COALESCE($1, 1)
SELECT COALESCE(a, $1) FROM t
SELECT COALESCE($1, $2)
SELECT COALESCE($1, 1, 2.5)
SELECT GREATEST($1, b) FROM t
SELECT LEAST(a, $1, $2) FROM t
SELECT CASE WHEN $1 THEN 1 ELSE 2 END
SELECT CASE WHEN a = $1 THEN $2 ELSE c END FROM t
SELECT CASE a WHEN $1 THEN 'x' WHEN $2 THEN 'y' END FROM t
SELECT CASE $1 WHEN 1 THEN 2 END
SELECT CASE $1 WHEN 'a' THEN $2 ELSE $3 END
SELECT CASE WHEN true THEN $1 ELSE 1.5 END
SELECT CASE WHEN true THEN 1 ELSE $1 END
SELECT lower($1)
SELECT length($1)
SELECT substring($1 from $2 for $3)
SELECT substr(c, $1, $2) FROM t
SELECT left(c, $1) FROM t
SELECT lpad($1, 5, $2)
SELECT replace($1, $2, $3)
SELECT trim($1)
SELECT trim(both $1 from c) FROM t
SELECT position($1 in c) FROM t
SELECT concat($1::text, 5)
SELECT concat_ws($1, 'a', 'b')
SELECT abs($1)
SELECT round($1)
SELECT round($1, 2)
SELECT round(n, $1) FROM t
SELECT sqrt($1)
SELECT power($1, 2)
SELECT power(n, $1) FROM t
SELECT mod($1, 3)
SELECT mod(a, $1) FROM t
SELECT floor($1), ceil($2)
SELECT date_trunc($1, d) FROM t
SELECT date_trunc('day', $1)
SELECT date_trunc('day', $1::timestamp)
SELECT extract(year from $1)
SELECT extract(year from $1::date)
SELECT date_part($1, d) FROM t
SELECT to_char(d, $1) FROM t
SELECT to_char($1, 'YYYY')
SELECT to_date($1, $2)
SELECT to_timestamp($1)
SELECT age(d, $1) FROM t
SELECT make_date($1, $2, $3)
SELECT count($1::int), sum($2::numeric)
SELECT sum($1)
SELECT count(*) FILTER (WHERE a > $1) FROM t
SELECT sum(a * $1) FROM t
SELECT avg(b + $1) FROM t
SELECT max($1)
SELECT string_agg(c, $1) FROM t
SELECT lag(a, $1) OVER (ORDER BY b) FROM t
SELECT lag(a, 1, $1) OVER (ORDER BY b) FROM t
SELECT ntile($1) OVER (ORDER BY a) FROM t
SELECT * FROM generate_series(1, $1)
SELECT * FROM generate_series($1, $2)
SELECT * FROM generate_series($1::timestamp, $2, $3)
SELECT array_length($1, 1)
SELECT array_length($1::int[], $2)
SELECT unnest($1::int[])
SELECT pg_typeof($1)
SELECT $1 AS x ORDER BY x
SELECT a FROM t ORDER BY $1
SELECT a FROM t ORDER BY a + $1
SELECT count(*) FROM t GROUP BY a % $1
SELECT a FROM t GROUP BY a HAVING count(*) > $1
SELECT a FROM t WHERE a = (SELECT max(a) + $1 FROM t)
SELECT a FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.a = t.a AND u.x = $1)
SELECT a FROM t WHERE a IN (SELECT a FROM u WHERE x = $1)
SELECT a FROM t WHERE $1 IN (SELECT x FROM u)
SELECT a FROM t WHERE ($1, $2) IN (SELECT a, x FROM u)
SELECT a FROM t WHERE (a, c) = ($1, $2)
SELECT a FROM t WHERE (a, c) IN (($1, $2), ($3, $4))
SELECT a FROM t WHERE (a, d) < ($1, $2)
SELECT a FROM t WHERE a > ANY (SELECT $1 + a FROM u)
SELECT ARRAY(SELECT x FROM u WHERE a = $1)
SELECT q.x FROM (SELECT $1 AS x) q
SELECT q.x + $2 FROM (SELECT a AS x FROM t WHERE b = $1) q
SELECT y FROM (SELECT $1::int AS y) q WHERE y = $2
WITH q AS (SELECT a FROM t WHERE c = $1) SELECT * FROM q WHERE a = $2
WITH q(z) AS (SELECT $1::bigint) SELECT z + $2 FROM q
WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < $1) SELECT n FROM r
SELECT t.a FROM t JOIN u ON t.a = u.a AND u.x = $1
SELECT a FROM t JOIN u USING (a) WHERE a = $1
SELECT a FROM t NATURAL JOIN u WHERE x > $1
SELECT t.a FROM t LEFT JOIN (SELECT a, x FROM u WHERE x < $1) q ON q.a = t.a WHERE q.x = $2
SELECT t.a, l.m FROM t, LATERAL (SELECT max(x) AS m FROM u WHERE u.a = t.a AND x > $1) l
SELECT a FROM t UNION SELECT $1
SELECT $1 UNION SELECT a FROM t
SELECT $1 UNION ALL SELECT $2
SELECT 1 UNION SELECT $1 UNION SELECT 2.5
SELECT a FROM t EXCEPT SELECT $1 ORDER BY 1 LIMIT $2
VALUES ($1)
VALUES ($1, 2), (3, $2)
VALUES ($1), ($2), (1.5)
SELECT * FROM (VALUES ($1, $2), (1, 'x')) v(p, q)
INSERT INTO t (a, b, c, d, e) VALUES ($1, $2, $3, $4, $5)
INSERT INTO t VALUES ($1)
INSERT INTO t (n, v, da, ti, tz, iv, r, s, by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
INSERT INTO t (a, c) VALUES ($1, $2), ($3, $4)
INSERT INTO t (a, c) VALUES ($1 + 1, upper($2))
INSERT INTO t (a) VALUES ($1), (DEFAULT)
INSERT INTO t (a, c) SELECT $1, $2
INSERT INTO t (a, c) SELECT a, $1 FROM u WHERE x = $2
INSERT INTO t (a) SELECT $1 UNION SELECT $2
INSERT INTO t (a, c) VALUES ($1, $2) RETURNING a, $3
INSERT INTO t (a, c) VALUES ($1, $2) ON CONFLICT (a) DO UPDATE SET c = excluded.c || $3, b = $4 WHERE t.b < $5
INSERT INTO t (a, ar) VALUES ($1, $2)
INSERT INTO t (i, a) VALUES ($1, $1)
INSERT INTO t (a, i) VALUES ($1, $1)
INSERT INTO t (c, a) VALUES ($1, $1)
INSERT INTO t (a, c) VALUES ($1, $1)
INSERT INTO t (a, v) VALUES ($1::int, $2::text)
UPDATE t SET b = $1 WHERE a = $2
UPDATE t SET b = b + $1, c = $2 WHERE a = $3
UPDATE t SET c = $1, a = $1
UPDATE t SET i = $1 WHERE a = $1
UPDATE t SET b = DEFAULT, e = $1
UPDATE t SET c = COALESCE($1, c) WHERE a = $2 RETURNING a + $3
UPDATE t SET c = u.y FROM u WHERE u.a = t.a AND u.x > $1
DELETE FROM t WHERE a = $1
DELETE FROM t WHERE a = ANY($1) RETURNING $2
DELETE FROM t USING u WHERE t.a = u.a AND u.x = $1
SELECT $1::int, $1
SELECT $1, $1::int
SELECT $1 + 1, $1 + 1.5
SELECT a FROM t WHERE a = $1 AND c = $1
SELECT a FROM t WHERE i = $1 AND a = $1
SELECT a FROM t WHERE a = $1 AND i = $1
SELECT $2::int
SELECT $1::int, $3::int
SELECT EXISTS (SELECT 1 FROM t WHERE a = $1)
SELECT a FROM t WHERE c COLLATE "C" = $1
SELECT a FROM t WHERE CAST(a AS text) = $1
SELECT a FROM t WHERE upper(c) = upper($1)
SELECT d AT TIME ZONE $1 FROM t
SELECT js -> $1 FROM t
SELECT js ->> 'a' FROM t WHERE js @> $1
SELECT a FROM t WHERE uu = $1
SELECT jsonb_build_object('a', $1::int)
SELECT encode($1, 'hex'), decode($2, $3)
SELECT array_append(ar, $1) FROM t
SELECT array_position($1::text[], $2)
SELECT $1 = $2
SELECT $1 < 5, $2 > 'a'
SELECT true AND $1
SELECT row_number() OVER (PARTITION BY a % $1 ORDER BY b * $2) FROM t
SELECT sum(a) OVER (ORDER BY b ROWS BETWEEN $1 PRECEDING AND CURRENT ROW) FROM t
SELECT current_date - $1
SELECT current_timestamp > $1
SELECT localtime < $1
SELECT $1::interval * $2
SELECT int4($1), text(5) || $2
SELECT repeat('x', $1)
SELECT split_part($1, ',', $2)
SELECT starts_with(c, $1) FROM t
SELECT num_nulls($1, 1)
SELECT format('%s', $1)
SELECT c FROM t WHERE length(c) > $1
SELECT (SELECT $1)
SELECT (SELECT $1) + 1
SELECT w.a FROM w WHERE w.s2 = $1
SELECT a FROM w WHERE k > $1
