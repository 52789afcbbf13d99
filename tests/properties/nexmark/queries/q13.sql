SELECT b.auction, b.bidder, b.price, b.date_time, s.value
FROM (SELECT *, auction % 1000 AS place FROM bid) b JOIN side s ON s.key = b.place
