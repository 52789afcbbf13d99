"""What every epoch log promises, run on each, and what only the one on disk does."""

from __future__ import annotations

import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from constellationdb.errors import CorruptState, DirectoryInUse, FeatureNotSupported, HistoryExpired, InternalError
from constellationdb.storage import segment
from constellationdb.storage.epochlog import EpochLog, FileEpochLog, MemoryEpochLog


@pytest.fixture(params=["memory", "file"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EpochLog]:
    opened: EpochLog = MemoryEpochLog() if request.param == "memory" else FileEpochLog(tmp_path, segment_bytes=200)
    yield opened
    opened.close()


def test_begins_empty(log: EpochLog) -> None:
    assert (log.durable_epoch, log.first_epoch, list(log.read_from(0))) == (0, 1, [])


def test_only_what_is_synced_counts_and_is_read(log: EpochLog) -> None:
    log.append(1, b"one")
    log.append(2, b"two")
    assert (log.durable_epoch, list(log.read_from(1))) == (0, [])
    log.sync()
    log.append(3, b"three")
    assert (log.durable_epoch, list(log.read_from(1))) == (2, [(1, b"one"), (2, b"two")])


def test_reads_from_an_epoch_on_over_gaps(log: EpochLog) -> None:
    for epoch in (3, 10, 11):
        log.append(epoch, b"%d" % epoch)
    log.sync()
    assert [epoch for epoch, _ in log.read_from(4)] == [10, 11]
    assert list(log.read_from(12)) == []


def test_payloads_of_any_size(log: EpochLog) -> None:
    payloads = [b"", b"\0" * 8, bytes(range(256)) * 40, b"x"]
    for epoch, payload in enumerate(payloads, start=1):
        log.append(epoch, payload)
        log.sync()
    assert list(log.read_from(1)) == list(enumerate(payloads, start=1))


@pytest.mark.parametrize("epoch", [4, 5])
def test_refuses_an_epoch_that_does_not_increase(log: EpochLog, epoch: int) -> None:
    log.append(5, b"")
    with pytest.raises(InternalError, match=f"epoch {epoch} appended to the epoch log after epoch 5"):
        log.append(epoch, b"")


def test_epochs_begin_at_one(log: EpochLog) -> None:
    with pytest.raises(InternalError):
        log.append(0, b"")


def test_truncation_keeps_what_is_asked_for(log: EpochLog) -> None:
    for epoch in range(1, 41):
        log.append(epoch, b"x" * 50)
        log.sync()
    log.truncate_before(30)
    assert [epoch for epoch, _ in log.read_from(30)] == list(range(30, 41))
    assert 1 < log.first_epoch <= 30
    with pytest.raises(
        HistoryExpired, match=f"epoch 1 is no longer in the epoch log, which begins at {log.first_epoch}"
    ):
        log.read_from(1)


def test_truncation_beyond_the_end_loses_no_place(log: EpochLog) -> None:
    log.append(7, b"seven")
    log.sync()
    log.append(8, b"eight")
    log.truncate_before(100)
    log.sync()
    assert (log.durable_epoch, list(log.read_from(8))) == (8, [(8, b"eight")])


def test_a_reader_is_not_disturbed_by_what_follows(log: EpochLog) -> None:
    log.append(1, b"one")
    log.sync()
    reader = log.read_from(1)
    log.append(2, b"two")
    log.sync()
    assert list(reader) == [(1, b"one")]


def test_threads_append_and_sync_together(log: EpochLog) -> None:
    order, acknowledged = threading.Lock(), [0]

    def run() -> None:
        for _ in range(50):
            with order:
                acknowledged[0] += 1
                epoch = acknowledged[0]
                log.append(epoch, b"%d" % epoch)
            log.sync()
            assert log.durable_epoch >= epoch

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(log.read_from(1)) == [(epoch, b"%d" % epoch) for epoch in range(1, 201)]


# ---------------------------------------------------------------------- on disk


def _filled(directory: Path, epochs: int = 20) -> dict[int, bytes]:
    content = {epoch: b"%03d" % epoch * 20 for epoch in range(1, epochs + 1)}
    log = FileEpochLog(directory, segment_bytes=300)
    for epoch, payload in content.items():
        log.append(epoch, payload)
        log.sync()
    log.close()
    return content


def test_reopening_gives_the_same_and_goes_on(tmp_path: Path) -> None:
    content = _filled(tmp_path)
    log = FileEpochLog(tmp_path)
    assert (log.recovered.records, log.recovered.last_epoch, log.recovered.cut_bytes) == (20, 20, 0)
    assert log.recovered.segments == len(list(tmp_path.glob("*.wal"))) > 3
    with pytest.raises(InternalError):
        log.append(20, b"")
    log.append(21, b"more")
    log.close()  # a close syncs
    reopened = FileEpochLog(tmp_path)
    assert dict(reopened.read_from(1)) == content | {21: b"more"}
    reopened.close()


def test_truncation_survives_and_drops_whole_files(tmp_path: Path) -> None:
    content = _filled(tmp_path)
    before = set(tmp_path.glob("*.wal"))
    log = FileEpochLog(tmp_path)
    log.truncate_before(12)
    log.close()
    assert set(tmp_path.glob("*.wal")) < before
    reopened = FileEpochLog(tmp_path)
    assert dict(reopened.read_from(12)) == {epoch: payload for epoch, payload in content.items() if epoch >= 12}
    reopened.close()


def test_a_second_opening_is_refused_with_the_pid(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-c",
        "import sys; from constellationdb.storage.epochlog import *; FileEpochLog(sys.argv[1])",
    ]
    log = FileEpochLog(tmp_path)
    done = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 1
    with pytest.raises(DirectoryInUse) as refused:
        FileEpochLog(tmp_path)
    assert refused.value.message in done.stderr
    log.close()
    subprocess.run([*command, str(tmp_path)], check=True)


def test_closing_twice_and_using_a_closed_log(tmp_path: Path) -> None:
    log = FileEpochLog(tmp_path)
    log.close()
    log.close()
    with pytest.raises(InternalError, match="is closed"):
        log.append(1, b"")


def test_a_missing_file_is_not_silence(tmp_path: Path) -> None:
    _filled(tmp_path)
    gone = sorted(tmp_path.glob("*.wal"))[1]
    gone.unlink()
    with pytest.raises(CorruptState, match="is due"):
        FileEpochLog(tmp_path)


def test_a_file_that_vanishes_under_an_open_log_is_not_silence(tmp_path: Path) -> None:
    _filled(tmp_path)
    log = FileEpochLog(tmp_path)
    sorted(tmp_path.glob("*.wal"))[1].unlink()
    with pytest.raises(CorruptState, match="is missing"):
        list(log.read_from(1))
    log.close()


def _newer(data: bytes) -> bytes:
    fields = data[:8] + (segment.VERSION + 1).to_bytes(4, "little") + data[12:28]
    return fields + zlib.crc32(fields).to_bytes(4, "little") + data[32:]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (_newer, FeatureNotSupported, "has format 2, this release reads up to 1"),
        (lambda _: b"", CorruptState, "has no valid header at offset 0"),
        (lambda data: data[:20], CorruptState, "has no valid header at offset 0"),
    ],
)
def test_a_header_that_cannot_be_read(
    tmp_path: Path, change: Callable[[bytes], bytes], error: type[Exception], message: str
) -> None:
    _filled(tmp_path, epochs=1)
    [path] = tmp_path.glob("*.wal")
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(error, match=message):
        FileEpochLog(tmp_path)
    path.unlink()
    FileEpochLog(tmp_path).close()  # the failed opening has let go of the directory


def test_a_record_whose_epoch_goes_back_is_corruption(tmp_path: Path) -> None:
    header = segment.new_header(1)
    records = [segment.encode_record(header, epoch, b"", segment.HEADER_SIZE) for epoch in (2, 1)]
    (tmp_path / f"{1:020}.wal").write_bytes(segment.encode_header(header) + b"".join(records))
    with pytest.raises(CorruptState, match="has epoch 1 at offset 64 where 3 or more is due"):
        FileEpochLog(tmp_path)
