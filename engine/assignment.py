"""What a computed value may be stored as: Postgres' assignment casts."""

from __future__ import annotations

import pyarrow as pa

from constellationdb.engine.literals import wrong_type
from constellationdb.planner.analysis import kinds

_MOMENTS = frozenset(kinds.MOMENTS)
_TO_TIME = frozenset({kinds.TIME, kinds.TIMESTAMP, kinds.TIMESTAMPTZ, kinds.INTERVAL})


def check_assignable(kind: kinds.Kind, target: pa.Field) -> None:
    """DatatypeMismatch unless a value of ``kind`` (None: not known) can become one of column ``target``."""
    wanted = kinds.of_field(target)
    if kind is not None and wanted is not None and not _fits(kind, wanted):
        raise wrong_type(target.name, wanted, kind)


def _fits(kind: str, wanted: str) -> bool:
    if kind in (kinds.UNKNOWN, wanted) or wanted in (*kinds.TEXTS, kinds.BYTEA):
        return True
    if kinds.is_array(kind) and kinds.is_array(wanted):
        return _fits(kinds.element(kind), kinds.element(wanted))
    if wanted in kinds.OIDS:
        return kind in kinds.OIDS or kind in kinds.INTEGERS
    if wanted in kinds.NUMBERS:
        return kind in kinds.NUMBERS
    if wanted == kinds.TIME:
        return kind in _TO_TIME
    if wanted == kinds.INTERVAL:
        return kind == kinds.TIME
    return kind in _MOMENTS and wanted in _MOMENTS
