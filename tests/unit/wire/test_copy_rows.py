"""COPY's formats, both ways, against a real Postgres; bad rows name their line."""

from __future__ import annotations

import random
from collections.abc import Iterator

import psycopg
import pyarrow as pa
import pytest

from constellationdb.catalog.types import of_arrow
from constellationdb.engine.copy_rows import Row, copy_options, copy_reader
from constellationdb.errors import BadCopyFormat, FeatureNotSupported, InvalidParameter
from constellationdb.wire.columns import column_encoder
from constellationdb.wire.copy_out import copy_header, copy_lines, few_copy_lines

_COLUMNS = ("a", "b", "c")
_NASTY = [
    "", "x", "\\", "\\N", "\\.", "N", "NULL", "null", '"', '""', "a,b", "a\tb", "a|b", "line\nline", "cr\rcr",
    "cr\r\nlf", "\b\f\v", " lead", "trail ", "é漢", "'", "\\x41", "\\101", 'q"x"q', "\\n", "end\\", "e\\\n", None,
]  # fmt: skip
_STYLES = {
    "text": {},
    "text with a pipe": {"delimiter": "|"},
    "text with another null": {"null": "nil"},
    "csv": {"format": "csv"},
    "csv with a header": {"format": "csv", "header": "true"},
    "csv with tab and null": {"format": "csv", "delimiter": "\t", "null": "NULL"},
    "csv with other quotes": {"format": "csv", "quote": "'"},
    "csv with an escape": {"format": "csv", "escape": "\\"},
}


@pytest.fixture(scope="module")
def connection(postgres: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres, autocommit=True) as connected:
        connected.execute("CREATE TABLE copied (a text, b text, c text)")
        yield connected


def _rows(seed: int) -> list[Row]:
    rng = random.Random(seed)
    rows: list[Row] = [[value, "x", value] for value in _NASTY]
    return rows + [[rng.choice(_NASTY) for _ in _COLUMNS] for _ in range(400)]


def _sql(style: str) -> str:
    bare = ("format", "header")
    words = [
        f"{name} {value}" if name in bare else name + " '" + value.replace("'", "''") + "'"
        for name, value in _STYLES[style].items()
    ]
    return f"({', '.join(words)})" if words else ""


def read(data: bytes, style: str, step: int = 1 << 20) -> list[Row]:
    reader = copy_reader(copy_options(_STYLES[style]), _COLUMNS)
    rows = [row for start in range(0, len(data), step) for row in reader.feed(data[start : start + step])]
    return rows + reader.finish()


def written(rows: list[Row], style: str) -> bytes:
    options = copy_options(_STYLES[style])
    batch = pa.record_batch({name: pa.array([row[i] for row in rows], pa.string()) for i, name in enumerate(_COLUMNS)})
    encoders = [column_encoder(field.type, of_arrow(field.type), 0) for field in batch.schema]
    header = copy_header(_COLUMNS, options) if options.header else b""
    lines = copy_lines(batch, encoders, options).to_pylist()
    assert options.csv or few_copy_lines(batch, encoders, options) == lines
    return header + b"".join(lines)


def _from_postgres(connection: psycopg.Connection, rows: list[Row], style: str) -> bytes:
    connection.execute("TRUNCATE copied")
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO copied VALUES (%s, %s, %s)", rows)
        with cursor.copy(f"COPY copied TO STDOUT {_sql(style)}".encode()) as copy:
            return b"".join(bytes(data) for data in copy)


@pytest.mark.parametrize("style", _STYLES)
def test_we_write_what_postgres_writes_and_read_it_back(connection: psycopg.Connection, style: str) -> None:
    rows = _rows(1)
    theirs = _from_postgres(connection, rows, style)
    assert written(rows, style) == theirs
    for step in (1 << 20, 1, 7):
        assert read(theirs, style, step) == rows


@pytest.mark.parametrize("style", ["text", "csv"])
def test_random_bytes_are_read_as_postgres_reads_them_or_refused(connection: psycopg.Connection, style: str) -> None:
    rng = random.Random(2)
    alphabet = ["a", "\\", "N", "n", "x4", "101", ".", "\t", ",", '"', "\n", "\n", "é", "b\tb\tb\n", "c,c,c\n", "\\\n"]
    refused = 0
    for _ in range(300):
        data = "".join(rng.choices(alphabet, k=rng.randrange(1, 12))).encode()
        try:
            mine: list[Row] | None = read(data, style)
        except BadCopyFormat:
            mine, refused = None, refused + 1
        assert mine == _as_postgres_reads(connection, data, style), data
    assert 0 < refused < 300


def _as_postgres_reads(connection: psycopg.Connection, data: bytes, style: str) -> list[Row] | None:
    connection.execute("TRUNCATE copied")
    try:
        with connection.cursor().copy(f"COPY copied FROM STDIN {_sql(style)}".encode()) as copy:
            copy.write(data)
    except psycopg.DataError:
        return None
    return [list(row) for row in connection.execute("SELECT a, b, c FROM copied ORDER BY ctid")]


def test_numbers_and_times_are_written_as_text_results_print_them() -> None:
    batch = pa.record_batch({"n": [1, None], "f": [1e20, 0.5], "t": pa.array([0, 1], pa.timestamp("us"))})
    encoders = [column_encoder(field.type, of_arrow(field.type), 0) for field in batch.schema]
    lines = copy_lines(batch, encoders, copy_options({})).to_pylist()
    assert few_copy_lines(batch, encoders, copy_options({})) == lines
    assert lines == [b"1\t1e+20\t1970-01-01 00:00:00\n", b"\\N\t0.5\t1970-01-01 00:00:00.000001\n"]


def test_windows_line_ends_and_a_missing_last_one() -> None:
    assert read(b"1\t2\t3\r\n4\t5\t6", "text") == [["1", "2", "3"], ["4", "5", "6"]]
    assert read(b'1,"2\r\n",3\r\n4,5,6', "csv") == [["1", "2\r\n", "3"], ["4", "5", "6"]]


def test_nothing_after_the_end_marker_is_read() -> None:
    assert read(b"1\t2\t3\n\\.\ngarbage\n", "text") == [["1", "2", "3"]]


_BAD = {
    "missing": ("text", b"1\t2\t3\n1\t2\n", 'missing data for column "c" in line 2'),
    "extra": ("csv", b"1,2,3\n1,2,3\n1,2,3,4\n", "extra data after last expected column in line 3"),
    "an open quote": ("csv", b'1,2,3\n1,"2,3\n', "unterminated CSV quoted field in line 2"),
    "not UTF-8": ("text", b"1\t2\t\xff\n", 'invalid byte sequence for encoding "UTF8" in line 1'),
    "a carriage return": ("text", b"1\t2\t3\n1\t\r\t3\n", "literal carriage return found in data in line 2"),
    "after a value of two lines": ("csv", b'1,"2\n2",3\n1,2\n', 'missing data for column "c" in line 3'),
}


@pytest.mark.parametrize("case", _BAD)
def test_a_bad_row_names_its_line(case: str) -> None:
    style, data, message = _BAD[case]
    with pytest.raises(BadCopyFormat) as caught:
        read(data, style)
    assert caught.value.message == message


def test_options_are_checked() -> None:
    with pytest.raises(FeatureNotSupported, match='COPY format "binary"'):
        copy_options({"format": "binary"})
    for options, message in [
        ({"delimiter": "ab"}, "COPY delimiter must be a single one-byte character"),
        ({"quote": "'"}, "COPY quote requires FORMAT csv"),
        ({"format": "csv", "delimiter": '"'}, "COPY delimiter and quote must be different"),
        ({"delimiter": "n"}, 'COPY delimiter cannot be "n"'),
    ]:
        with pytest.raises(InvalidParameter) as caught:
            copy_options(options)
        assert caught.value.message == message
