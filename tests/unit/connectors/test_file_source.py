"""Files as a source: every format, bad rows, positions, following."""

import json
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from constellationdb.clock import ManualClock
from constellationdb.connectors.api import Position, RowError, Source, SourceReader
from constellationdb.connectors.file import text_file
from constellationdb.connectors.registry import open_source
from constellationdb.errors import ConnectorFailure, FeatureNotSupported, InvalidParameter

TWO = pa.schema([("k", pa.int64()), ("v", pa.string())])
KINDS = pa.schema(
    [
        ("i", pa.int32()),
        ("d", pa.decimal128(12, 2)),
        ("f", pa.float64()),
        ("b", pa.bool_()),
        ("t", pa.string()),
        ("day", pa.date32()),
        ("at", pa.time64("us")),
        ("ts", pa.timestamp("us")),
        ("tz", pa.timestamp("us", "UTC")),
        ("raw", pa.binary()),
    ]
)
EXPECTED = {
    "i": 7, "d": Decimal("1.50"), "f": 0.25, "b": True, "t": "x,y", "day": date(2024, 2, 29),
    "at": time(1, 2, 3, 500_000),
    "ts": datetime(2024, 1, 1, 12), "raw": b"\x00\xff",
}  # fmt: skip


def opened(path: Path, columns: pa.Schema | None = TWO, clock: ManualClock | None = None, **options: Any) -> Source:
    return open_source("file", columns, {"path": str(path), **options}, clock or ManualClock())


def drain(reader: SourceReader, limit: int = 1_000) -> tuple[list[tuple[object, ...]], list[RowError], Position]:
    """Everything until the end or until nothing comes."""
    rows: list[tuple[object, ...]] = []
    errors: list[RowError] = []
    while True:
        polled = reader.poll(limit)
        if polled.batch is not None:
            assert polled.batch.num_rows <= limit
            rows += [tuple(row.values()) for row in polled.batch.to_pylist()]
        errors += polled.errors
        if polled.ended or (polled.batch is None and not polled.errors):
            return rows, errors, polled.position


def read(path: Path, columns: pa.Schema | None = TWO, **options: Any) -> list[tuple[object, ...]]:
    rows, errors, _ = drain(opened(path, columns, **options).open("files", {}))
    assert errors == []
    return rows


def test_columns_go_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("v,extra,k\nx,1,1\ny,2,2\n")
    (tmp_path / "b.csv").write_text("k\n3\n")
    assert read(tmp_path / "*.csv") == [(1, "x"), (2, "y"), (3, None)]


def test_every_type_from_csv(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    header = ",".join(KINDS.names) + "\n"
    path.write_text(
        header
        + '7,1.5,0.25,yes,"x,y",2024-02-29,01:02:03.5,2024-01-01T12:00:00Z,2024-01-01 12:00:00+02,\\x00ff\n'
        + '7,1.50,2.5e-1,t,"x,y",2024-02-29,01:02:03.500,2024-01-01 12:00:00,2024-01-01 10:00:00,\\x00ff\n'
        + ",,,,,,,,,\n"
    )
    first, second, third = opened(path, KINDS).open("files", {}).poll(10).batch.to_pylist()  # type: ignore[union-attr]
    for row in (first, second):
        assert row.pop("tz").replace(tzinfo=None) == datetime(2024, 1, 1, 10)
        assert row == EXPECTED
    assert set(third.values()) == {None}


def test_every_type_from_json(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    fast = {"i": 7, "d": "1.5", "f": 0.25, "b": True, "t": "x,y", "day": "2024-02-29", "at": "01:02:03.5"}
    times = {"ts": "2024-01-01T12:00:00Z", "tz": "2024-01-01 12:00:00+02", "raw": "\\x00ff", "other": [1, {"x": 2}]}
    slow = {**fast, "i": "7", "d": 1.5, "b": "yes", "f": "0.25"}
    nothing = {"i": None}
    path.write_text("\n".join(json.dumps(row) for row in ({**fast, **times}, {**slow, **times}, nothing, {})))
    batch = opened(path, KINDS).open("files", {}).poll(10).batch
    assert batch is not None
    *rows, third, fourth = batch.to_pylist()
    for row in rows:
        assert row.pop("tz").replace(tzinfo=None) == datetime(2024, 1, 1, 10)
        assert row == EXPECTED
    assert set(third.values()) == set(fourth.values()) == {None}


def test_json_values_that_are_not_text_become_text(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"k": 1, "v": 5}\n{"k": 2, "v": {"a": [1, null]}}\n\n{"v": "s", "k": 3}\n{"k": 4, "v": 1.10}\n')
    assert read(path) == [(1, "5"), (2, '{"a": [1, null]}'), (3, "s"), (4, "1.1")]


def test_empty_and_null_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('k,v\n1,\n2,""\n3,NA\n')
    assert read(path) == [(1, None), (2, ""), (3, "NA")]
    assert read(path, null="NA") == [(1, ""), (2, ""), (3, None)]


def test_shapes_of_csv(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("k\tv\r\n1\ta,b\r\n")
    assert read(tmp_path / "a.tsv") == [(1, "a,b")]
    (tmp_path / "b.txt").write_text("1|a\n2|b")
    assert read(tmp_path / "b.txt", format="csv", delimiter="|", header="false") == [(1, "a"), (2, "b")]
    (tmp_path / "c.csv").write_bytes(b'\xef\xbb\xbfk,v\n1,"two\nlines"\n\n2,5" pipe\n')
    assert read(tmp_path / "c.csv") == [(1, "two\nlines"), (2, '5" pipe')]
    (tmp_path / "d.csv").write_text("k,v")
    assert read(tmp_path / "d.csv") == []


def test_bad_csv_rows_stand_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    lines = [f"{i},v{i}" for i in range(500)]
    lines[3], lines[77], lines[250], lines[499] = "three,v", "77", "250,a,b", '499,"open'
    path.write_bytes(("k,v\n" + "\n".join(lines) + "\n").encode() + b"500,\xff\n501,fine\n")
    rows, errors, _ = drain(opened(path).open("files", {}))
    assert [row[0] for row in rows] == [i for i in range(499) if i not in (3, 77, 250)] + [501]
    assert errors == [
        RowError("three,v", "22P02", 'invalid input for column "k" of type bigint: "three"'),
        RowError("77", "22P04", "row has 1 fields, expected 2"),
        RowError("250,a,b", "22P04", "row has 3 fields, expected 2"),
        RowError('499,"open', "22P04", "unterminated quoted field"),
        RowError("500,�\n", "22021", "invalid byte sequence for encoding UTF8"),
    ]


def test_bad_json_rows_stand_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    good = '{"k": 1, "v": "x"}'
    bad = ['{"k": "one"}', "[1]", '{"k": 1', '{"k": 1}{"k": 2}', '{"k": 1, "k": 2}', '{"k": 1.5}']
    path.write_text("\n".join(line for each in bad for line in (good, each)) + "\n")
    rows, errors, _ = drain(opened(path).open("files", {}))
    assert rows == [(1, "x")] * 6
    assert [error.payload for error in errors] == bad
    assert errors[0].message == 'invalid input for column "k" of type bigint: "one"'
    assert errors[1].message == "invalid JSON: the line is not an object"
    assert errors[4].message == "invalid JSON: a name stands twice in an object"
    assert {error.sqlstate for error in errors} == {"22P02"}


def test_parquet_is_read_by_row_and_bad_values_stand_alone(tmp_path: Path) -> None:
    table = pa.table({"v": ["a", "b", "c", None], "k": ["1", "x", "3", "4"], "more": [1, 2, 3, 4]})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=3)
    source = opened(tmp_path / "a.parquet")
    rows, errors, position = drain(source.open("files", {}), limit=2)
    assert rows == [(1, "a"), (3, "c"), (4, None)]
    assert errors == [RowError('{"k": "x", "v": "b"}', "22P02", 'invalid input for column "k" of type bigint: "x"')]
    replayed = source.open("files", {}).replay({str(tmp_path / "a.parquet"): 2}, position)
    assert [batch.to_pylist() for batch in replayed] == [[{"k": 3, "v": "c"}], [{"k": 4, "v": None}]]


def test_schemas_are_inferred(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("n,x,day,t,nothing\n1,0.5,2024-01-01 00:00:00,a,\n2,1,2024-01-02 00:00:00,b,\n")
    inferred = opened(tmp_path / "a.csv", None).schema
    stamp = pa.timestamp("us")
    assert inferred.types == [pa.int64(), pa.float64(), stamp, pa.string(), pa.string()]
    assert len(read(tmp_path / "a.csv", None)) == 2
    (tmp_path / "a.jsonl").write_text('{"n": 1, "o": {"x": 1}, "l": [1]}\n{"n": 2, "s": "x"}\n')
    source = opened(tmp_path / "a.jsonl", None)
    assert dict(zip(source.schema.names, source.schema.types, strict=True)) == {
        "n": pa.int64(), "o": pa.string(), "l": pa.string(), "s": pa.string(),
    }  # fmt: skip
    assert read(tmp_path / "a.jsonl", None) == [(1, '{"x": 1}', "[1]", None), (2, None, None, "x")]
    pq.write_table(
        pa.table({"n": pa.array([1], pa.int16()), "d": pa.array(["x"]).dictionary_encode()}), tmp_path / "p.parquet"
    )
    assert opened(tmp_path / "p.parquet", None).schema.types == [pa.int16(), pa.string()]
    assert read(tmp_path / "p.parquet", None) == [(1, "x")]


def test_what_cannot_be_opened_says_why(tmp_path: Path) -> None:
    with pytest.raises(ConnectorFailure, match="no file matches"):
        opened(tmp_path / "*.csv")
    with pytest.raises(InvalidParameter, match="cannot tell the format"):
        opened(tmp_path / "a.csv.gz")
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    with pytest.raises(ConnectorFailure, match="names none of the columns"):
        read(tmp_path / "a.csv")
    with pytest.raises(FeatureNotSupported, match='"gap" is an interval'):
        opened(tmp_path / "a.csv", pa.schema([("gap", pa.month_day_nano_interval())]))
    (tmp_path / "a.parquet").write_text("no")
    with pytest.raises(ConnectorFailure, match="is not Parquet"):
        read(tmp_path / "a.parquet")
    (tmp_path / "e.csv").write_text("")
    with pytest.raises(ConnectorFailure, match="it is empty"):
        opened(tmp_path / "e.csv", None)


ROW = st.one_of(
    st.tuples(st.integers(-9, 99).map(str), st.text(alphabet='xy",\n', max_size=4)).map(
        lambda row: f'{row[0]},"{row[1].replace(chr(34), chr(34) * 2)}"'
    ),
    st.sampled_from(["", "bad,row", "1", '7,5" pipe', "1,2,3"]),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    files=st.lists(st.lists(ROW, max_size=12), min_size=1, max_size=3),
    limits=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    block=st.sampled_from([16, 40, 1 << 20]),
)
def test_any_polls_and_any_replay_give_the_same_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: list[list[str]], limits: list[int], block: int
) -> None:
    """Whatever the limits and block sizes, the rows and errors are the same, and each range can be replayed."""
    folder = tmp_path / "run"
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for number, lines in enumerate(files):
        (folder / f"{number}.csv").write_text("k,v\n" + "".join(line + "\n" for line in lines))
    source = opened(folder / "*.csv")
    expected, expected_errors, _ = drain(source.open("files", {}), limit=1_000_000)
    assert len(expected) + len(expected_errors) == sum(1 for lines in files for line in lines if line)

    with monkeypatch.context() as patched:
        patched.setattr(text_file, "BLOCK_BYTES", block)
        reader = source.open("files", {})
        rows: list[dict[str, object]] = []
        errors: list[RowError] = []
        position: Position = {}
        turn = 0
        while True:
            polled = reader.poll(limits[turn % len(limits)])
            turn += 1
            got = polled.batch.to_pylist() if polled.batch is not None else []
            assert len(got) + len(polled.errors) <= limits[(turn - 1) % len(limits)]
            again = source.open("files", position).replay(position, polled.position)
            assert [row for batch in again for row in batch.to_pylist()] == got
            rows += got
            errors += polled.errors
            position = polled.position
            if polled.ended:
                break
            if turn % 3 == 0:  # as after a restart
                reader.close()
                reader = source.open("files", position)
    assert [tuple(row.values()) for row in rows] == expected
    assert errors == expected_errors


def test_following_sees_appended_rows_and_new_files(tmp_path: Path) -> None:
    clock = ManualClock()
    source = opened(tmp_path / "*.csv", TWO, clock, follow="true", poll_interval="1s")
    reader = source.open("files", {})
    assert drain(reader)[0] == []
    first = tmp_path / "b.csv"
    first.write_text("k,v\n1,a\n2,")
    clock.advance(1)
    assert drain(reader)[0] == [(1, "a")]  # the unfinished line waits
    with first.open("a") as file:
        file.write("b\n")
    rows, _, position = drain(reader)
    assert rows == [(2, "b")]
    (tmp_path / "a.csv").write_text("k,v\n3,c\n")
    assert drain(reader)[0] == []  # not looked for yet
    clock.advance(1)
    rows, _, after = drain(reader)
    assert rows == [(3, "c")]
    # a restart goes on from there, and what was read can be read again
    with first.open("a") as file:
        file.write("4,d\n")
    resumed = source.open("files", after)
    assert drain(resumed)[0] == [(4, "d")]
    replayed = resumed.replay({}, position)
    assert [row for batch in replayed for row in batch.to_pylist()] == [{"k": 1, "v": "a"}, {"k": 2, "v": "b"}]
    first.unlink()
    with pytest.raises(ConnectorFailure, match="cannot open file"):
        list(source.open("files", after).replay(position, {**after, str(first): position[str(first)] + 1}))
    clock.advance(1)
    assert drain(reader)[1] == []


def test_a_file_that_shrank_is_no_file_to_go_on_with(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("k,v\n1,a\n2,b\n")
    source = opened(path, follow="true")
    reader = source.open("files", {})
    position = drain(reader)[2]
    path.write_text("k,v\n1,a\n")
    with pytest.raises(ConnectorFailure, match="is shorter than what was read of it"):
        reader.poll(10)
    with pytest.raises(ConnectorFailure, match="no longer holds the rows"):
        list(source.open("files", {}).replay({}, position))
    with pytest.raises(ConnectorFailure, match="is gone"):
        opened(path).open("files", {"elsewhere.csv": 3})


def test_a_record_that_is_too_long_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_file, "BLOCK_BYTES", 64)
    monkeypatch.setattr(text_file, "RECORD_BYTES", 256)
    path = tmp_path / "a.csv"
    path.write_text("k,v\n" + '1,"' + "x\n" * 300 + "2,b\n")
    rows, errors, _ = drain(opened(path).open("files", {}))
    assert rows == [(2, "b")]
    assert errors[0] == RowError('1,"x', "22P04", "unterminated quoted field")
    assert len(errors) == 300


def test_large_files_are_read_in_blocks(tmp_path: Path) -> None:
    rows = 300_000
    table = pa.table({"k": pa.array(range(rows)), "v": pa.array([f"value {i}" for i in range(rows)])})
    pa.csv.write_csv(table, tmp_path / "a.csv")
    reader = opened(tmp_path / "a.csv").open("files", {})
    batches = []
    ended = False
    while not ended:
        polled = reader.poll(65_536)
        assert polled.batch is not None
        batches.append(polled.batch)
        ended = polled.ended
    assert [batch.num_rows for batch in batches] == [65_536] * 4 + [300_000 - 4 * 65_536]
    assert pa.Table.from_batches(batches).combine_chunks().equals(table.combine_chunks())
