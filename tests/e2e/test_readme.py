"""What the README says, run as it stands there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from constellationdb import connect
from tests.e2e.conftest import Served, constellation

README = (Path(__file__).parents[2] / "README.md").read_text()


def _block(language: str, containing: str) -> str:
    blocks: list[str] = re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return next(block for block in blocks if containing in block)


def test_the_two_commands_are_the_ones_that_ci_runs() -> None:
    commands = [line.partition("  #")[0].strip() for line in _block("sh", "pip install").splitlines()]
    assert commands == [
        "pip install '.[flights]' && constellation demo flights",
        "pip install -e '.[dev]' && python -m pytest",
    ]
    ci = (Path(__file__).parents[2] / ".ci" / "run").read_text()
    for part in ("'.[flights]'", "constellation demo flights", "-e '.[dev]'", "make check"):
        assert part in ci


def test_the_session_does_what_its_comments_say(served: Served) -> None:
    sql, _, live = _block("sql", "CREATE TABLE account").partition("COPY (SUBSCRIBE")
    assert live
    statements = [part for part in re.sub(r"--.*", "", sql).split(";") if part.strip()]  # psql says them one by one
    done = constellation("sql", "--dsn", served.dsn, *(word for part in statements for word in ("-c", part)))
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith((" ada", " bob"))]
    assert rows == [["ada", "|", "15"], ["bob", "|", "20"]]
    with connect(served.dsn) as database:
        database.execute("DROP TABLE account CASCADE")


def test_the_python_example_runs_and_prints_what_it_says() -> None:
    example = _block("python", "import constellationdb")
    done = subprocess.run([sys.executable, "-c", example], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[('a', Decimal('3'))]", "[(1, ('a', Decimal('3')))]"]


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`constellation (\w+)", README))))
def test_every_command_that_is_named_exists(name: str) -> None:
    assert constellation(name, "--help").returncode == 0
