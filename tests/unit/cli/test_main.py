"""The command as a person meets it: help, versions, errors, exit codes."""

import subprocess
import sys
from importlib.metadata import version

import pytest
from click.testing import CliRunner

from constellationdb.cli.commands.options import Address, Duration
from constellationdb.cli.main import COMMANDS, cli, describe
from constellationdb.errors import UndefinedRelation


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_there_and_says_what_it_does(name: str) -> None:
    done = CliRunner().invoke(cli, [name, "--help"])
    assert done.exit_code == 0
    assert f"Usage: cli {name}" in done.output


def test_help_lists_every_command() -> None:
    lines = CliRunner().invoke(cli, ["--help"]).output.splitlines()
    assert [line.split()[0] for line in lines[lines.index("Commands:") + 1 :]] == list(COMMANDS)


def test_an_unknown_command_is_a_usage_error() -> None:
    done = CliRunner().invoke(cli, ["destroy"])
    assert done.exit_code == 2
    assert "No such command 'destroy'" in done.output


def test_python_m_is_the_same_command() -> None:
    command = [sys.executable, "-m", "constellationdb", "version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0] == f"constellation {version('constellation-db')}"


def test_an_error_is_a_message_and_not_a_traceback() -> None:
    command = [sys.executable, "-m", "constellationdb", "sql", "--dsn", "postgres://127.0.0.1:1/x", "-c", "SELECT 1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("ERROR:  the server does not answer")
    assert "HINT:  start one: constellation serve" in done.stderr


def test_an_error_shows_its_state_code_detail_and_hint() -> None:
    error = UndefinedRelation('relation "t" does not exist', detail="looked everywhere", hint="create it")
    assert describe(error).splitlines() == [
        'ERROR:  relation "t" does not exist (42P01, CON-1002)',
        "DETAIL:  looked everywhere",
        "HINT:  create it",
    ]


@pytest.mark.parametrize(("text", "seconds"), [("20s", 20.0), ("2m", 120.0), ("1.5 h", 5400.0), ("7", 7.0)])
def test_durations(text: str, seconds: float) -> None:
    assert Duration()(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "0", "-3s", "3 weeks"])
def test_what_is_no_duration(text: str) -> None:
    done = CliRunner().invoke(cli, ["demo", "--check", text])
    assert done.exit_code == 2
    assert "is not a duration" in done.output


@pytest.mark.parametrize(
    ("text", "address"),
    [("127.0.0.1:5433", ("127.0.0.1", 5433)), ("[::1]:0", ("::1", 0)), ("localhost:1", ("localhost", 1))],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    assert Address()(text) == address


@pytest.mark.parametrize("text", ["5433", ":5433", "localhost", "localhost:http"])
def test_what_is_no_address(text: str) -> None:
    done = CliRunner().invoke(cli, ["serve", "--listen", text])
    assert done.exit_code == 2
    assert "is not an address" in done.output
