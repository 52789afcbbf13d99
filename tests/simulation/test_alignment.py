"""Many seeds of ``alignment``; what they have to find is planted by ``test_planted_bugs``."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.simulation.alignment import Alignment


@pytest.mark.parametrize("block", range(4))
def test_no_checkpoint_is_torn(block: int) -> None:
    counts: Counter[str] = Counter()
    for seed in range(block * 100, block * 100 + 100):
        simulation = Alignment(seed)
        simulation.run()
        counts += simulation.counts
    assert counts.keys() >= {"committed", "crashes", "Snapshot", "Completed", "Aborted", "Ignored"}, counts
