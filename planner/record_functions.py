"""The functions behind rows, enums and maps as values; ``about`` is what ``types.describe`` says of a type."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pyarrow as pa

from constellationdb.catalog import types
from constellationdb.catalog.text.record_literals import record_fields, record_text
from constellationdb.catalog.types import SqlType
from constellationdb.errors import ConstellationError
from constellationdb.planner.input_texts import parse_texts
from constellationdb.planner.raising import ComputationError
from constellationdb.planner.record_json import as_json
from constellationdb.planner.record_order import sort_texts
from constellationdb.planner.records import read_values

_TEXT, _TEXTS = pa.string(), pa.list_(pa.string())
Definition = tuple[Any, list[pa.DataType], pa.DataType, str]

_VALUES = (
    types.BOOLEAN, types.SMALLINT, types.INTEGER, types.BIGINT, types.REAL, types.DOUBLE, types.numeric(), types.DATE,
    types.TIME, types.TIMESTAMP, types.TIMESTAMPTZ, types.INTERVAL, types.BYTEA,
)  # fmt: skip


def definitions() -> list[Definition]:
    """(function, arguments, result, name) of each."""
    made: list[Definition] = [
        (_record, [_TEXTS], _TEXT, "con_record"),
        (_field, [_TEXT, pa.int64()], _TEXT, "con_record_field"),
        (_nulls, [_TEXT], pa.int64(), "con_record_nulls"),
        (_read, [_TEXT, _TEXT], _TEXT, "con_made_in"),
        (_sorted, [_TEXT, _TEXT], _TEXT, "con_made_key"),
        (_json, [_TEXT, _TEXT], _TEXT, "con_made_json"),
        (_json_list, [_TEXTS, _TEXT], _TEXT, "con_made_json_list"),
        (_parser(_TEXTS), [_TEXT], _TEXTS, value_reader(types.array_of(types.TEXT))),
    ]
    for kind in _VALUES:
        for wanted in (kind, types.array_of(kind)):
            made.append((_parser(wanted.arrow), [_TEXT], wanted.arrow, value_reader(wanted)))
    return made


def value_reader(sql_type: SqlType) -> str:
    """The function that makes a value of the text of a field."""
    return "con_value_" + str(sql_type.arrow).lower().translate(_PLAIN)


_PLAIN = str.maketrans(dict.fromkeys("[], :=<>()", "_"))


def _record(rows: pa.Array) -> pa.Array:
    return pa.array([None if fields is None else record_text(fields) for fields in rows.to_pylist()], _TEXT)


def _field(rows: pa.Array, places: pa.Array) -> pa.Array:
    pairs = zip(rows.to_pylist(), places.to_pylist(), strict=True)
    return pa.array([None if text is None else record_fields(text)[place] for text, place in pairs], _TEXT)


def _nulls(rows: pa.Array) -> pa.Array:
    """How many fields are NULL."""
    return pa.array([None if t is None else record_fields(t).count(None) for t in rows.to_pylist()], pa.int64())


def _about(abouts: pa.Array) -> SqlType | None:
    """The type that all rows are of; None where there are none."""
    return types.of_description(abouts[0].as_py()) if len(abouts) else None


def _read(texts: pa.Array, abouts: pa.Array) -> pa.Array:
    sql_type = _about(abouts)
    return _raising(lambda: texts if sql_type is None else read_values(texts.to_pylist(), sql_type))


def _sorted(values: pa.Array, abouts: pa.Array) -> pa.Array:
    sql_type = _about(abouts)
    texts = values.to_pylist()
    keys = [] if sql_type is None else sort_texts(texts, sql_type)
    return pa.array([None if text is None else key for text, key in zip(texts, keys, strict=True)], _TEXT)


def _json(values: pa.Array, abouts: pa.Array) -> pa.Array:
    sql_type = _about(abouts) or types.TEXT
    return pa.array([None if text is None else as_json(text, sql_type) for text in values.to_pylist()], _TEXT)


def _json_list(lists: pa.Array, abouts: pa.Array) -> pa.Array:
    """``abouts``: the type of the elements."""
    sql_type = _about(abouts) or types.TEXT
    made = [None if v is None else [as_json(text, sql_type) for text in v] for v in lists.to_pylist()]
    return pa.array([None if v is None else f"[{','.join(v)}]" for v in made], _TEXT)


def _parser(arrow: pa.DataType) -> Callable[[pa.Array], pa.Array]:
    def parse(texts: pa.Array) -> pa.Array:
        given = texts.to_pylist()
        if pa.types.is_decimal(arrow):
            _check_digits(given, arrow.scale)
        return _raising(lambda: parse_texts(given, arrow))

    return parse


def _check_digits(texts: list[str | None], scale: int) -> None:
    """A numeric of a type that is not known here must not lose digits."""
    for text in texts:
        if text is not None and Decimal(text) != round(Decimal(text), scale):
            raise ComputationError("0A000", f"a field with more than {scale} decimals is not supported here")


def _raising(compute: Callable[[], pa.Array]) -> pa.Array:
    try:
        return compute()
    except ConstellationError as error:
        raise ComputationError(error.sqlstate, error.message) from None
