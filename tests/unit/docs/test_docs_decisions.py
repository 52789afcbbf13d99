"""Every decision is in the index, every dependency has its line, and every folder says what it is."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DECISIONS = ROOT / "docs" / "decisions"
RECORDS = sorted(path for path in DECISIONS.glob("*.md") if path.stem != "index")
_TOP = ("bench", "catalog", "cli", "cluster", "connectors", "engine", "planner", "server", "storage", "wire")
_PLACEHOLDER = re.compile(r"to be written|todo|tbd", re.I)


def _folders() -> list[Path]:
    tops = [*(ROOT / name for name in _TOP), ROOT / "constellationdb" / "embedded", ROOT / "tests"]
    return [ROOT / "constellationdb" / "__init__.py", *(path for top in tops for path in top.rglob("__init__.py"))]


def _docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text())) or ""


def test_every_record_is_in_the_index() -> None:
    linked = re.findall(r"\]\(([^)#]+\.md)\)", (DECISIONS / "index.md").read_text())
    assert len(RECORDS) >= 9
    assert sorted(linked) == [path.name for path in RECORDS]


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_record_has_its_parts(path: Path) -> None:
    text = path.read_text()
    for part in ("**Question.**", "**Decision.**", "**Given up"):
        assert part in text, part


def test_every_dependency_has_its_line() -> None:
    """With the bound that pyproject.toml has, and no line for a library that nobody asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = (requirement for extra in project["optional-dependencies"].values() for requirement in extra)
    asked = {_requirement(text) for text in (*project["dependencies"], *extras) if not text.startswith(project["name"])}
    assert _listed() == asked


def _requirement(text: str) -> tuple[str, str]:
    """``"uvloop>=0.21; sys_platform != 'win32'"`` as ("uvloop", ">=0.21")."""
    matched = re.match(r"([\w-]+(?:\[\w+\])?)([^;\s]*)", text)
    assert matched is not None
    return matched[1], matched[2]


def _listed() -> set[tuple[str, str]]:
    """The libraries and bounds in the first two columns of the tables."""
    found: set[tuple[str, str]] = set()
    for line in (DECISIONS / "dependencies.md").read_text().splitlines():
        if line.startswith("| `"):
            names, bounds = (re.findall(r"`([^`]+)`", cell) for cell in line.split("|")[1:3])
            found |= set(zip(names, bounds, strict=True))
    return found


def test_every_folder_says_what_it_is() -> None:
    for path in _folders():
        text = _docstring(path)
        assert len(text.splitlines()) > 1, path
        assert not _PLACEHOLDER.search(text), path


def test_every_top_folder_says_it_at_length() -> None:
    for folder in _TOP:
        assert len(_docstring(ROOT / folder / "__init__.py").splitlines()) > 5, folder
