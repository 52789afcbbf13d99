"""What every script owes its reader: a sentence, enough checks, and an error by its exact message."""

from __future__ import annotations

from pathlib import Path

import pytest

from constellationdb.cli.slt.parser import parse_file
from constellationdb.cli.slt.records import ExpectCount, ExpectError, ExpectRows, SqlRecord

SCRIPTS = sorted(Path(__file__).parent.rglob("*.slt"))


def test_there_are_enough() -> None:
    assert len(SCRIPTS) >= 300


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_script_says_and_checks_enough(script: Path) -> None:
    first = script.read_text().splitlines()[0]
    assert first.startswith("# ")
    assert first.endswith(".")
    expectations = [record.expect for record in parse_file(script) if isinstance(record, SqlRecord)]
    answers = [expect for expect in expectations if isinstance(expect, ExpectRows | ExpectCount)]
    exact = [
        expect for expect in expectations if isinstance(expect, ExpectError) and expect.message and expect.sqlstate
    ]
    assert len(answers) >= 5
    assert exact
