"""Results that hold oids which print as names: regclass, regtype and their like leave the engine as those names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from constellationdb.catalog.types import REGISTERED
from constellationdb.engine.pg_catalog.functions import implementations
from constellationdb.engine.result import ResultColumn

if TYPE_CHECKING:
    from constellationdb.engine.session import Session

Columns = tuple[ResultColumn, ...]


def with_names(
    session: Session, columns: Columns, batches: Sequence[pa.RecordBatch]
) -> tuple[Columns, list[pa.RecordBatch]]:
    places = [place for place, column in enumerate(columns) if _registered(column) is not None]
    if not places:
        return columns, list(batches)
    known = list(columns)
    for place in places:
        known[place] = replace(known[place], oids=_cast(session, columns[place], "in"))
    return tuple(known), [_named(session, columns, places, batch) for batch in batches]


def _registered(column: ResultColumn) -> str | None:
    """The name of the type, or of that of an array's elements."""
    kind = column.type.element or column.type
    return kind.name if kind.oid in REGISTERED else None


def _named(session: Session, columns: Columns, places: Sequence[int], batch: pa.RecordBatch) -> pa.RecordBatch:
    for place in places:
        names = _cast(session, columns[place], "out")
        batch = batch.set_column(place, columns[place].name, names(batch.column(place)))
    return batch


def _cast(session: Session, column: ResultColumn, direction: str) -> Callable[[pa.Array], pa.Array]:
    function = implementations()[f"con_{_registered(column)}_{direction}"]

    def cast(value: Any) -> Any:
        if isinstance(value, list):
            return [cast(member) for member in value]
        return None if value is None else function(session, value)

    leaf = pa.int64() if direction == "in" else pa.string()
    return lambda values: pa.array(map(cast, values.to_pylist()), _with_leaf(values.type, leaf))


def _with_leaf(kind: pa.DataType, leaf: pa.DataType) -> pa.DataType:
    return pa.list_(_with_leaf(kind.value_type, leaf)) if pa.types.is_list(kind) else leaf
