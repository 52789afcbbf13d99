"""Rows as psql would print them."""

from datetime import datetime
from decimal import Decimal
from io import StringIO

import pyarrow as pa

from constellationdb.cli.display import tab_line, texts_of
from constellationdb.cli.shell.output import Output
from constellationdb.cli.shell.printing import Display, Printer
from constellationdb.embedded.link import Answer

_TABLE = pa.table(
    {
        "id": pa.array([1, 20, None], pa.int64()),
        "name": ["[bold]x[/]", None, "a longer name"],
        "price": pa.array([Decimal("1.50"), Decimal("10.00"), None], pa.decimal128(6, 2)),
        "ok": [True, False, None],
        "at": pa.array([datetime(2024, 1, 2, 3, 4, 5), None, None], pa.timestamp("us")),
    }
)


def _printed(answer: Answer) -> str:
    out = StringIO()
    printer = Printer(Output(out), Display())
    for event in (*([] if answer.schema is None else [answer.schema]), *answer.batches, answer.tag):
        printer.take(event)
    return out.getvalue()


def test_columns_are_aligned_numbers_to_the_right_and_values_in_postgres_spelling() -> None:
    shown = _printed(Answer(_TABLE.schema, tuple(_TABLE.to_batches()), "SELECT 3"))
    assert [line.rstrip() for line in shown.splitlines()] == [
        " id |     name      | price | ok |         at",
        "----+---------------+-------+----+---------------------",
        "  1 | [bold]x[/]    |  1.50 | t  | 2024-01-02 03:04:05",
        " 20 |               | 10.00 | f  |",
        "    | a longer name |       |    |",
        "(3 rows)",
        "",
    ]


def test_one_row_is_not_rows() -> None:
    assert "(1 row)\n" in _printed(Answer(_TABLE.schema, tuple(_TABLE.slice(0, 1).to_batches())))


def test_a_statement_without_rows_prints_its_tag() -> None:
    assert _printed(Answer(None, (), "INSERT 0 3")) == "INSERT 0 3\n"


def test_a_tail_line_marks_null() -> None:
    columns = [texts_of(column) for column in _TABLE.columns]
    assert [tab_line(row) for row in zip(*columns, strict=True)][1] == "20\t\\N\t10.00\tf\t\\N"
