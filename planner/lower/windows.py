"""Window calls in FROM as nodes: which columns they need, and what the watermark closes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa

from constellationdb.planner import plan
from constellationdb.planner.lower.stream import Builder, Stream
from constellationdb.planner.relations import WindowCall
from constellationdb.planner.shuttle import field


@dataclass(frozen=True)
class Lateness:
    """What the query's EMIT clauses say of late rows. ``kept``: they are stored, with all their columns."""

    us: int = 0
    kept: bool = False


@dataclass(frozen=True)
class Windowed:
    """A window call over a relation of columns ``schema``; ``read`` gives some of them as a stream."""

    call: WindowCall
    schema: pa.Schema
    read: Callable[[list[int]], Stream]

    def columns(self, build: Builder, wanted: list[int], lateness: Lateness) -> Stream:
        """The ``wanted`` columns, of which the window's own come last."""
        width = len(self.schema)
        needed = {self.call.time_index(self.schema), *self.call.partition_indexes(self.schema)}
        kept = list(range(width)) if lateness.kept else sorted({*needed, *(i for i in wanted if i < width)})
        place = {column: j for j, column in enumerate([*kept, width, width + 1])}
        node = build.finish(self.read(kept))
        partition = tuple(place[i] for i in self.call.partition_indexes(self.schema))
        time = place[self.call.time_index(self.schema)]
        assigned = window_node(self.call, build.next_id(), node, time, partition, lateness.us)
        return build.project(build.stream(assigned), [field(place[i]) for i in wanted])


def window_node(
    call: WindowCall, number: int, node: plan.AnyNode, time: int, partition: tuple[int, ...], lateness_us: int = 0
) -> plan.WindowAssign | plan.SessionAssign:
    """Node ``number``: a window call over ``node``, whose columns ``time`` and ``partition`` it goes by."""
    comes_until = _arrival(node, time)
    watermarked = comes_until is not None
    # Of the source's own time a window is complete when the watermark reaches its end; of others so much later.
    lateness_us += comes_until - 1 if comes_until else 0
    width, kind = len(node.schema), node.schema.field(time).type
    types = [*node.schema.types, kind, kind]
    schema = plan.encode_schema(pa.schema([pa.field(f"c{i}", k) for i, k in enumerate(types)]))
    # A window is final only when no late row is let in any more.
    end = plan.Column(width + 1, lateness_us)
    if call.kind == "session":
        return plan.SessionAssign(
            id=number,
            schema_ipc=schema,
            append_only=False,
            closing=(end,) if watermarked else (),
            input=node,
            time_column=time,
            partition=partition,
            gap_us=call.size_us,
            watermarked=watermarked,
            lateness_us=lateness_us,
        )
    return plan.WindowAssign(
        id=number,
        schema_ipc=schema,
        append_only=node.append_only,
        closing=(plan.Column(width, call.size_us + lateness_us), end) if watermarked else (),
        input=node,
        time_column=time,
        slide_us=call.slide_us,
        size_us=call.size_us,
        offset_us=call.offset_us,
        watermarked=watermarked,
        lateness_us=lateness_us,
        cumulative=call.kind == "cumulate",
    )


def _arrival(node: plan.AnyNode, time: int) -> int | None:
    """What is added to a time that comes no more once the watermark has reached the sum; None: it may ever come."""
    if time in node.times:
        return 1
    known = (*node.closing, *node.shifted)
    return min((c.offset_us for c in known if c.index == time), default=None)
