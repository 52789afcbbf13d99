"""A checkpoint is taken when there is something new, also right behind a restart."""

from pathlib import Path

from constellationdb.engine.engine import Engine


def test_a_restarted_engine_has_nothing_to_checkpoint_before_something_happens(tmp_path: Path) -> None:
    with Engine(tmp_path) as engine:
        list(engine.session().execute("CREATE TABLE t (a int PRIMARY KEY)"))
        taken = engine.durability.checkpoint()
        assert taken is not None
        assert engine.durability.checkpoint() is None
    with Engine(tmp_path) as engine:
        assert engine.durability.checkpoint() is None
        list(engine.session().execute("INSERT INTO t VALUES (1)"))
        assert (engine.durability.checkpoint() or 0) > taken
