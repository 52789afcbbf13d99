"""State as a release wrote it, kept so that every later one is shown to read it.

``python -m tests.unit.storage.state.golden DIRECTORY`` writes it anew, for a new format. Never over an old one.
"""

from __future__ import annotations

import sys
from pathlib import Path

from constellationdb.storage.state.chain import SnapshotChain
from constellationdb.storage.state.logged import MemoryStateStore
from constellationdb.storage.state.mapped import MappedStateStore
from constellationdb.storage.state.rocks import RocksStateStore
from tests.unit.storage.state.stores import put_all

DIRECTORY = Path(__file__).parent / "golden"
_NOT_KEPT = ("LOG", "owner.lock")


def content_of(epoch: int) -> dict[bytes, bytes]:
    """What the chain has as of an epoch from 1 to 3; the stores have the last."""
    items = {b"key/%d" % i: b"value %d of epoch %d" % (i, epoch) for i in range(epoch - 1, 8)}
    return items | {b"": b"", b"\x00\xff": bytes(range(256)), b"epoch": b"%d" % epoch}


def write(directory: Path) -> None:
    chained, chain = MemoryStateStore(), SnapshotChain(directory / "chain")
    mapped, rocks = MappedStateStore(directory / "mapped"), RocksStateStore(directory / "rocks")
    for epoch in (1, 2, 3):
        for store in (chained, mapped, rocks):
            put_all(store, {**dict.fromkeys((b"key/%d" % i for i in range(8)), None), **content_of(epoch)})
            store.flush()
        chain.save(chained, epoch)
    mapped.close()
    rocks.close()
    for file in directory.rglob("*"):
        if file.name in _NOT_KEPT:
            file.unlink()


if __name__ == "__main__":
    write(Path(sys.argv[1]))
