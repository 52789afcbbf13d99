"""Results that hold oids which print as names: regclass, regtype and their like."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from constellationdb.catalog.types import REGCLASS, REGNAMESPACE, REGPROC, REGROLE, REGTYPE
from constellationdb.engine.pg_catalog.functions import implementations
from constellationdb.engine.result import ResultColumn

if TYPE_CHECKING:
    from constellationdb.engine.session import Session

_REGISTERED = frozenset(kind.oid for kind in (REGCLASS, REGNAMESPACE, REGPROC, REGROLE, REGTYPE))


def with_names(session: Session, columns: tuple[ResultColumn, ...]) -> tuple[ResultColumn, ...]:
    if not any(column.type.oid in _REGISTERED for column in columns):
        return columns
    return tuple(
        replace(column, names=_names(session, column.type.name)) if column.type.oid in _REGISTERED else column
        for column in columns
    )


def _names(session: Session, kind: str) -> Callable[[pa.Array], pa.Array]:
    name = implementations()[f"con_{kind}_out"]
    return lambda oids: pa.array([None if o is None else name(session, o) for o in oids.to_pylist()], pa.string())
