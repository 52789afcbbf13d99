"""The functions behind the operators of jsonb, which is carried as the text that Postgres prints of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa

from constellationdb.catalog.text.reading import parse_jsonb, print_jsonb
from constellationdb.planner import jsonb_values as values

_TEXT, _TEXTS, _WHOLE, _BOOL = pa.string(), pa.list_(pa.string()), pa.int64(), pa.bool_()
Definition = tuple[Any, list[pa.DataType], pa.DataType, str]


def definitions() -> list[Definition]:
    """(function, arguments, result, name) of each."""
    made: list[Definition] = []
    for name, kind, find in (
        ("field", _TEXT, values.field), ("element", _WHOLE, values.element), ("path", _TEXTS, values.at_path),
    ):  # fmt: skip
        made.append((_each(_json(find), _TEXT), [_TEXT, kind], _TEXT, f"con_jsonb_{name}"))
        made.append((_each(_text(find), _TEXT), [_TEXT, kind], _TEXT, f"con_jsonb_{name}_text"))
    for name, kind, test in _TESTS:
        made.append((_each(test, _BOOL), [_TEXT, kind], _BOOL, f"con_jsonb_{name}"))
    for name, kind, change in _CHANGES:
        made.append((_each(_json(change), _TEXT), [_TEXT, kind], _TEXT, f"con_jsonb_{name}"))
    for name, result, read in _READ:
        made.append((_each(read, result), [_TEXT], result, f"con_jsonb_{name}"))
    made.append((_each(_put, _TEXT), [_TEXT, _TEXTS, _TEXT, _BOOL], _TEXT, "con_jsonb_set"))
    made.append((_each(_insert, _TEXT), [_TEXT, _TEXTS, _TEXT, _BOOL], _TEXT, "con_jsonb_insert"))
    return made


def _each(function: Callable[..., Any], result: pa.DataType) -> Callable[..., pa.Array]:
    """Row by row, the first argument parsed; a NULL among the arguments makes NULL."""

    def evaluate(first: pa.Array, *others: pa.Array) -> pa.Array:
        rows = zip(first.to_pylist(), *(other.to_pylist() for other in others), strict=True)
        found = [None if None in row else function(parse_jsonb(row[0]), *row[1:]) for row in rows]
        return pa.array(found, result)

    return evaluate


def _json(find: Callable[..., Any]) -> Callable[..., str | None]:
    def answer(*arguments: Any) -> str | None:
        found = find(*arguments)
        return None if found is values.MISSING else print_jsonb(found)

    return answer


def _text(find: Callable[..., Any]) -> Callable[..., str | None]:
    def answer(*arguments: Any) -> str | None:
        found = find(*arguments)
        return None if found is values.MISSING else values.as_text(found)

    return answer


def _put(value: Any, path: list[str | None], new: str, create: bool) -> str:
    return print_jsonb(values.with_path(value, path, parse_jsonb(new), create=create))


def _insert(value: Any, path: list[str | None], new: str, after: bool) -> str:
    return print_jsonb(values.with_inserted(value, path, parse_jsonb(new), after=after))


_TESTS: tuple[tuple[str, pa.DataType, Callable[..., bool]], ...] = (
    ("contains", _TEXT, lambda value, part: values.contains(value, parse_jsonb(part))),
    ("contained", _TEXT, lambda value, whole: values.contains(parse_jsonb(whole), value)),
    ("has", _TEXT, values.has),
    ("has_any", _TEXTS, lambda value, keys: any(values.has(value, key) for key in keys if key is not None)),
    ("has_all", _TEXTS, lambda value, keys: all(values.has(value, key) for key in keys if key is not None)),
)
_CHANGES: tuple[tuple[str, pa.DataType, Callable[..., Any]], ...] = (
    ("concat", _TEXT, lambda value, other: values.joined(value, parse_jsonb(other))),
    ("without", _TEXT, lambda value, key: values.without(value, [key])),
    ("without_keys", _TEXTS, values.without),
    ("without_element", _WHOLE, values.without_element),
    ("without_path", _TEXTS, values.without_path),
)
_READ: tuple[tuple[str, pa.DataType, Callable[[Any], Any]], ...] = (
    ("key", _TEXT, lambda value: print_jsonb(values.without_zeros(value))),
    ("typeof", _TEXT, values.kind),
    ("length", _WHOLE, values.length),
    ("strip_nulls", _TEXT, lambda value: print_jsonb(values.without_nulls(value))),
    ("pretty", _TEXT, values.pretty),
    ("elements", _TEXTS, lambda value: [print_jsonb(inner) for inner in values.elements(value)]),
    ("elements_text", _TEXTS, lambda value: [values.as_text(inner) for inner in values.elements(value)]),
    ("keys", _TEXTS, values.keys),
    ("each_keys", _TEXTS, lambda value: list(values.fields(value))),
    ("each_values", _TEXTS, lambda value: [print_jsonb(inner) for inner in values.fields(value).values()]),
    ("each_texts", _TEXTS, lambda value: [values.as_text(inner) for inner in values.fields(value).values()]),
)
