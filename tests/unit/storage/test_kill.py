"""kill -9 at any moment: what a child acknowledged before it died is there afterwards."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from constellationdb.storage.checkpoints.store import CheckpointStore
from constellationdb.storage.epochlog import FileEpochLog
from constellationdb.storage.objects.local import LocalObjects

LOG_CHILD = """
import random, sys
from constellationdb.storage.epochlog import FileEpochLog
log = FileEpochLog(sys.argv[1], segment_bytes=20_000)
epoch = log.durable_epoch
while True:
    for _ in range(random.randrange(1, 4)):
        epoch += 1
        log.append(epoch, b"%d," % epoch * (epoch % 300))
    log.sync()
    print(log.durable_epoch, flush=True)
"""

CHECKPOINT_CHILD = """
import sys
from constellationdb.storage.checkpoints.store import CheckpointStore
from constellationdb.storage.objects.local import LocalObjects
store = CheckpointStore(LocalObjects(sys.argv[1]))
epoch = (store.latest() or (0, b""))[0]
while True:
    epoch += 1
    blobs = {f"{i}/{epoch}": (b"%d/%d," % (i, epoch)) * 40_000 for i in range(4)}
    store.commit(epoch, b"manifest %d" % epoch, blobs, deleted=[f"{i}/{epoch - 2}" for i in range(4)])
    print(epoch, flush=True)
"""

HALF_COMMIT_CHILD = """
import os, signal, sys
from constellationdb.storage.checkpoints.store import CheckpointStore
from constellationdb.storage.disk import Disk
from constellationdb.storage.objects.local import LocalObjects
class Dying(Disk):
    def create_only(self, path, *pieces):
        if path.parent.name == "manifests":
            os.kill(os.getpid(), signal.SIGKILL)
        return super().create_only(path, *pieces)
CheckpointStore(LocalObjects(sys.argv[1], Dying())).commit(2, b"second", {"a": b"2" * 9000, "c": bytes(1 << 20)}, ["b"])
"""


def _parts(directory: Path) -> list[int]:
    """The epochs of all parts, also of those that no checkpoint refers to."""
    return sorted(int(path.name[:20]) for path in (directory / "parts").iterdir())


def _run_and_kill(child: str, directory: Path, after_lines: int, pause: float) -> int:
    """The last epoch that the child printed before it was killed; 0 when it printed none."""
    process = subprocess.Popen([sys.executable, "-c", child, str(directory)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(after_lines)]
    time.sleep(pause)
    process.kill()
    rest, _ = process.communicate()
    assert process.returncode == -signal.SIGKILL
    lines += [line for line in rest.splitlines(keepends=True) if line.endswith("\n")]
    return int(lines[-1]) if lines else 0


def test_every_epoch_acknowledged_by_the_log_survives(tmp_path: Path) -> None:
    chance, acknowledged = random.Random(7), 0
    for _ in range(12):
        acknowledged = max(
            acknowledged, _run_and_kill(LOG_CHILD, tmp_path, chance.randrange(1, 40), chance.random() / 200)
        )
        log = FileEpochLog(tmp_path)
        found = dict(log.read_from(1))
        assert log.durable_epoch >= acknowledged > 0
        assert found == {epoch: b"%d," % epoch * (epoch % 300) for epoch in range(1, log.durable_epoch + 1)}
        log.close()
    assert len(list(tmp_path.glob("*.wal"))) > 1


def test_every_acknowledged_checkpoint_survives_whole(tmp_path: Path) -> None:
    chance = random.Random(11)
    for _ in range(10):
        acknowledged = _run_and_kill(CHECKPOINT_CHILD, tmp_path, chance.randrange(1, 4), chance.random() / 40)
        store = CheckpointStore(LocalObjects(tmp_path))
        latest = store.latest()
        assert latest is not None
        epoch = latest[0]
        assert epoch in {acknowledged, acknowledged + 1}
        assert latest[1] == b"manifest %d" % epoch
        expected = {f"{i}/{e}": (b"%d/%d," % (i, e)) * 40_000 for i in range(4) for e in (epoch - 1, epoch) if e > 0}
        assert dict(store.blobs()) == expected
        store.close()


def test_a_commit_cut_short_leaves_the_previous_checkpoint(tmp_path: Path) -> None:
    store = CheckpointStore(LocalObjects(tmp_path))
    store.commit(1, b"first", {"a": b"1" * 9000, "b": b"1"})
    store.close()
    done = subprocess.run([sys.executable, "-c", HALF_COMMIT_CHILD, str(tmp_path)])
    assert done.returncode == -signal.SIGKILL
    assert _parts(tmp_path) == [1, 2, 2]
    store = CheckpointStore(LocalObjects(tmp_path))
    assert (store.latest(), dict(store.blobs())) == ((1, b"first"), {"a": b"1" * 9000, "b": b"1"})
    store.close()
    store = CheckpointStore(LocalObjects(tmp_path))
    store.commit(2, b"again", {"a": b"2"})
    assert dict(store.blobs()) == {"a": b"2", "b": b"1"}
    store.close()
    assert _parts(tmp_path) == [1, 2]
