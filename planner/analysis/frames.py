"""The frame of a window, checked as Postgres does.

One that DataFusion computes right stays where it is; any other becomes a mark (``planner.frame``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from pglast import ast, enums

from constellationdb.errors import (
    DatatypeMismatch,
    FeatureNotSupported,
    GroupingError,
    InvalidColumnReference,
    InvalidNthValueArgument,
    InvalidNtileArgument,
    WindowingError,
)
from constellationdb.planner.analysis import calls, equality, forms, kinds, texts
from constellationdb.planner.analysis.typed import Place, Typed, Walk
from constellationdb.planner.frame import MARKS, Bound, Frame, Mode, Side, written
from constellationdb.planner.rewrite.tree import MADE, last_name, nodes, to_sql

_DEFAULT = enums.FRAMEOPTION_RANGE | enums.FRAMEOPTION_START_UNBOUNDED_PRECEDING | enums.FRAMEOPTION_END_CURRENT_ROW
_BY_ROWS = _DEFAULT ^ enums.FRAMEOPTION_RANGE | enums.FRAMEOPTION_ROWS | enums.FRAMEOPTION_NONDEFAULT
_STARTS: dict[int, Side] = {
    enums.FRAMEOPTION_START_UNBOUNDED_PRECEDING: "unbounded preceding",
    enums.FRAMEOPTION_START_OFFSET_PRECEDING: "preceding",
    enums.FRAMEOPTION_START_CURRENT_ROW: "current row",
    enums.FRAMEOPTION_START_OFFSET_FOLLOWING: "following",
}
_ENDS: dict[int, Side] = {
    enums.FRAMEOPTION_END_OFFSET_PRECEDING: "preceding",
    enums.FRAMEOPTION_END_CURRENT_ROW: "current row",
    enums.FRAMEOPTION_END_OFFSET_FOLLOWING: "following",
    enums.FRAMEOPTION_END_UNBOUNDED_FOLLOWING: "unbounded following",
}
_EXCLUSIONS = {
    enums.FRAMEOPTION_EXCLUDE_CURRENT_ROW: "current row",
    enums.FRAMEOPTION_EXCLUDE_GROUP: "group",
    enums.FRAMEOPTION_EXCLUDE_TIES: "ties",
}
# The zones of tz database that are UTC by another name.
_LIKE_UTC = frozenset(
    {
        "UTC",
        "Etc/UTC",
        "UCT",
        "Etc/UCT",
        "GMT",
        "Etc/GMT",
        "Universal",
        "Etc/Universal",
        "Zulu",
        "Etc/Zulu",
        "Greenwich",
    }
)
# What an offset is of, by the type of the column that it is added to.
_OFFSETS = {
    **dict.fromkeys(kinds.INTEGERS, kinds.INTEGERS),
    kinds.NUMERIC: (kinds.NUMERIC,),
    kinds.REAL: (kinds.DOUBLE,),
    kinds.DOUBLE: (kinds.DOUBLE,),
    **dict.fromkeys((*kinds.MOMENTS, kinds.TIME), (kinds.INTERVAL,)),
}


def check_call(node: Any, name: str, position: int | None) -> None:
    """What a window function cannot be, and the argument of one that must be greater than zero."""
    for given, what in ((node.agg_distinct, "DISTINCT"), (node.agg_order, "aggregate ORDER BY")):
        if given:
            raise FeatureNotSupported(f"{what} is not implemented for window functions", position=position)
    arguments: Sequence[Any] = node.args or ()
    if name == "ntile" and len(arguments) == 1 and _is_not_positive(arguments[0]):
        raise InvalidNtileArgument("argument of ntile must be greater than zero")
    if name == "nth_value" and len(arguments) == 2 and _is_not_positive(arguments[1]):
        raise InvalidNthValueArgument("argument of nth_value must be greater than zero")


def _is_not_positive(node: Any) -> bool:
    """Whether an argument is a constant of zero or less."""
    if isinstance(node, ast.TypeCast) and node.location == MADE:
        node = node.arg
    return forms.is_integer(node) and node.val.ival <= 0


def define(window: Any, walk: Walk, place: Place) -> None:
    """Analyse all of a window's definition, in place."""
    keys = [walk.expression(part, place) for part in window.partitionClause or ()]
    window.partitionClause = tuple(equality.key(part.node, part.kind) for part in keys) or None
    sorts = [walk.expression(sort.node, place) for sort in window.orderClause or ()]
    for sort, typed in zip(window.orderClause or (), sorts, strict=True):
        sort.node = equality.sort_key(typed.node, typed.kind)
    _settle(window, sorts, walk, place)


def _settle(window: Any, sorts: Sequence[Typed], walk: Walk, place: Place) -> None:
    """Leave in ``window``, ordered by ``sorts``, a frame that DataFusion computes right."""
    options = int(window.frameOptions or 0)
    if not options & enums.FRAMEOPTION_NONDEFAULT:
        return
    _check(window, options, walk)
    excluded = next((name for bit, name in _EXCLUSIONS.items() if options & bit), None)
    offsets = [node for node in (window.startOffset, window.endOffset) if node is not None]
    if excluded is None and options & enums.FRAMEOPTION_ROWS and _is_forward(window, options):
        return
    if excluded is None and options & enums.FRAMEOPTION_RANGE and not offsets:
        if not sorts:  # all rows are peers
            window.frameOptions = _DEFAULT
        return
    mark = _mark(window, options, excluded or "no others", _Offsets(options, sorts, walk, place))
    window.partitionClause = (*(window.partitionClause or ()), mark)
    # A frame that DataFusion takes over whatever it is ordered by.
    window.frameOptions, window.startOffset, window.endOffset = _BY_ROWS, None, None


def _is_forward(window: Any, options: int) -> bool:
    """Whether the offsets of ROWS are numbers, and it does not end before it begins: what DataFusion takes."""
    start, end = _count(window.startOffset), _count(window.endOffset)
    if start is None or end is None:
        return False
    begins = -start if options & enums.FRAMEOPTION_START_OFFSET_PRECEDING else start
    ends = -end if options & enums.FRAMEOPTION_END_OFFSET_PRECEDING else end
    offsets = window.startOffset is not None and window.endOffset is not None
    return begins <= ends or not offsets


def _count(node: Any) -> int | None:
    """An offset that is written as a number, or comes as a parameter; 0 where there is none."""
    if node is None:
        return 0
    if isinstance(node, ast.TypeCast) and node.location == MADE:
        node = node.arg
    return int(node.val.ival) if forms.is_integer(node) and node.val.ival >= 0 else None


def _check(window: Any, options: int, walk: Walk) -> None:
    offsets = window.startOffset is not None or window.endOffset is not None
    if options & enums.FRAMEOPTION_RANGE and offsets and len(window.orderClause or ()) != 1:
        raise WindowingError(
            "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column", position=walk.at(window)
        )
    if options & enums.FRAMEOPTION_GROUPS and not window.orderClause:
        raise WindowingError("GROUPS mode requires an ORDER BY clause", position=walk.at(window))


def _mark(window: Any, options: int, exclude: Any, offsets: _Offsets) -> Any:
    start = next(side for bit, side in _STARTS.items() if options & bit)
    end = next(side for bit, side in _ENDS.items() if options & bit)
    given = (window.startOffset, window.endOffset)
    bounds = [Bound(side, words=_words(node)) for side, node in zip((start, end), given, strict=True)]
    frame = Frame(offsets.mode, bounds[0], bounds[1], exclude, offsets.is_fixed)
    return forms.call(MARKS[offsets.carrier], forms.text(written(frame)), *map(offsets.value, given))


def _words(node: Any) -> str:
    """The offset for EXPLAIN, an interval as SQL has it."""
    if (
        isinstance(node, ast.TypeCast)
        and isinstance(node.arg, ast.A_Const)
        and node.typeName.names[-1].sval == "interval"
    ):
        return f"INTERVAL {to_sql(node.arg)}"
    return "" if node is None else to_sql(node)


class _Offsets:
    """Reads what stands before PRECEDING and FOLLOWING."""

    def __init__(self, options: int, sorts: Sequence[Typed], walk: Walk, place: Place) -> None:
        counted: Mode = "rows" if options & enums.FRAMEOPTION_ROWS else "groups"
        self.mode: Mode = "range" if options & enums.FRAMEOPTION_RANGE else counted
        self._sorts, self._walk, self._place = sorts, walk, place

    @property
    def carrier(self) -> str:
        """The type of the mark's offsets."""
        column = self._sorts[0].kind if self.mode == "range" and self._sorts else None
        if column in (kinds.NUMERIC, kinds.REAL, kinds.DOUBLE):
            return kinds.TEXT  # it has all digits
        return kinds.INTERVAL if column in (*kinds.MOMENTS, kinds.TIME) else kinds.BIGINT

    @property
    def is_fixed(self) -> bool:
        """Whether months and days would be those of a time zone with its own clock."""
        zoning = self._walk.zoning
        own_clock = zoning.explicit and zoning.name not in _LIKE_UTC
        return own_clock and any(sort.kind == kinds.TIMESTAMPTZ for sort in self._sorts)

    def value(self, node: Any) -> Any:
        """The offset as one of the mark's; NULL where there is none."""
        if node is None:
            return kinds.cast(ast.A_Const(isnull=True), self.carrier)
        self._check_calls(node)
        position = self._walk.at(node.arg if isinstance(node, ast.TypeCast) else node)
        found = self._walk.expression(node, self._place)
        kind = self._kind(found, position)
        self._check_columns(node)
        value = found.node
        if found.kind == kinds.UNKNOWN and isinstance(value, ast.A_Const) and not value.isnull:
            value = texts.typed(value, kind, position)
        elif found.kind != kind:
            value = kinds.cast(value, kind)
        return value if kind == self.carrier else kinds.cast(value, self.carrier)

    def _check_calls(self, node: Any) -> None:
        for inner in nodes(node):
            if isinstance(inner, ast.SubLink):
                said = f"a subquery as the argument of {self.mode.upper()} is not supported"
                raise FeatureNotSupported(said, position=self._walk.at(inner))
            if isinstance(inner, ast.FuncCall) and inner.over is not None:
                said = "window functions are not allowed in window definitions"
                raise WindowingError(said, position=self._walk.at(inner))
            if isinstance(inner, ast.FuncCall) and calls.is_aggregate(last_name(inner)):
                said = f"aggregate functions are not allowed in window {self.mode.upper()}"
                raise GroupingError(said, position=self._walk.at(inner))

    def _check_columns(self, node: Any) -> None:
        for inner in nodes(node):
            if isinstance(inner, ast.ColumnRef):
                said = f"argument of {self.mode.upper()} must not contain variables"
                raise InvalidColumnReference(said, position=self._walk.at(inner))

    def _kind(self, found: Typed, position: int | None) -> str:
        """The type that the offset becomes."""
        if self.mode != "range":
            if found.kind not in (None, kinds.UNKNOWN, *kinds.NUMBERS):
                said = f"argument of {self.mode.upper()} must be type bigint, not type {found.kind}"
                raise DatatypeMismatch(said, position=position)
            return kinds.BIGINT
        column = self._sorts[0].kind
        wanted = _OFFSETS.get(column or "")
        if wanted is None:
            self._refuse(f"for column type {column or 'unknown'}", position)
        if found.kind in (None, kinds.UNKNOWN):
            return column if column in kinds.INTEGERS else wanted[0]
        if found.kind in wanted:
            return found.kind
        fits = found.kind in kinds.NUMBERS and wanted[0] in kinds.NUMBERS[kinds.NUMBERS.index(found.kind) :]
        if fits and len(wanted) == 1:
            return wanted[0]
        return self._refuse(
            f"for column type {column} and offset type {found.kind}", position,
            hint="Cast the offset value to an appropriate type.",
        )  # fmt: skip

    @staticmethod
    def _refuse(what: str, position: int | None, hint: str | None = None) -> NoReturn:
        said = f"RANGE with offset PRECEDING/FOLLOWING is not supported {what}"
        raise FeatureNotSupported(said, hint=hint, position=position)
