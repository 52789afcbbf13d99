"""pgjdbc: what ``jdbc/*.java`` print must be what they print on a real Postgres."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.clients.conftest import Served
from tests.clients.installed import jdbc_command

PROGRAMS = Path(__file__).parent / "jdbc"


def run(program: str, at: Served) -> list[str]:
    command = [*jdbc_command(PROGRAMS / f"{program}.java"), at.jdbc]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("program", ["Values", "Work", "Updates"])
def test_a_program_does_the_same_on_postgres(program: str, served: Served, oracle: Served) -> None:
    said = run(program, served)
    assert said == run(program, oracle)
    assert len(said) > 20


def test_metadata_is_that_of_postgres_and_the_views_of_rows_that_failed(served: Served, oracle: Served) -> None:
    said = run("Metadata", served)
    assert [line for line in said if "jdbc_meta_sums_errors" not in line] == run("Metadata", oracle)
    assert "  public | jdbc_meta_sums_errors | MATERIALIZED VIEW" in said


def test_a_stream_is_read_in_pieces_cancelled_and_fetched(served: Served) -> None:
    changes = ["1 null", "-1 null", "1 1", "-1 1", "1 3", "-1 3", "1 6"]
    assert run("Stream", served) == [*changes, "57014", "fetched 16"]


def test_a_tool_that_wants_a_hundred_rows_of_a_source_gets_what_there_is(served: Served) -> None:
    assert run("Preview", served) == ["jdbc_pushed true", "jdbc_slow true", "jdbc_fast true"]
