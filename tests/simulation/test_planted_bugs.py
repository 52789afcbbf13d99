"""The simulation finds bugs: each of ``planted.PLANTED`` is installed alone and must be found within a thousand seeds.

The seed that finds one must hold without it: it is the bug that was found, not something else.
"""

from __future__ import annotations

import os

import pytest

from tests.simulation.planted import PLANTED, QUICK, PlantedBug
from tests.simulation.run import quietly
from tests.simulation.simulation import defined

SEEDS = 1000


@pytest.mark.parametrize(
    "bug",
    PLANTED if os.environ.get("CONSTELLATION_SIMULATION_BUGS") == "all" else QUICK,
    ids=lambda bug: bug.name.replace(" ", "-"),
)
def test_the_simulation_finds(bug: PlantedBug, monkeypatch: pytest.MonkeyPatch) -> None:
    quietly()
    defined()  # before there is a bug in it
    for seed in range(SEEDS):
        with monkeypatch.context() as patch:
            bug.install(patch)
            try:
                bug.scenario(seed).run()
            except Exception as error:
                print(f"found with seed {seed}: {error}")
                break
    else:
        pytest.fail(f"not found with {SEEDS} seeds: {bug.name}")
    bug.scenario(seed).run()
