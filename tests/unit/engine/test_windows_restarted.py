"""Windows go on after a restart as if there had been none: open sessions, their late rows, and what was counted.

So do frames over the time of a watermark, whose rows are freed.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from constellationdb.engine.engine import Engine
from tests.unit.engine.statements import run

DEFINITIONS = (
    "CREATE SOURCE hit (k int, at timestamp, v int, WATERMARK FOR at AS at - INTERVAL '5 seconds')",
    "CREATE TABLE kept (k int, at timestamp, v int)",
    "CREATE MATERIALIZED VIEW fast AS SELECT k, window_start, window_end, count(*) AS n, sum(v) AS s, min(v) AS l"
    " FROM SESSION(hit PARTITION BY k, at, INTERVAL '10 seconds') GROUP BY k, window_start, window_end"
    " EMIT ON WINDOW CLOSE",
    "CREATE MATERIALIZED VIEW general AS SELECT k, window_start, window_end, count(*) AS n, sum(v) AS s, min(v) AS l"
    " FROM SESSION(hit PARTITION BY k, at, INTERVAL '10 seconds') GROUP BY k, window_start, window_end"
    " EMIT ON WINDOW CLOSE LATE DATA TO late_hit",
    "CREATE MATERIALIZED VIEW hops AS SELECT k, window_end, avg(v) AS a, max(v) AS m"
    " FROM HOP(hit, at, INTERVAL '10 seconds', INTERVAL '30 seconds') GROUP BY k, window_end EMIT ON WINDOW CLOSE",
    "CREATE MATERIALIZED VIEW running AS SELECT k, at, v - lag(v) OVER w AS step, sum(v) OVER w AS total FROM hit"
    " WINDOW w AS (PARTITION BY k ORDER BY at) EMIT ON WINDOW CLOSE",
    "CREATE MATERIALIZED VIEW ranged AS SELECT k, at, sum(v) OVER (PARTITION BY k ORDER BY at"
    " RANGE BETWEEN INTERVAL '10 seconds' PRECEDING AND CURRENT ROW) AS near FROM hit",
    "CREATE MATERIALIZED VIEW shown AS SELECT window_start, count(*) AS n FROM TUMBLE((SELECT v, at + INTERVAL '1 hour'"
    " AS later FROM hit), later, INTERVAL '10 seconds') GROUP BY window_start, window_end EMIT ON WINDOW CLOSE",
    "CREATE MATERIALIZED VIEW changing AS SELECT k, window_start, window_end, count(*) AS n"
    " FROM SESSION(kept PARTITION BY k, at, INTERVAL '10 seconds') GROUP BY k, window_start, window_end",
)
# One statement an epoch; a restart comes between them.
STEPS = (
    "INSERT INTO hit VALUES (1, '2024-01-01 0:00:00', 1), (1, '2024-01-01 0:00:08', 2), (2, '2024-01-01 0:00:03', 3)",
    "INSERT INTO kept VALUES (1, '2024-01-01 00:00:00', 1), (1, '2024-01-01 00:00:20', 2)",
    "INSERT INTO hit VALUES (2, '2024-01-01 00:00:20', 4)",
    "INSERT INTO kept VALUES (1, '2024-01-01 00:00:10', 3)",
    "INSERT INTO hit VALUES (2, '2024-01-01 0:00:12', 5), (1, '2024-01-01 0:00:17', 6), (3, '2024-01-01 0:00:01', 7)",
    "DELETE FROM kept WHERE v = 3",
    "INSERT INTO hit VALUES (1, '2024-01-01 00:01:00', 8), (NULL, '2024-01-01 00:00:59', 9), (1, NULL, 10)",
    "INSERT INTO hit VALUES (1, '2024-01-01 00:03:00', 11)",
)
READ = (
    "SELECT * FROM fast ORDER BY k, window_start",
    "SELECT * FROM general ORDER BY k, window_start",
    "SELECT * FROM hops ORDER BY k, window_end",
    "SELECT * FROM running ORDER BY k, at, total",
    "SELECT * FROM ranged ORDER BY k, at, near",
    "SELECT * FROM shown ORDER BY window_start",
    "SELECT name, rows_late FROM constellation.jobs ORDER BY name",
    "SELECT * FROM changing ORDER BY k, window_start",
    "SELECT * FROM late_hit ORDER BY v",
    "SELECT name, kind, rows_assigned, rows_used, rows_late FROM constellation.windows ORDER BY name",
)


def _after(engine: Engine, step: str) -> list[list[tuple[object, ...]]]:
    session = engine.session()
    run(session, step, "FLUSH")
    return [run(session, sql) for sql in READ]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[list[list[tuple[object, ...]]]]:
    """What is there after every step, without a restart."""
    with Engine(tmp_path_factory.mktemp("one")) as engine:
        run(engine.session(), *DEFINITIONS)
        return [_after(engine, step) for step in STEPS]


@pytest.mark.parametrize("checkpointed", [True, False], ids=["from a checkpoint", "from the log"])
def test_every_restart_goes_on_where_it_was(
    tmp_path: Path, undisturbed: list[list[list[tuple[object, ...]]]], checkpointed: bool
) -> None:
    with Engine(tmp_path) as engine:
        run(engine.session(), *DEFINITIONS)
    for step, expected in zip(STEPS, undisturbed, strict=True):
        with Engine(tmp_path) as engine:
            assert _after(engine, step) == expected
            if checkpointed:
                engine.durability.checkpoint()


def test_what_was_assigned_is_used_or_late(undisturbed: list[list[list[tuple[object, ...]]]]) -> None:
    fast, general, hops, running, ranged, shown, _, _, late, windows = undisturbed[-1]
    assert fast == general
    assert [row[-3:] for row in fast] == [(3, 9, 1), (1, 8, 8), (1, 3, 3), (1, 4, 4), (1, 9, 9)]
    assert min(map(len, (hops, running, ranged, shown))) > 0
    counted = {name: tuple(map(int, map(str, numbers))) for name, _, *numbers in windows}
    for assigned, used, missed in counted.values():
        assert assigned == used + missed
    assert counted["general"] == counted["fast"]
    assert counted["general"][2] == len(late) > 0
    assert counted["hops"][2] > 0
