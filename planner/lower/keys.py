"""Join keys as columns: a key that is an expression is computed below the join."""

from __future__ import annotations

from substrait.proto import Expression

from constellationdb.planner import arithmetic
from constellationdb.planner.lower.core import Lowering
from constellationdb.planner.lower.stream import Stream
from constellationdb.planner.shuttle import field, field_index


def with_keys(lowering: Lowering, stream: Stream, keys: list[Expression]) -> tuple[Stream, list[int]]:
    """The stream with a column for each computed key appended, and the key columns' indexes."""
    outputs, indexes = [field(i) for i in range(stream.width)], []
    for key in keys:
        index = field_index(key)
        if index is None:
            arithmetic.check(lowering.shuttle, lowering.build.source(stream), stream.width, key)
            outputs.append(key)
            index = len(outputs) - 1
        indexes.append(index)
    return lowering.build.project(stream, outputs), indexes
