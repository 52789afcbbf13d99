"""A script's text becomes records, each with the line it began on."""

from __future__ import annotations

from pathlib import Path

import pytest

from constellationdb.cli.slt.lines import ScriptSyntaxError
from constellationdb.cli.slt.parser import parse_duration, parse_file, parse_text
from constellationdb.cli.slt.records import (
    Condition,
    ExpectCount,
    ExpectError,
    ExpectOk,
    ExpectRows,
    Halt,
    HashThreshold,
    Retry,
    SetResultMode,
    SetSortMode,
    SetSubstitution,
    Sleep,
    SqlRecord,
    Subtest,
    SystemRecord,
)


def sql_record(text: str) -> SqlRecord:
    (record,) = parse_text(text)
    assert isinstance(record, SqlRecord)
    return record


def test_a_statement_ends_at_a_blank_line() -> None:
    records = parse_text("# about\n\nstatement ok\nCREATE TABLE t (\n  a int)\n\nstatement count 3\nDELETE FROM t\n")
    assert [type(record) for record in records] == [SqlRecord, SqlRecord]
    first, second = records
    assert isinstance(first, SqlRecord)
    assert isinstance(second, SqlRecord)
    assert (first.sql, first.expect, first.place.line) == ("CREATE TABLE t (\n  a int)", ExpectOk(), 3)
    assert (second.sql, second.expect, str(second.place)) == ("DELETE FROM t", ExpectCount(3), "<text>:7")


def test_a_query_has_types_sort_mode_label_retry_and_rows() -> None:
    record = sql_record(
        "query IT rowsort first retry 3 backoff 500ms\nSELECT a, b\nFROM t\n----\n1 one\n2  two\n\n# end"
    )
    assert record.sql == "SELECT a, b\nFROM t"
    assert record.expect == ExpectRows("IT", ("1 one", "2  two"), "rowsort", "first")
    assert record.retry == Retry(3, 0.5)


def test_a_query_may_expect_no_rows_and_needs_no_mark() -> None:
    assert sql_record("query I\nSELECT 1 WHERE false\n----\n").expect == ExpectRows("I", ())
    assert sql_record("query I\nSELECT 1 WHERE false").expect == ExpectRows("I", ())


def test_an_error_by_pattern_by_sqlstate_and_by_message() -> None:
    assert sql_record("statement error\nSELECT").expect == ExpectError()
    assert sql_record("query error no (such|known) one\nSELECT").expect == ExpectError(pattern="no (such|known) one")
    assert sql_record("statement error (42P01)\nSELECT").expect == ExpectError(sqlstate="42P01")
    both = sql_record("statement error (42P01)\nSELECT\n----\nno table\n\nreally none\n\n\n# next")
    assert both.expect == ExpectError(sqlstate="42P01", message="no table\n\nreally none")


def test_an_exact_message_ends_at_two_blank_lines() -> None:
    records = parse_text("statement error\nSELECT\n----\none line\n\n\nstatement ok\nSELECT 1\n")
    assert [type(record) for record in records] == [SqlRecord, SqlRecord]


def test_conditions_and_the_connection_belong_to_the_next_record_only() -> None:
    first, second = parse_text("skipif a\nonlyif b\nconnection two\nstatement ok\nX\n\nstatement ok\nY\n")
    assert isinstance(first, SqlRecord)
    assert isinstance(second, SqlRecord)
    assert first.conditions == (Condition("skipif", "a"), Condition("onlyif", "b"))
    assert (first.connection, second.connection, second.conditions) == ("two", "default", ())
    assert first.applies(frozenset({"b"}))
    assert not first.applies(frozenset({"a", "b"}))
    assert not first.applies(frozenset())


def test_what_is_not_sql() -> None:
    records = parse_text(
        "control sortmode valuesort\ncontrol resultmode valuewise\ncontrol substitution on\n"
        "hash-threshold 8\nsleep 2s\nsubtest the rest\nsystem ok retry 2 backoff 1s\necho a\n----\na\n\n\nhalt\n"
    )
    assert [type(record) for record in records] == [
        SetSortMode, SetResultMode, SetSubstitution, HashThreshold, Sleep, Subtest, SystemRecord, Halt,
    ]  # fmt: skip
    system = records[6]
    assert isinstance(system, SystemRecord)
    assert (system.command, system.stdout, system.retry) == ("echo a", "a", Retry(2, 1.0))


def test_includes_stand_in_their_place_in_order_of_name(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "b.slt.part").write_text("statement ok\nB\n")
    (tmp_path / "parts" / "a.slt.part").write_text("\nstatement ok\nA\n")
    script = tmp_path / "main.slt"
    script.write_text("statement ok\nfirst\n\ninclude parts/*.part\n\nstatement ok\nlast\n")
    records = [record for record in parse_file(script) if isinstance(record, SqlRecord)]
    assert [record.sql for record in records] == ["first", "A", "B", "last"]
    assert (Path(records[1].place.file).name, records[1].place.line) == ("a.slt.part", 2)


def test_a_script_may_not_include_itself(tmp_path: Path) -> None:
    script = tmp_path / "main.slt"
    script.write_text("\ninclude ma*.slt\n")
    with pytest.raises(ScriptSyntaxError, match=r"main\.slt:2: .*includes itself"):
        parse_file(script)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\nstatment ok\nSELECT 1", "<text>:2: not a record: statment ok"),
        ("statement ok\n\n", "<text>:1: the record has no text"),
        ("statement ok\nSELECT 1\n----\n1", "<text>:1: statement ok cannot expect rows; say query"),
        ("statement count many\nX", "<text>:1: expected a number, found many"),
        ("statement error (unclosed\nX", "<text>:1: expected a regular expression, found (unclosed"),
        ("statement error some pattern\nX\n----\nand a message", "<text>:1: an error has either"),
        ("query I nosort label too many\nX", "<text>:1: expected retry N backoff DURATION, found too many"),
        ("sleep soon", "<text>:1: expected a duration, found soon"),
        ("include nothing*.here", "<text>:1: no file matches nothing*.here"),
        ("skipif x\ninclude *", "<text>:2: include cannot be conditional"),
        ("control sortmode upwards", "<text>:1: not a record: control sortmode upwards"),
    ],
)
def test_what_cannot_be_read_says_where(text: str, message: str) -> None:
    with pytest.raises(ScriptSyntaxError) as raised:
        parse_text(text)
    assert str(raised.value).startswith(message)


@pytest.mark.parametrize(("text", "seconds"), [("500ms", 0.5), ("5s", 5.0), ("1m30s", 90.0), ("2h", 7200.0)])
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["5", "s", "5 days", "5parsecs", "-1s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match=text):
        parse_duration(text)
