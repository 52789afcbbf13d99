"""DuckDB's batch answers over what a history has accumulated.

NULLs sort as in Postgres. Sums of doubles come from ``exact_sum`` (math.fsum
over the group's list), for DuckDB's own sum depends on row order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import duckdb
import pyarrow as pa

from tests.properties.oracle.forms import Form, Stage
from tests.properties.oracle.history import Relation
from tests.properties.oracle.tables import Row
from tests.properties.oracle.windows import EPOCH, MICRO, NO_MARK, Reference


def exact_sum(values: list[float | None] | None) -> str | None:
    """The correctly rounded sum; NaN when infinities of both signs meet. As text: DuckDB takes a NaN for NULL."""
    present = [v for v in values or [] if v is not None]
    if not present:
        return None
    if any(math.isnan(v) for v in present) or {math.inf, -math.inf} <= set(present):
        return "nan"
    return repr(math.fsum(present))


class Answers:
    """One DuckDB connection, reused: ``ask`` after ``hold``."""

    def __init__(self) -> None:
        self._connection: Any = duckdb.connect(config={"threads": 1})
        self._connection.execute("SET default_null_order = 'postgres'; SET TimeZone = 'UTC'")
        self._connection.create_function(
            "exact_text", exact_sum, ["DOUBLE[]"], "VARCHAR", null_handling="special", exception_handling="default"
        )
        self._connection.execute("CREATE MACRO exact_sum(x) AS CAST(exact_text(x) AS DOUBLE)")

    def close(self) -> None:
        self._connection.remove_function("exact_text")
        self._connection.close()

    def hold(self, relations: Mapping[str, Relation], references: Mapping[str, Reference]) -> None:
        """Make the accumulated rows, and those that each window call has used, readable."""
        for name, relation in relations.items():
            self._connection.register(name, pa.Table.from_batches([relation.table.batch(relation.rows)]))
        for name, reference in references.items():
            table = relations[reference.window.relation].table
            rows = table.batch([row for row, _, _ in reference.used])
            for edge, place in (("window_start", 1), ("window_end", 2)):
                times = pa.array([used[place] for used in reference.used], pa.timestamp("us"))
                rows = rows.append_column(edge, times)
            self._connection.register(f"used_{name}", pa.Table.from_batches([rows]))

    def ask(self, sql: str) -> list[Row]:
        found: list[Row] = self._connection.execute(sql).fetchall()
        return found

    def answer(self, form: Form, mark: int) -> list[Row]:
        """What the last stage holds at an epoch whose watermark is ``mark``."""
        *inner, last = [(stage.name, _expected(form, stage, mark)) for stage in form.stages]
        listed = ", ".join(f"{name} AS ({sql})" for name, sql in inner)
        return self.ask(f"WITH {listed} SELECT * FROM ({last[1]}) AS answer" if listed else last[1])


def _used(form: Form) -> dict[str, str]:
    return {name: f"used_{name}" for name in form.windows}


def _expected(form: Form, stage: Stage, mark: int) -> str:
    sql = stage.expected.format(**_used(form))
    if not stage.on_close:
        return sql
    passed = "false" if mark == NO_MARK else f"{stage.window_end} <= TIMESTAMP '{EPOCH + mark * MICRO}'"
    return f"SELECT * FROM ({sql}) AS closed WHERE {passed}"
