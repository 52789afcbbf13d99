"""What earlier releases wrote is read; what this one writes is what they wrote."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from constellationdb.storage.state import header
from constellationdb.storage.state.chain import SnapshotChain
from constellationdb.storage.state.logged import MemoryStateStore
from constellationdb.storage.state.mapped import MappedStateStore
from constellationdb.storage.state.rocks import RocksStateStore
from tests.unit.storage.state.golden import DIRECTORY, content_of, write
from tests.unit.storage.state.stores import content

FORMATS = range(1, header.FORMAT + 1)


def test_every_format_is_kept() -> None:
    assert sorted(path.name for path in DIRECTORY.iterdir()) == [f"format-{n}" for n in FORMATS]


@pytest.mark.parametrize("number", FORMATS)
def test_every_format_is_read(number: int, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    shutil.copytree(DIRECTORY / f"format-{number}", kept)
    for opened, name in ((MappedStateStore, "mapped"), (RocksStateStore, "rocks")):
        store = opened(kept / name)
        assert content(store) == content_of(3)
        store.put(b"more", b"1")
        store.close()
    restored, chain = MemoryStateStore(), SnapshotChain(kept / "chain")
    for epoch in (1, 2, 3):
        chain.restore(restored, epoch)
        assert content(restored) == content_of(epoch)


def test_this_release_writes_the_same_bytes(tmp_path: Path) -> None:
    """But for its own version in the header, and so the header's checksum. How Arrow and RocksDB write is their own."""
    write(tmp_path)
    kept = DIRECTORY / f"format-{header.FORMAT}"
    ours, theirs = ((directory / "mapped" / "versions").read_bytes() for directory in (tmp_path, kept))
    assert (ours[:12], ours[32:60], ours[64:]) == (theirs[:12], theirs[32:60], theirs[64:])
    assert _names(tmp_path / "chain") == _names(kept / "chain")


def _names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())
