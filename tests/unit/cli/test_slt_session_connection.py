"""The in-process connection prints what the wire prints."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal

import pyarrow as pa
import pytest

from constellationdb.catalog.types import BIGINT, BOOLEAN, DOUBLE, TEXT, numeric
from constellationdb.cli.slt.connection import SqlError
from constellationdb.cli.slt.session_connection import SessionConnection
from constellationdb.engine.portals import Portals
from constellationdb.engine.prepared_statements import PreparedStatements
from constellationdb.engine.result import Prepared, Result, ResultColumn
from constellationdb.errors import ConstellationError, DivisionByZero
from tests.unit.no_shortcuts import NoShortcuts


class TwoResults:
    """A session that answers every text with a command and a query of two batches."""

    pid = 0
    settings_changes = 0
    shortcuts = NoShortcuts()

    def __init__(self, error: DivisionByZero | None = None) -> None:
        self.statements = PreparedStatements()
        self.portals = Portals()
        self.on_terminate: Callable[[ConstellationError], None] | None = None
        self._error = error
        self.failed = False

    def execute(self, sql: str) -> Iterator[Result]:
        yield Result("SET")
        columns = (
            ResultColumn("n", BIGINT),
            ResultColumn("ok", BOOLEAN),
            ResultColumn("x", DOUBLE),
            ResultColumn("d", numeric(10, 2)),
            ResultColumn("t", TEXT),
        )
        yield Result(sql, columns, self._batches(), lambda rows: f"SELECT {rows}")

    def _batches(self) -> Iterator[pa.RecordBatch]:
        names = ["n", "ok", "x", "d", "t"]
        decimals = pa.decimal128(10, 2)
        yield pa.record_batch([[1], [True], [100.0], pa.array([Decimal("1.50")], decimals), ["a"]], names=names)
        if self._error is not None:
            raise self._error
        nothing = pa.array([None], decimals)
        yield pa.record_batch([[2], [False], [-0.5], nothing, pa.array([None], pa.string())], names=names)

    def prepare(self, sql: str, parameter_oids: tuple[int, ...] = ()) -> Prepared:
        return Prepared(sql, parameter_oids, None)

    def execute_prepared(self, prepared: Prepared, parameters: tuple[str | None, ...], *, more: bool = False) -> Result:
        raise AssertionError((prepared, parameters, more))

    @property
    def transaction_status(self) -> str:
        return "I"

    def sync(self) -> None: ...

    def fail(self) -> None:
        self.failed = True

    def setting(self, name: str) -> str:
        return {"timezone": "UTC", "extra_float_digits": "1", "bytea_output": "hex"}[name]

    def fetch_portal(self, name: str, limit: int) -> Result:
        raise AssertionError((name, limit))

    def cancel(self) -> None: ...

    def close(self) -> None: ...


def test_the_last_result_is_the_answer_in_postgres_text() -> None:
    answer = SessionConnection(TwoResults()).execute("anything")
    assert answer.columns == ("n", "ok", "x", "d", "t")
    assert answer.rows == (("1", "t", "100", "1.50", "a"), ("2", "f", "-0.5", None, None))
    assert (answer.tag, answer.count) == ("SELECT 2", 2)


def test_an_error_among_the_rows_is_a_sql_error_and_the_session_learns_of_it() -> None:
    session = TwoResults(DivisionByZero("division by zero", hint="use nullif"))
    with pytest.raises(SqlError) as raised:
        SessionConnection(session).execute("anything")
    assert (raised.value.sqlstate, raised.value.message, raised.value.hint) == (
        "22012",
        "division by zero",
        "use nullif",
    )
    assert session.failed
