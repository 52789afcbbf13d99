"""How often checkpoints are taken, and how many are kept."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from constellationdb import connect
from constellationdb.cli.main import cli
from constellationdb.engine.checkpoint_settings import CheckpointSettings
from constellationdb.errors import InvalidParameter


def test_a_fixed_interval_is_what_it_says() -> None:
    assert [CheckpointSettings(interval_seconds=3.0).pause_seconds(last) for last in (0.0, 1.0, 100.0)] == [3.0] * 3


def test_an_adaptive_one_takes_a_twentieth_of_the_time() -> None:
    pause = CheckpointSettings(interval_seconds=None).pause_seconds
    assert [round(pause(last), 9) for last in (0.0, 0.05, 0.1, 1.0, 10.0, 100.0)] == [1.0, 1.0, 1.9, 19.0, 190.0, 300.0]


def test_what_cannot_be() -> None:
    for wrong in (0.0, -1.0, 0.09, float("nan")):
        with pytest.raises(InvalidParameter, match=r"must be at least 0\.1 s"):
            CheckpointSettings(interval_seconds=wrong)
    with pytest.raises(InvalidParameter, match="at least 1 checkpoint must be kept, not 0"):
        CheckpointSettings(kept=0)
    with pytest.raises(InvalidParameter, match="a database in memory has no checkpoints"):
        connect(checkpoints_kept=2)
    with pytest.raises(InvalidParameter, match="is said when it is started"):
        connect("postgres://localhost:1/x", checkpoint_store="s3://bucket")


def test_as_many_as_asked_are_kept_where_asked(tmp_path: Path) -> None:
    there = tmp_path / "there"
    with connect(tmp_path / "data", checkpoint_store=f"file://{there}", checkpoints_kept=2) as db:
        db.execute("CREATE TABLE t (a int)")
        for value in range(4):
            db.execute(f"INSERT INTO t VALUES ({value})")
            db.execute("CHECKPOINT")
        assert db.sql("SELECT count(*) FROM constellation.checkpoints").fetchall() == [(2,)]
    assert len(list((there / "manifests").iterdir())) == 2
    with connect(tmp_path / "data") as db:
        assert db.sql("SELECT count(*) FROM t").fetchall() == [(4,)]


@pytest.mark.parametrize("interval", [0.1, "adaptive"])
def test_they_are_taken_by_themselves(tmp_path: Path, interval: object) -> None:
    with connect(tmp_path / "data", checkpoint_interval=interval) as db:  # type: ignore[arg-type]
        db.execute("CREATE TABLE t (a int)")
        until = time.monotonic() + 20
        while not db.sql("SELECT epoch FROM constellation.checkpoints").fetchall():
            assert time.monotonic() < until
            time.sleep(0.05)


@pytest.mark.parametrize("value", ["adaptiv", "0s"])
def test_the_server_says_what_is_wrong_with_it(value: str) -> None:
    for options, environment in [
        (["--checkpoint-interval", value], {}),
        ([], {"CONSTELLATION_CHECKPOINT_INTERVAL": value}),
    ]:
        done = CliRunner().invoke(cli, ["serve", *options], env=environment)
        assert done.exit_code == 2
        assert f'"{value}" is not a duration' in done.output
