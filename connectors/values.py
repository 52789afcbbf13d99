"""From text and JSON values to Arrow columns, with the spellings Postgres takes.

``from_text`` reads a whole column of texts at once; ``from_json`` reads what
``json.loads`` made of one value each, and is the slow and patient way: a
number for a text column, an object for a text column, a flag spelled 'yes'.
Both raise ``pa.ArrowInvalid`` for a value that is none of the type.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from constellationdb.catalog.types import of_arrow

TRUE_TEXTS = ("true", "t", "yes", "y", "on", "1", "TRUE", "True", "T")
FALSE_TEXTS = ("false", "f", "no", "n", "off", "0", "FALSE", "False", "F")
_ZONED = r"(:\d\d(\.\d+)?)(Z|[+-]\d\d(:?\d\d)?)$"


def from_text(texts: pa.Array, target: pa.DataType) -> pa.Array:
    """A column of texts as ``target``."""
    if pa.types.is_string(target):
        return texts
    if pa.types.is_timestamp(target):
        return _timestamps(texts, target)
    if pa.types.is_time(target):
        return pa.array([_time(value) for value in texts.to_pylist()], target)
    if pa.types.is_binary(target):
        return pa.array([_bytes(value) for value in texts.to_pylist()], target)
    if pa.types.is_boolean(target):
        return pa.array([_flag(value) for value in texts.to_pylist()], target)
    return pc.cast(pc.utf8_trim_whitespace(texts), target)


def from_json(values: Sequence[Any], target: pa.DataType) -> pa.Array:
    """Values of ``json.loads(…, parse_float=Decimal)`` as ``target``."""
    if pa.types.is_string(target):
        return pa.array(
            [value if value is None or isinstance(value, str) else _json(value) for value in values], target
        )
    if pa.types.is_boolean(target):
        return pa.array([value if isinstance(value, bool) else _flag(value) for value in values], target)
    numeric = pa.types.is_integer(target) or pa.types.is_floating(target) or pa.types.is_decimal(target)
    return from_text(pa.array([_text(value, numeric, target) for value in values], pa.string()), target)


def show(value: object, limit: int = 200) -> str:
    """A value in an error message, cut when long."""
    text = str(value)
    return text if len(text) <= limit else text[:limit] + "…"


def _timestamps(texts: pa.Array, target: pa.DataType) -> pa.Array:
    """A text without a zone is UTC for timestamptz; one with a zone loses it for timestamp, as in Postgres."""
    trimmed = pc.utf8_trim_whitespace(texts)
    if target.tz is None:
        return pc.cast(pc.replace_substring_regex(trimmed, pattern=_ZONED, replacement=r"\1"), target)
    has_zone = pc.match_substring_regex(trimmed, pattern=_ZONED)
    return pc.cast(pc.if_else(has_zone, trimmed, pc.binary_join_element_wise(_to_seconds(trimmed), "Z", "")), target)


def _to_seconds(texts: pa.Array) -> pa.Array:
    """A bare date gets a time of day, because a zone may only follow a time."""
    return pc.if_else(pc.match_substring(texts, ":"), texts, pc.binary_join_element_wise(texts, "00:00:00", " "))


def _time(text: str | None) -> time | None:
    if text is None:
        return None
    try:
        return time.fromisoformat(text.strip())
    except ValueError:
        raise pa.ArrowInvalid(f"invalid value '{text}'") from None


def _bytes(text: str | None) -> bytes | None:
    if text is None:
        return None
    if not text.startswith("\\x"):
        return text.encode()
    try:
        return bytes.fromhex(text[2:])
    except ValueError:
        raise pa.ArrowInvalid(f"invalid value '{text}'") from None


def _flag(value: object) -> bool | None:
    if value is None:
        return None
    text = str(value).strip().lower()
    if text in TRUE_TEXTS:
        return True
    if text in FALSE_TEXTS:
        return False
    raise pa.ArrowInvalid(f"invalid value '{value}'")


def _text(value: object, numeric: bool, target: pa.DataType) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool) and numeric:
        return str(value)
    raise pa.ArrowInvalid(f"invalid value '{_json(value)}' for {of_arrow(target).name}")


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=_number)


def _number(value: object) -> float:
    assert isinstance(value, Decimal)
    return float(value)
