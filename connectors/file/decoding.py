"""A block of records of which some are bad: halve it until the bad ones stand alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from constellationdb.connectors.api import RowError
from constellationdb.connectors.file.records import Ends


class Decoder(Protocol):
    """Decoding a record must not depend on the records around it."""

    schema: pa.Schema

    def ends(self, block: bytes) -> Ends:
        """Where each complete record of a block ends; the block begins with a record."""
        ...

    def decode(self, records: bytes, count: int) -> pa.RecordBatch:
        """All rows of ``count`` whole records; ValueError (pa.ArrowInvalid is one) when any of them is bad."""
        ...

    def explain(self, record: bytes) -> RowError: ...


@dataclass(frozen=True)
class Decoded:
    batches: tuple[pa.RecordBatch, ...]
    errors: tuple[RowError, ...]


def decode_records(decoder: Decoder, block: bytes, ends: Ends) -> Decoded:
    """The rows of the records that end at ``ends``, in order, and an error for each bad one."""
    batches: list[pa.RecordBatch] = []
    errors: list[RowError] = []

    def decode(first: int, last: int) -> None:
        records = block[int(ends[first - 1]) if first else 0 : int(ends[last - 1])]
        try:
            batches.append(decoder.decode(records, last - first))
        except ValueError:
            if last - first == 1:
                errors.append(decoder.explain(records))
                return
            middle = (first + last) // 2
            decode(first, middle)
            decode(middle, last)

    if len(ends):
        decode(0, len(ends))
    return Decoded(tuple(batch for batch in batches if batch.num_rows), tuple(errors))
