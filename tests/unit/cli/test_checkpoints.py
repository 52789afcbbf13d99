"""``constellation checkpoints``: looking, verifying, going back, cloning."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from constellationdb.cli.main import cli
from constellationdb.engine.engine import Engine
from constellationdb.engine.session import Session
from constellationdb.errors import CorruptState, DirectoryInUse, HistoryExpired, InvalidParameter, UndefinedObject
from tests.unit.engine.statements import run

_STATE = "SELECT n, s FROM v"


def _call(*arguments: object) -> Result:
    done = CliRunner().invoke(cli, ["checkpoints", *map(str, arguments)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def _lines(*arguments: object) -> list[str]:
    done = _call(*arguments)
    assert done.exit_code == 0, done.output
    return done.output.splitlines()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Checkpoints with 1 row, named "one", then with 2, 3 and 4 rows, and a fifth row in the log."""
    root = tmp_path / "data"
    with Engine(root) as engine:
        session = engine.session()
        run(session, "CREATE TABLE t (a int PRIMARY KEY)")
        run(session, "CREATE MATERIALIZED VIEW v AS SELECT count(*) AS n, sum(a) AS s FROM t")
        for value in range(1, 5):
            run(session, f"INSERT INTO t VALUES ({value})", "FLUSH", "CHECKPOINT")
            if value == 1:
                run(session, "CREATE SAVEPOINT one")
        run(session, "INSERT INTO t VALUES (5)", "FLUSH")
    return root


def _epochs(root: Path) -> list[int]:
    return [int(line.split()[0]) for line in _lines("list", "--dir", root)[1:]]


def _subscribe(session: Session, epoch: int) -> list[object]:
    """The first changes after the epoch."""
    (result,) = session.execute(f"SUBSCRIBE v WITH (snapshot = false) AS OF EPOCH {epoch}")
    return list(next(iter(result.batches)).to_pylist())


def _state(root: Path, *texts: str) -> list[tuple[object, ...]]:
    with Engine(root) as engine:
        return run(engine.session(), *texts, "FLUSH", _STATE)


def test_the_list(database: Path) -> None:
    lines = _lines("list", "--dir", database)
    assert lines[0].split() == ["epoch", "taken", "parts", "bytes", "name"]
    assert [
        bool(re.fullmatch(r" *\d+  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d +\d+ +\d+(  one)?", line)) for line in lines[1:]
    ] == [True] * 4
    assert lines[-1].endswith("  one")


def test_looking_is_allowed_while_the_database_is_in_use(database: Path) -> None:
    with Engine(database) as engine:
        assert len(_epochs(database)) == 4
        assert _lines("verify", "--dir", database)[-1] == "all other objects: whole"
        run(engine.session(), "INSERT INTO t VALUES (6)", "CHECKPOINT")  # nobody has taken it over
        with pytest.raises(DirectoryInUse):
            _call("restore", "--dir", database, "--savepoint", "one")


def test_verifying_finds_what_is_damaged(database: Path) -> None:
    assert all(line.endswith(": whole") for line in _lines("verify", "--dir", database))
    newest = max((database / "checkpoints" / "parts").iterdir())
    newest.write_bytes(newest.read_bytes()[:-1] + b"?")
    done = _call("verify", "--dir", database)
    assert done.exit_code == 1
    lines = done.output.splitlines()
    assert lines[0] == f"checkpoint of epoch {_epochs(database)[0]}: damaged"
    assert lines[1] == f'  object "parts/{newest.name}" fails its checksum'


def test_a_damaged_manifest_is_listed(database: Path) -> None:
    newest = max((database / "checkpoints" / "manifests").iterdir())
    newest.write_bytes(b"?")
    assert "damaged: object" in _lines("list", "--dir", database)[1]


@pytest.mark.parametrize("choice", [lambda _: ("--savepoint", "one"), lambda root: ("--epoch", _epochs(root)[-1])])
def test_going_back(database: Path, choice: Callable[[Path], tuple[object, ...]]) -> None:
    assert _state(database) == [(5, 15)]
    before = _epochs(database)
    said = _lines("restore", "--dir", database, *choice(database))
    assert said[0].startswith(f"went back to the checkpoint of epoch {before[-1]}; the next epoch is ")
    assert re.fullmatch(rf"epochs {before[-1] + 1} to \d+ were undone, \S+ \S+ UTC to \S+ \S+ UTC", said[1])
    assert said[2] == f"checkpoints set aside: {', '.join(map(str, before[:-1]))}"
    log = Path(said[3].removeprefix("log set aside: "))
    assert list(log.glob("*.wal"))
    assert _epochs(database) == before[-1:]
    assert _state(database, "INSERT INTO t VALUES (7)", "CHECKPOINT") == [(2, 8)]
    assert _state(database) == [(2, 8)]
    assert _lines("verify", "--dir", database)[-1] == "all other objects: whole"
    assert len(list((database / "checkpoints" / "set-aside").iterdir())) == 3


def test_going_back_to_the_newest_undoes_what_is_in_the_log(database: Path) -> None:
    newest = _epochs(database)[0]
    assert _lines("restore", "--dir", database, "--epoch", newest)[2].startswith("log set aside: ")
    assert _state(database) == [(4, 10)]


def test_going_back_twice(database: Path) -> None:
    epochs = _epochs(database)
    _lines("restore", "--dir", database, "--epoch", epochs[1])
    _lines("restore", "--dir", database, "--epoch", epochs[2])
    assert _state(database) == [(2, 3)]


def test_nobody_is_led_on_from_a_history_that_was_undone(database: Path) -> None:
    with Engine(database) as engine:
        token = engine.epoch
    first = _epochs(database)[-1]
    _lines("restore", "--dir", database, "--savepoint", "one")
    with Engine(database) as engine:
        session = engine.session()
        assert engine.epoch > token
        for epoch in (first + 1, token):
            with pytest.raises(HistoryExpired):
                _subscribe(session, epoch)
        run(session, "INSERT INTO t VALUES (7)", "CHECKPOINT")
    with Engine(database) as engine:
        with pytest.raises(HistoryExpired):
            _subscribe(engine.session(), token)
        assert _subscribe(engine.session(), engine.epoch - 1)


def test_fallback_works_after_going_back(database: Path) -> None:
    epochs = _epochs(database)
    _lines("restore", "--dir", database, "--epoch", epochs[0])
    newest = database / "checkpoints" / "manifests" / f"{epochs[0]:020}"
    newest.write_bytes(b"?")
    assert _state(database) == [(4, 10)]


def test_going_back_to_a_damaged_checkpoint_is_refused(database: Path) -> None:
    epochs = _epochs(database)
    (pack,) = (database / "checkpoints" / "parts").glob(f"{epochs[0]:020}-*")
    pack.write_bytes(b"?")
    with pytest.raises(CorruptState, match=f"the checkpoint of epoch {epochs[0]} is damaged"):
        _call("restore", "--dir", database, "--epoch", epochs[0])
    assert _epochs(database) == epochs


def test_a_log_that_is_damaged_can_be_gone_back_behind(database: Path) -> None:
    (log,) = (database / "log").glob("*.wal")
    content = bytearray(log.read_bytes())
    content[len(content) // 3] ^= 1
    log.write_bytes(content)
    with pytest.raises(CorruptState):
        _state(database)
    newest = _epochs(database)[0]
    _lines("restore", "--dir", database, "--epoch", newest)
    assert _state(database) == [(4, 10)]


def test_a_clone_is_a_database_of_its_own(database: Path, tmp_path: Path) -> None:
    with Engine(database):
        said = _lines("clone", "--dir", database, "--savepoint", "one", "--to", tmp_path / "copy")
    assert said == [f"{tmp_path / 'copy'} has the state of epoch {_epochs(database)[-1]}"]
    assert _state(tmp_path / "copy") == [(1, 1)]
    assert _state(tmp_path / "copy", "INSERT INTO t VALUES (9)", "CHECKPOINT") == [(2, 10)]
    assert _state(tmp_path / "copy") == [(2, 10)]
    assert _state(database) == [(5, 15)]
    identities = [(root / "identity").read_bytes() for root in (database, tmp_path / "copy")]
    assert identities[0] != identities[1]


def test_a_clone_without_its_checkpoint_is_no_database(database: Path, tmp_path: Path) -> None:
    _lines("clone", "--dir", database, "--savepoint", "one", "--to", tmp_path / "copy")
    next((tmp_path / "copy" / "checkpoints" / "manifests").iterdir()).unlink()
    with pytest.raises(HistoryExpired):
        _state(tmp_path / "copy")


def test_a_clone_with_its_checkpoints_elsewhere(database: Path, tmp_path: Path) -> None:
    url = f"file://{tmp_path}/elsewhere"
    copy = tmp_path / "copy"
    _lines("clone", "--dir", database, "--savepoint", "one", "--to", copy, "--checkpoint-store", url)
    assert _state(copy, "INSERT INTO t VALUES (9)", "CHECKPOINT") == [(2, 10)]
    assert not list((copy / "checkpoints").iterdir())
    with pytest.raises(InvalidParameter, match="holds a database already"):
        _call("clone", "--dir", database, "--savepoint", "one", "--to", tmp_path / "b", "--checkpoint-store", url)


def test_what_is_not_there(database: Path, tmp_path: Path) -> None:
    with pytest.raises(UndefinedObject, match='savepoint "two" does not exist') as missing:
        _call("clone", "--dir", database, "--savepoint", "two", "--to", tmp_path / "copy")
    assert missing.value.hint == "there are savepoints one"
    with pytest.raises(InvalidParameter, match="there is no checkpoint of epoch 1000"):
        _call("restore", "--dir", database, "--epoch", 1000)
    with pytest.raises(InvalidParameter, match="is not a constellation data directory"):
        _call("list", "--dir", tmp_path)
    with pytest.raises(InvalidParameter, match="is not empty"):
        _call("clone", "--dir", database, "--savepoint", "one", "--to", database)
    assert _call("restore", "--dir", database).exit_code == 2
    assert _call("restore", "--dir", database, "--epoch", 1, "--savepoint", "one").exit_code == 2


def test_a_checkpoint_store_needs_a_directory_for_the_log() -> None:
    done = CliRunner().invoke(cli, ["serve", "--checkpoint-store", "s3://bucket/prefix"])
    assert done.exit_code == 2
    assert "--checkpoint-store needs --dir, for the log" in done.output
