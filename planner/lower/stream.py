"""A stream under construction: a node, and the filters and projections not yet cut into a fragment.

Filters and projections pile up as one Substrait relation over ``slot0`` until
something stateful needs them as a node; then ``finish`` makes one Fragment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pyarrow as pa
from substrait.proto import Expression, Rel

from constellationdb.planner import plan
from constellationdb.planner.lower.merged import merged_closing
from constellationdb.planner.lower.moments import Moments
from constellationdb.planner.shuttle import Shuttle, field, field_index, project


@dataclass(frozen=True)
class Stream:
    """``base`` then ``chain`` over it. ``passthrough[j]``: the base column that output ``j`` repeats, or -1.

    ``merged``: computed columns that close, for they are a key or a time that does. ``moved``: computed from a time.
    """

    base: plan.AnyNode
    chain: Rel | None
    schema: pa.Schema
    passthrough: tuple[int, ...]
    merged: tuple[plan.Column, ...] = ()
    moved: tuple[plan.Column, ...] = ()

    @property
    def width(self) -> int:
        return len(self.schema)

    def times(self) -> tuple[int, ...]:
        return tuple(j for j, origin in enumerate(self.passthrough) if origin in self.base.times)

    def closing(self) -> tuple[plan.Column, ...]:
        offsets = {c.index: c.offset_us for c in self.base.closing}
        return (*(plan.Column(j, offsets[o]) for j, o in enumerate(self.passthrough) if o in offsets), *self.merged)

    def shifted(self) -> tuple[plan.Column, ...]:
        offsets = {c.index: c.offset_us for c in self.base.shifted}
        return (*(plan.Column(j, offsets[o]) for j, o in enumerate(self.passthrough) if o in offsets), *self.moved)


class Builder:
    """Hands out node ids and turns streams into nodes; one per query."""

    def __init__(self, shuttle: Shuttle) -> None:
        self.shuttle = shuttle
        self._next_id = 0

    def next_id(self) -> int:
        self._next_id += 1
        return self._next_id

    def stream(self, node: plan.AnyNode) -> Stream:
        schema = node.schema
        return Stream(node, None, schema, tuple(range(len(schema))))

    def source(self, stream: Stream) -> Rel:
        """The stream's columns as a Substrait relation: its chain so far, or a plain read of the slot."""
        if stream.chain is not None:
            self.shuttle.slot(0, stream.base.schema)
            return stream.chain
        return self.shuttle.slot(0, stream.base.schema)

    def filter(self, stream: Stream, make: Callable[[Rel], Rel]) -> Stream:
        chain = make(self.source(stream))
        return replace(stream, chain=chain)

    def project(self, stream: Stream, expressions: list[Expression]) -> Stream:
        """Exactly ``expressions`` over the stream; nothing to do when they repeat it column by column."""
        origins = [field_index(e) for e in expressions]
        if origins == list(range(stream.width)):
            return stream
        chain = project(self.source(stream), stream.width, expressions)
        schema = self.shuttle.schema_of(chain, len(expressions))
        passthrough = tuple(-1 if o is None else stream.passthrough[o] for o in origins)
        made = merged_closing(self.shuttle, stream.base, stream.passthrough, expressions)
        merged = (*_kept(stream.merged, origins), *made, *self._moved(stream, expressions, stream.closing()))
        arriving = (*(plan.Column(i, 1) for i in stream.times()), *stream.shifted())
        moved = (*_kept(stream.moved, origins), *self._moved(stream, expressions, arriving))
        return Stream(stream.base, chain, schema, passthrough, merged, moved)

    def _moved(
        self, stream: Stream, expressions: list[Expression], known: tuple[plan.Column, ...]
    ) -> Iterator[plan.Column]:
        """Those of ``expressions`` that are one of the ``known`` times and some more."""
        offsets = {c.index: c.offset_us for c in known}
        moments = Moments(self.shuttle, stream.schema.types)
        for place, expression in enumerate(expressions if offsets else []):
            moved = moments.moved(expression) if field_index(expression) is None else None
            if moved is not None and moved.column in offsets:
                yield plan.Column(place, offsets[moved.column] - moved.least)

    def finish(self, stream: Stream) -> plan.AnyNode:
        """The stream as a node."""
        if stream.chain is None:
            return stream.base
        append_only = stream.base.append_only and stream.width > 0
        chain, width = stream.chain, stream.width
        if append_only:
            self.shuttle.slot(0, stream.base.schema)
        else:
            chain, width = self._weighted(stream.chain, stream.base.schema), width + 1
        return plan.Fragment(
            id=self.next_id(),
            schema_ipc=plan.encode_schema(stream.schema),
            append_only=append_only,
            times=stream.times(),
            closing=stream.closing(),
            shifted=stream.shifted(),
            input=stream.base,
            substrait=self.shuttle.encode(chain, width),
            weighted=not append_only,
            passthrough=stream.passthrough,
            shows=describe(self.shuttle.display_of(chain, width)),
        )

    def pad(self, stream: Stream) -> Stream:
        """The stream, with a constant column when it has none: DataFusion tables need one to have rows."""
        return stream if stream.width else self.project(stream, [Expression(literal=Expression.Literal(boolean=True))])

    def _weighted(self, chain: Rel, schema: pa.Schema) -> Rel:
        """``chain`` over a slot whose last column is the weight, which every step hands on as its last."""
        kind = chain.WhichOneof("rel_type")
        if kind == "read":
            return self.shuttle.slot(0, schema.append(pa.field("__weight", pa.int64())))
        copy = Rel()
        copy.CopyFrom(chain)
        body = getattr(copy, kind)
        body.input.CopyFrom(self._weighted(getattr(chain, kind).input, schema))
        if kind == "project":
            mapping = body.common.emit.output_mapping
            width = mapping[0] if mapping else _width(getattr(chain, kind).input, len(schema))
            body.expressions.append(field(width))
            del mapping[:]
            mapping.extend(range(width + 1, width + 1 + len(body.expressions)))
        return copy


def _kept(columns: tuple[plan.Column, ...], origins: list[int | None]) -> Iterator[plan.Column]:
    """The same columns where a projection repeats them."""
    return (plan.Column(j, c.offset_us) for j, origin in enumerate(origins) for c in columns if c.index == origin)


def _width(chain: Rel, base: int) -> int:
    """The width of a chain made by this module: what its last projection emits, or its slot's."""
    kind = chain.WhichOneof("rel_type")
    if kind == "project":
        return len(chain.project.common.emit.output_mapping)
    return base if kind == "read" else _width(chain.filter.input, base)


def describe(display: str) -> str:
    """DataFusion's display of a fragment on one line, innermost step first, without the scan."""
    steps = [line.strip() for line in display.splitlines() if "TableScan" not in line]
    return " | ".join(step.replace("slot0.", "") for step in reversed(steps))
