"""Edited text, the way back from it, and names and strings as SQL."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pglast import parse_sql

from constellationdb.planner.syntax.edits import Edit, apply_edits, identifier, literal, overlay


def test_edits_apply_and_positions_map_back() -> None:
    text = "SELECT a FROM t WHERE b"
    new, back = apply_edits(text, [(14, 15, "some_table"), (7, 8, "a + 1"), (23, 23, " = 1")])
    assert new == "SELECT a + 1 FROM some_table WHERE b = 1"
    for word in ("SELECT", "FROM", "WHERE", "b"):
        assert back(new.rindex(word)) == text.rindex(word)
    assert [back(new.index(word)) for word in ("a +", "1 FROM", "some_table", "table", "= 1")] == [7, 7, 14, 14, 23]


@pytest.mark.parametrize("edits", [[(0, 3, ""), (2, 4, "")], [(5, 4, "")], [(0, 99, "")]])
def test_impossible_edits_are_refused(edits: list[Edit]) -> None:
    with pytest.raises(ValueError, match="overlaps"):
        apply_edits("SELECT a", edits)


@given(st.text(max_size=30), st.data())
@settings(max_examples=200, deadline=None)
def test_every_kept_character_finds_its_way_back(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    spans = list(zip(cuts[::2], cuts[1::2], strict=False))
    edits = [(start, end, data.draw(st.text(max_size=5))) for start, end in spans]
    new, back = apply_edits(text, edits)
    position, last = 0, 0
    for start, end, replacement in [*edits, (len(text), len(text), "")]:
        for old in range(last, start):
            assert new[position] == text[old]
            assert back(position) == old
            position += 1
        for _ in replacement:
            assert back(position) == start
            position += 1
        last = end
    assert position == len(new)


def test_overlay_pads_and_keeps_line_breaks() -> None:
    assert overlay("CREATE LOOKUP\nTABLE d", [(7, 19, "TABLE")]) == "CREATE TABLE \n      d"
    assert overlay("abcdef", [(12, 14, "X"), (15, 16, "")], base=10) == "abX e "


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=15))
@settings(max_examples=200, deadline=None)
def test_names_and_strings_come_back_from_postgres(text: str) -> None:
    statement: Any = parse_sql(f"SELECT {literal(text)} AS {identifier(text)}")[0].stmt
    target = statement.targetList[0]
    assert target.val.val.sval == text
    assert target.name.encode() == text.encode()[:63]


@pytest.mark.parametrize(
    ("name", "sql"),
    [("a_1", "a_1"), ("A", '"A"'), ("select", '"select"'), ("values", '"values"'), ("left", '"left"'), ("name", "name"),
     ("a b", '"a b"'), ('a"b', '"a""b"'), ("1a", '"1a"'), ("é", '"é"')],
)  # fmt: skip
def test_names_are_quoted_only_when_needed(name: str, sql: str) -> None:
    assert identifier(name) == sql
