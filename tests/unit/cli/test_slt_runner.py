"""The runner against a connection that answers from a table of statements: what passes, what fails, what is said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from constellationdb.cli.slt.connection import Answer, ConnectionLost, SqlError
from constellationdb.cli.slt.parser import parse_text
from constellationdb.cli.slt.report import describe
from constellationdb.cli.slt.runner import ScriptOutcome, ScriptRunner
from constellationdb.cli.slt.suite import Suite

ANSWERS: dict[str, Answer | Exception] = {
    "two": Answer(("n", "t"), (("2", None), ("1", "")), "SELECT 2"),
    "spaced": Answer(("t",), (("a  b\nc",),), "SELECT 1"),
    "none": Answer(("n",), (), "SELECT 0"),
    "insert": Answer((), (), "INSERT 0 3"),
    "create": Answer((), (), "CREATE TABLE"),
    "fail": SqlError("42P01", 'relation "x" does not exist', detail="never made", hint="make it"),
    "gone": ConnectionLost("server closed the connection"),
}


@dataclass
class Scripted:
    """Answers from ``ANSWERS``; anything else is answered with itself."""

    said: list[str] = field(default_factory=list)
    closed: bool = False

    def execute(self, sql: str) -> Answer:
        self.said.append(sql)
        answer = ANSWERS.get(sql, Answer(("t",), ((sql,),), "SELECT 1"))
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        self.closed = True


def run(text: str, labels: frozenset[str] = frozenset(), variables: Mapping[str, str] | None = None) -> ScriptOutcome:
    runner = ScriptRunner(lambda _name: Scripted(), labels, variables or {}, sleep=lambda _seconds: None)
    return runner.run(parse_text(text))


def reasons(text: str) -> list[str]:
    return [failure.mismatch.reason for failure in run(text).failures]


@pytest.mark.parametrize(
    "text",
    [
        "statement ok\ncreate",
        "statement ok\ntwo",
        "statement count 3\ninsert",
        "query IT\ntwo\n----\n2 NULL\n1 (empty)",
        "query IT\ntwo\n----\n  2   NULL \n1 (empty)  ",
        "query IT rowsort\ntwo\n----\n1 (empty)\n2 NULL",
        "query IT rowsort\ntwo\n----\n2 NULL\n1 (empty)",
        "query IT valuesort\ntwo\n----\n(empty)\n1\n2\nNULL",
        "control sortmode rowsort\nquery IT\ntwo\n----\n1 (empty)\n2 NULL",
        "control resultmode valuewise\nquery IT\ntwo\n----\n2\nNULL\n1\n(empty)",
        "query T\nspaced\n----\na b c",
        "query I\nnone\n----\n",
        "query T\ncreate",
        "statement error\nfail",
        "statement error does not\nfail",
        "statement error 42P01\nfail",
        "query error (42P01)\nfail",
        'statement error\nfail\n----\nrelation "x" does not exist',
        'statement error\nfail\n----\nrelation "x" does not exist\nHINT:  make it',
        'statement error\nfail\n----\nrelation "x" does not exist\nDETAIL: never made\nHINT: make it',
        'statement error (42P01)\nfail\n----\nrelation "x" does not exist',
        "query T nosort same\na\n----\na\n\nquery T nosort same\na\n----\na",
    ],
)
def test_what_passes(text: str) -> None:
    outcome = run(text)
    assert not outcome.failures, describe(outcome.failures[0])
    assert outcome.passed >= 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("statement ok\nfail", "it failed"),
        ("query T\nfail\n----\na", "it failed"),
        ("statement count 2\ninsert", "it touched another number of rows"),
        ("statement count 1\nfail", "it failed"),
        ("query IT\ntwo\n----\n1 (empty)\n2 NULL", "the query answered something else"),
        ("query IT\ntwo\n----\n2 NULL", "the query answered something else"),
        ("query IT\ntwo", "the query answered something else"),
        ("query IT rowsort\ntwo\n----\n2 NULL\n2 NULL", "the query answered something else"),
        ("query I\nnone\n----\n1", "the query answered something else"),
        ("statement error\ncreate", "it succeeded"),
        ("statement error exists already\nfail", "it failed with another error"),
        ("statement error (42703)\nfail", "it failed with another SQLSTATE"),
        ("statement error\nfail\n----\nrelation", "it failed with another message"),
        ('statement error (42703)\nfail\n----\nrelation "x" does not exist', "it failed with another SQLSTATE"),
        ("query T nosort one\na\n----\na\n\nquery T nosort one\nb\n----\nb", "label one had another answer before"),
    ],
)
def test_what_fails(text: str, reason: str) -> None:
    assert reasons(text) == [reason]


def test_a_failure_does_not_end_the_script_but_a_lost_connection_does() -> None:
    outcome = run("statement ok\nfail\n\nstatement ok\ncreate\n\nstatement error\ngone\n\nstatement ok\ncreate")
    assert (outcome.passed, len(outcome.failures)) == (1, 2)
    assert outcome.failures[1].mismatch.got == "server closed the connection"


def test_halt_ends_it_unless_its_condition_says_no() -> None:
    text = "statement ok\na\n\nonlyif x\nhalt\n\nstatement ok\nb"
    assert run(text).passed == 2
    assert run(text, frozenset({"x"})).passed == 1


def test_strict_types_look_at_columns() -> None:
    def strictly(text: str) -> list[str]:
        runner = ScriptRunner(lambda _name: Scripted(), strict_types=True)
        return [failure.mismatch.reason for failure in runner.run(parse_text(text)).failures]

    assert strictly("query IT\ntwo\n----\n2 NULL\n1 (empty)") == []
    assert strictly("query I\ntwo\n----\n2 NULL\n1 (empty)") == ["the query has other columns"]
    assert strictly("query II\ntwo\n----\n2 NULL\n1 (empty)") == ["column t is not of type I"]


def test_many_values_are_compared_by_their_hash() -> None:
    # md5 of "2\nNULL\n1\n(empty)\n"
    hashed = "4 values hashing to 0a33f218e6e7f5ffd716fad8c30480f4"
    script = f"hash-threshold 3\nquery IT\ntwo\n----\n{hashed}"
    assert run(script).passed == 1
    assert run(script.replace("threshold 3", "threshold 4")).passed == 0


def test_substitution_is_off_until_switched_on() -> None:
    assert run("query T\n$A\n----\n$A", variables={"A": "x"}).passed == 1
    text = "control substitution on\nquery T\n$A ${A}1 ${B:none} \\$A $1 $$\n----\nx x1 none $A $1 $$"
    assert run(text, variables={"A": "x"}).passed == 1
    failure = run("control substitution on\nstatement ok\n$NOBODY").failures[0]
    assert failure.mismatch.got == "variable NOBODY is not set"


def test_each_connection_is_opened_once_and_closed() -> None:
    opened: dict[str, Scripted] = {}

    def connect(name: str) -> Scripted:
        assert name not in opened
        return opened.setdefault(name, Scripted())

    ScriptRunner(connect).run(parse_text("statement ok\na\n\nconnection b\nstatement ok\nb\n\nstatement ok\nc"))
    assert {name: made.said for name, made in opened.items()} == {"default": ["a", "c"], "b": ["b"]}
    assert all(made.closed for made in opened.values())


def test_a_retry_pauses_and_tries_again_until_it_holds() -> None:
    pauses: list[float] = []

    class Later(Scripted):
        def execute(self, sql: str) -> Answer:
            super().execute(sql)
            return Answer(("n",), ((str(len(self.said)),),), "SELECT 1")

    def outcome_of(text: str) -> ScriptOutcome:
        return ScriptRunner(lambda _name: Later(), sleep=pauses.append).run(parse_text(text))

    assert outcome_of("query I retry 5 backoff 2s\nq\n----\n3").passed == 1
    assert pauses == [2.0, 2.0]
    assert len(outcome_of("query I retry 1 backoff 2s\nq\n----\n3").failures) == 1


def test_system_commands_see_the_variables_and_their_output_counts() -> None:
    assert run("system ok\necho $A\n----\nx y", variables={"A": "x y"}).passed == 1
    failed = run("system ok\necho no >&2; exit 3").failures[0]
    assert failed.mismatch.got == "exit code 3\nno"
    assert reasons("system ok\necho a\n----\nb") == ["the command printed something else"]


def test_a_suite_reports_file_line_both_sides_and_ends_with_the_count(tmp_path: Path) -> None:
    good, bad, broken = tmp_path / "good.slt", tmp_path / "sub" / "bad.slt", tmp_path / "broken.slt"
    bad.parent.mkdir()
    good.write_text("statement ok\ncreate\n")
    bad.write_text("subtest counting\n\nquery IT\ntwo\n----\n2 NULL\n\nstatement ok\ncreate\n")
    broken.write_text("\nnonsense\n")
    said: list[str] = []
    code = Suite(lambda _path: lambda _name: Scripted(), say=said.append).run([tmp_path])
    assert code == 1
    assert said[-1] == "2 passed, 2 failed"
    assert said[0] == (
        f"{broken}:2: the script cannot be read\n    {broken}\n"
        "  expected:\n    a script\n  got:\n    not a record: nonsense"
    )
    assert said[1] == (
        f"{bad}:3: the query answered something else (subtest counting)\n    two\n"
        "  expected:\n    2 NULL\n  got:\n    2 NULL\n    1 (empty)"
    )
    assert Suite(lambda _path: lambda _name: Scripted(), say=said.append).run([good]) == 0
    assert said[-1] == "1 passed, 0 failed"


def test_a_suite_gives_each_script_its_own_folder(tmp_path: Path) -> None:
    script = tmp_path / "a.slt"
    script.write_text('system ok\ntest -d "$__TEST_DIR__" && touch "$__TEST_DIR__/mark" && echo $EXTRA\n----\nmore\n')
    suite = Suite(lambda _path: lambda _name: Scripted(), variables={"EXTRA": "more"}, say=lambda _text: None)
    assert suite.run([script, script]) == 0
