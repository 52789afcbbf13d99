"""The tables that a snapshot query makes on its way, of ASOF joins and of frames: of what, and what is in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from datafusion import SessionContext
from datafusion.substrait import Consumer, Serde

from constellationdb.planner.asof_stages import AsofStage
from constellationdb.planner.explain.names import framed
from constellationdb.planner.explain.words import Shown
from constellationdb.planner.frame_stages import FrameStage
from constellationdb.planner.snapshot import SnapshotPlan

Names = dict[str, list[str]]  # by table, of its columns

_ITEM = re.compile(r"(.*?) AS c\d+(?:, |$)")
_COLUMN = re.compile(r"\b((?:asof|framed)\d+)\.c(\d+)\b")
_SCAN = re.compile(r"(TableScan: ((?:asof|framed)\d+) projection=)\[([^\]]*)\]")
_KEY = "__temp__"  # how DataFusion calls a column that is there a second time


def explain_stages(
    planned: SnapshotPlan, context: SessionContext, shown: Callable[[str], str]
) -> tuple[list[str], Names]:
    """The lines of all of them, and the names; ``shown`` puts relations in the user's names."""
    lines: list[str] = []
    names: Names = {}
    for stage in planned.stages:
        columns: list[str] = []
        if isinstance(stage, FrameStage):
            lines.append(f"  {stage.name}, {'; '.join(part.frame.shown() for part in stage.sets)}, over")
        else:
            lines.append(f"  {stage.name}, ASOF {stage.match.join_type} join, {stage.match.direction} in time, of")
        for side in (stage.source,) if isinstance(stage, FrameStage) else (stage.left, stage.right):
            logical = Consumer.from_substrait_plan(context, Serde.deserialize_bytes(side))
            text = context.create_dataframe_from_logical_plan(logical).optimized_logical_plan().display_indent()
            first, *rest = in_names(shown(text), names).split("\n")
            items = _ITEM.findall(first.removeprefix("Projection: "))
            columns += items
            own = [item for item in items if _KEY not in item]
            lines += [f"    {line}" for line in (f"Projection: {', '.join(own)}", *rest)]
        names[stage.name] = _named(stage, columns)
    return lines, names


def _named(stage: AsofStage | FrameStage, columns: list[str]) -> list[str]:
    if isinstance(stage, FrameStage):
        return [*columns, *(column.text for column in framed(stage.sets, [Shown(column) for column in columns]))]
    return [columns[c] if c < len(columns) else "?" for c in stage.columns]


def in_names(text: str, names: Mapping[str, list[str]]) -> str:
    """A plan that reads such tables, with their columns called as where they come from."""

    def column(found: re.Match[str]) -> str:
        return names[found[1]][int(found[2])]

    def scan(found: re.Match[str]) -> str:
        columns = [names[found[2]][int(c.removeprefix("c"))] for c in found[3].split(", ") if c]
        return f"{found[1]}[{', '.join(columns)}]"

    return _COLUMN.sub(column, _SCAN.sub(scan, text))
