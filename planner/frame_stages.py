"""Frames of a snapshot query that DataFusion does not compute: cut out of its plan, as joins in time are.

Project(OVER (… GROUPS …), Input)  →  framed1 = Input with its frames' values;  Project(Read framed1)
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from substrait.proto import Rel

from constellationdb.errors import FeatureNotSupported
from constellationdb.planner import arithmetic, plan
from constellationdb.planner.lower.core import width_of
from constellationdb.planner.lower.framing import framing, may_be_framed
from constellationdb.planner.overs import window_calls
from constellationdb.planner.shuttle import Shuttle, below, field, project, visit


@dataclass(frozen=True)
class FrameStage:
    """The table ``name``: the rows of ``source``, and behind them what ``sets`` are of them."""

    name: str
    source: bytes
    sets: tuple[plan.FrameSet, ...]
    schema: pa.Schema


Harden = Callable[[Shuttle, Rel], None]


class FrameCutter:
    """Collects the stages of one query. ``harden`` corrects a plan in place, as that of the whole query is."""

    def __init__(self, shuttle: Shuttle, harden: Harden) -> None:
        self._shuttle = shuttle
        self._harden = harden
        self._numbers = itertools.count(1)
        self.stages: list[FrameStage] = []

    def cut(self, rel: Any) -> None:
        """In place: every such projection below ``rel`` becomes one over a table that is there; inner ones first."""
        for child in below(rel):
            self.cut(child)
        if rel.WhichOneof("rel_type") == "project" and window_calls(rel.project.expressions):
            self._replace(rel)

    def _replace(self, rel: Any) -> None:
        body, width = rel.project, width_of(rel.project.input)
        calls = window_calls(body.expressions)
        if not any(may_be_framed(self._shuttle, call) for call in calls):
            return
        source = Rel()
        source.CopyFrom(body.input)
        self._harden(self._shuttle, source)
        arithmetic.check(self._shuttle, source, width, calls)
        found = framing(self._shuttle, source, width, calls)
        if found is None:
            return
        if _looks_out(source) or _looks_out(found.columns):
            raise FeatureNotSupported("such a frame in a correlated subquery is not supported")
        stage = self._stage(source, width, found.columns, found.sets, found.schema)
        for place, call in enumerate(found.calls):
            call.CopyFrom(field(len(found.columns) + place))
        outputs = [*(field(i) for i in range(width)), *body.expressions]
        if body.common.HasField("emit"):
            outputs = [outputs[i] for i in body.common.emit.output_mapping]
        rel.CopyFrom(project(stage, len(found.schema), outputs))

    def _stage(
        self, source: Rel, width: int, columns: list[Any], sets: tuple[plan.FrameSet, ...], schema: pa.Schema
    ) -> Rel:
        name = f"framed{next(self._numbers)}"
        substrait = self._shuttle.encode(project(source, width, columns), len(columns))
        self.stages.append(FrameStage(name, substrait, sets, schema))
        return self._shuttle.read(name, schema)


def _looks_out(message: Any) -> bool:
    """Whether there are columns of a query around this one."""
    found: list[bool] = []
    visit(message, lambda e: found.append(e.selection.WhichOneof("root_type") == "outer_reference"))
    return any(found)
