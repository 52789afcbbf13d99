"""Fields of some rows as a batch of the table's columns; the first field that is none, with its row and column."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeAlias

import pyarrow as pa

from constellationdb.catalog.text.binary import SurplusBytesError
from constellationdb.catalog.text.zones import UTC_ZONE, Zone
from constellationdb.engine.copying.binaries import binary_column
from constellationdb.engine.copying.fields import Fields
from constellationdb.engine.copying.scanner import shortened
from constellationdb.engine.copying.texts import text_column
from constellationdb.errors import (
    CharacterNotInRepertoire,
    ConstellationError,
    InternalError,
    InvalidBinaryRepresentation,
)

# Whole rows of the columns that are given, by index, and the number of rows.
Complete: TypeAlias = Callable[[Mapping[int, pa.Array], int], pa.RecordBatch]


class BatchReader:
    """``chosen``: the table's columns that the fields are, in their order; ``fit``: what is stored of a batch.

    ``check`` raises what the table says of complete rows.
    """

    def __init__(
        self,
        table: str,
        schema: pa.Schema,
        chosen: Sequence[int],
        complete: Complete,
        fit: Callable[[pa.RecordBatch], pa.RecordBatch],
        check: Callable[[pa.RecordBatch], None],
        *,
        binary: bool,
        zone: Zone = UTC_ZONE,
    ) -> None:
        self._table = table
        self._schema = schema
        self._places = {index: place for place, index in enumerate(chosen)}
        self._complete = complete
        self._fit = fit
        self._check = check
        self._binary = binary
        self._column = binary_column if binary else partial(text_column, zone=zone)

    def read(self, fields: Fields) -> pa.RecordBatch:
        try:
            batch = self._batch(fields)
            self._check(batch)
            return batch
        except (ConstellationError, SurplusBytesError):
            raise self._first_problem(fields) from None

    def _batch(self, fields: Fields) -> pa.RecordBatch:
        given = {
            index: self._column(fields, self._places[index], field)
            for index, field in enumerate(self._schema)
            if index in self._places
        }
        return self._complete(given, fields.rows)

    def _first_problem(self, fields: Fields) -> ConstellationError:
        for row in range(fields.rows):
            one = fields.row(row)
            for index, place in self._places.items():
                error = self._problem(one, place, index)
                if error is not None:
                    error.context = self._context(error, one, place, index)
                    return error
            try:
                self._check(self._batch(one))
            except ConstellationError as error:
                line = one.line
                error.context = self._line(one) + ("" if line is None else f': "{shortened(line)}"')
                return error
        return InternalError("a row of COPY is wrong only together with others")

    def _problem(self, row: Fields, place: int, index: int) -> ConstellationError | None:
        field = self._schema.field(index)
        try:
            value = self._column(row, place, field)
            nulls = [value if i == index else pa.nulls(1, f.type) for i, f in enumerate(self._schema)]
            self._fit(pa.RecordBatch.from_arrays(nulls, schema=self._schema))
        except SurplusBytesError:
            return InvalidBinaryRepresentation("incorrect binary data format")
        except ConstellationError as error:
            return error
        return None

    def _line(self, row: Fields) -> str:
        return f"COPY {self._table}, line {row.lines[0]}"

    def _context(self, error: ConstellationError, row: Fields, place: int, index: int) -> str:
        line = self._line(row)
        if isinstance(error, CharacterNotInRepertoire) and not self._binary:
            return line  # Postgres looks at the letters of a line before its columns
        where = f"{line}, column {self._schema.field(index).name}"
        value = row.value(0, place)
        if self._binary:
            return where
        return f"{where}: null input" if value is None else f'{where}: "{shortened(value.decode(errors="replace"))}"'
