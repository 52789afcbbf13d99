"""Rows in every format."""

import csv
import json
from decimal import Decimal
from io import StringIO

import pyarrow as pa
import pytest

from constellationdb.catalog.types import JSON, field_of
from constellationdb.cli.shell import formats
from constellationdb.cli.shell.output import Output
from constellationdb.cli.shell.printing import Display, Printer

_TABLE = pa.table(
    [
        pa.array([1, None], pa.int32()),
        pa.array(['say "a,b"\n', None]),
        pa.array([Decimal("1.50"), Decimal("-2.00")], pa.decimal128(6, 2)),
        pa.array([0.1, float("nan")]),
        pa.array([True, False]),
        pa.array(['{"k": [1]}', "null"]),
    ],
    schema=pa.schema(
        [
            ("id", pa.int32()), ("text", pa.string()), ("price", pa.decimal128(6, 2)), ("d", pa.float64()),
            ("ok", pa.bool_()), field_of("j", JSON),
        ]
    ),
)  # fmt: skip


def _printed(display: Display, *events: object) -> str:
    out = StringIO()
    printer = Printer(Output(out), display)
    for event in events:
        printer.take(event)
    return out.getvalue()


def _whole(**display: str) -> str:
    return _printed(Display(**display), _TABLE.schema, *_TABLE.to_batches(), "SELECT 2")  # type: ignore[arg-type]


def test_json_is_an_object_a_row_that_a_reader_takes_back() -> None:
    first, second = map(json.loads, _whole(format="json").splitlines())
    assert first == {"id": 1, "text": 'say "a,b"\n', "price": 1.5, "d": 0.1, "ok": True, "j": {"k": [1]}}
    assert second == {"id": None, "text": None, "price": -2, "d": "NaN", "ok": False, "j": None}


def test_csv_quotes_what_a_reader_needs() -> None:
    rows = list(csv.reader(StringIO(_whole(format="csv"))))
    assert rows[0] == ["id", "text", "price", "d", "ok", "j"]
    assert rows[1] == ["1", 'say "a,b"\n', "1.50", "0.1", "t", '{"k": [1]}']
    assert rows[2][:2] == ["", ""]


def test_unaligned_and_expanded() -> None:
    lines = _whole(format="unaligned", null="-").splitlines()
    assert (lines[0], lines[-2], lines[-1]) == ("id|text|price|d|ok|j", "-|-|-2.00|NaN|f|null", "(2 rows)")
    lines = _whole(expanded="on", null="-").splitlines()
    assert lines[:4] == ["-[ RECORD 1 ]", "id    | 1", 'text  | say "a,b"', "      | "]
    assert "-[ RECORD 2 ]" in lines


def test_a_statement_without_rows_prints_its_tag_unless_data_is_wanted() -> None:
    assert _printed(Display(), "INSERT 0 3") == "INSERT 0 3\n"
    assert _printed(Display("csv"), "INSERT 0 3") == _printed(Display("json"), "INSERT 0 3") == ""


def test_rows_that_come_slowly_are_printed_below_each_other_with_one_header() -> None:
    out = StringIO()
    printer = Printer(Output(out), Display())
    schema = pa.schema([("n", pa.int64()), ("s", pa.string())])
    printer.take(schema)
    printer.take(pa.record_batch([pa.array([1]), pa.array(["a"])], schema=schema))
    assert out.getvalue() == ""
    printer.pause()
    assert out.getvalue().splitlines() == [" n | s", "---+---", " 1 | a"]
    printer.take(pa.record_batch([pa.array([22]), pa.array(["bb"])], schema=schema))
    printer.take("SELECT 2")
    assert out.getvalue().splitlines()[3:] == [" 22 | bb", "(2 rows)", ""]


def test_rows_only() -> None:
    assert _printed(Display(tuples_only=True), _TABLE.schema.empty_table().schema, "SELECT 0").strip() == ""
    lines = _printed(Display(tuples_only=True), _TABLE.schema, *_TABLE.to_batches(), "SELECT 2").splitlines()
    assert next(line for line in lines if line).startswith("  1 | say")


def test_the_width_of_a_table_is_that_of_its_longest_line() -> None:
    assert formats.width_of(pa.table({"a": ["xxxx"], "bb": [1]}), "") == len(" xxxx | bb ")


@pytest.mark.parametrize("format_", formats.FORMATS)
def test_no_columns_at_all(format_: str) -> None:
    empty = pa.RecordBatch.from_struct_array(pa.array([{}], pa.struct([])))
    assert "None" not in _printed(Display(format_), empty.schema, empty, "SELECT 1")
