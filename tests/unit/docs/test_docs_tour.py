"""The tour is true: its Python sessions run, and the files and pages it names are there."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TOUR = sorted((ROOT / "docs" / "tour").glob("*.md"))
ALL_PAGES = sorted((ROOT / "docs").rglob("*.md"))
_FOLDERS = {"storage", "catalog", "connectors", "planner", "engine", "wire", "server", "embedded", "cli"}
_SESSION = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)


@pytest.mark.parametrize("path", [p for p in TOUR if p.stem != "index"], ids=lambda path: path.stem)
def test_sessions_run(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sessions = _SESSION.findall(path.read_text())
    assert sessions, f"{path.name} has no example"
    test = doctest.DocTestParser().get_doctest("\n".join(sessions), {}, path.name, str(path), 0)
    said: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE).run(test, out=said.append)
    assert not said, "".join(said)


def test_every_folder_has_its_page() -> None:
    assert {path.stem for path in TOUR} == _FOLDERS | {"index"}


@pytest.mark.parametrize("path", ALL_PAGES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_what_a_page_names_is_there(path: Path) -> None:
    text = path.read_text()
    for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", text):
        assert (path.parent / target).exists(), target
    for name in re.findall(r"`((?:\w+/)+(?:\w+\.py)?)`", text):
        assert (ROOT / name).exists(), name
