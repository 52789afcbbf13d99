"""The other process of a test, by name: ``python -m ….children echo park 5,6,6,7,7 8,9,9,10,10``."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa

from constellationdb.engine.channels.messages import Message
from constellationdb.engine.channels.receiver import Receiver
from constellationdb.engine.channels.ring import Ring
from constellationdb.engine.channels.sender import ChannelClosed
from constellationdb.engine.channels.waiting import Park, SpinYield, WaitStrategy, wait_any

_ROOT = Path(__file__).parents[4]
STRATEGIES: dict[str, WaitStrategy] = {"park": Park(), "spin yield": SpinYield(100)}


@contextmanager
def child(name: str, *arguments: str, rings: tuple[Ring, ...]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that does what the name says with the rings; killed in the end if it still runs."""
    numbers = [",".join(map(str, ring.fds)) for ring in rings]
    command = [sys.executable, "-m", __name__, name, *arguments, *numbers]
    fds = [fd for ring in rings for fd in ring.fds]
    process = subprocess.Popen(command, cwd=_ROOT, pass_fds=fds, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with process:
        try:
            yield process
        finally:
            process.kill()


def received(receiver: Receiver, timeout: float = 60, wait: WaitStrategy | None = None) -> Message:
    """The next message; a failure when none comes."""
    while (message := receiver.pull()) is None:
        assert wait_any([receiver], timeout, wait), "no message came"
    return message


def numbered(number: int, rows: int) -> Message:
    """A message whose content its number decides, so that any other bytes in it are found."""
    values = np.arange(rows) * 7 + number
    batch = pa.record_batch({"number": values, "text": pa.array(values % 97, pa.int64()).cast(pa.string())})
    return Message(number.to_bytes(8, "little"), (batch,))


def rows_of(number: int) -> int:
    """Of all sizes: some messages are larger than the ring."""
    return 150_000 if number % 40 == 39 else (number * 37) % 5000


def main() -> None:
    name, *arguments = sys.argv[1:]
    rings = [Ring.attach([int(fd) for fd in text.split(",")]) for text in arguments if "," in text]
    words = [text for text in arguments if "," not in text]
    {"send": send, "receive": receive, "echo": echo}[name](rings, words)


def send(rings: list[Ring], words: list[str]) -> None:
    """So many numbered messages, then the end; forever when none is said."""
    sender = rings[0].sender()
    number = 0
    while not words or number < int(words[0]):
        sender.push(numbered(number, rows_of(number)))
        number += 1
    sender.close()


def receive(rings: list[Ring], _words: list[str]) -> None:
    """Say how many rows came, and their sum."""
    receiver = rings[0].receiver()
    rows = total = 0
    try:
        while True:
            for batch in received(receiver).batches:
                rows += batch.num_rows
                total += int(np.sum(batch.column(0).to_numpy()))
    except ChannelClosed:
        print(rows, total)


def echo(rings: list[Ring], words: list[str]) -> None:
    """Send back what comes, until the other side closes."""
    wait = STRATEGIES[words[0]]
    receiver, sender = rings[0].receiver(), rings[1].sender(wait=wait)
    try:
        while True:
            sender.push(received(receiver, wait=wait))
    except ChannelClosed:
        sender.close()


if __name__ == "__main__":
    main()
