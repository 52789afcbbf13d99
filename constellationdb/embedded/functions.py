"""Functions of the program's own, for SQL to call.

@function                                            types from annotations, row by row
def slug(title: str) -> str: ...

@function("price(amount numeric, rate double precision = 1.2) RETURNS numeric STRICT")
def price(amount, rate): ...                         types as CREATE FUNCTION says them

@function(vectorised=True)                           Arrow arrays in, an Arrow array out
def doubled(x: pa.int64()) -> pa.int64(): ...

@function("words(text) RETURNS TABLE (word text, place int)")
def words(text): yield …                             rows: tuples or mappings; vectorised, an array of arrays of structs

@aggregate("spread(x double precision) RETURNS double precision")
class Spread:                                        one for each group, each time that it has changed
    def accumulate(self, x): ...
    def retract(self, x): ...                        optional: then it stays, and is told what changes
    def finish(self): ...
"""

from __future__ import annotations

import datetime
import inspect
import pickle
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar, overload
from uuid import UUID

import pyarrow as pa
from msgspec.structs import replace

from constellationdb.catalog.types import of_arrow
from constellationdb.errors import InvalidFunctionDefinition, InvalidParameter
from constellationdb.planner import statements as st
from constellationdb.planner.syntax import parse
from constellationdb.planner.syntax.edits import identifier

if TYPE_CHECKING:
    from constellationdb.engine.python import PythonFunction

Given = TypeVar("Given", bound=Callable[..., Any])
_MARK = "__constellation_function__"  # the attribute that says what a function is to SQL

_TYPES: dict[Any, str] = {
    bool: "boolean", int: "bigint", float: "double precision", str: "text", bytes: "bytea", Decimal: "numeric",
    datetime.date: "date", datetime.datetime: "timestamp", datetime.time: "time", datetime.timedelta: "interval",
    UUID: "uuid",
}  # fmt: skip
_BY_NAME = {kind.__name__: name for kind, name in _TYPES.items()}


@overload
def function(does: Given) -> Given: ...


@overload
def function(
    does: str | None = None, *, vectorised: bool = False, deterministic: bool = True
) -> Callable[[Given], Given]: ...


def function(does: Any = None, *, vectorised: bool = False, deterministic: bool = True) -> Any:
    """Makes a function one that ``Database.register`` and ``connect(functions=…)`` take; it stays what it is in Python.

    ``does``: the function, or how it is declared in SQL, ``name(types) RETURNS type [STRICT]``; without that its
    annotations say it. One that ``RETURNS TABLE (…)`` or ``SETOF type`` gives rows, and is called in FROM.
    ``vectorised``: it is called with Arrow arrays and returns one of that length. One that is not ``deterministic``
    may give something else for the same arguments, and is refused in materialized views.
    """

    def made(given: Any) -> Any:
        declared = does if isinstance(does, str) else _declared(given)
        return _marked(given, declared, "scalar", vectorised=vectorised, deterministic=deterministic)

    return made(does) if callable(does) else made


def aggregate(declared: str, *, vectorised: bool = False) -> Callable[[Given], Given]:
    """Makes a class an aggregate: ``accumulate(…)`` takes a row, or all of them as arrays, ``finish()`` answers.

    With ``retract(…)``, which undoes ``accumulate(…)`` of the same arguments, a view keeps the object of a group and
    tells it of the rows that come and go; without, it asks a fresh one about all rows of a group that has changed.

    ``declared``: as for ``function``.
    """
    return lambda given: _marked(given, declared, "aggregate", vectorised=vectorised, deterministic=True)


def registered(given: Any) -> PythonFunction:
    """What a function or class was made by ``function`` or ``aggregate``."""
    from constellationdb.engine.python import PythonFunction

    found = getattr(given, _MARK, None)
    if not isinstance(found, PythonFunction):
        raise InvalidParameter(
            f"{getattr(given, '__name__', given)} is no function that SQL can call",
            hint="decorate it with @constellationdb.function or @constellationdb.aggregate(…)",
        )
    return found


def _marked(given: Any, declared: str, kind: str, *, vectorised: bool, deterministic: bool) -> Any:
    setattr(given, _MARK, _python(declared, given, kind, vectorised=vectorised, deterministic=deterministic))
    return given


def _python(
    declared: str, does: Callable[..., Any], kind: str, *, vectorised: bool, deterministic: bool
) -> PythonFunction:
    volatility = "IMMUTABLE" if deterministic else "VOLATILE"
    statements = parse(f"CREATE FUNCTION {declared} {volatility} LANGUAGE python AS ''")
    if len(statements) != 1 or not isinstance(statements[0], st.CreateFunction):
        raise InvalidFunctionDefinition(f"this declares no function: {declared}")
    statement = statements[0]
    if statement.rows and kind == "aggregate":
        raise InvalidFunctionDefinition("an aggregate returns one value")
    # A client that has no functions needs no engine.
    from constellationdb.engine.functions import definition
    from constellationdb.engine.python import PythonFunction

    retracts = kind == "aggregate" and callable(getattr(does, "retract", None))
    if retracts:
        _check_state(does)
    return PythonFunction(replace(definition(statement, kind, retracts=retracts), sql=declared), does, vectorised)


def _check_state(make: Callable[..., Any]) -> None:
    """Whether an object that a view keeps can be part of a checkpoint."""
    try:
        pickle.dumps(make().__getstate__())
    except Exception as error:
        raise InvalidFunctionDefinition(
            f"an accumulator of aggregate {make.__name__} cannot be pickled: {error}",
            hint="Give it __getstate__() and __setstate__(state), or leave retract() out.",
        ) from error


def _declared(given: Callable[..., Any]) -> str:
    """What the annotations of a function say, in SQL."""
    signature = inspect.signature(given)
    takes = [f"{identifier(p.name)} {_type(p.annotation, given, p.name)}" for p in signature.parameters.values()]
    returns = _type(signature.return_annotation, given, "return")
    return f"{identifier(given.__name__)}({', '.join(takes)}) RETURNS {returns}"


def _type(annotation: Any, given: Callable[..., Any], where: str) -> str:
    if isinstance(annotation, str):  # from __future__ import annotations
        known = _BY_NAME.get(annotation)
        if known is not None:
            return known
        annotation = eval(annotation, getattr(given, "__globals__", {}))
    if isinstance(annotation, pa.DataType):
        return of_arrow(annotation).name
    if annotation in _TYPES:
        return _TYPES[annotation]
    raise InvalidFunctionDefinition(
        f"the type of {where} of function {given.__name__} is not known",
        hint='annotate it with int, float, str, … or an Arrow type, or declare it: @function("f(int) RETURNS text")',
    )
