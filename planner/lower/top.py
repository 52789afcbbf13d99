"""The first rows in an order, of everything or of each key: lowered to TopN where the order is one it can keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.types as pt
from substrait.proto import Expression, SortField

from constellationdb.planner import plan
from constellationdb.planner.lower.core import Lowering
from constellationdb.planner.lower.expiry import closing_with, key_expiry
from constellationdb.planner.lower.stream import Stream
from constellationdb.planner.shuttle import field, field_index, project

_DIRECTIONS = {
    SortField.SORT_DIRECTION_ASC_NULLS_FIRST: (False, True),
    SortField.SORT_DIRECTION_ASC_NULLS_LAST: (False, False),
    SortField.SORT_DIRECTION_DESC_NULLS_FIRST: (True, True),
    SortField.SORT_DIRECTION_DESC_NULLS_LAST: (True, False),
}


@dataclass(frozen=True)
class Top:
    """Which rows: their rank is above ``offset`` and at most ``offset + limit``."""

    limit: int
    offset: int = 0
    rank: plan.RankKind = "row_number"
    numbered: bool = False


NUMBER = pa.uint64()  # DataFusion's type of a rank


def is_orderable(lowering: Lowering, stream: Stream, keys: Sequence[Expression], sorts: Sequence[SortField]) -> bool:
    """Whether TopN can keep these rows by these keys in this order."""
    if any(sort.direction not in _DIRECTIONS for sort in sorts):
        return False
    kinds = list(stream.schema.types)
    computed = [*keys, *(sort.expr for sort in sorts)]
    if computed:
        source = project(lowering.build.source(stream), stream.width, computed)
        kinds += lowering.shuttle.schema_of(source, len(computed)).types
    return not any(pt.is_nested(kind) or pt.is_decimal256(kind) for kind in kinds)


def top_n(
    lowering: Lowering, stream: Stream, keys: Sequence[Expression], sorts: Sequence[SortField], top: Top
) -> Stream:
    """The stream's columns (and the number) of the first rows; what is orderable only."""
    width = stream.width
    stream, columns = with_columns(lowering, stream, [*keys, *(sort.expr for sort in sorts)])
    key_columns = tuple(sorted(set(columns[: len(keys)])))
    terms = order_terms(columns[len(keys) :], sorts)
    known = {*key_columns, *(term.column for term in terms)}
    node = lowering.build.finish(stream)
    number = [pa.field(f"c{stream.width}", NUMBER)] if top.numbered else []
    expiry = key_expiry(lowering, node, key_columns)
    found = lowering.build.stream(
        plan.TopN(
            id=lowering.build.next_id(),
            schema_ipc=plan.encode_schema(pa.schema([*stream.schema, *number])),
            append_only=False,
            closing=closing_with(node, key_columns, expiry),
            input=node,
            keys=key_columns,
            order=tuple(terms),
            ties=tuple(plan.Order(i) for i in range(width) if i not in known),
            rank=top.rank,
            offset=top.offset,
            limit=top.limit,
            numbered=top.numbered,
            expiry=expiry,
        )
    )
    columns = [*range(width), *range(stream.width, stream.width + len(number))]
    return lowering.build.project(found, [field(i) for i in columns])


def order_terms(columns: Sequence[int], sorts: Sequence[SortField]) -> list[plan.Order]:
    return [plan.Order(c, *_DIRECTIONS[s.direction]) for c, s in zip(columns, sorts, strict=True)]


def with_columns(lowering: Lowering, stream: Stream, wanted: Sequence[Expression]) -> tuple[Stream, list[int]]:
    """The stream with what is computed appended, and where each of ``wanted`` is."""
    outputs, places = [field(i) for i in range(stream.width)], []
    for expression in wanted:
        index = field_index(expression)
        if index is None:
            index = next((i for i, known in enumerate(outputs) if known == expression), len(outputs))
            if index == len(outputs):
                outputs.append(expression)
        places.append(index)
    return lowering.build.project(stream, outputs), places
