"""``python -m tests.unit.engine.golden_state NAME``: a database with views of every kind, for the releases to come.

Run once for each format of plans or of state; what it wrote is kept beside the tests (``golden``), which open it.
"""

from __future__ import annotations

import sys
import tarfile
import tempfile
from pathlib import Path

from constellationdb.engine.engine import Engine
from tests.unit.engine.statements import run

GOLDEN = Path(__file__).parent / "golden"

VIEWS = {
    "groups": "SELECT k, count(*) AS n, max(w) AS m, count(DISTINCT v) AS d FROM t GROUP BY k",
    "joined": "SELECT t.id, u.x FROM t LEFT JOIN u ON u.k = t.k",
    "above": "SELECT n, count(*) AS c FROM groups GROUP BY n",
    "first_rows": "SELECT id, k FROM (SELECT *, row_number() OVER (PARTITION BY k ORDER BY v, id) AS n FROM t) q"
    " WHERE n < 3",
    "firsts": "SELECT id, v FROM t ORDER BY v, id LIMIT 4",
    "overs": "SELECT id, sum(v) OVER (PARTITION BY k ORDER BY id) AS s, row_number() OVER (ORDER BY id) AS n FROM t",
    "overs_in_time": "SELECT v, k, sum(v) OVER (PARTITION BY k ORDER BY ts) AS s FROM s",
    "tumbled": "SELECT k, window_start, count(*) AS n FROM TUMBLE(s, ts, INTERVAL '1 minute')"
    " GROUP BY k, window_start, window_end",
    "hopped": "SELECT window_start, sum(v) AS m FROM HOP(s, ts, INTERVAL '1 minute', INTERVAL '3 minutes')"
    " GROUP BY window_start, window_end",
    "closed": "SELECT k, v, window_start FROM TUMBLE(s, ts, INTERVAL '1 minute') EMIT ON WINDOW CLOSE",
    "sessions": "SELECT k, window_start, count(*) AS n, sum(v) AS m FROM SESSION(s, k, ts, INTERVAL '30 seconds')"
    " GROUP BY k, window_start, window_end",
    "session_rows": "SELECT v, k, window_start FROM SESSION(s, k, ts, INTERVAL '30 seconds')",
    "latest": "SELECT s.v, r.v AS before FROM s ASOF JOIN s AS r ON r.k = s.k AND r.ts <= s.ts",
    "lists": "SELECT k, string_agg(w, ',' ORDER BY id) AS l FROM t GROUP BY k",
    "recent": "SELECT id FROM t WHERE at > now() - INTERVAL '100000 days'",
    "reached": "WITH RECURSIVE r(x) AS (SELECT 1 UNION SELECT t.v FROM r JOIN t ON t.id = r.x) SELECT x FROM r",
    "looked_up": "SELECT t.id, d.name FROM t LEFT JOIN d ON d.k = t.k",
}
DEFINITIONS = (
    "CREATE TABLE t (id int PRIMARY KEY, k int, v int, w text, at timestamptz) WITH (retain_history = '36500 days')",
    "CREATE TABLE u (k int, x text)",
    "CREATE SOURCE s (k int, v int, ts timestamp, WATERMARK FOR ts AS ts - INTERVAL '1 minute')",
    "CREATE LOOKUP TABLE d (k int PRIMARY KEY, name text)"
    """ WITH (connector = 'inline', rows = '[[0, "none"], [1, "one"]]')""",
    *(f"CREATE MATERIALIZED VIEW {name} AS {query}" for name, query in VIEWS.items()),
)


def rows(start: int, end: int) -> tuple[str, ...]:
    """One epoch each."""
    numbers = f"generate_series({start}, {end - 1}) AS i"
    return (
        f"INSERT INTO t SELECT i, i % 4, (i * 7) % 11, 'w' || i, TIMESTAMPTZ '2024-05-01 10:00:00+00' FROM {numbers}",
        f"INSERT INTO u SELECT i % 5, 'x' || i FROM {numbers}",
        f"INSERT INTO s SELECT i % 3, i, TIMESTAMP '2024-05-01 10:00:00' + INTERVAL '7 seconds' * i FROM {numbers}",
        f"DELETE FROM t WHERE id % 9 = {start % 9}",
        f"UPDATE t SET v = v + 1 WHERE id % 5 = {start % 5}",
        f"DELETE FROM u WHERE x = 'x{start}'",
    )


WRITTEN = (rows(0, 40), rows(40, 48), rows(48, 52))  # a whole checkpoint, changes in a second one, the log


def write(directory: Path) -> None:
    with Engine(directory) as engine:
        session = engine.session()
        run(session, *DEFINITIONS)
        for statements in WRITTEN[:2]:
            run(session, *statements, "FLUSH")
            assert engine.durability.checkpoint() is not None
        run(session, *WRITTEN[2])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        write(Path(made))
        GOLDEN.mkdir(exist_ok=True)
        with tarfile.open(GOLDEN / f"{sys.argv[1]}.tar.gz", "w:gz") as archive:
            for path in sorted(Path(made).iterdir()):
                archive.add(path, path.name)
