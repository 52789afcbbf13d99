"""COPY … FROM STDIN: rows collect while they come, and are inserted as one statement at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pyarrow as pa

from constellationdb.catalog.text.zones import UTC_ZONE, Zone
from constellationdb.engine.copy_options import CopyOptions
from constellationdb.engine.copying.columns import BatchReader, Complete
from constellationdb.engine.copying.fields import Fields
from constellationdb.engine.copying.lines import CsvScanner, TextScanner
from constellationdb.engine.copying.scanner import Scanner
from constellationdb.engine.copying.tuples import TupleScanner


def scanner_of(table: str, names: Sequence[str], options: CopyOptions) -> Scanner:
    if options.binary:
        return TupleScanner(table, names)
    return CsvScanner(table, names, options) if options.csv else TextScanner(table, names, options)


class CopyIn:
    """A ``CopySink``. ``insert`` takes the rows, in the table's schema, and does what INSERT does with them."""

    def __init__(
        self,
        table: str,
        schema: pa.Schema,
        chosen: Sequence[int],
        complete: Complete,
        options: CopyOptions,
        fit: Callable[[pa.RecordBatch], pa.RecordBatch],
        check: Callable[[pa.RecordBatch], None],
        insert: Callable[[pa.RecordBatch], None],
        zone: Zone = UTC_ZONE,
    ) -> None:
        names = [schema.field(index).name for index in chosen]
        self.columns, self.binary = len(chosen), options.binary
        self._scanner = scanner_of(table, names, options)
        self._reader = BatchReader(table, schema, chosen, complete, fit, check, binary=options.binary, zone=zone)
        self._forced = ForcedNulls(names, options)
        self._insert = insert
        self._parts: list[pa.RecordBatch] = []

    def write(self, data: bytes) -> None:
        self._take(self._scanner.feed(data))

    def _take(self, found: Iterable[Fields]) -> None:
        self._parts += [self._reader.read(self._forced.applied(fields)) for fields in found]

    def finish(self) -> str:
        self._take(self._scanner.finish())
        rows = sum(part.num_rows for part in self._parts)
        if rows:
            self._insert(pa.concat_batches(self._parts))
        return f"COPY {rows}"

    def fail(self) -> None:
        self._parts.clear()


class ForcedNulls:
    """FORCE_NOT_NULL: what was written is never NULL; FORCE_NULL: the null marker is NULL, also in quotes."""

    def __init__(self, names: Sequence[str], options: CopyOptions) -> None:
        self._marker = options.null.encode()
        self._never = _places(names, options.force_not_null)
        self._always = _places(names, options.force_null)

    def applied(self, fields: Fields) -> Fields:
        missing = {place: fields.lengths[place] < 0 for place in self._never}
        for place in self._always:
            candidates = np.flatnonzero(fields.lengths[place] == len(self._marker)).tolist()
            marked = [row for row in candidates if fields.value(row, place) == self._marker]
            fields.lengths[place][marked] = -1
        for place, rows in missing.items():
            fields.lengths[place][rows] = len(self._marker)  # its bytes are still where the field began
        return fields


def _places(names: Sequence[str], chosen: tuple[str, ...]) -> list[int]:
    return [place for place, name in enumerate(names) if name in chosen or chosen == ("*",)]
