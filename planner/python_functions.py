"""Functions in Python, as DataFusion's: what plans call them, and what they do in this process.

A plan names a function by a name that nothing else in the world has; this process knows what it does once it is
installed, by the program that has it or from the source that the catalog keeps. Every context, of the planner and of
those who run plans, gets all that are installed.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from datafusion import Accumulator, SessionContext, udaf, udf

from constellationdb.catalog.model import Function
from constellationdb.catalog.types import TEXT, named
from constellationdb.errors import ConstellationError
from constellationdb.planner import python_rows
from constellationdb.planner.raising import ComputationError

PREFIX = "con_"
VOLATILE, STABLE, AGGREGATE = (PREFIX + word for word in ("volatile_", "python_", "aggregate_"))
RETRACTING = AGGREGATE + "retracting_"  # that can take rows back
EXCEPTION = "38000"  # external_routine_exception

_installed: dict[str, Any] = {}
_aggregates: dict[str, Any] = {}


@dataclass(frozen=True)
class Retracting:
    """An aggregate that can take rows back; ``make`` makes an accumulator of a group."""

    function: Function
    make: Callable[[], Any]
    result: pa.DataType
    vectorised: bool


_retracting: dict[str, Retracting] = {}


def internal_name(kind: str, *, volatile: bool, retracts: bool = False) -> str:
    scalar = VOLATILE if volatile else STABLE
    aggregate = RETRACTING if retracts else AGGREGATE
    return (aggregate if kind == "aggregate" else scalar) + uuid.uuid4().hex


def retracting(internal: str) -> Retracting:
    return _retracting[internal]


def is_installed(internal: str) -> bool:
    return internal in _installed or internal in _aggregates


def install(function: Function, does: Callable[..., Any], *, vectorised: bool) -> None:
    """``does``: what gives the value, or the rows, of a function; for an aggregate what makes an accumulator."""
    types = [arrow_type(name) for name in function.types]
    result = arrow_type(function.returns)
    if function.kind == "aggregate":
        _aggregates[function.internal] = udaf(
            lambda: _Rows(does, function, result, vectorised=vectorised),
            types,
            result,
            [pa.list_(kind) for kind in types],
            "immutable",
            function.internal,
        )
        if function.retracts:
            _retracting[function.internal] = Retracting(function, does, result, vectorised)
        return
    does = does if types else _without_arguments(does)
    if function.kind == "table":
        _install_rows(function, does, vectorised=vectorised and bool(types))
        return
    evaluate = _whole(does, function, result) if vectorised and types else _by_row(does, function, result)
    _install_scalar(function, function.internal, evaluate, result)


def _install_scalar(function: Function, name: str, evaluate: Callable[..., pa.Array], result: pa.DataType) -> None:
    types = [arrow_type(kind) for kind in function.types]
    volatility = "volatile" if function.volatility == "volatile" else "immutable"
    _installed[name] = udf(evaluate, types or [pa.int64()], result, volatility, name)


def _install_rows(function: Function, does: Callable[..., Any], *, vectorised: bool) -> None:
    types = {column.name: arrow_type(column.type_name) for column in function.columns}
    types = types or {function.name: arrow_type(function.returns)}
    rows = (python_rows.whole if vectorised else python_rows.by_row)(does, function, types)
    _install_scalar(function, function.internal, _raising(function, rows), python_rows.list_type(types))
    shared = python_rows.SharedCall(rows)
    for place, kind in enumerate(types.values() if len(types) > 1 else ()):
        name = python_rows.column_name(function.internal, place)
        _install_scalar(function, name, _raising(function, shared.column(place)), pa.list_(kind))


def forget(internal: str) -> None:
    """All that is called so, or is a column of it."""
    for name in [name for name in _installed if name.startswith(internal)]:
        del _installed[name]
    _aggregates.pop(internal, None)
    _retracting.pop(internal, None)


def register(context: SessionContext) -> None:
    """Make all that are installed known to ``context``."""
    for function in tuple(_installed.values()):
        context.register_udf(function)
    for aggregate in tuple(_aggregates.values()):
        context.register_udaf(aggregate)


def arrow_type(type_name: str) -> pa.DataType:
    return (named(type_name) or TEXT).arrow


def failure(function: Function, error: Exception) -> str:
    """What an exception of a user's function is called in errors."""
    said = f"{type(error).__name__}: {error}".replace("[/CON]", "")
    return f"function {function.name} failed: {said}"


def _raised(function: Function, error: Exception) -> ComputationError:
    return ComputationError(EXCEPTION, failure(function, error))


def _column(values: Any, count: int, result: pa.DataType) -> pa.Array:
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    made = values if isinstance(values, pa.Array) else pa.array(values, result, from_pandas=True)
    if len(made) != count:
        raise ValueError(f"{len(made)} values were returned for {count} rows")
    return made if made.type == result else made.cast(result)


def _whole(does: Callable[..., Any], function: Function, result: pa.DataType) -> Callable[..., pa.Array]:
    def evaluate(*columns: pa.Array) -> pa.Array:
        made = _column(does(*columns), len(columns[0]), result)
        return _null_for_null(made, columns) if function.strict else made

    return _raising(function, evaluate)


def _raising(function: Function, does: Callable[..., pa.Array]) -> Callable[..., pa.Array]:
    """What goes wrong in ``does``, with the name of the function."""

    def evaluate(*columns: pa.Array) -> pa.Array:
        try:
            return does(*columns)
        except ConstellationError as error:
            raise ComputationError(error.sqlstate, error.message) from None
        except Exception as error:
            raise _raised(function, error) from None

    return evaluate


def _null_for_null(made: pa.Array, columns: Sequence[pa.Array]) -> pa.Array:
    known = reduce(pc.and_, [column.is_valid() for column in columns])
    return pc.if_else(known, made, pa.scalar(None, made.type))


def _by_row(does: Callable[..., Any], function: Function, result: pa.DataType) -> Callable[..., pa.Array]:
    def evaluate(*columns: pa.Array) -> pa.Array:
        rows = zip(*(column.to_pylist() for column in columns), strict=True)
        return pa.array([None if function.strict and None in row else does(*row) for row in rows], result)

    return _whole(evaluate, function, result)


def _without_arguments(does: Callable[..., Any]) -> Callable[..., Any]:
    """DataFusion gives a function without arguments one that says nothing."""
    return lambda _: does()


class _Rows(Accumulator):  # type: ignore[misc]
    """The rows of a group, kept until all are there: what the user's accumulator is asked need not be told in parts."""

    def __init__(self, make: Callable[[], Any], function: Function, result: pa.DataType, *, vectorised: bool) -> None:
        self._make, self._function, self._result, self._vectorised = make, function, result, vectorised
        self._types = [arrow_type(name) for name in function.types]
        self._parts: list[Sequence[pa.Array]] = []

    def update(self, *columns: pa.Array) -> None:
        self._parts.append(columns)

    def merge(self, states: list[pa.Array]) -> None:
        self._parts.append(
            [
                pa.concat_arrays([pa.array(part.as_py(), kind) for part in state])
                for state, kind in zip(states, self._types, strict=True)
            ]
        )

    def state(self) -> list[pa.Scalar]:
        columns = self._columns()
        return [pa.scalar(c.to_pylist(), pa.list_(k)) for c, k in zip(columns, self._types, strict=True)]

    def _columns(self) -> list[pa.Array]:
        if not self._parts:
            return [pa.array([], kind) for kind in self._types]
        return [pa.concat_arrays(column) for column in zip(*self._parts, strict=True)]

    def evaluate(self) -> pa.Scalar:
        try:
            return pa.scalar(self._finished(), self._result)
        except Exception as error:
            raise _raised(self._function, error) from None

    def _finished(self) -> Any:
        accumulator, columns = self._make(), self._columns()
        if self._vectorised:
            accumulator.accumulate(*columns)
        else:
            for row in zip(*(column.to_pylist() for column in columns), strict=True):
                if not (self._function.strict and None in row):
                    accumulator.accumulate(*row)
        found = accumulator.finish()
        return found.as_py() if isinstance(found, pa.Scalar) else found
