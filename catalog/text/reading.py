"""Values of the types that are carried as text, read: checked, and spelled as Postgres stores them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pyarrow as pa

from constellationdb.catalog.types import CHAR, JSON, JSONB, NAME, UUID, SqlType
from constellationdb.errors import InvalidTextRepresentation, ProgramLimitExceeded

_UUID = re.compile(r"(?:[0-9a-f]{4}-?){7}[0-9a-f]{4}", re.IGNORECASE)
_NAME_BYTES = 63


def read_uuid(text: str) -> str:
    bare = text[1:-1] if text.startswith("{") and text.endswith("}") else text
    if not _UUID.fullmatch(bare):
        raise InvalidTextRepresentation(f'invalid input syntax for type uuid: "{text}"')
    digits = bare.replace("-", "").lower()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def read_json(text: str) -> str:
    """json keeps the text as it is."""
    _parsed(text)
    return text


def read_jsonb(text: str) -> str:
    """jsonb keeps the value: keys once and in order, one spelling of blanks, numbers and characters."""
    return print_jsonb(_parsed(text))


def read_name(text: str) -> str:
    """A name is cut off at 63 bytes, between characters."""
    return text.encode()[:_NAME_BYTES].decode(errors="ignore")


def read_char(text: str) -> str:
    return text[:1]


_READERS: dict[int, Callable[[str], str]] = {
    UUID.oid: read_uuid, JSON.oid: read_json, JSONB.oid: read_jsonb, NAME.oid: read_name, CHAR.oid: read_char,
}  # fmt: skip


def reader_of(sql_type: SqlType) -> Callable[[str], str] | None:
    """The reader of a type; None where any text is a value."""
    return _READERS.get(sql_type.oid)


def read_column(texts: pa.Array, sql_type: SqlType) -> pa.Array:
    """A column of texts, or of lists of them, as ``sql_type`` stores it; the first bad value is the error's."""
    reader = reader_of(sql_type.element or sql_type)
    if reader is None:
        return texts
    if pa.types.is_list(texts.type):
        return pa.array([None if v is None else [_read(reader, e) for e in v] for v in texts.to_pylist()], texts.type)
    return pa.array([_read(reader, value) for value in texts.to_pylist()], texts.type)


def _read(reader: Callable[[str], str], value: str | None) -> str | None:
    return None if value is None else reader(value)


class _Fields(list[tuple[str, Any]]):
    """A JSON object, before its keys are told apart."""


def _refuse_constant(word: str) -> Any:
    raise ValueError(word)


def _parsed(text: str) -> Any:
    try:
        return json.loads(
            text, object_pairs_hook=_Fields, parse_float=Decimal, parse_int=Decimal, parse_constant=_refuse_constant
        )
    except RecursionError:
        raise ProgramLimitExceeded("stack depth limit exceeded") from None
    except ValueError:
        raise InvalidTextRepresentation("invalid input syntax for type json") from None


def parse_jsonb(text: str) -> Any:
    """A stored jsonb as Python has it, numbers as decimals."""
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def print_jsonb(value: Any) -> str:
    match value:
        case _Fields() | dict():
            fields = dict(value)
            keys = sorted(fields, key=lambda k: (len(k.encode()), k.encode()))
            return "{" + ", ".join(f"{_string(key)}: {print_jsonb(fields[key])}" for key in keys) + "}"
        case list():
            return "[" + ", ".join(print_jsonb(item) for item in value) + "]"
        case str():
            return _string(value)
        case Decimal():
            return format(value if value else abs(value), "f")
        case _:
            return json.dumps(value)


def _string(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidTextRepresentation("invalid input syntax for type json") from None
    if "\0" in text:
        raise InvalidTextRepresentation("unsupported Unicode escape sequence")
    return json.dumps(text, ensure_ascii=False)
