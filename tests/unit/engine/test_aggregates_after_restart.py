"""Views of every kind of aggregate go on after a restart as if there had been none."""

from __future__ import annotations

from pathlib import Path

import constellationdb

_VIEWS = {
    "ends": "SELECT k, max(x) AS h, min(s) AS l, count(DISTINCT x) AS n, sum(DISTINCT x) AS t FROM t GROUP BY k",
    "spreads": "SELECT k, stddev_pop(x) AS s, corr(x, id) AS c, bit_xor(x) AS b, bool_or(x > 6) AS o FROM t GROUP BY k",
    "listed": "SELECT k, string_agg(s, ',' ORDER BY id) AS l, mode() WITHIN GROUP (ORDER BY x) AS m FROM t GROUP BY k",
    "rolled": "SELECT k, max(x) AS h, count(*) AS n, grouping(k) AS g FROM t GROUP BY ROLLUP (k)",
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
        "INSERT INTO t VALUES (6, NULL, 1, 'n'), (7, 'b', 7, 'a')",
        "UPDATE t SET x = 2, s = 'y' WHERE id = 4",
        "DELETE FROM t WHERE id IN (5, 7)",
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
    assert plain["ends"] == [("a", 5, "p", 2, 7), ("b", 5, None, 1, 5), (None, 1, "n", 1, 1)]
    assert plain["listed"] == [("a", "p,y", 2), ("b", None, 5), (None, "n", 1)]
    assert plain["rolled"] == [("a", 5, 2, 0), ("b", 5, 1, 0), (None, 1, 1, 0), (None, 5, 4, 1)]
    assert _answers(tmp_path / "restarted", (0, 1, 2, 3)) == plain
