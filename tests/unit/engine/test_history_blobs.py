"""The history of a relation is a few blobs, however many checkpoints have written it, and goes when it is not kept."""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random

import pytest

from constellationdb.clock import ManualClock
from constellationdb.engine import history_blobs
from constellationdb.engine.engine import Engine
from constellationdb.engine.history_blobs import joined
from tests.unit.engine.statements import run


def test_blobs_are_few_and_seldom_written_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_blobs, "LARGE_BYTES", 100_000)
    random, blobs, written, most = Random(1), list[int](), 0, 0
    fresh = [random.choice((10, 20, 500, 3000)) for _ in range(3000)]
    for size in fresh:
        count = joined(blobs, size)
        blobs[len(blobs) - count :] = [size + sum(blobs[len(blobs) - count :])]
        written += blobs[-1]
        small = [blob for blob in blobs if blob < 50_000]
        most = max(most, len(small))
        assert max(blobs) <= 100_000
    assert sum(blobs) == sum(fresh)
    assert most <= 16
    assert len(blobs) <= most + sum(fresh) / 50_000
    assert written < 8 * sum(fresh)


def test_a_large_change_stays_alone() -> None:
    assert joined([50, 40], 1000) == 2
    assert joined([5000, 50, 40], 1000) == 2
    assert joined([], 10) == 0
    assert joined([history_blobs.LARGE_BYTES], history_blobs.LARGE_BYTES) == 0


def _history(engine: Engine, name: str) -> list[str]:
    return [blob for blob in engine.durability._written.names if blob.startswith(f"history/{name}/")]


def test_every_epoch_is_there_after_many_checkpoints(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    for life in range(3):
        with Engine(tmp_path) as engine:
            session = engine.session()
            if life == 0:
                run(session, "CREATE TABLE t (a int) WITH (retain_history = '1 day')")
            for step in range(14):
                run(session, f"INSERT INTO t SELECT i FROM generate_series(1, {1 + step % 3}) AS i")
                if step % 7 == 0:
                    run(session, "DELETE FROM t WHERE a = 2")
                assert engine.durability.checkpoint() is not None
                assert len(_history(engine, "t")) <= 8
                ((count,),) = run(session, "SELECT count(*)::int FROM t")
                seen.append((engine.epoch, int(str(count))))
            for epoch, count in seen[:: 1 + 2 * life]:
                assert run(session, f"SELECT count(*) FROM t AS OF EPOCH {epoch}") == [(count,)]
            changes = engine.subscribe("t", snapshot=False, as_of=seen[0][0])
            rows = seen[0][1]
            while rows != seen[-1][1] or changes.epoch < seen[-1][0]:
                batch = changes.next(5.0)
                assert batch is not None
                rows += sum(batch.column(1).to_pylist())
            changes.close()


def test_what_is_not_kept_leaves_the_store(tmp_path: Path) -> None:
    clock = ManualClock()
    with Engine(tmp_path, clock=clock) as engine:
        session = engine.session()
        run(session, "CREATE TABLE t (a int) WITH (retain_history = '10 seconds')")
        for step in range(60):
            run(session, f"INSERT INTO t VALUES ({step})")
            clock.advance(1.0)
            assert engine.durability.checkpoint() is not None
        kept = engine.durability._written
        assert 0 < len(_history(engine, "t")) <= 6
        forgotten = engine.states["t"].log.forgotten
        assert forgotten > 40
        assert sum(kept.sizes.values()) < 6 * 11 * 1000  # of a change of one row, a kilobyte or less


def test_a_damaged_blob_stops_no_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Engine(tmp_path / "a") as engine:
        session = engine.session()
        run(session, "CREATE TABLE t (a int) WITH (retain_history = '1 day')", "INSERT INTO t VALUES (1)")
        assert engine.durability.checkpoint() is not None
        monkeypatch.setattr(type(engine.durability.store), "get", lambda *_: None)
        run(session, "INSERT INTO t VALUES (2)")
        assert engine.durability.checkpoint() is not None
        assert len(_history(engine, "t")) == 2
        monkeypatch.undo()
        run(session, "INSERT INTO t VALUES (3)")
        assert engine.durability.checkpoint() is not None
        assert len(_history(engine, "t")) == 1
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    with Engine(tmp_path / "b") as engine:
        assert run(engine.session(), "SELECT count(*) FROM t AS OF EPOCH 2") == [(1,)]
