"""The epoch log without what comes after an epoch. What is taken out of it is set aside, never deleted.

    log/00000000000000000001.wal        epochs 1 … 40, cut from 1 … 57
    log/00000000000000000058.wal        gone
    set-aside/log-2026-…/               both files as they were

The newest file goes first, and a file is replaced as one: whenever this is cut short, what is left is a log that ends
somewhere after the epoch, and doing it again ends it there.
"""

from __future__ import annotations

from pathlib import Path

from constellationdb.errors import CorruptState
from constellationdb.storage import segment
from constellationdb.storage.disk import DISK, Disk


def highest_epoch(log: Path) -> int:
    """The last epoch of which anything is known, also in a log that is damaged."""
    highest = 0
    for path in _segments(log):
        data = path.read_bytes()
        try:
            header = segment.decode_header(data, str(path))
            epochs = (record.epoch for record in segment.records(data, header, str(path)))
            highest = max(highest, header.base - 1, *epochs)
        except CorruptState:
            highest = max(highest, int(path.stem) - 1)
    return highest


def rewind(log: Path, epoch: int, aside: Path, disk: Disk = DISK) -> None:
    """Sets aside what ``log`` has after ``epoch``, and all of it where it does not lead to ``epoch`` without a gap."""
    whole = _leads_to(log, epoch)
    for path in reversed(_segments(log)):
        data = path.read_bytes()
        end = _end(data, epoch, path) if whole else None
        if end == len(data):
            continue
        if not aside.exists():
            aside.mkdir(parents=True)
            disk.sync_directory(aside.parent)
        if end is None:
            if (aside / path.name).exists():  # the file here was begun after that one was moved, and has nothing
                disk.remove(path)
            else:
                disk.rename(path, aside / path.name)
                disk.sync_directory(aside)
            disk.sync_directory(log)
        else:
            disk.create(aside / path.name, data)
            disk.create(path, data[:end])


def _segments(log: Path) -> list[Path]:
    return sorted(log.glob("*.wal"))


def _leads_to(log: Path, epoch: int) -> bool:
    """Whether every epoch from the first file on up to this one is there, undamaged."""
    due = None
    for path in _segments(log):
        data = path.read_bytes()
        try:
            header = segment.decode_header(data, str(path))
            if header.base != (due or header.base) or (due is None and header.base > epoch + 1):
                return False
            end, last = segment.HEADER_SIZE, header.base - 1
            for record in segment.records(data, header, str(path)):
                end, last = record.end, record.epoch
        except CorruptState:
            return False
        if last >= epoch:
            return True
        if end < len(data) and path != _segments(log)[-1]:
            return False
        due = last + 1
    return due is not None


def _end(data: bytes, epoch: int, path: Path) -> int | None:
    """Where the records after ``epoch`` begin; None when there is nothing before."""
    if int(path.stem) > epoch:
        return None
    header = segment.decode_header(data, str(path))
    ends = [record.end for record in segment.records(data, header, str(path)) if record.epoch <= epoch]
    return ends[-1] if ends else segment.HEADER_SIZE
