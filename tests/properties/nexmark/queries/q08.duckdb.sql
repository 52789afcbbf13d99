SELECT p.id, p.name, p.window_start
FROM (SELECT id, name, time_bucket(INTERVAL 10 SECOND, date_time) AS window_start FROM person GROUP BY ALL) p
JOIN (SELECT seller, time_bucket(INTERVAL 10 SECOND, date_time) AS window_start FROM auction GROUP BY ALL) a
ON p.id = a.seller AND p.window_start = a.window_start
