"""Directories that earlier releases wrote still open, and their checkpoint is taken over."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from rocksdict import Rdict

from constellationdb import connect
from constellationdb.errors import CorruptState
from constellationdb.storage.checkpoints.former import find_former
from constellationdb.storage.checkpoints.opening import objects_of
from constellationdb.storage.checkpoints.reader import CheckpointReader
from constellationdb.storage.checkpoints.verifying import verify
from constellationdb.storage.rocks import open_rocks

GOLDEN = Path(__file__).parent / "golden"
TOTALS = [("ann", 151, 3), ("cat", 7, 1)]


def _unpack(kind: str, directory: Path) -> Path:
    with tarfile.open(GOLDEN / f"format-{kind}.tar.gz") as archive:
        archive.extractall(directory, filter="data")
    return directory


def _totals(directory: Path, *statements: str) -> tuple[str | None, list[object]]:
    """What recovery said, and what the view has; then the statements are run."""
    database = connect(str(directory))
    try:
        found = sorted(database.sql("SELECT * FROM totals").fetchall())
        for statement in statements:
            database.execute(statement)
        return database.restored, [tuple(row) for row in found]
    finally:
        database.close()


@pytest.mark.parametrize("kind", ["1-closed", "1-killed"])
def test_a_directory_of_format_1_opens_and_is_taken_over_at_the_next_checkpoint(tmp_path: Path, kind: str) -> None:
    directory = _unpack(kind, tmp_path)
    restored, totals = _totals(directory)
    assert (restored or "").startswith("restored epoch 7 from checkpoint of epoch 5 and 2 replayed epochs")
    assert totals == TOTALS
    assert (directory / "checkpoints" / "CURRENT").exists()
    restored, totals = _totals(directory, "CHECKPOINT", "INSERT INTO orders VALUES (6, 'dan', 1)")
    assert "from checkpoint of epoch 5 and 2 replayed epochs" in (restored or "")
    assert [path.name for path in (directory / "checkpoints").iterdir() if path.is_file()] == ["database"]
    restored, totals = _totals(directory)
    assert "from checkpoint of epoch 7 and 1 replayed epochs" in (restored or "")
    assert totals == [*TOTALS, ("dan", 1, 1)]
    database = connect(str(directory))
    assert database.sql("SELECT sum(square) FROM many").fetchone() == (sum(i * i for i in range(1, 1001)),)
    database.close()


def test_a_directory_of_format_2_opens(tmp_path: Path) -> None:
    directory = _unpack("2", tmp_path)
    restored, totals = _totals(directory, "CREATE SAVEPOINT another")
    assert (restored or "").startswith("restored epoch 7 from checkpoint of epoch 5 and 2 replayed epochs")
    assert totals == TOTALS
    assert CheckpointReader(objects_of(directory)).names() == {"golden": 5, "another": 7}
    assert all(not finding.damages for finding in verify(objects_of(directory)))


def test_a_take_over_that_was_cut_short_is_finished(tmp_path: Path) -> None:
    directory = _unpack("1-closed", tmp_path / "a")
    again = _unpack("1-closed", tmp_path / "b")
    _totals(directory, "CHECKPOINT", "INSERT INTO orders VALUES (6, 'dan', 1)")
    for path in (again / "checkpoints").iterdir():  # the old files are still there
        path.rename(directory / "checkpoints" / path.name)
    restored, totals = _totals(directory)
    assert "from checkpoint of epoch 7 and 1 replayed epochs" in (restored or "")
    assert totals == [*TOTALS, ("dan", 1, 1)]
    assert [path.name for path in (directory / "checkpoints").iterdir() if path.is_file()] == ["database"]


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        (lambda db, body, _: db.put(body, b"other"), r"blob .* fails its checksum"),
        (lambda db, body, other: db.put(body, db.get(other)), r"blob .* fails its checksum"),
        (lambda db, body, _: db.delete(body), r"blob .* is missing"),
        (lambda db, body, _: db.delete(b"i" + body[9:]), r"the manifest counts \d+ blobs, the index has \d+"),
        (lambda db, body, _: db.put(b"i" + body[9:], b"short"), r"the index record of .* has 5 bytes"),
        (lambda db, *_: db.put(b"m", db.get(b"m")[:-1]), "the manifest fails its checksum"),
        (lambda db, *_: db.put(b"m", b""), "the manifest fails its checksum"),
    ],
)
def test_damage_to_it_is_an_error(tmp_path: Path, change: Callable[[Rdict, bytes, bytes], None], detail: str) -> None:
    directory = _unpack("1-closed", tmp_path)
    db = open_rocks(directory / "checkpoints")
    body, other = [key for key in db.keys() if key.startswith(b"b")][:2]  # noqa: SIM118 (it is no dict)
    change(db, body, other)
    db.close()
    with pytest.raises(CorruptState) as found:
        _totals(directory)
    assert re.search(detail, f"{found.value.message} {found.value.detail}")


def test_a_directory_without_a_checkpoint_has_none(tmp_path: Path) -> None:
    assert find_former(tmp_path) is None
    open_rocks(tmp_path).close()
    former = find_former(tmp_path)
    assert former is not None
    assert (former.latest(), former.keys()) == (None, [])
    former.remove()
    assert list(tmp_path.iterdir()) == []
