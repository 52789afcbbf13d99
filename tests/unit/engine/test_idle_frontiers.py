"""Views on views: a view whose inputs have nothing to do lets the ones above it go on."""

from __future__ import annotations

from constellationdb.engine.engine import Engine


def test_a_join_goes_on_when_only_one_of_its_views_has_changed() -> None:
    with Engine() as engine:
        session = engine.session()

        def run(text: str) -> list[list[object]]:
            batches = [batch for result in session.execute(text) for batch in result.batches]
            return [list(row.values()) for batch in batches for row in batch.to_pylist()]

        run("CREATE TABLE a (k int, v int); CREATE TABLE b (k int, v int)")
        run("CREATE MATERIALIZED VIEW most AS SELECT k, max(v) AS v FROM a GROUP BY k")
        run("CREATE MATERIALIZED VIEW least AS SELECT k, min(v) AS v FROM b GROUP BY k")
        run("CREATE MATERIALIZED VIEW gap AS SELECT k, m.v - l.v AS v FROM most m JOIN least l USING (k)")
        run("CREATE MATERIALIZED VIEW total AS SELECT sum(v) AS v FROM gap")
        for number in range(5):
            run(f"INSERT INTO a VALUES (1, {number})")
            assert run("SELECT v FROM gap") == [[number - 7] for _ in range(number > 0)]
            run("INSERT INTO b VALUES (1, 7)")
            assert run("SELECT v FROM total") == [[number - 7]]
