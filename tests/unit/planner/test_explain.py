"""EXPLAIN is stable: every plan in ``explain.golden`` prints as it stands there.

With ``CONSTELLATION_RECORD=1`` the file is written anew instead.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pyarrow as pa
import pytest

from constellationdb.planner import plan
from constellationdb.planner import statements as st
from constellationdb.planner.continuous import ContinuousPlanner
from constellationdb.planner.explain import Sink, explain, explain_snapshot
from constellationdb.planner.explain.facts import FIELDS
from constellationdb.planner.explain.names import Names
from constellationdb.planner.explain.operators import facts
from constellationdb.planner.relations import PlannedRelation
from constellationdb.planner.snapshot import SnapshotPlanner
from constellationdb.planner.syntax import parse

GOLDEN = Path(__file__).with_name("explain.golden")
_STAMP = pa.timestamp("us")
_FIRM = pa.schema([("symbol", pa.string()), ("name", pa.string()), ("sector", pa.string()), ("employees", pa.int32())])
_FORMS = frozenset({"=", "<>", "<", "<=", ">", ">=", "in"})

RELATIONS = {
    r.name: r
    for r in (
        PlannedRelation(
            "trade", "source", pa.schema([("symbol", pa.string()), ("price", pa.int32()), ("ts", _STAMP)]),
            append_only=True, times=(2,), delay_us=5_000_000,
        ),
        PlannedRelation(
            "quote", "source", pa.schema([("symbol", pa.string()), ("bid", pa.float64()), ("at", _STAMP)]),
            append_only=True, times=(2,),
        ),
        PlannedRelation(
            "totals", "view", pa.schema([]),
            query=st.Query("SELECT sector, sum(employees) AS total FROM company GROUP BY sector"),
        ),
        PlannedRelation("visit", "table", pa.schema([("who", pa.string()), ("at", _STAMP)])),
        PlannedRelation("company", "table", _FIRM, primary_key=("symbol",)),
        PlannedRelation(
            "minutes", "materialized view", pa.schema([("window_end", _STAMP), ("n", pa.int64())]),
            append_only=True, closing=(plan.Column(0, 0),),
        ),
        PlannedRelation(
            "firm", "lookup table", _FIRM, primary_key=("symbol",), pushable=_FORMS, connector="postgres",
            ttl_us=600_000_000, max_rows=1000,
        ),
        PlannedRelation(
            "kept", "lookup table", _FIRM, primary_key=("symbol",), connector="inline",
        ),
        PlannedRelation(
            "copy", "lookup table", _FIRM, primary_key=("symbol",), connector="file", replicated=True,
        ),
        PlannedRelation(
            "fixed", "lookup table", _FIRM, primary_key=("symbol",), connector="inline", replicated=True, fixed=True,
        ),
    )
}  # fmt: skip


def cases() -> list[tuple[str, str]]:
    """(statement, what EXPLAIN prints), a blank line between them."""
    blocks = GOLDEN.read_text().strip("\n").split("\n\n")
    pairs = [block.split("\n----\n") for block in blocks]
    return [(pair[0], pair[1] if len(pair) > 1 else "") for pair in pairs]


def lowered_of(statement: str) -> tuple[plan.Plan, Sink]:
    (parsed,) = parse(statement)
    if isinstance(parsed, st.CreateView):
        sink = Sink(parsed.name, f"{parsed.name}_errors")
        return ContinuousPlanner(RELATIONS).plan(parsed.query, parsed.column_names), sink
    assert isinstance(parsed, st.Select)
    return ContinuousPlanner(RELATIONS).plan(parsed.query), Sink()


def printed(statement: str) -> str:
    if statement.startswith("--"):  # a snapshot query
        (parsed,) = parse(statement.split("\n", 1)[1])
        assert isinstance(parsed, st.Select)
        return "\n".join(explain_snapshot(SnapshotPlanner(RELATIONS).plan(parsed.query), RELATIONS))
    lowered, sink = lowered_of(statement)
    return "\n".join(explain(lowered, RELATIONS, sink))


@pytest.mark.skipif(not os.environ.get("CONSTELLATION_RECORD"), reason="writes explain.golden")
def test_record() -> None:
    GOLDEN.write_text("\n\n".join(f"{statement}\n----\n{printed(statement)}" for statement, _ in cases()) + "\n")


@pytest.mark.parametrize(("statement", "expected"), cases(), ids=lambda text: " ".join(text.split())[:60])
def test_prints_what_it_printed(statement: str, expected: str) -> None:
    assert printed(statement) == expected


def nodes() -> Iterator[plan.AnyNode]:
    for statement, _ in cases():
        if not statement.startswith("--"):
            yield from plan.walk(lowered_of(statement)[0].root)


def test_every_kind_of_operator_is_in_the_golden_file() -> None:
    kinds = set(get_args(plan.AnyNode))
    assert kinds == {*plan.Node.__subclasses__(), *plan.OneInput.__subclasses__()} - {plan.OneInput}
    assert {type(node) for node in nodes()} == kinds


@pytest.mark.parametrize("kind", get_args(plan.AnyNode), ids=lambda kind: kind.__name__)
def test_every_operator_explains_every_field(kind: type[plan.Node]) -> None:
    found = [node for node in nodes() if isinstance(node, kind)]
    assert found
    for node in found:
        told = facts(node, Names(RELATIONS))
        lines = told.lines()
        absent = [name for key, text in lines if key == "none" for name in text.split(", ")]
        present = [key for key, text in lines if text and key in FIELDS]
        assert sorted([*absent, *present]) == sorted(FIELDS)
        assert {"emits", "rows"} <= set(present)
        if "state" in present and kind is not plan.Constant:
            assert {"key", "closes"} <= set(present), "what keeps state says by what, and what frees it"


def test_no_position_or_internal_name_is_shown() -> None:
    for statement, _ in cases():
        shown = printed(statement)
        assert not re.search(r"\bc\d+\b|\brel\d|slot\d|\bcon_|__weight", shown), shown


def test_an_edge_that_is_append_only_is_shown_as_one() -> None:
    for node in nodes():
        told = facts(node, Names(RELATIONS)).rows
        assert told.endswith("out append-only" if node.append_only else "out changelog")


def test_a_node_that_runs_once_is_shown_once() -> None:
    lowered, _ = lowered_of("SELECT DISTINCT sector FROM company")
    twice = plan.Union(
        id=99, schema_ipc=lowered.root.schema_ipc, append_only=False, inputs=(lowered.root, lowered.root)
    )
    lines = explain(plan.Plan(plan.VERSION, twice, lowered.names, lowered.output_ipc), RELATIONS)
    assert lines[-1] == "       -> Distinct (fast operator): the same as above, it runs once"
    assert sum("-> Scan" in line for line in lines) == 1
