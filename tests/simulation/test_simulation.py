"""Three hundred seeds, and more until a minute is up; and that the simulation itself is what it says."""

from __future__ import annotations

import os
import time
from pathlib import Path
from random import Random

import pytest

from tests.simulation.disk import CrashError, SimulatedDisk
from tests.simulation.run import Report, quietly
from tests.simulation.simulation import STEPS, Simulation

SEED = int(os.environ.get("CONSTELLATION_SIMULATION_SEED", "1"))
SEEDS = int(os.environ.get("CONSTELLATION_SIMULATIONS", "300"))
SECONDS = float(os.environ.get("CONSTELLATION_SIMULATION_SECONDS", "60"))


@pytest.fixture(autouse=True)
def quiet() -> None:
    quietly()


def test_every_seed_holds() -> None:
    report, begin, seed = Report(), time.monotonic(), SEED
    while report.seeds < SEEDS or time.monotonic() - begin < SECONDS:
        report.run(seed)
        seed += 1
    print(report)
    assert report.steps >= set(STEPS)
    missed = set(STEPS) - report.crashed_at.keys()
    assert not missed, f"no crash in the middle of {missed}"
    counted = ("checkpoints", "failed checkpoints", "fallbacks", "crashes while opening", "sinks compared", "reads")
    for what in counted:
        assert report.counts[what] >= SEEDS // 30, f"{what}: {report.counts[what]}"


@pytest.mark.parametrize("seed", [3, 8])
def test_a_seed_is_the_same_again(seed: int) -> None:
    runs = [Simulation(seed), Simulation(seed)]
    for simulation in runs:
        simulation.run()
    assert len(runs[0].told()) > 10
    assert runs[0].told() == runs[1].told()
    assert runs[0].disk.steps == runs[1].disk.steps


def test_a_power_cut_takes_what_was_not_synced(tmp_path: Path) -> None:
    """And a kill does not; what was synced is there whatever happens."""
    seen: dict[str, set[bytes | None]] = {"kill": set(), "power cut": set()}
    for seed in range(60):
        disk = SimulatedDisk(tmp_path / str(seed), Random(seed))
        disk.root.mkdir()
        path = disk.root / "file"
        disk.create(path, b"a" * 600)
        disk.sync_directory(disk.root)
        fd = os.open(path, os.O_WRONLY | os.O_APPEND)
        disk.write(fd, b"b" * 600)
        os.close(fd)
        (disk.root / "new").write_bytes(b"")
        crash = ("kill", "power cut")[seed % 2]
        with pytest.raises(CrashError):
            disk.crash("kill" if crash == "kill" else "power cut")
        disk.restart()
        content = path.read_bytes()
        assert content.startswith(b"a" * 600)
        seen[crash].add(content[600:])
    assert seen["kill"] == {b"b" * 600}
    assert len(seen["power cut"]) > 5
    assert {b"", b"b" * 600} <= seen["power cut"]
