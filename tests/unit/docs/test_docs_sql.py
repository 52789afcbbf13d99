"""Every SQL page runs as it stands, and prints what it says it prints.

With ``CONSTELLATION_RECORD=1`` the pages' text blocks are written anew instead.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.unit.docs.sql_page import blocks_of, play_page

ROOT = Path(__file__).parents[3]
PAGES = sorted((ROOT / "docs" / "sql").glob("*.md"))
# Compared with a real Postgres by a test of its own.
_ELSEWHERE = {"postgres-differences.md", "index.md"}


@pytest.mark.parametrize("path", [p for p in PAGES if p.name not in _ELSEWHERE], ids=lambda path: path.stem)
def test_page_prints_what_it_says(path: Path, tmp_path: Path, postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = path.read_text()
    if os.environ.get("CONSTELLATION_RECORD"):
        path.write_text(_recorded(page, tmp_path, postgres))
        return
    for block, printed in play_page(page, tmp_path, postgres):
        assert printed == (block.expected or ""), f"{path.name}:{block.line}"


def test_every_page_shows_answers() -> None:
    """A page whose blocks all expect nothing would prove nothing."""
    assert len(PAGES) >= 10
    for path in PAGES:
        if path.name not in _ELSEWHERE:
            assert sum(b.expected is not None for b in blocks_of(path.read_text())) >= 3, path.name


def test_a_wrong_answer_is_found(tmp_path: Path, postgres: str) -> None:
    page = "```sql\nSELECT 1 AS one;\n```\n\n```text\n one\n-----\n   2\n```\n"
    page = page.replace("SELECT", "VALUES (1); SELECT")  # not a single SELECT: nothing is asked twice
    ((block, printed),) = play_page(page, tmp_path, postgres)
    assert "   1\n" in printed
    assert printed != block.expected


def _recorded(page: str, folder: Path, postgres: str) -> str:
    """The page with every text block replaced by what is printed now."""
    written, end = [], 0
    for block, printed in play_page(page, folder, postgres, record=True):
        if block.expected is None and not printed:
            continue
        begin, after = block.span
        written.append(page[end:begin])
        written.append(("\n\n" if begin == after else "") + (f"```text\n{printed}```" if printed else ""))
        end = after
    return "".join(written) + page[end:]
