"""A connection without a wire: an engine session in this process, values printed by the wire's own encoders."""

from __future__ import annotations

import pyarrow as pa

from constellationdb.catalog.text import Style, text_encoder
from constellationdb.cli.slt.connection import Answer, SqlError
from constellationdb.engine.result import Result, ResultColumn, SessionProtocol
from constellationdb.errors import ConstellationError
from constellationdb.wire.answer import style_for


class SessionConnection:
    """Reads each result to its end, so an endless one needs a LIMIT here as it does over the wire."""

    def __init__(self, session: SessionProtocol) -> None:
        self._session = session

    def execute(self, sql: str) -> Answer:
        try:
            answer = Answer((), (), "")
            for result in self._session.execute(sql):
                answer = _answer(result, style_for(self._session))
        except ConstellationError as error:
            # The session may not know yet: rows are computed while they are read, after the statement.
            self._session.fail()
            raise SqlError(error.sqlstate, error.message, error.detail, error.hint) from error
        return answer

    def close(self) -> None:
        self._session.close()


def _answer(result: Result, style: Style) -> Answer:
    if result.copy_in is not None:
        result.copy_in.fail()
        raise SqlError("0A000", "COPY FROM STDIN is not possible in a script", hint="use INSERT")
    columns = result.columns or ()
    rows: list[tuple[str | None, ...]] = []
    for batch in result.batches:
        texts = [_texts(array, column, style) for array, column in zip(batch.columns, columns, strict=True)]
        rows += zip(*texts, strict=True) if texts else [()] * batch.num_rows
    return Answer(tuple(column.name for column in columns), tuple(rows), result.tag(len(rows)))


def _texts(array: pa.Array, column: ResultColumn, style: Style) -> list[str | None]:
    encoded = text_encoder(array.type, column.type, style)(array)
    return [None if value is None else value.decode() for value in encoded.to_pylist()]
