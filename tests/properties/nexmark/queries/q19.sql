SELECT auction, bidder, price, date_time, place
FROM (
  SELECT *, row_number() OVER (PARTITION BY auction ORDER BY price DESC, date_time, bidder) AS place
  FROM bid)
WHERE place <= 10
