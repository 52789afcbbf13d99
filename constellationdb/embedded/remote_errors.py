"""A server's errors under our own names: whoever catches UndefinedRelation need not know where the database is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import psycopg

from constellationdb.errors import ConnectorFailure, ConstellationError, all_errors


@contextmanager
def as_ours() -> Iterator[None]:
    """psycopg's exceptions from inside become ConstellationErrors of the same SQLSTATE."""
    try:
        yield
    except psycopg.Error as error:
        raise translated(error) from error


def translated(error: psycopg.Error) -> ConstellationError:
    diagnosis = error.diag
    if diagnosis.sqlstate is None:
        return ConnectorFailure(
            f"the server does not answer: {str(error).strip()}", hint="start one: constellation serve"
        )
    position = diagnosis.statement_position
    ours = class_of(diagnosis.sqlstate, diagnosis.source_function)(
        diagnosis.message_primary or str(error),
        detail=diagnosis.message_detail,
        hint=diagnosis.message_hint,
        position=int(position) if position else None,
        context=diagnosis.context,
    )
    if diagnosis.schema_name and diagnosis.table_name:
        ours.about(
            diagnosis.schema_name,
            diagnosis.table_name,
            column=diagnosis.column_name,
            constraint=diagnosis.constraint_name,
        )
    return ours


@cache
def class_of(sqlstate: str, code: str | None) -> type[ConstellationError]:
    """The class of the tree with this code, where the server says ours, else the first with this SQLSTATE.

    Of a state we do not raise, a class of its own.
    """
    known = [kind for kind in all_errors() if kind.sqlstate == sqlstate and kind is not ConstellationError]
    for kind in known:
        if kind.code == code:
            return kind
    if known:
        return known[0]
    return type("ServerError", (ConstellationError,), {"sqlstate": sqlstate, "code": ConstellationError.code})
