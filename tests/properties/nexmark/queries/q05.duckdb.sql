WITH counts AS (
  SELECT auction, count(*) AS num, window_start
  FROM (SELECT auction, time_bucket(INTERVAL 2 SECOND, date_time) - to_seconds(2 * pane) AS window_start
        FROM bid, range(5) AS panes(pane))
  GROUP BY auction, window_start)
SELECT auction, num, window_start
FROM counts JOIN (SELECT max(num) AS maxn, window_start FROM counts GROUP BY window_start) USING (window_start)
WHERE num >= maxn
