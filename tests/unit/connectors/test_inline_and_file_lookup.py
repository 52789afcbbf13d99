"""Lookup tables written in SQL, and those in text files."""

import os
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from constellationdb.connectors.key_index import index_keys
from constellationdb.connectors.registry import open_lookup
from constellationdb.engine.lookups import check_back_end
from constellationdb.errors import (
    ConnectorFailure,
    DatatypeMismatch,
    InvalidParameter,
    UndefinedColumn,
    UniqueViolation,
)

SCHEMA = pa.schema([("symbol", pa.string()), ("lot", pa.int32()), ("fee", pa.decimal128(12, 2))])


def symbols(*names: str) -> pa.RecordBatch:
    return pa.record_batch({"symbol": list(names)})


@pytest.mark.parametrize(
    "options",
    [
        {"rows": '[{"symbol": "A", "lot": 100, "fee": 0.1}, ["B", "7", null], {"symbol": "C"}]'},
        {"data": "fee, symbol, lot\n 0.10, A, 100\n, B, 7\n, C,\n"},
    ],
)
def test_inline_rows(options: dict[str, str]) -> None:
    lookup = open_lookup("inline", SCHEMA, ["symbol"], options)
    answer = lookup.fetch(symbols("A", "C", "X", "B"), ["fee", "lot"], [])
    assert answer.schema.names == ["symbol", "fee", "lot"]
    assert sorted(tuple(row.values()) for row in answer.to_pylist()) == [
        ("A", Decimal("0.10"), 100),
        ("B", None, 7),
        ("C", None, None),
    ]
    assert lookup.describe(["fee"], []) == "3 inline rows by (symbol) for (fee)"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "exactly one of"),
        ({"rows": "[]", "data": "symbol"}, "exactly one of"),
        ({"rows": "{"}, 'invalid value for option "rows"'),
        ({"rows": "{}"}, "not an array"),
        ({"rows": '[{"symbl": "A"}]'}, 'row 1 has "symbl", which is no column'),
        ({"rows": '[["A", 1]]'}, "row 1 is neither an object nor an array of 3 values"),
        ({"rows": '[["A", 1, 1], ["B", "many", 1]]'}, 'inline row 2: invalid value for column "lot": "many"'),
        ({"rows": '[["A", 1, 0.001]]'}, 'inline row 1: invalid value for column "fee": "0.001"'),
        ({"rows": '[{"lot": 1}]'}, "inline row 1 has NULL in its primary key"),
        ({"data": "symbol,lot\nA\n"}, "row 1 has 1 fields, the header 2"),
        ({"data": "symbol,x\n"}, 'the header names "x"'),
        ({"data": "symbol,lot\nA,2147483648\n"}, 'inline row 1: invalid value for column "lot"'),
    ],
)
def test_bad_inline_rows_refuse_the_statement(options: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidParameter, match=message):
        open_lookup("inline", SCHEMA, ["symbol"], options)


def test_an_inline_key_stands_once() -> None:
    with pytest.raises(UniqueViolation, match=r"inline row 2 repeats the primary key \(fee\)=\(1.50\)"):
        open_lookup("inline", SCHEMA, ["fee"], {"rows": '[["A", 1, 1.5], ["B", 1, "1.50"]]'})


def test_a_text_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "symbols.csv"
    path.write_text("symbol,lot\nA,1\n")
    lookup = open_lookup("file", SCHEMA, ["symbol"], {"path": str(path)})
    assert lookup.fetch(symbols("A", "B"), ["lot", "fee"], []).to_pylist() == [{"symbol": "A", "lot": 1, "fee": None}]
    path.write_text("symbol,lot\nA,2\nB,3\n")
    os.utime(path, ns=(1, 1))
    assert lookup.fetch(symbols("A", "B"), ["lot"], []).num_rows == 2
    path.write_text("symbol,lot\nA,two\n")
    os.utime(path, ns=(2, 2))
    with pytest.raises(ConnectorFailure, match='has a bad row: invalid input for column "lot"') as caught:
        lookup.fetch(symbols("A"), ["lot"], [])
    assert caught.value.detail == "the row is: A,two"
    path.unlink()
    with pytest.raises(ConnectorFailure, match="no file matches"):
        lookup.fetch(symbols("A"), ["lot"], [])


def test_json_lines_and_several_files(tmp_path: Path) -> None:
    (tmp_path / "1.jsonl").write_text('{"symbol": "A", "lot": 1}\n')
    (tmp_path / "2.jsonl").write_text('{"symbol": "B", "lot": 2}')
    lookup = open_lookup("file", SCHEMA, ["symbol"], {"path": str(tmp_path / "*.jsonl")})
    assert lookup.fetch(symbols("B", "A"), ["lot"], []).num_rows == 2


def test_a_parquet_file_must_have_the_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"symbol": ["A"], "lot": pa.array([1], pa.int32())}), path)
    with pytest.raises(UndefinedColumn, match='has no column "fee"'):
        check_back_end(open_lookup("file", SCHEMA, ["symbol"], {"path": str(path)}))
    pq.write_table(pa.table({"symbol": ["A"], "lot": ["1"]}), path)
    with pytest.raises(DatatypeMismatch, match=r'column "lot" .* is text, not integer'):
        check_back_end(open_lookup("file", pa.schema(list(SCHEMA)[:2]), ["symbol"], {"path": str(path)}))


def test_a_parquet_file_may_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    schema = pa.schema([("symbol", pa.string()), ("lot", pa.int64())])
    pq.write_table(pa.table({"symbol": ["A"], "lot": pa.array([1], pa.int32())}), path)
    lookup = open_lookup("file", schema, ["symbol"], {"path": str(path)})
    assert lookup.fetch(symbols("A"), ["lot"], []).to_pylist() == [{"symbol": "A", "lot": 1}]
    pq.write_table(pa.table({"symbol": ["A", "B"], "lot": [2, 3]}), path)
    os.utime(path, ns=(1, 1))
    assert lookup.fetch(symbols("A", "B"), ["lot"], []).num_rows == 2


def test_keys_of_another_width_and_out_of_range() -> None:
    rows = '[{"lot": 1}, {"lot": 2}]'
    lookup = open_lookup("inline", SCHEMA, ["lot"], {"rows": rows})
    keys = pa.record_batch({"lot": pa.array([2, 2**40, 1], pa.int64())})
    assert sorted(row["lot"] for row in lookup.fetch(keys, [], []).to_pylist()) == [1, 2]


def test_an_index_finds_every_row_of_a_key() -> None:
    numbers = pa.chunked_array([[5, None, 3], [5, 5, 9]])
    keys = pa.record_batch({"k": [9, 5, 4]})
    assert sorted(index_keys([numbers]).rows_of(keys).tolist()) == [0, 3, 4, 5]
    texts = pa.chunked_array([["5", None, "3"], ["5", "5", "9"]])
    both = pa.record_batch({"k": [9, 5, 4], "t": ["9", "5", "4"]})
    assert sorted(index_keys([numbers, texts]).rows_of(both).tolist()) == [0, 3, 4, 5]
    floats = pa.chunked_array([pa.array([0.0, -0.0, float("nan"), None], from_pandas=False)])
    wanted = pa.record_batch({"k": pa.array([-0.0, float("nan")], from_pandas=False)})
    assert sorted(index_keys([floats]).rows_of(wanted).tolist()) == [0, 1, 2]
