"""COPY's formats, both ways, against a real Postgres; bad rows name their line."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterable, Iterator

import psycopg
import pyarrow as pa
import pytest

from constellationdb.catalog.types import of_arrow
from constellationdb.engine.copy_in import scanner_of
from constellationdb.engine.copy_options import CopyOptions, copy_options
from constellationdb.engine.copying.fields import Fields
from constellationdb.engine.engine import Engine
from constellationdb.engine.result import SessionProtocol
from constellationdb.errors import BadCopyFormat, ConstellationError
from constellationdb.planner.statements import Copy
from constellationdb.planner.syntax import parse
from constellationdb.wire.columns import column_encoder
from constellationdb.wire.copy_out import CopyWriter

Row = list[str | None]
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
    "text with a header": {"header": "true"},
    "text with a control character between": {"delimiter": "\x01"},
}


@pytest.fixture(scope="module")
def connection(postgres: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres, autocommit=True) as connected:
        connected.execute("CREATE TABLE copied (a text, b text, c text)")
        yield connected


@pytest.fixture(scope="module")
def session() -> Iterator[SessionProtocol]:
    with Engine() as engine:
        opened = engine.session()
        list(opened.execute("CREATE TABLE copied (a text, b text, c text)"))
        yield opened


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
    """Fields as texts; ``step`` bytes come at a time, and are looked at as they come."""
    scanner = scanner_of("copied", _COLUMNS, copy_options(_STYLES[style]))
    scanner.enough = 1
    rows: list[Row] = []
    for start in range(0, len(data), step):
        rows += rows_of(scanner.feed(data[start : start + step]))
    return rows + rows_of(scanner.finish())


def rows_of(found: Iterable[Fields]) -> list[Row]:
    return [
        [None if value is None else value.decode() for value in row]
        for fields in found
        for row in zip(*(fields.values(column) for column in range(len(_COLUMNS))), strict=True)
    ]


def written(rows: list[Row], style: str) -> bytes:
    options = copy_options(_STYLES[style], "out")
    return copied(_batch(rows), options)


def copied(batch: pa.RecordBatch, options: CopyOptions) -> bytes:
    """The data of all messages; many rows at once and row by row are the same."""
    encoders = [column_encoder(field.type, of_arrow(field.type), int(options.binary)) for field in batch.schema]
    many, few = (CopyWriter(batch.schema.names, options) for _ in range(2))
    data = many.header() + bytes(many.rows(batch, encoders)) + many.end()
    ones = [bytes(few.rows(batch.slice(i, 1), encoders)) for i in range(batch.num_rows)]
    assert few.header() + b"".join(ones) + few.end() == data
    return unframed(data)


def unframed(data: bytes) -> bytes:
    at, parts = 0, []
    while at < len(data):
        kind, size = struct.unpack_from(">ci", data, at)
        assert kind == b"d"
        parts.append(data[at + 5 : at + 1 + size])
        at += 1 + size
    return b"".join(parts)


def _from_postgres(connection: psycopg.Connection, rows: list[Row], words: str) -> bytes:
    connection.execute("TRUNCATE copied")
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO copied VALUES (%s, %s, %s)", rows)
        with cursor.copy(f"COPY copied TO STDOUT {words}".encode()) as copy:
            return b"".join(bytes(data) for data in copy)


@pytest.mark.parametrize("style", _STYLES)
def test_we_write_what_postgres_writes_and_read_it_back(connection: psycopg.Connection, style: str) -> None:
    rows = _rows(1)
    theirs = _from_postgres(connection, rows, _sql(style))
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
    assert copied(batch, CopyOptions()) == (b"1\t1e+20\t1970-01-01 00:00:00\n\\N\t0.5\t1970-01-01 00:00:00.000001\n")


def test_windows_line_ends_and_a_missing_last_one() -> None:
    assert read(b"1\t2\t3\r\n4\t5\t6", "text") == [["1", "2", "3"], ["4", "5", "6"]]
    assert read(b'1,"2\r\n",3\r\n4,5,6', "csv") == [["1", "2\r\n", "3"], ["4", "5", "6"]]


def test_nothing_after_the_end_marker_is_read() -> None:
    assert read(b"1\t2\t3\n\\.\ngarbage\n", "text") == [["1", "2", "3"]]


_BAD = {
    "missing": ("text", b"1\t2\t3\n1\t2\n"),
    "extra": ("csv", b"1,2,3\n1,2,3\n1,2,3,4\n"),
    "an open quote": ("csv", b'1,2,3\n1,"2,3\n'),
    "an open quote over lines": ("csv", b'1,2,3\n1,"2,3\nx\ny'),
    "a carriage return": ("text", b"1\t2\t3\n1\t\r\t3\n"),
    "an unquoted carriage return": ("csv", b"1,2,3\n1,\r,3\n"),
    "another line end": ("text", b"1\t2\t3\r\n1\t2\t3\n"),
    "an unquoted newline": ("csv", b"1,2,3\r\n1,2,3\n"),
    "after a value of two lines": ("csv", b'1,"2\n2",3\n1,2\n'),
    "a corrupt end marker": ("text", b"1\t2\t3\n\\.x\n"),
    "a very long line": ("text", b"x" * 300 + b"\n"),
    "behind a header": ("csv with a header", b"a,b,c\n1,2\n"),
}


@pytest.mark.parametrize("case", _BAD)
def test_a_bad_row_is_named_as_postgres_names_it(connection: psycopg.Connection, case: str) -> None:
    style, data = _BAD[case]
    with pytest.raises(BadCopyFormat) as mine:
        read(data, style)
    with (
        pytest.raises(psycopg.Error) as theirs,
        connection.cursor().copy(f"COPY copied FROM STDIN {_sql(style)}".encode()) as copy,
    ):
        copy.write(data)
    shown = theirs.value.diag
    assert (mine.value.sqlstate, mine.value.message, mine.value.context) == (
        shown.sqlstate, shown.message_primary, shown.context,
    )  # fmt: skip


_FORCED = ["(FORMAT csv, FORCE_QUOTE (b))", "(FORMAT csv, FORCE_QUOTE *, HEADER)", "CSV FORCE QUOTE a, c"]


@pytest.mark.parametrize("words", _FORCED)
def test_forced_quotes_are_where_postgres_puts_them(connection: psycopg.Connection, words: str) -> None:
    rows = _rows(3)
    theirs = _from_postgres(connection, rows, words)
    statement = parse(f"COPY copied TO STDOUT {words}")[0]
    assert isinstance(statement, Copy)
    assert copied(_batch(rows), copy_options(statement.options, "out")) == theirs


@pytest.mark.parametrize("count", [0, 1, 5, 500])
@pytest.mark.parametrize("words", ["(FORMAT binary)", "WITH BINARY", "BINARY"])
def test_binary_copy_is_postgres_bytes(connection: psycopg.Connection, words: str, count: int) -> None:
    rows = [[None if i % 3 == 0 else f"é{i}", "", "x" * (i % 50)] for i in range(count)]
    theirs = _from_postgres(connection, rows, words)
    assert copied(_batch(rows), CopyOptions(binary=True)) == theirs


def test_the_first_message_of_binary_data_has_the_header_and_a_row() -> None:
    writer = CopyWriter(["a"], CopyOptions(binary=True))
    batch = pa.record_batch({"a": pa.array([7, 8], pa.int16())})
    encoders = [column_encoder(pa.int16(), of_arrow(pa.int16()), 1)]
    first = bytes(writer.rows(batch, encoders))
    assert first[:5] == b"d" + struct.pack(">i", 4 + 19 + 8)
    assert first[5 : 5 + 19] == b"PGCOPY\n\xff\r\n\x00" + bytes(8)
    assert bytes(writer.rows(batch, encoders))[5:] == b"\x00\x01\x00\x00\x00\x02\x00\x07" + first[-13:]
    assert writer.end() == b"d\x00\x00\x00\x06\xff\xff"


def _batch(rows: list[Row]) -> pa.RecordBatch:
    return pa.record_batch({name: pa.array([row[i] for row in rows], pa.string()) for i, name in enumerate(_COLUMNS)})


# Each is refused by Postgres in the same words, at the same place.
_WRONG = [
    "(FORMAT xml)",
    "(FORMAT csv, FORMAT csv)",
    "(nonsense 1)",
    "(DELIMITER 'ab')",
    "(DELIMITER 'n')",
    "(DELIMITER E'\\n')",
    "(DELIMITER '')",
    "(NULL E'a\\n')",
    "(NULL E'a\\tb')",
    "(QUOTE '|')",
    "(ESCAPE '|')",
    "(FORCE_QUOTE (a))",
    "(FORMAT csv, FORCE_QUOTE (nowhere))",
    "(FORMAT csv, FORCE_QUOTE 'a')",
    "(FORMAT csv, FORCE_QUOTE a)",
    "(FORMAT csv, FORCE_NOT_NULL (a))",
    "(FORMAT csv, FORCE_NULL (a))",
    "(FORCE_NULL (a))",
    "(FORCE_NOT_NULL (a))",
    "(FORMAT csv, QUOTE '||')",
    "(FORMAT csv, ESCAPE '')",
    "(FORMAT csv, DELIMITER '|', QUOTE '|')",
    "(FORMAT csv, NULL '\"')",
    "(FORMAT csv, NULL 'a,b')",
    "(FORMAT binary, DELIMITER ',')",
    "(FORMAT binary, NULL '')",
    "(FORMAT binary, HEADER)",
    "(FORMAT binary, QUOTE '|')",
    "(HEADER perhaps)",
    "(HEADER 2)",
    "(HEADER match)",
    "(ENCODING 'nothing')",
]


@pytest.mark.parametrize("words", _WRONG)
def test_wrong_options_are_refused_as_postgres_refuses_them(
    connection: psycopg.Connection, session: SessionProtocol, words: str
) -> None:
    sql = f"COPY copied TO STDOUT {words}"
    with pytest.raises(psycopg.Error) as theirs, connection.cursor().copy(sql.encode()) as copy:
        copy.read()
    with pytest.raises(ConstellationError) as ours:
        list(session.execute(sql))
    position = theirs.value.diag.statement_position
    assert (ours.value.sqlstate, ours.value.message) == (theirs.value.sqlstate, theirs.value.diag.message_primary)
    assert ours.value.position == (None if position is None else int(position))


def test_a_forced_column_must_be_copied(connection: psycopg.Connection, session: SessionProtocol) -> None:
    for copied_part in ("copied (b)", "(SELECT b FROM copied)"):
        sql = f"COPY {copied_part} TO STDOUT (FORMAT csv, FORCE_QUOTE (a))"
        with pytest.raises(psycopg.Error) as theirs, connection.cursor().copy(sql.encode()) as copy:
            copy.read()
        with pytest.raises(ConstellationError) as ours:
            list(session.execute(sql))
        assert (ours.value.sqlstate, ours.value.message) == (theirs.value.sqlstate, theirs.value.diag.message_primary)
