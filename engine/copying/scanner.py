"""What the scanners share: bytes are collected until there are enough, then all complete rows of them are cut."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np

from constellationdb.engine.copying.fields import U8, Fields

_ENOUGH = 1 << 20
_SPARE = 16  # bytes that a kernel may read beyond the end
_SHOWN = 100  # characters of a line or value in an error's context


class Scanner(ABC):
    """``feed`` and ``finish`` give rows as they are complete, and raise what the first bad row deserves after those."""

    def __init__(self, table: str, columns: int) -> None:
        self._table = table
        self._columns = columns
        self._pieces: list[bytes] = []
        self._size = 0
        self.enough = _ENOUGH  # bytes that are worth to be looked at
        self._ended = False

    def feed(self, data: bytes) -> Iterator[Fields]:
        if self._ended:
            self._after_end(data)
            return
        self._pieces.append(data)
        self._size += len(data)
        if self._size >= self.enough:
            yield from self._scan(final=False)

    def finish(self) -> Iterator[Fields]:
        if not self._ended:
            yield from self._scan(final=True)

    def _scan(self, *, final: bool) -> Iterator[Fields]:
        raw = b"".join(self._pieces)
        self._keep(b"")
        yield from self._cut(raw, final=final)
        # A row longer than what was enough so far: rather twice as much than to look at it again and again.
        self.enough = max(_ENOUGH, 2 * self._size)

    def _keep(self, rest: bytes) -> None:
        """``rest`` is no complete row yet."""
        self._pieces, self._size = ([rest] if rest else []), len(rest)

    @abstractmethod
    def _cut(self, raw: bytes, *, final: bool) -> Iterator[Fields]: ...

    def _after_end(self, data: bytes) -> None:  # noqa: B027
        """Bytes behind the end marker."""

    def context(self, line: int, text: str | None = None) -> str:
        return f"COPY {self._table}, line {line}" + ("" if text is None else f': "{shortened(text)}"')


def shortened(text: str) -> str:
    data = text.encode()
    return text if len(data) <= _SHOWN else data[:_SHOWN].decode(errors="ignore") + "..."


def writable(raw: bytes) -> U8:
    data = np.empty(len(raw) + _SPARE, np.uint8)
    data[: len(raw)] = np.frombuffer(raw, np.uint8)
    return data
