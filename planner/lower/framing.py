"""Frames that DataFusion does not compute, taken out of a projection: what is to be computed of which columns.

The first, last or nth value of a frame is looked up. An aggregate is that of GROUP BY, with the same accumulators,
over each row together with the rows of its frame: so every aggregate answers as it does elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.types as pt
from msgspec import structs
from substrait.proto import AggregateFunction, AggregateRel, Expression, Rel, SortField

from constellationdb.errors import FeatureNotSupported, InvalidFrameSize, NullNotAllowed
from constellationdb.planner import plan
from constellationdb.planner import shuttle as trees
from constellationdb.planner.aggregates import correct
from constellationdb.planner.frame import MARKS, Bound, Frame, Offset, read
from constellationdb.planner.functions import translate
from constellationdb.planner.interval_functions import parts_of
from constellationdb.planner.lower.measures import Call, accumulated, computes_doubles
from constellationdb.planner.lower.stream import Stream
from constellationdb.planner.lower.top import order_terms
from constellationdb.planner.overs import (
    correct_sum,
    integers_of,
    is_widened,
    rank_partitions,
    rank_sorts,
)
from constellationdb.planner.shuttle import Shuttle, field_index, project

_VALUES = ("first_value", "last_value", "nth_value")
_FRAMELESS = frozenset(
    {"row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "ntile", "lag", "lead"}
)  # fmt: skip
_DAY_US = 86_400_000_000
# What DataFusion computes right over frames that move: it takes nothing away that it could not give back.
_EXACT = frozenset({"count", "min", "max", "first_value", "last_value"})
_ZERO = frozenset({"count", "regr_count", "approx_distinct"})  # of no rows


@dataclass(frozen=True)
class Framing:
    """``columns`` over a projection's input begin with all of it; behind them come the values of ``calls``, in order.

    ``keys``: the columns by which every one of them is partitioned.
    """

    calls: list[Expression]
    columns: list[Expression]
    sets: tuple[plan.FrameSet, ...]
    schema: pa.Schema

    @property
    def keys(self) -> tuple[int, ...]:
        return tuple(sorted(set.intersection(*(set(part.keys) for part in self.sets))))


def framing(shuttle: Shuttle, source: Rel, width: int, calls: Sequence[Expression]) -> Framing | None:
    """What of ``calls``, over ``width`` columns of ``source``, is not DataFusion's to compute; marks are taken out."""
    found = [(call, _frame(shuttle, source, width, call)) for call in calls]
    windows = [_window(call) for call, frame in found if frame is not None]
    framed = [
        (call, frame or _as_said(call.window_function))
        for call, frame in found
        if frame is not None or (_window(call) in windows and _has_frame(shuttle, call))
    ]
    return _Framer(shuttle, source, width).framing(framed) if framed else None


def _window(call: Expression) -> tuple[list[Expression], list[SortField]]:
    """Calls of one window are computed together: rows that tie stand in one order for all of them."""
    function = call.window_function
    return list(function.partitions), list(function.sorts)


def _has_frame(shuttle: Shuttle, call: Expression) -> bool:
    return shuttle.function_name(call.window_function.function_reference) not in _FRAMELESS


def may_be_framed(shuttle: Shuttle, call: Expression) -> bool:
    """Whether ``framing`` has something to do with a call: there is a mark, or doubles may be taken away."""
    function = call.window_function
    marked = any(_is_mark(shuttle, partition) for partition in function.partitions)
    name = shuttle.function_name(function.function_reference)
    return marked or name == "nth_value" or (name not in _FRAMELESS and _moves(function))


def _is_mark(shuttle: Shuttle, partition: Expression) -> bool:
    if partition.WhichOneof("rex_type") != "scalar_function":
        return False
    return shuttle.function_name(partition.scalar_function.function_reference) in MARKS.values()


def _frame(shuttle: Shuttle, source: Rel, width: int, call: Expression) -> Frame | None:
    function = call.window_function
    name = shuttle.function_name(function.function_reference)
    mark = _taken_out(shuttle, function)
    if name in _FRAMELESS:
        return None
    if mark is not None:
        return _read(shuttle, mark)
    arguments = [argument.value for argument in function.arguments]
    if name == "nth_value":
        return None if arguments[1].WhichOneof("rex_type") == "literal" else _as_said(function)
    if not _moves(function) or name in _EXACT:
        return None
    if name in ("sum", "avg"):
        kind = shuttle.schema_of(project(source, width, arguments), 1).types[0]
        if not pt.is_floating(kind) or integers_of(shuttle, source, width, arguments[0]) is not None:
            return None
    return _as_said(function)


def _taken_out(shuttle: Shuttle, function: Any) -> list[Expression] | None:
    """The arguments of a call's mark, if there is one."""
    for place, partition in enumerate(function.partitions):
        if _is_mark(shuttle, partition):
            arguments = [_copy(argument.value) for argument in partition.scalar_function.arguments]
            del function.partitions[place]
            return arguments
    return None


def _read(shuttle: Shuttle, arguments: Sequence[Expression]) -> Frame:
    """The frame that a mark stands for, its offsets computed."""
    frame = read(arguments[0].literal.string)
    rel, _, _ = shuttle.plan("SELECT 1")
    one = project(rel, 1, arguments[1:])
    try:
        columns = shuttle.evaluate(one, 2).combine_chunks().columns
    except Exception as error:
        raise translate(error) from error
    bounds = [
        bound if not bound.words else structs.replace(bound, offset=_offset(frame, column, which))
        for bound, column, which in zip((frame.start, frame.end), columns, ("starting", "ending"), strict=True)
    ]
    return structs.replace(frame, start=bounds[0], end=bounds[1])


def _offset(frame: Frame, column: pa.ChunkedArray, which: str) -> Offset:
    value = column.chunk(0)
    if not value[0].is_valid:
        raise NullNotAllowed(f"frame {which} offset must not be null")
    if pt.is_string(value.type):
        text = str(value[0].as_py())
        _check_size(float(text) >= 0)
        return text
    if pt.is_integer(value.type):
        number = int(value[0].as_py())
        if number < 0 and frame.mode != "range":
            raise InvalidFrameSize(f"frame {which} offset must not be negative")
        _check_size(number >= 0)
        return number
    parts = parts_of(value)[0]
    months, days, micros = int(parts["months"]), int(parts["days"]), int(parts["nanos"]) // 1000
    if frame.fixed and (months or days):
        raise FeatureNotSupported(
            "a RANGE of months or days over timestamps with time zone is supported in UTC only",
            hint="say it in hours, or order by a timestamp without time zone",
        )
    _check_size((months * 30 + days) * _DAY_US + micros >= 0)
    return months, days, micros


def _check_size(good: bool) -> None:
    if not good:
        raise InvalidFrameSize("invalid preceding or following size in window function")


def _moves(function: Any) -> bool:
    return function.lower_bound.WhichOneof("kind") not in (None, "unbounded")


def _as_said(function: Any) -> Frame:
    rows = function.bounds_type == Expression.WindowFunction.BOUNDS_TYPE_ROWS
    return Frame(
        "rows" if rows else "range",
        _bound(function.lower_bound, Bound("unbounded preceding")),
        _bound(function.upper_bound, Bound("unbounded following")),
    )


def _bound(bound: Any, absent: Bound) -> Bound:
    match bound.WhichOneof("kind"):
        case "preceding":
            return Bound("preceding", int(bound.preceding.offset), str(bound.preceding.offset))
        case "following":
            return Bound("following", int(bound.following.offset), str(bound.following.offset))
        case "current_row":
            return Bound("current row")
        case _:
            return absent


@dataclass
class _Set:
    """A FrameSet in the making."""

    keys: tuple[int, ...]
    order: tuple[plan.Order, ...]
    value: int
    frame: Frame
    calls: list[plan.FrameCall] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    reads: list[int] = field(default_factory=list)
    aggregates: list[tuple[Call, int]] = field(default_factory=list)  # and the call that each answers


class _Framer:
    def __init__(self, shuttle: Shuttle, source: Rel, width: int) -> None:
        self._shuttle, self._source, self._width = shuttle, source, width
        self._columns = [trees.field(i) for i in range(width)]

    def framing(self, framed: Sequence[tuple[Expression, Frame]]) -> Framing:
        sets: list[_Set] = []
        written = []
        for place, (call, frame) in enumerate(framed):
            found = self._set(call, frame, sets)
            name = self._shuttle.function_name(call.window_function.function_reference)
            correct_sum(self._shuttle, self._source, self._width, call)
            written.append(_copy(call))
            self._add(found, name, call, place)
        source = project(self._source, self._width, self._columns)
        columns = self._shuttle.schema_of(source, len(self._columns))
        values = self._shuttle.schema_of(project(self._source, self._width, written), len(written))
        made = tuple(self._finished(found, columns, len(columns)) for found in sets)
        types = [*columns.types, *values.types]
        schema = pa.schema([pa.field(f"c{i}", kind) for i, kind in enumerate(types)])
        return Framing([call for call, _ in framed], self._columns, made, schema)

    def _column(self, expression: Expression) -> int:
        index = field_index(expression)
        if index is not None:
            return index
        for place, known in enumerate(self._columns):
            if known == expression:
                return place
        self._columns.append(_copy(expression))
        return len(self._columns) - 1

    def _set(self, call: Expression, frame: Frame, sets: list[_Set]) -> _Set:
        function = call.window_function
        sorts = [_copy(sort.expr) for sort in function.sorts]
        rank_sorts(self._shuttle, self._source, self._width, function.sorts)
        rank_partitions(self._shuttle, self._source, self._width, function.partitions)
        value = -1
        if frame.mode == "range" and any(bound.offset is not None for bound in (frame.start, frame.end)):
            if len(sorts) != 1:
                raise FeatureNotSupported("RANGE with an offset over a constant is not supported")
            value = self._column(sorts[0])
        keys = tuple(sorted({self._column(partition) for partition in function.partitions}))
        order = tuple(order_terms([self._column(sort.expr) for sort in function.sorts], list(function.sorts)))
        for known in sets:
            if (known.keys, known.order, known.value, known.frame) == (keys, order, value, frame):
                return known
        sets.append(_Set(keys, order, value, frame))
        return sets[-1]

    def _add(self, found: _Set, name: str, call: Expression, place: int) -> None:
        arguments = [argument.value for argument in call.window_function.arguments]
        found.outputs.append(place)
        if name in _VALUES:
            columns = tuple(self._column(argument) for argument in arguments)
            found.calls.append(plan.FrameCall(name, "value", columns))
            return
        made = self._aggregate(found, name, call, arguments)
        found.aggregates.append((made, len(found.calls)))
        found.calls.append(plan.FrameCall(name, "generic", tuple(found.reads[c] for c in made.columns)))

    def _aggregate(self, found: _Set, name: str, call: Expression, arguments: Sequence[Expression]) -> Call:
        measure = AggregateRel.Measure()
        function = measure.measure
        function.function_reference = call.window_function.function_reference
        function.phase = 3  # AGGREGATION_PHASE_INITIAL_TO_RESULT
        function.invocation = AggregateFunction.AGGREGATION_INVOCATION_ALL
        narrow, columns = False, []
        for place, argument in enumerate(arguments):
            if computes_doubles(name):
                argument = integers_of(self._shuttle, self._source, self._width, argument) or argument
            narrow |= name == "sum" and is_widened(self._shuttle, self._source, self._width, argument)
            given = function.arguments.add().value
            if _is_setting(name, place, argument):
                given.CopyFrom(argument)
                continue
            column = self._column(argument)
            if column not in found.reads:
                found.reads.append(column)
            columns.append(found.reads.index(column))
            given.CopyFrom(trees.field(1 + columns[-1]))
        return Call(name, measure, tuple(columns), -1, narrow, row=False)

    def _finished(self, found: _Set, columns: pa.Schema, width: int) -> plan.FrameSet:
        seen = pa.schema([columns.field(i).with_name(f"c{j}") for j, i in enumerate(found.reads)])
        scan = plan.Scan(id=0, schema_ipc=plan.encode_schema(seen), append_only=False, relation="", columns=())
        stream = Stream(scan, None, seen, tuple(range(len(seen))))
        fast: list[plan.Measure] = []
        types: list[pa.DataType] = []
        generic: list[Call] = []
        zeros: list[int] = []
        for call, place in found.aggregates:
            measure = accumulated(stream, call, append_only=True)
            if measure is not None and not measure[0].distinct:
                found.calls[place] = structs.replace(found.calls[place], kind="measure", place=len(fast))
                fast.append(measure[0])
                types.append(measure[1])
                continue
            found.calls[place] = structs.replace(found.calls[place], place=len(generic))
            if call.name in _ZERO:
                zeros.append(len(generic))
            generic.append(call)
        outputs = pa.schema([pa.field(f"c{i}", kind) for i, kind in enumerate(types)])
        known = {*found.keys, *(term.column for term in found.order)}
        ties = [i for i in range(self._width) if i not in known and not pt.is_nested(columns.field(i).type)]
        return plan.FrameSet(
            keys=found.keys,
            order=found.order,
            ties=tuple(plan.Order(i) for i in ties),
            value=found.value,
            frame=found.frame,
            calls=tuple(found.calls),
            outputs=tuple(width + i for i in found.outputs),
            reads=tuple(found.reads),
            measures=plan.Aggregate(
                id=0, schema_ipc=plan.encode_schema(outputs), append_only=False, input=scan, keys=(),
                measures=tuple(fast),
            ) if fast else None,
            generic=self._grouped(seen, generic) if generic else None,
            zeros=tuple(zeros),
        )  # fmt: skip

    def _grouped(self, seen: pa.Schema, calls: Sequence[Call]) -> bytes:
        pairs = pa.schema([pa.field("c0", pa.int64()), *(f.with_name(f"c{i}") for i, f in enumerate(seen, 1))])
        rel = Rel()
        rel.aggregate.input.CopyFrom(self._shuttle.slot(0, pairs))
        rel.aggregate.grouping_expressions.add().CopyFrom(trees.field(0))
        rel.aggregate.groupings.add().expression_references.append(0)
        rel.aggregate.measures.extend(call.measure for call in calls)
        rel = correct(self._shuttle, rel, rel.aggregate.input, len(pairs))
        return self._shuttle.encode(rel, 1 + len(calls))


def _is_setting(name: str, place: int, argument: Expression) -> bool:
    """Whether an argument is a constant that belongs to the call: count(1)'s, a delimiter."""
    if argument.WhichOneof("rex_type") != "literal":
        return False
    return place > 0 or (name == "count" and argument.literal.WhichOneof("literal_type") != "null")


def _copy(expression: Expression) -> Expression:
    copy = Expression()
    copy.CopyFrom(expression)
    return copy
