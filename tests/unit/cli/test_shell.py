"""The prompt's answers, without the prompt."""

from collections.abc import Iterator
from io import StringIO

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput
from rich.console import Console

from constellationdb.cli.shell import Shell
from constellationdb.embedded import Database, connect


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with connect() as database:
        database.execute("CREATE TABLE t (a bigint, b text); INSERT INTO t VALUES (1, 'x')")
        yield database


@pytest.fixture
def out() -> StringIO:
    return StringIO()


@pytest.fixture
def shell(database: Database, out: StringIO) -> Shell:
    return Shell(database, Console(file=out, width=200))


def test_an_error_has_a_caret_below_its_place_and_the_shell_goes_on(shell: Shell, out: StringIO) -> None:
    shell.say("SELECT a,\n  nope FROM t;\n")
    lines = out.getvalue().splitlines()
    assert lines[0] == 'ERROR:  column "nope" does not exist (42703, CON-1003)'
    assert lines[1] == "LINE 2:   nope FROM t;"
    assert lines[2].index("^") == lines[1].index("nope")
    shell.say("SELECT b FROM t;")
    assert "(1 row)" in out.getvalue()


def test_backslash_words(shell: Shell, out: StringIO) -> None:
    assert shell.meta("\\d")
    assert " t " in out.getvalue()
    assert shell.meta("\\d t")
    assert " a | b" in out.getvalue()
    assert shell.meta("\\?")
    assert "constellation tail NAME" in out.getvalue()
    assert not shell.meta("\\q")


def test_statements_may_take_several_lines_and_ctrl_d_leaves(
    shell: Shell, out: StringIO, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        keys.send_text("SELECT 40 +\n2 AS answer;\n\x04")
        shell.run()
    assert out.getvalue().splitlines()[1:] == [" answer", "--------", "     42", "(1 row)", ""]
