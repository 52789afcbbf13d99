"""The allocators are told to keep freed memory, unless the environment chose otherwise."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

_REPORT = """
import os, pyarrow as pa
import constellationdb
from constellationdb.engine.allocators import choose_allocators
choose_allocators()
print(os.environ["MIMALLOC_PURGE_DELAY"], pa.default_memory_pool().backend_name)
"""


def _reported(**environment: str) -> list[str]:
    kept = {k: v for k, v in os.environ.items() if k not in ("MIMALLOC_PURGE_DELAY", "ARROW_DEFAULT_MEMORY_POOL")}
    done = subprocess.run([sys.executable, "-c", _REPORT], env=kept | environment, capture_output=True, check=True)
    return done.stdout.decode().split()


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, ["1000", "system"]),
        ({"MIMALLOC_PURGE_DELAY": "5", "ARROW_DEFAULT_MEMORY_POOL": "system"}, ["5", "system"]),
        ({"MALLOC_ARENA_MAX": "2"}, ["1000", "system"]),
    ],
)
def test_the_environment_goes_first(environment: dict[str, str], expected: list[str]) -> None:
    assert _reported(**environment) == expected
