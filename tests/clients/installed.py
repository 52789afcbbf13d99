"""Where the clients that are no Python packages lie: node's, the JDBC driver, DuckDB with its Postgres scanner.

``make clients`` brings them, into a cache. Who has not called it, or has neither node nor Java, sees their tests
skipped with the reason; where ``CONSTELLATION_CLIENTS`` is ``all``, as in CI, they fail instead.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TypeVar

import pytest

T = TypeVar("T")

FOLDER = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "constellation-tests"


def jdbc_command(source: Path) -> list[str]:
    """The start of a command that runs a Java program of one file, with the driver at hand."""
    java = _found(shutil.which("java"), "java, 17 or later")
    driver = _found(max((FOLDER / "java").glob("postgresql-*.jar"), default=None), "driver pgjdbc")
    # Compiled for one run and not longer: the quick compiler is enough.
    return [java, "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", str(driver), str(source)]


def node_command() -> tuple[list[str], dict[str, str]]:
    """The start of a command that runs a script of node, and the environment in which it finds its packages."""
    node = _found(shutil.which("node"), "node")
    packages = _found(_folder(FOLDER / "node" / "node_modules"), "packages of node")
    return [node], {**os.environ, "NODE_PATH": str(packages)}


def azurite_command() -> list[str]:
    """The start of a command that runs Azure's storage, emulated."""
    node = _found(shutil.which("node"), "node")
    folder = FOLDER / "azurite" / "node_modules" / "azurite" / "dist" / "src" / "blob"
    return [node, str(_found(_folder(folder), "azurite") / "main.js")]


def duckdb_scanner() -> Path:
    """The folder with a DuckDB for which the Postgres scanner is released."""
    return _found(_folder(FOLDER / f"duckdb-{sys.implementation.cache_tag}"), "Postgres scanner of DuckDB")


def _folder(path: Path) -> Path | None:
    return path if path.is_dir() else None


def _found(found: T | None, what: str) -> T:
    if found is not None:
        return found
    reason = f"no {what}: `make clients` brings what can be downloaded"
    if os.environ.get("CONSTELLATION_CLIENTS") == "all":
        pytest.fail(reason)
    pytest.skip(reason)
