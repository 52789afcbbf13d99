"""Joins go on after a restart: from a checkpoint, which holds what they have counted, and from the log alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from constellationdb.engine.engine import Engine
from tests.unit.engine.statements import run

_DEFINITIONS = (
    "CREATE TABLE t (id int PRIMARY KEY, k int, v int)",
    "CREATE TABLE u (id int PRIMARY KEY, k int, v int)",
    "CREATE SOURCE a (k int, ts timestamp, WATERMARK FOR ts AS ts)",
    "CREATE SOURCE b (k int, ts timestamp, WATERMARK FOR ts AS ts)",
    "CREATE MATERIALIZED VIEW by_key AS SELECT t.id, u.id AS uid FROM t FULL JOIN u ON t.k = u.k",
    "CREATE MATERIALIZED VIEW by_row AS SELECT t.id, u.id AS uid FROM t LEFT JOIN u ON t.k = u.k AND t.v < u.v",
    "CREATE MATERIALIZED VIEW nobody AS SELECT id FROM t WHERE NOT EXISTS (SELECT FROM u WHERE u.k = t.k)",
    "CREATE MATERIALIZED VIEW near AS SELECT a.k, a.ts, b.ts AS bts FROM a LEFT JOIN b"
    " ON a.k = b.k AND b.ts BETWEEN a.ts AND a.ts + INTERVAL '1 minute' EMIT ON WINDOW CLOSE",
)
_BEFORE = (
    "INSERT INTO t VALUES (1, 1, 5), (2, 2, 5), (3, NULL, 5)",
    "INSERT INTO u VALUES (1, 1, 9), (2, 1, 1), (3, 4, 1)",
    "INSERT INTO a VALUES (1, '2024-05-01 10:00:00'), (2, '2024-05-01 10:00:00')",
    "INSERT INTO b VALUES (1, '2024-05-01 10:00:30')",
)
_AFTER = (
    "DELETE FROM u WHERE id = 1",
    "UPDATE u SET k = 2, v = 7 WHERE id = 3",
    "INSERT INTO b VALUES (2, '2024-05-01 10:00:40'), (9, '2024-05-01 10:02:00')",
    "INSERT INTO a VALUES (9, '2024-05-01 10:02:00')",
)


@pytest.mark.parametrize("checkpoint", [True, False], ids=["checkpoint", "log"])
def test_what_was_counted_is_known_after_a_restart(tmp_path: Path, checkpoint: bool) -> None:
    with Engine(tmp_path) as engine:
        run(engine.session(), *_DEFINITIONS, *_BEFORE, *(["CHECKPOINT"] if checkpoint else []))
    with Engine(tmp_path) as engine:
        session = engine.session()
        assert run(session, "SELECT * FROM by_key ORDER BY id, uid") == [
            (1, 1), (1, 2), (2, None), (3, None), (None, 3),
        ]  # fmt: skip
        run(session, *_AFTER)
        assert run(session, "SELECT * FROM by_key ORDER BY id, uid") == [(1, 2), (2, 3), (3, None)]
        assert run(session, "SELECT * FROM by_row ORDER BY id, uid") == [(1, None), (2, 3), (3, None)]
        assert run(session, "SELECT * FROM nobody") == [(3,)]
        assert run(session, "SELECT k, bts::time::text FROM near ORDER BY k") == [(1, "10:00:30"), (2, "10:00:40")]
