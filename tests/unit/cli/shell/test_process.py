"""``constellation sql`` as a user runs it: -c, -f, pipes, and on a terminal."""

from __future__ import annotations

import codecs
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner

from constellationdb.cli.main import cli
from constellationdb.embedded import Database
from constellationdb.embedded.local import LocalLink
from constellationdb.engine.engine import Engine

_COMMAND = [sys.executable, "-m", "constellationdb", "sql"]
_PATIENCE_S = 60.0


def _run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([*_COMMAND, *arguments], input=stdin, capture_output=True, text=True, check=False, timeout=60)


def test_commands_files_and_variables_in_one_session_that_a_directory_keeps(tmp_path: Path) -> None:
    script = tmp_path / "script.sql"
    script.write_text("INSERT INTO t VALUES (:n);\nCOPY t FROM STDIN;\n7\n\\.\nSELECT * FROM t ORDER BY a;\n")
    place = ["--dir", str(tmp_path / "d")]
    done = _run(*place, "--set", "n=3", "-c", "CREATE TABLE t (a int)", "-f", str(script))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "CREATE TABLE", "INSERT 0 1", "COPY 1", " a", "---", " 3", " 7", "(2 rows)", "",
    ]  # fmt: skip
    done = _run(*place, "--format", "json", stdin="SELECT a FROM t WHERE a > 3")
    assert json.loads(done.stdout) == {"a": 7}


def test_over_the_wire_with_data_from_a_pipe(url: str) -> None:
    words = ("CREATE TABLE piped (a int, b text)", "\\copy piped from stdin csv", "TABLE piped", "DROP TABLE piped")
    said = [part for word in words for part in ("-c", word)]
    done = _run("--dsn", url, "--format", "csv", *said, stdin="1,one\n2,\n")
    assert (done.returncode, done.stdout) == (0, "a,b\n1,one\n2,\n")


def test_several_statements_of_one_c_are_one_transaction() -> None:
    failing = "CREATE TABLE t (a int); INSERT INTO t VALUES (1 / 0)"
    done = _run("--memory", "--set", "ON_ERROR_STOP=off", "-c", failing, "-c", "SELECT count(*) FROM t")
    assert done.returncode == 1
    assert "division by zero" in done.stderr
    assert 'relation "t" does not exist' in done.stderr


def test_an_error_ends_a_script_with_code_1_and_a_caret_on_standard_error() -> None:
    done = _run("--memory", stdin="SELECT 1 AS one;\nSELECT\n  nope;\nSELECT 2;\n")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [" one", "-----", "   1", "(1 row)", ""]
    assert done.stderr.splitlines()[1:3] == ["LINE 2:   nope;", "          ^"]


@pytest.mark.parametrize("options", [["--dir", "."], ["--set", "1x", "-c", "SELECT 1"], ["-f", "no.sql"]])
def test_wrong_options_are_usage_errors(options: list[str]) -> None:
    assert CliRunner().invoke(cli, ["sql", "--memory", *options]).exit_code == 2


@pytest.fixture
def ticks(engine: Engine) -> Iterator[None]:
    with Database(LocalLink(engine, owner=False)) as database:
        database.execute("CREATE SOURCE ticks WITH (connector = 'generator', preset = 'sensors', rate = '500')")
        yield
        database.execute("DROP SOURCE ticks")


@pytest.mark.usefixtures("ticks")
def test_a_reader_that_leaves_ends_a_query_that_does_not(url: str) -> None:
    command = [*_COMMAND, "--dsn", url, "--format", "json", "-c", "SELECT * FROM ticks"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "sensor_id" in json.loads(process.stdout.readline())
        process.stdout.close()
        assert process.wait(_PATIENCE_S) in (0, 1)
        assert process.stderr is not None
        assert process.stderr.read() == ""


@pytest.mark.usefixtures("ticks")
def test_ctrl_c_in_a_script_cancels_and_tells(url: str) -> None:
    command = [*_COMMAND, "--dsn", url, "-c", "SELECT * FROM ticks", "-c", "SELECT 'never'"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=_PATIENCE_S)
    assert process.returncode == 1
    assert "canceling statement due to user request" in err
    assert "never" not in out


class Terminal:
    """The command on a terminal of its own."""

    def __init__(self, *arguments: str, state: Path) -> None:
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:
            environment = os.environ | {"TERM": "xterm", "XDG_STATE_HOME": str(state), "PAGER": "cat"}
            os.execve(sys.executable, [*_COMMAND, *arguments], environment)
        self.seen = ""
        self._decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        self._begun = ""  # an escape sequence whose end has not come yet

    def type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def wait_for(self, text: str) -> str:
        """What came up to ``text``; forgets it."""
        until = time.monotonic() + _PATIENCE_S
        while text not in self.seen:
            assert time.monotonic() < until, f"no {text!r} in {self.seen!r}"
            self._read()
        found, _, self.seen = self.seen.partition(text)
        return found

    def wait_while_silent(self, keys: str, text: str) -> None:
        """Presses the keys until they are heard: the history comes a moment after the prompt."""
        until = time.monotonic() + _PATIENCE_S
        while text not in self.seen:
            assert time.monotonic() < until, f"no {text!r} in {self.seen!r}"
            self.type("\x15" + keys)
            quiet = time.monotonic() + 0.2
            while text not in self.seen and time.monotonic() < quiet:
                self._read()
        self.seen = ""

    def say(self, text: str, until: str) -> None:
        """Types a line, and waits for what it prints and for the prompt behind that."""
        self.type(text + "\r")
        self.wait_for(until)
        self.wait_for("=>")

    def leave(self) -> int:
        """Ctrl-U and Ctrl-D until the process has ended: between two prompts nobody hears them. Its exit code."""
        until = time.monotonic() + _PATIENCE_S
        while self._read():
            assert time.monotonic() < until, self.seen
            with suppress(OSError):
                self.type("\x15\x04")
        os.close(self._terminal)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def _read(self) -> bool:
        if not select.select([self._terminal], [], [], 0.1)[0]:
            return True
        try:
            data = os.read(self._terminal, 1 << 16)
        except OSError:  # what reading from a terminal without a process gives
            return False
        text = self._begun + self._decode(data)
        whole = re.sub(r"\x1b(\[[0-9;?]*)?\Z", "", text)
        self._begun = text[len(whole) :]
        if "\x1b[6n" in whole:  # it asks where the cursor is
            os.write(self._terminal, b"\x1b[1;1R")
        self.seen += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", whole)
        return bool(data)


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """One for all tests: each leaves it at a prompt."""
    found = Terminal("--memory", state=tmp_path_factory.mktemp("state"))
    found.wait_for("=>")
    yield found
    assert found.leave() == 0


def test_on_a_terminal_ctrl_c_cancels_and_the_prompt_shows_the_transaction(terminal: Terminal) -> None:
    terminal.say(
        "CREATE SOURCE t WITH (connector = 'generator', preset = 'sensors', rate = '50');", "CREATE SOURCE\r\n"
    )
    terminal.type("SELECT * FROM t;\r")
    terminal.wait_for("site-")
    terminal.type("\x03")
    terminal.wait_for("canceling statement due to user request")
    terminal.wait_for("=>")
    terminal.say("BEGIN;", "BEGIN\r\nconstellation*")
    terminal.say("SELEC;", "constellation!")
    terminal.say("ROLLBACK;", "ROLLBACK\r\nconstellation")


@pytest.mark.parametrize("keys", ["\x1b[A", "\x12elect 4\r"])
def test_on_a_terminal_what_was_said_before_is_found_again(terminal: Terminal, keys: str) -> None:
    terminal.say("SELECT 40 + 2 AS answer;", "(1 row)")
    terminal.wait_while_silent(keys, "40 + 2 AS answer")
    terminal.type("\r")
    terminal.wait_for("(1 row)")


def test_on_a_terminal_a_continued_statement_and_a_live_tail(terminal: Terminal) -> None:
    terminal.type("CREATE TABLE stock (item text,\r")
    terminal.wait_for("->")
    terminal.say("n int);", "CREATE TABLE\r\n")
    terminal.say("INSERT INTO stock VALUES ('tea', 3);", "INSERT 0 1\r\n")
    terminal.type("\\tail stock\r")
    terminal.wait_for("q leaves")
    terminal.wait_for("tea")
    terminal.type("q")
    terminal.wait_for("=>")
