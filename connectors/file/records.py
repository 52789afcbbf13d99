"""Where the records of a block end: at newlines, except inside a quoted CSV field.

Without quotes that is one vectorised scan. With quotes the parity of their
number tells inside from outside, as long as every opening quote stands at the
beginning of a field; where one does not (``5" pipe``) a slower exact scan decides.
"""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Ends = npt.NDArray[np.int64]

_NEWLINE, _QUOTE = 10, 34


def line_ends(block: bytes) -> Ends:
    """The offset just behind every newline."""
    ends: Ends = np.flatnonzero(np.frombuffer(block, dtype=np.uint8) == _NEWLINE) + 1
    return ends


def csv_record_ends(block: bytes, delimiter: str) -> Ends:
    """The offset just behind the newline of every complete record; the block begins with a record."""
    ends = line_ends(block)
    if b'"' not in block:
        return ends
    data = np.frombuffer(block, dtype=np.uint8)
    quotes = np.flatnonzero(data == _QUOTE)
    if not _opens_fields(data, quotes, ord(delimiter)):
        return _scan(block, delimiter)
    outside: Ends = ends[np.searchsorted(quotes, ends) % 2 == 0]
    return outside


def _opens_fields(data: npt.NDArray[np.uint8], quotes: Ends, delimiter: int) -> bool:
    """True when every opening quote follows a delimiter, a newline or a quote (the doubled one within a field)."""
    opening = quotes[::2]
    before = data[opening[opening > 0] - 1]
    return bool(np.isin(before, np.array([delimiter, _NEWLINE, _QUOTE], dtype=np.uint8)).all())


def _scan(block: bytes, delimiter: str) -> Ends:
    ends: list[int] = []
    start = 0
    match = _record(delimiter).match
    while found := match(block, start):
        start = found.end()
        ends.append(start)
    return np.array(ends, dtype=np.int64)


@lru_cache(maxsize=8)
def _record(delimiter: str) -> re.Pattern[bytes]:
    """One record: fields that are quoted (then perhaps more text), or text that does not begin with a quote."""
    cut = re.escape(delimiter.encode())
    plain = rb"[^\n" + cut + rb"]*+"
    field = rb'(?:"(?:[^"]|"")*+"' + plain + rb'|(?!")' + plain + rb")"
    return re.compile(field + rb"(?:" + cut + field + rb")*+\n")
