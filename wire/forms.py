"""What all Binds of one statement with the same format codes have in common, found out once."""

from __future__ import annotations

from constellationdb.catalog.text import Style
from constellationdb.engine.point_index import MOST_LOCATED
from constellationdb.engine.result import Found, Prepared
from constellationdb.wire import replies
from constellationdb.wire.extended import parameter_formats, result_formats
from constellationdb.wire.messages import Bind
from constellationdb.wire.parameters import parameter_text
from constellationdb.wire.row_writer import RowWriter

_SELECTED = [replies.command_complete(f"SELECT {rows}") for rows in range(MOST_LOCATED + 1)]


class Form:
    """Raises ConstellationError for a Bind that is wrong whatever its values are.

    ``described`` is what Describe answers of the portal.
    """

    def __init__(self, prepared: Prepared, like: Bind, style: Style) -> None:
        formats = result_formats(like.result_formats, prepared.columns or ())
        codes = parameter_formats(like, prepared)
        self.prepared = prepared
        self.described = replies.described(prepared.columns, formats)
        self._readings = [
            (code, oid, n) for n, (code, oid) in enumerate(zip(codes, prepared.parameters, strict=True), 1)
        ]
        self._writer = RowWriter(prepared.columns or (), formats, style)

    def parameters(self, message: Bind) -> tuple[str | None, ...]:
        given = zip(message.parameters, self._readings, strict=True)
        return tuple([None if value is None else parameter_text(value, *reading) for value, reading in given])

    def answer(self, found: Found) -> bytes:
        """What Execute answers."""
        rows = [self._writer.data_row(batch, row, found.columns) for batch, row in found.places]
        return b"".join([*rows, _SELECTED[len(rows)]])
