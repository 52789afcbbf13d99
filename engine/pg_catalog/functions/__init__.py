"""The functions that tell of the catalog or the session, as DataFusion's, each bound to one session.

Each is a Python function of the session and its arguments, in the files of this folder; one that is not ``lenient``
answers NULL to NULL. ``planner.analysis.catalog_functions`` has their signatures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from datafusion import udf

from constellationdb.catalog import types
from constellationdb.engine.pg_catalog.functions import (
    names,
    privileges,
    relations,
    routines,
    sequences,
    server,
    signals,
    signatures,
    sizes,
    texts,
    visibility,
)
from constellationdb.engine.pg_catalog.functions.base import LENIENT
from constellationdb.errors import ConstellationError
from constellationdb.planner.analysis import kinds
from constellationdb.planner.analysis.catalog_functions import Signature
from constellationdb.planner.raising import ComputationError

if TYPE_CHECKING:
    from constellationdb.engine.session import Session

_FILES = (names, privileges, relations, routines, sequences, server, signals, signatures, sizes, texts, visibility)
_NO_TYPE = types.TEXT


@cache
def implementations() -> Mapping[str, Callable[..., Any]]:
    """By name; those of one name take whatever number of arguments its signatures say."""
    return {name: function for file in _FILES for name, function in file.FUNCTIONS.items()}


@cache
def of_the_catalog() -> frozenset[str]:
    """Those that answer alike for one user, search path and version of the catalog, temporary tables aside."""
    return frozenset(name for file in (names, relations, routines, signatures, visibility) for name in file.FUNCTIONS)


class SessionFunctions:
    """``functions(signature)`` of one session: what planner and executor register with DataFusion.

    ``answered``: the names of those that were called: after planning, those whose answers are part of the plan.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.answered: set[str] = set()

    def __call__(self, signature: Signature) -> Any:
        function = implementations()[signature.name]
        strict = signature.name not in LENIENT

        def answer(*row: Any) -> Any:
            self.answered.add(signature.name)
            return _answer(function, self._session, row, strict=strict)

        return _registered(signature, answer)

    def read(self, signature: Signature, literal: str) -> object:
        return implementations()[signature.name](self._session, literal)


class NoSession:
    """Functions of the right types that answer NULL: enough to plan by."""

    def __call__(self, signature: Signature) -> Any:
        return _registered(signature, lambda *_: None)

    def read(self, signature: Signature, literal: str) -> object:
        """A view is as it was planned."""


def _answer(function: Callable[..., Any], session: Session, row: tuple[Any, ...], *, strict: bool) -> Any:
    if strict and None in row:
        return None
    try:
        return function(session, *row)
    except ConstellationError as error:
        raise ComputationError(error.sqlstate, error.message) from None


def _registered(signature: Signature, answer: Callable[..., Any]) -> Any:
    arrow = _arrow(signature.result)

    def evaluate(*columns: pa.Array) -> pa.Array:
        rows = zip(*(column.to_pylist() for column in columns), strict=True)
        if signature.arguments:
            return pa.array([answer(*row) for row in rows], arrow)
        return pa.array([answer() for _ in rows], arrow)

    arguments = [_argument(argument) for argument in signature.arguments] or [pa.int64()]
    return udf(evaluate, arguments, arrow, "volatile" if signature.is_volatile else "stable", signature.internal)


def _arrow(kind: str) -> pa.DataType:
    found = None if kind == "any" else kinds.sql_type(kind)
    return (found or _NO_TYPE).arrow


def _argument(kind: str) -> pa.DataType:
    """DataFusion widens an integer and narrows none."""
    return pa.int64() if kind in kinds.INTEGERS else _arrow(kind)
