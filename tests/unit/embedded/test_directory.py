"""A database in a directory: what was acknowledged is there again."""

from pathlib import Path

import constellationdb


def test_a_directory_keeps_tables_views_and_tokens(tmp_path: Path) -> None:
    with constellationdb.connect(tmp_path / "d") as database:
        assert database.restored is None
        database.execute("CREATE TABLE t (a bigint PRIMARY KEY)")
        database.execute("CREATE MATERIALIZED VIEW total AS SELECT sum(a) AS s FROM t")
        database.insert("t", [(1,), (2,)])
        with database.subscribe("total") as subscription:
            while (1, (3,)) not in list(subscription.next(20.0) or []):
                pass
            token = subscription.resume_token
    with constellationdb.connect(tmp_path / "d") as database:
        assert database.restored
        assert database.sql("SELECT * FROM total").fetchall() == [(3,)]
        with database.subscribe("total", resume=token) as subscription:
            database.insert("t", [(4,)])
            changes = subscription.next(20.0)
            assert changes is not None
            assert sorted(changes) == [(-1, (3,)), (1, (7,))]


def test_two_databases_in_memory_have_nothing_in_common() -> None:
    with constellationdb.connect() as one, constellationdb.connect() as other:
        one.execute("CREATE TABLE t (a int)")
        assert other.sql("SELECT name FROM constellation.relations WHERE name = 't'").fetchall() == []
