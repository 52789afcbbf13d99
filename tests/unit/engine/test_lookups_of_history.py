"""A view that is created together with its lookup table joins the rows that its source has already brought."""

from __future__ import annotations

from pathlib import Path

import pytest

from constellationdb.engine.engine import Engine
from tests.unit.engine.statements import run

_TOGETHER = """
    BEGIN;
    CREATE LOOKUP TABLE names (id bigint PRIMARY KEY, name text)
        WITH (connector = 'inline', rows = '[{"id": 1, "name": "one"}, {"id": 2, "name": "two"}]');
    CREATE MATERIALIZED VIEW named AS
        SELECT n.name, count(*) AS n FROM s
        JOIN names FOR SYSTEM_TIME AS OF PROCTIME() AS n ON n.id = s.id GROUP BY n.name;
    COMMIT
"""


@pytest.mark.parametrize("checkpoint", [False, True])
def test_history_meets_a_lookup_table_of_the_same_transaction(tmp_path: Path, checkpoint: bool) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("id\n" + "".join(f"{i % 3}\n" for i in range(300)))
    with Engine(tmp_path / "data") as engine:
        session = engine.session()
        run(session, f"CREATE SOURCE s (id bigint) WITH (connector = 'file', path = '{rows}', format = 'csv')")
        run(session, "CREATE MATERIALIZED VIEW seen AS SELECT count(*) AS n FROM s")
        while run(session, "SELECT n FROM seen") != [(300,)]:
            engine.wait(lambda: False, timeout=0.01)
        run(session, _TOGETHER)
        assert run(session, "SELECT name, n FROM named ORDER BY name") == [("one", 100), ("two", 100)]
        if checkpoint:
            run(session, "CHECKPOINT")
    with Engine(tmp_path / "data") as engine:
        session = engine.session()
        assert run(session, "SELECT name, n FROM named ORDER BY name") == [("one", 100), ("two", 100)]
        run(session, "CREATE MATERIALIZED VIEW again AS SELECT count(*) AS n FROM s JOIN names AS n ON n.id = s.id")
        assert run(session, "SELECT n FROM again") == [(200,)]
