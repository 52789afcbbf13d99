"""Fields of some rows as a batch of the table's columns; the first field that is none, with its row and column."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import pyarrow as pa

from constellationdb.catalog.text.binary import SurplusBytesError
from constellationdb.catalog.text.zones import UTC_ZONE, Zone
from constellationdb.engine.copying.binaries import binary_column
from constellationdb.engine.copying.fields import Fields
from constellationdb.engine.copying.scanner import shortened
from constellationdb.engine.copying.texts import text_column
from constellationdb.engine.literals import to_array
from constellationdb.errors import (
    CharacterNotInRepertoire,
    ConstellationError,
    InternalError,
    InvalidBinaryRepresentation,
)


class BatchReader:
    """``chosen``: the table's columns that the fields are, in their order; ``fit``: what is stored of a batch."""

    def __init__(
        self,
        table: str,
        schema: pa.Schema,
        chosen: Sequence[int],
        defaults: Mapping[str, object],
        fit: Callable[[pa.RecordBatch], pa.RecordBatch],
        *,
        binary: bool,
        zone: Zone = UTC_ZONE,
    ) -> None:
        self._table = table
        self._schema = schema
        self._places = {index: place for place, index in enumerate(chosen)}
        self._defaults = {
            index: to_array([defaults.get(field.name)], field)
            for index, field in enumerate(schema)
            if index not in self._places
        }
        self._fit = fit
        self._binary = binary
        self._column = binary_column if binary else partial(text_column, zone=zone)

    def read(self, fields: Fields) -> pa.RecordBatch:
        try:
            return self._batch(fields)
        except (ConstellationError, SurplusBytesError):
            raise self._first_problem(fields) from None

    def _batch(self, fields: Fields) -> pa.RecordBatch:
        arrays = [
            self._defaults[index].take(np.zeros(fields.rows, np.int64))
            if index in self._defaults
            else self._column(fields, self._places[index], field)
            for index, field in enumerate(self._schema)
        ]
        return self._fit(pa.RecordBatch.from_arrays(arrays, schema=self._schema))

    def _first_problem(self, fields: Fields) -> ConstellationError:
        for row in range(fields.rows):
            for index, place in self._places.items():
                error = self._problem(fields, row, place, index)
                if error is not None:
                    error.context = self._context(error, fields, row, place, index)
                    return error
        return InternalError("a row of COPY is wrong only together with others")

    def _problem(self, fields: Fields, row: int, place: int, index: int) -> ConstellationError | None:
        field = self._schema.field(index)
        one = slice(row, row + 1)
        single = Fields(fields.data, fields.starts[:, one], fields.lengths[:, one], fields.lines[one])
        try:
            value = self._column(single, place, field)
            nulls = [value if i == index else pa.nulls(1, f.type) for i, f in enumerate(self._schema)]
            self._fit(pa.RecordBatch.from_arrays(nulls, schema=self._schema))
        except SurplusBytesError:
            return InvalidBinaryRepresentation("incorrect binary data format")
        except ConstellationError as error:
            return error
        return None

    def _context(self, error: ConstellationError, fields: Fields, row: int, place: int, index: int) -> str:
        line = f"COPY {self._table}, line {fields.lines[row]}"
        if isinstance(error, CharacterNotInRepertoire) and not self._binary:
            return line  # Postgres looks at the letters of a line before its columns
        where = f"{line}, column {self._schema.field(index).name}"
        value = fields.value(row, place)
        if self._binary:
            return where
        return f"{where}: null input" if value is None else f'{where}: "{shortened(value.decode(errors="replace"))}"'
