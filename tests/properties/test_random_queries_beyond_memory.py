"""Random queries whose state is let go from memory all the time equal DuckDB's batch answers after every epoch."""

from __future__ import annotations

from pathlib import Path

from constellationdb.storage.scratch.space import open_space
from tests.properties.oracle.answers import Answers
from tests.properties.oracle.hunt import Hunter

_CASES = range(5_000, 5_008)


def test_random_queries_beyond_memory(tmp_path: Path) -> None:
    space = open_space(tmp_path, 1, None)
    assert space is not None
    answers = Answers()
    try:
        tally = Hunter(answers, shrinks=0).hunt(_CASES)
        assert not tally.defects, "\n\n".join(map(str, tally.defects))
        assert tally.cases >= len(_CASES)
        assert space.made > 100 * tally.cases, "too little lay in files to prove anything"
    finally:
        answers.close()
        space.stop()
