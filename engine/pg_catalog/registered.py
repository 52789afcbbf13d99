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
    places = [place for place, column in enumerate(columns) if column.type.oid in REGISTERED]
    if not places:
        return columns, list(batches)
    known = list(columns)
    for place in places:
        known[place] = replace(known[place], oids=_cast(session, f"con_{known[place].type.name}_in", pa.int64()))
    return tuple(known), [_named(session, columns, places, batch) for batch in batches]


def _named(session: Session, columns: Columns, places: Sequence[int], batch: pa.RecordBatch) -> pa.RecordBatch:
    for place in places:
        names = _cast(session, f"con_{columns[place].type.name}_out", pa.string())
        batch = batch.set_column(place, columns[place].name, names(batch.column(place)))
    return batch


def _cast(session: Session, name: str, arrow: pa.DataType) -> Callable[[pa.Array], pa.Array]:
    function = implementations()[name]

    def cast(value: Any) -> Any:
        return None if value is None else function(session, value)

    return lambda values: pa.array(map(cast, values.to_pylist()), arrow)
