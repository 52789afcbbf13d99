"""The engine behind buenavista: its ``Connection``, ``Session`` and ``QueryResult`` over ours.

    with Engine() as engine:
        BuenaVistaServer(("127.0.0.1", 5433), EngineConnection(engine)).serve_forever()

For those who have a buenavista server already. Ours, in ``wire``, is the one to
use: docs/decisions/own-wire-frontend.md tells what buenavista's protocol cannot
carry (Describe runs the statement, one result a query, no COPY, no SQLSTATE, no
cancel), and none of that can be mended from behind its seam. What can be, is:
values are printed as Postgres prints them, and a column whose text buenavista
would print otherwise travels as text of unknown type rather than wrong.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa
from buenavista.core import BVType, Connection, QueryResult
from buenavista.core import Session as BvSession

from constellationdb.catalog import types
from constellationdb.catalog.text import PLAIN
from constellationdb.engine.result import Result, SessionProtocol
from constellationdb.engine.sessions import Client
from constellationdb.errors import ConstellationError, FeatureNotSupported
from constellationdb.wire.answer import Encoders
from constellationdb.wire.startup import DATABASES, REPORTED, SessionFactory

# Those whose two forms buenavista writes as Postgres does, from what stands here.
_KINDS = {
    types.BIGINT.oid: BVType.BIGINT,
    types.INTEGER.oid: BVType.INTEGER,
    types.DOUBLE.oid: BVType.FLOAT,
    types.TEXT.oid: BVType.TEXT,
    types.VARCHAR.oid: BVType.TEXT,
    types.NAME.oid: BVType.TEXT,
    types.DATE.oid: BVType.DATE,
    types.TIME.oid: BVType.TIME,
    types.TIMESTAMP.oid: BVType.TIMESTAMP,
    1700: BVType.DECIMAL,
}
_IN_BINARY = frozenset({BVType.FLOAT, BVType.TEXT})
Row = list[object]


class EngineConnection(Connection):  # type: ignore[misc]  # it has no types
    """What a ``BuenaVistaServer`` serves: one engine, everybody as ``user``."""

    def __init__(self, engine: SessionFactory, user: str = "constellation") -> None:
        super().__init__()
        self._engine = engine
        self._user = user

    def new_session(self) -> EngineSession:
        return EngineSession(self._engine.session(self._user, DATABASES[0], {}, Client()))

    def parameters(self) -> dict[str, str]:
        return REPORTED | {"session_authorization": self._user}


class EngineSession(BvSession):  # type: ignore[misc]
    """One statement at a time; of several in one text only the last one's result can be told."""

    def __init__(self, session: SessionProtocol) -> None:
        super().__init__()
        self._session = session

    def cursor(self) -> EngineSession:
        return self

    def close(self) -> None:
        self._session.close()

    def in_transaction(self) -> bool:
        return self._session.transaction_status != "I"

    def load_df_function(self, table: str) -> None:
        raise FeatureNotSupported(f'data frame "{table}" cannot be loaded here', hint="use constellationdb.connect()")

    def execute_sql(self, sql: str, params: Sequence[object] | None = None) -> EngineResult:
        try:
            return self._prepared(sql, params) if params else self._simple(sql)
        except ConstellationError:
            self._session.fail()
            raise

    def _prepared(self, sql: str, params: Sequence[object]) -> EngineResult:
        prepared = self._session.prepare(sql)
        return EngineResult(self._session.execute_prepared(prepared, tuple(map(_text_of, params))), self._session.sync)

    def _simple(self, sql: str) -> EngineResult:
        results = self._session.execute(sql)
        last = next(results)
        for following in results:
            for _ in last.batches:
                pass
            last = following
        return EngineResult(last, lambda: None)


class EngineResult(QueryResult):  # type: ignore[misc]
    """A result that is read as it comes; ``done`` is called at its end."""

    def __init__(self, result: Result, done: Callable[[], None]) -> None:
        if result.copy_in is not None or result.copy_out is not None:
            raise FeatureNotSupported("COPY is not part of buenavista's protocol")
        self._result = result
        self._columns = result.columns or ()
        self._kinds = [_KINDS.get(column.type.oid, BVType.UNKNOWN) for column in self._columns]
        self._done = done
        self._rows = self._read()
        self._formats: list[int] | None = None
        if not self.has_results():
            self._finish()

    @property
    def result_format(self) -> list[int] | None:
        """One code a column, or None; set by the server before it reads rows."""
        return self._formats

    @result_format.setter
    def result_format(self, formats: list[int] | None) -> None:
        for code, kind, column in zip(formats or (), self._kinds, self._columns, strict=False):
            if code and kind not in _IN_BINARY:
                raise FeatureNotSupported(
                    f'column "{column.name}" of type {column.type.name} has no binary format in buenavista',
                    hint="ask for text results",
                )
        self._formats = formats or None

    def has_results(self) -> bool:
        return self._result.columns is not None

    def column_count(self) -> int:
        return len(self._columns)

    def column(self, index: int) -> tuple[str, BVType]:
        return self._columns[index].name, self._kinds[index]

    def rows(self) -> Iterator[Row]:
        """Where it was left, when it is asked again: a portal with a limit goes on."""
        return self._rows

    def status(self) -> str:
        return self._result.tag(0)

    def _read(self) -> Iterator[Row]:
        encoders = Encoders(self._columns, (0,) * len(self._columns), PLAIN)
        for batch in self._result.batches:
            columns = [
                self._values(index, column, encoder.vector(column).listed())
                for index, (column, encoder) in enumerate(zip(batch.columns, encoders.of(batch), strict=True))
            ]
            yield from map(list, zip(*columns, strict=True))
        self._finish()

    def _values(self, index: int, column: pa.Array, texts: Sequence[bytes | None]) -> Sequence[object]:
        if self._formats is not None and self._formats[index] and self._kinds[index] is BVType.FLOAT:
            values: list[object] = column.to_pylist()
            return values
        return [None if text is None else _Printed(text.decode()) for text in texts]

    def _finish(self) -> None:
        self._done()


class _Printed(str):
    """Text in Postgres' form, where buenavista would print a date or a time itself."""

    def isoformat(self) -> str:
        return str(self)


def _text_of(value: object) -> str:
    """A parameter as buenavista has read it, as text again."""
    match value:
        case bool():
            return "t" if value else "f"
        case datetime.datetime():
            return value.isoformat(" ")
        case list():
            return (
                "{" + ",".join('"' + _text_of(v).replace("\\", "\\\\").replace('"', '\\"') + '"' for v in value) + "}"
            )
        case _:
            return str(value)
