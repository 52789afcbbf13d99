"""RocksDB's directory: its format, and damage to its files."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from constellationdb.errors import CorruptState, FeatureNotSupported, StorageFailure
from constellationdb.storage.state import header
from constellationdb.storage.state.rocks import RocksStateStore
from tests.unit.storage.state.stores import content, put_all


def _filled(directory: Path) -> dict[bytes, bytes]:
    store = RocksStateStore(directory)
    put_all(store, {b"%d" % i: b"value" for i in range(2000)})
    store.close()
    return {b"%d" % i: b"value" for i in range(2000)}


def test_a_newer_format_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(header, "FORMAT", 3)
    _filled(tmp_path)
    monkeypatch.undo()
    with pytest.raises(FeatureNotSupported, match="has format 3, this release reads up to 1"):
        RocksStateStore(tmp_path)


def test_a_database_without_a_format_is_refused(tmp_path: Path) -> None:
    _filled(tmp_path)
    (tmp_path / "format").unlink()
    with pytest.raises(CorruptState, match="no file that tells its format"):
        RocksStateStore(tmp_path)
    (tmp_path / "format").write_bytes(b"")
    with pytest.raises(CorruptState, match="does not begin as what it should be"):
        RocksStateStore(tmp_path)


def test_a_flipped_bit_is_an_error_or_changes_nothing(tmp_path: Path) -> None:
    """RocksDB has bytes that it does not read back, such as its own log of what it did."""
    expected, choose, errors = _filled(tmp_path / "whole"), random.Random(3), 0
    files = [file for file in sorted((tmp_path / "whole").iterdir()) if file.stat().st_size]
    files = [file for file in files if file.name != "owner.lock"]
    for turn in range(60):
        shutil.copytree(tmp_path / "whole", tmp_path / "copy")
        file = tmp_path / "copy" / files[turn % len(files)].name
        damaged = bytearray(file.read_bytes())
        damaged[choose.randrange(len(damaged))] ^= 1 << choose.randrange(8)
        file.write_bytes(damaged)
        try:
            store = RocksStateStore(tmp_path / "copy")
        except (CorruptState, StorageFailure):
            errors += 1
        else:
            assert content(store) == expected
            store.close()
        shutil.rmtree(tmp_path / "copy")
    assert errors > 10
