"""Views of first rows and of frames go on after a restart as if there had been none."""

from __future__ import annotations

from pathlib import Path

import constellationdb

_VIEWS = {
    "best": "SELECT k, id, x, n FROM (SELECT *, row_number() OVER (PARTITION BY k ORDER BY x DESC, id) AS n FROM t) q"
    " WHERE n <= 2",
    "tied": "SELECT k, id FROM (SELECT *, rank() OVER (PARTITION BY k ORDER BY x DESC) AS n FROM t) q WHERE n = 1",
    "latest": "SELECT DISTINCT ON (k) k, id, s FROM t ORDER BY k, id DESC",
    "second": "SELECT id, x FROM t ORDER BY x, id LIMIT 2 OFFSET 1",
    "framed": "SELECT id, sum(x) OVER w AS t, lag(s) OVER w AS p, avg(x) OVER (w ROWS 1 PRECEDING) AS m FROM t"
    " WINDOW w AS (PARTITION BY k ORDER BY id)",
    "ranged": "SELECT id, sum(x / 3.0::float8) OVER w AS t, count(*) OVER w AS n,"
    " string_agg(s, '') OVER (PARTITION BY k ORDER BY x, id GROUPS 1 PRECEDING) AS p FROM t"
    " WINDOW w AS (PARTITION BY k ORDER BY x RANGE BETWEEN 4 PRECEDING AND 4 FOLLOWING EXCLUDE TIES)",
    "ties": "SELECT id FROM t ORDER BY x OFFSET (SELECT count(*) / 5 FROM t) FETCH FIRST 2 ROWS WITH TIES",
}


def _answers(folder: Path, restarts: tuple[int, ...]) -> dict[str, list[tuple[object, ...]]]:
    db = constellationdb.connect(folder)
    db.execute("CREATE TABLE t (id int PRIMARY KEY, k text, x int, s text)")
    for name, query in _VIEWS.items():
        db.execute(f"CREATE MATERIALIZED VIEW {name} AS {query}")
    steps = (
        "INSERT INTO t VALUES (1, 'a', 5, 'p'), (2, 'a', 9, 'q'), (3, 'b', 5, NULL), (4, 'a', 9, 'o'),"
        " (5, 'b', 7, 'z')",
        "DELETE FROM t WHERE id = 2",
        "INSERT INTO t VALUES (6, NULL, 1, 'n'), (7, 'b', 7, 'a'), (8, 'a', NULL, 'm')",
        "UPDATE t SET x = 2, s = 'y' WHERE id = 4",
        "DELETE FROM t WHERE id IN (1, 7)",
    )
    for number, step in enumerate(steps):
        db.execute(step)
        if number in restarts:
            if number % 2:
                db.execute("CHECKPOINT")
            db.close()
            db = constellationdb.connect(folder)
    found = {name: sorted(db.sql(f"SELECT * FROM {name}").fetchall(), key=repr) for name in _VIEWS}
    db.close()
    return found


def test_with_and_without_restarts(tmp_path: Path) -> None:
    plain = _answers(tmp_path / "plain", ())
    assert plain["best"] == [("a", 4, 2, 2), ("a", 8, None, 1), ("b", 3, 5, 2), ("b", 5, 7, 1), (None, 6, 1, 1)]
    assert plain["tied"] == [("a", 8), ("b", 5), (None, 6)]
    assert plain["latest"] == [("a", 8, "m"), ("b", 5, "z"), (None, 6, "n")]
    assert plain["second"] == [(3, 5), (4, 2)]
    assert plain["framed"] == [
        (3, 5, None, 5.0), (4, 2, None, 2.0), (5, 12, None, 6.0), (6, 1, None, 1.0), (8, 2, "y", 2.0),
    ]  # fmt: skip
    assert _answers(tmp_path / "restarted", (0, 1, 2, 3)) == plain
