"""COPY … FROM STDIN: rows collect while they come, and are inserted as one statement at the end."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from constellationdb.catalog.text.reading import read_column
from constellationdb.catalog.types import of_field
from constellationdb.engine.copy_options import OptionValues, copy_options
from constellationdb.engine.copy_rows import copy_reader
from constellationdb.engine.literals import parse_texts, to_array
from constellationdb.errors import ConstellationError

_CHUNK = 8192


class CopyIn:
    """A ``CopySink``. ``insert`` takes the rows, in the table's schema, and does what INSERT does with them."""

    def __init__(
        self,
        schema: pa.Schema,
        columns: list[int],
        defaults: dict[str, object],
        options: OptionValues,
        insert: Callable[[pa.RecordBatch], None],
    ) -> None:
        self._schema = schema
        self._chosen = columns
        self._defaults = defaults
        self._insert = insert
        self.columns = len(columns)
        self._reader = copy_reader(copy_options(options, "in"), [schema.field(c).name for c in columns])
        self._texts: list[tuple[str | None, ...]] = []
        self._parts: list[pa.RecordBatch] = []
        self._rows = 0

    def write(self, data: bytes) -> None:
        self._take(self._reader.feed(data))

    def _take(self, rows: object) -> None:
        self._texts += rows  # type: ignore[arg-type]
        if len(self._texts) >= _CHUNK:
            self._flush()

    def _flush(self) -> None:
        texts, self._texts = self._texts, []
        if not texts:
            return
        by_column = list(zip(*texts, strict=True))
        arrays = []
        for index, field in enumerate(self._schema):
            if index in self._chosen:
                arrays.append(self._parsed(by_column[self._chosen.index(index)], field))
            else:
                arrays.append(to_array([self._defaults.get(field.name)] * len(texts), field))
        self._parts.append(pa.RecordBatch.from_arrays(arrays, schema=self._schema))
        self._rows += len(texts)

    def _parsed(self, texts: tuple[str | None, ...], field: pa.Field) -> pa.Array:
        try:
            return read_column(parse_texts(texts, field.type), of_field(field))
        except ConstellationError as error:
            line = self._rows + 1 + next((i for i, t in enumerate(texts) if _fails(t, field)), 0)
            error.detail = f'COPY, line {line}, column "{field.name}"'
            raise

    def finish(self) -> str:
        self._take(self._reader.finish())
        self._flush()
        if self._parts:
            self._insert(pa.concat_batches(self._parts))
        return f"COPY {self._rows}"

    def fail(self) -> None:
        self._texts.clear()
        self._parts.clear()


def _fails(text: str | None, field: pa.Field) -> bool:
    try:
        read_column(parse_texts([text], field.type), of_field(field))
    except ConstellationError:
        return True
    return False
