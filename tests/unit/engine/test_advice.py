"""Whoever creates a view is told what of its state nothing frees; a view that could never emit is refused."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from constellationdb.engine.engine import Engine
from constellationdb.engine.session import Session
from constellationdb.errors import ConstellationError

BOUND = "bound it by time, with a WATERMARK on each: … AND b.ts BETWEEN a.ts - INTERVAL '1 minute' AND a.ts"
WINDOWED = "put the bounds of a window into it: SELECT DISTINCT window_start, … FROM TUMBLE(…)"
BY_WINDOWS = "put the bounds of a window into it: GROUP BY, or PARTITION BY, window_start of TUMBLE(…)"
OPEN_WINDOWS = 'no watermark closes the windows over "timeless": all are kept'
CLOSED = "declare WATERMARK FOR its time on the source"
KEYED = "say which columns are equal, or join the same windows of both"
MINUTE = "INTERVAL '1 minute'"


@pytest.fixture
def session() -> Iterator[Session]:
    engine = Engine().start()
    session = engine.session()
    for name in ("a", "b"):
        told(session, f"CREATE SOURCE {name} (k int, x int, ts timestamp, WATERMARK FOR ts)")
    told(session, "CREATE SOURCE timeless (k int, x int, ts timestamp)")
    told(session, "CREATE TABLE t (k int PRIMARY KEY, x int)")
    told(session, "CREATE MATERIALIZED VIEW kept AS SELECT k FROM a WHERE x > 0")
    yield session
    session.close()
    engine.close()


def told(session: Session, sql: str) -> list[tuple[str, str | None]]:
    return [(notice.message, notice.hint) for result in session.execute(sql) for notice in result.notices]


@pytest.mark.parametrize(
    ("query", "message", "hint"),
    [
        ("SELECT a.x FROM a JOIN b ON a.k = b.k", 'a join keeps every row of "a" and "b" for ever', BOUND),
        ("SELECT a.x FROM a FULL JOIN b USING (k)", 'a join keeps every row of "a" and "b" for ever', BOUND),
        ("SELECT x FROM a WHERE k IN (SELECT k FROM b)", 'a join keeps every row of "a" and "b" for ever', BOUND),
        ("SELECT a.x FROM a JOIN a AS o ON a.k = o.x", 'a join keeps every row of "a" for ever', BOUND),
        ("SELECT b.x FROM kept JOIN b USING (k)", 'a join keeps every row of "kept" and "b" for ever', BOUND),
        ("SELECT a.x FROM a JOIN b ON a.k = b.k AND b.ts <= a.ts", 'a join keeps every row of "b" for ever', BOUND),
        ("SELECT a.x FROM a CROSS JOIN b", 'every row of "a" is joined with every row of "b"', KEYED),
        ("SELECT a.x FROM a JOIN b ON a.x < b.x", 'every row of "a" is joined with every row of "b"', KEYED),
        (
            f"SELECT k, window_end, count(*) AS n FROM TUMBLE(timeless, ts, {MINUTE}) GROUP BY k, window_end",
            OPEN_WINDOWS,
            CLOSED,
        ),
        (
            f"SELECT k, window_end, sum(x) AS s FROM HOP(timeless, ts, {MINUTE}, INTERVAL '1 hour')"
            " GROUP BY k, window_end",
            OPEN_WINDOWS,
            CLOSED,
        ),
        (
            f"SELECT k, window_end, count(*) AS n FROM SESSION(timeless PARTITION BY k, ts, {MINUTE})"
            " GROUP BY k, window_end",
            OPEN_WINDOWS,
            CLOSED,
        ),
        (
            "SELECT a.x FROM a ASOF JOIN timeless AS b ON a.k = b.k AND a.ts >= b.ts",
            'an ASOF join keeps every row of "a" and "timeless" for ever',
            CLOSED,
        ),
        ("SELECT DISTINCT k FROM a", 'every different row of "a" is kept for ever', WINDOWED),
        ("SELECT k FROM a UNION SELECT k FROM b", 'every different row of "a" and "b" is kept for ever', WINDOWED),
        ("SELECT k FROM a EXCEPT SELECT k FROM t", 'every different row of "a" is kept for ever', WINDOWED),
        ("SELECT k FROM a INTERSECT SELECT k FROM b", 'every different row of "a" is kept for ever', WINDOWED),
        ("SELECT k, array_agg(x ORDER BY ts) AS xs FROM a GROUP BY k", 'every row of "a" is kept for ever', BY_WINDOWS),
        ("SELECT k, sum(x) OVER (PARTITION BY k ORDER BY x) FROM a", 'every row of "a" is kept for ever', BY_WINDOWS),
        (
            "SELECT row_number() OVER (ORDER BY x) FROM kept JOIN t USING (k)",
            'every row of "kept" is kept for ever',
            BY_WINDOWS,
        ),
    ],
)
def test_what_is_never_freed_is_told(session: Session, query: str, message: str, hint: str) -> None:
    assert told(session, f"CREATE MATERIALIZED VIEW v AS {query}") == [(message, hint)]


@pytest.mark.parametrize(
    "query",
    [
        f"SELECT a.x FROM a LEFT JOIN b ON a.k = b.k AND b.ts BETWEEN a.ts - {MINUTE} AND a.ts",
        f"SELECT l.x FROM TUMBLE(a, ts, {MINUTE}) l JOIN TUMBLE(b, ts, {MINUTE}) r USING (k, window_end)",
        f"SELECT DISTINCT window_start, k FROM TUMBLE(a, ts, {MINUTE})",
        "SELECT a.x, t.x AS y FROM a JOIN t USING (k)",
        "SELECT a.x, t.x AS y FROM a CROSS JOIN t",
        "SELECT DISTINCT x FROM t",
        f"SELECT k, window_end, count(*) AS n FROM TUMBLE(a, ts, {MINUTE}) GROUP BY k, window_end",
        f"SELECT k, window_end, count(*) AS n FROM SESSION(a PARTITION BY k, ts, {MINUTE}) GROUP BY k, window_end",
        f"SELECT k, x, window_end FROM TUMBLE(timeless, ts, {MINUTE})",
        "SELECT a.x FROM a ASOF JOIN b ON a.k = b.k AND a.ts >= b.ts",
        "SELECT k, count(*) FROM a GROUP BY k",
        "SELECT count(DISTINCT k) FROM a",
        "SELECT k, array_agg(x) AS xs FROM t GROUP BY k",
        "SELECT k, sum(x) OVER (ORDER BY k) FROM t",
        f"SELECT window_end, array_agg(x) AS xs FROM TUMBLE(a, ts, {MINUTE}) GROUP BY window_end",
        f"SELECT rank() OVER (PARTITION BY window_end ORDER BY x) FROM TUMBLE(a, ts, {MINUTE})",
        "SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY k ORDER BY ts DESC) AS n FROM a) q WHERE n <= 3",
        "SELECT x FROM a WHERE k > (SELECT avg(k) FROM b)",
        "SELECT a.x, n FROM a JOIN (SELECT k, count(*) AS n FROM b GROUP BY k) AS c USING (k)",
    ],
)
def test_what_is_bounded_is_not_told_of(session: Session, query: str) -> None:
    assert told(session, f"CREATE MATERIALIZED VIEW v AS {query}") == []


def test_a_client_may_want_no_notices(session: Session) -> None:
    told(session, "SET client_min_messages = warning")
    assert told(session, "CREATE MATERIALIZED VIEW v AS SELECT DISTINCT k FROM a") == []


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            "SELECT k, count(*) FROM a GROUP BY k EMIT ON WINDOW CLOSE",
            "EMIT ON WINDOW CLOSE needs a window_start or window_end column of a source with a watermark",
        ),
        (
            f"SELECT count(*) FROM TUMBLE(timeless, ts, {MINUTE}) GROUP BY window_end EMIT ON WINDOW CLOSE",
            "EMIT ON WINDOW CLOSE needs a window_start or window_end column of a source with a watermark",
        ),
        (
            "SELECT k FROM t EMIT ON WINDOW CLOSE",
            "EMIT ON WINDOW CLOSE needs a window_start or window_end column of a source with a watermark",
        ),
        (
            f"SELECT count(*) FROM TUMBLE(t, x, {MINUTE}) GROUP BY window_end",
            'column "x" is of type integer, a window needs a timestamp',
        ),
    ],
)
def test_what_can_never_emit_is_refused(session: Session, query: str, message: str) -> None:
    with pytest.raises(ConstellationError) as refused:
        told(session, f"CREATE MATERIALIZED VIEW v AS {query}")
    assert refused.value.message == message
