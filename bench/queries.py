"""The Nexmark queries: what they read, and what each engine is told.

q5 is the count per auction and window without the final join, q7 the maximum
and count of a window without the join back; windows are shown when they close.
q11 is the bids of a bidder's sessions.
q13 looks up ``auction % K`` in a table of K rows. q17 has no windows: every
change of every group is handed on, and so it is of q4, q9, q15, q18 and q19,
whose ties are broken by more columns than the benchmark's.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Query:
    """``types`` are those the answers of both engines are compared as; ``side`` the rows of q13's table."""

    name: str
    streams: tuple[str, ...]
    view: str
    batch: str
    types: tuple[str, ...]
    side: int = 0


def _same(name: str, sql: str, types: str, side: int = 0, streams: tuple[str, ...] = ("bid",)) -> Query:
    return Query(name, streams, sql, sql, tuple(types.split()), side)


def _q13(name: str, rows: int) -> Query:
    columns = "SELECT b.auction, b.bidder, b.price, b.date_time, s.value"
    keyed = f"(SELECT auction, bidder, price, date_time, auction % {rows} AS place FROM bid)"
    return _same(
        name, f"{columns} FROM {keyed} b JOIN side s ON s.key = b.place", "BIGINT BIGINT BIGINT TIMESTAMP VARCHAR", rows
    )


_Q5 = Query(
    "q5",
    ("bid",),
    """SELECT auction, count(*) AS bids, window_start, window_end
       FROM HOP(bid, date_time, INTERVAL '2' SECOND, INTERVAL '10' SECOND)
       GROUP BY auction, window_start, window_end EMIT ON WINDOW CLOSE""",
    """SELECT auction, count(*) AS bids, window_start, window_start + INTERVAL 10 SECOND AS window_end
       FROM (SELECT auction, time_bucket(INTERVAL 2 SECOND, date_time) - to_seconds(2 * pane) AS window_start
             FROM bid, range(5) AS panes(pane))
       GROUP BY auction, window_start""",
    ("BIGINT", "BIGINT", "TIMESTAMP", "TIMESTAMP"),
)
_Q7 = Query(
    "q7",
    ("bid",),
    """SELECT window_start, window_end, max(price) AS price, count(*) AS bids
       FROM TUMBLE(bid, date_time, INTERVAL '10' SECOND)
       GROUP BY window_start, window_end EMIT ON WINDOW CLOSE""",
    """SELECT window_start, window_start + INTERVAL 10 SECOND AS window_end, max(price) AS price, count(*) AS bids
       FROM (SELECT price, time_bucket(INTERVAL 10 SECOND, date_time) AS window_start FROM bid)
       GROUP BY window_start""",
    ("TIMESTAMP", "TIMESTAMP", "BIGINT", "BIGINT"),
)
_Q8 = Query(
    "q8",
    ("person", "auction"),
    """SELECT p.id, p.name, p.window_start
       FROM (SELECT id, name, window_start, window_end FROM TUMBLE(person, date_time, INTERVAL '10' SECOND)
             GROUP BY id, name, window_start, window_end) p
       JOIN (SELECT seller, window_start, window_end FROM TUMBLE(auction, date_time, INTERVAL '10' SECOND)
             GROUP BY seller, window_start, window_end) a
       ON p.id = a.seller AND p.window_start = a.window_start AND p.window_end = a.window_end""",
    """SELECT p.id, p.name, p.window_start
       FROM (SELECT id, name, time_bucket(INTERVAL 10 SECOND, date_time) AS window_start
             FROM person GROUP BY ALL) p
       JOIN (SELECT seller, time_bucket(INTERVAL 10 SECOND, date_time) AS window_start
             FROM auction GROUP BY ALL) a
       ON p.id = a.seller AND p.window_start = a.window_start""",
    ("BIGINT", "VARCHAR", "TIMESTAMP"),
)
_OF_ITS_TIME = "a.id = b.auction AND b.date_time BETWEEN a.date_time AND a.expires"
_Q4 = _same(
    "q4",
    f"""SELECT category, avg(final) AS mean
        FROM (SELECT a.category, max(b.price) AS final FROM auction a, bid b WHERE {_OF_ITS_TIME}
              GROUP BY a.id, a.category) won
        GROUP BY category""",
    "BIGINT DOUBLE",
    streams=("auction", "bid"),
)
_Q9 = _same(
    "q9",
    f"""SELECT id, seller, bidder, price, bid_time
        FROM (SELECT a.id, a.seller, b.bidder, b.price, b.date_time AS bid_time,
                     row_number() OVER (PARTITION BY a.id ORDER BY b.price DESC, b.date_time, b.bidder) AS place
              FROM auction a, bid b WHERE {_OF_ITS_TIME}) bids
        WHERE place <= 1""",
    "BIGINT BIGINT BIGINT BIGINT TIMESTAMP",
    streams=("auction", "bid"),
)
_RANKS = ("", " FILTER (WHERE price < 10000)", " FILTER (WHERE price >= 10000 AND price < 1000000)",
          " FILTER (WHERE price >= 1000000)")  # fmt: skip
_COUNTS = ("count(*)", "count(DISTINCT bidder)", "count(DISTINCT auction)")
_COUNTED = [f"{count}{rank}" for count in _COUNTS for rank in _RANKS]
_Q15 = _same(
    "q15",
    f"""SELECT CAST(date_time AS date) AS day, {", ".join(f"{count} AS n{i}" for i, count in enumerate(_COUNTED))}
        FROM bid GROUP BY CAST(date_time AS date)""",
    "DATE" + " BIGINT" * 12,
)
_Q18 = _same(
    "q18",
    """SELECT auction, bidder, price, date_time
       FROM (SELECT auction, bidder, price, date_time,
                    row_number() OVER (PARTITION BY bidder, auction ORDER BY date_time DESC, price) AS place
             FROM bid) bids
       WHERE place <= 1""",
    "BIGINT BIGINT BIGINT TIMESTAMP",
)
_Q19 = _same(
    "q19",
    """SELECT auction, bidder, price, date_time, place
       FROM (SELECT auction, bidder, price, date_time,
                    row_number() OVER (PARTITION BY auction ORDER BY price DESC, date_time, bidder) AS place
             FROM bid) bids
       WHERE place <= 10""",
    "BIGINT BIGINT BIGINT TIMESTAMP BIGINT",
)
_Q20 = _same(
    "q20",
    """SELECT b.auction, b.bidder, b.price, b.channel, a.item_name, a.initial_bid, a.seller
       FROM bid b JOIN auction a ON b.auction = a.id WHERE a.category = 10""",
    "BIGINT BIGINT BIGINT VARCHAR VARCHAR BIGINT BIGINT",
    streams=("auction", "bid"),
)

_Q11 = Query(
    "q11",
    ("bid",),
    """SELECT bidder, window_start, window_end, count(*) AS bids, sum(price) AS spent
       FROM SESSION(bid PARTITION BY bidder, date_time, INTERVAL '1' SECOND)
       GROUP BY bidder, window_start, window_end EMIT ON WINDOW CLOSE""",
    """SELECT bidder, min(date_time) AS window_start, max(date_time) + INTERVAL 1 SECOND AS window_end,
              count(*) AS bids, sum(price) AS spent
       FROM (SELECT *, sum(begins) OVER (PARTITION BY bidder ORDER BY date_time ROWS UNBOUNDED PRECEDING) AS session
             FROM (SELECT bidder, price, date_time, CASE WHEN date_time - lag(date_time) OVER
                          (PARTITION BY bidder ORDER BY date_time) <= INTERVAL 1 SECOND THEN 0 ELSE 1 END AS begins
                   FROM bid))
       GROUP BY bidder, session""",
    ("BIGINT", "TIMESTAMP", "TIMESTAMP", "BIGINT", "DECIMAL(38,0)"),
)

QUERIES: tuple[Query, ...] = (
    _same("q0", "SELECT auction, bidder, price, date_time, extra FROM bid", "BIGINT BIGINT BIGINT TIMESTAMP VARCHAR"),
    _same(
        "q1",
        "SELECT auction, bidder, 0.908 * price AS price, date_time, extra FROM bid",
        "BIGINT BIGINT DECIMAL(30,3) TIMESTAMP VARCHAR",
    ),
    _same("q2", "SELECT auction, price FROM bid WHERE auction % 123 = 0", "BIGINT BIGINT"),
    _Q4,
    _Q5,
    _Q7,
    _Q8,
    _Q9,
    _Q11,
    _q13("q13_10k", 10_000),
    _q13("q13_1m", 1_000_000),
    _Q15,
    _same(
        "q17",
        """SELECT auction, count(*) AS bids, min(price) AS least, max(price) AS most, avg(price) AS mean
           FROM bid GROUP BY auction""",
        "BIGINT BIGINT BIGINT BIGINT DOUBLE",
    ),
    _Q18,
    _Q19,
    _Q20,
)


def query_named(name: str) -> Query:
    return next(q for q in QUERIES if q.name == name)
