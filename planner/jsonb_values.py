"""What the operators and functions of jsonb make of values: objects as dicts, arrays as lists, numbers as decimals."""

from __future__ import annotations

from collections.abc import Callable
from decimal import MAX_PREC, Context, Decimal
from typing import Any

from constellationdb.catalog.text.reading import print_jsonb
from constellationdb.planner.raising import ComputationError

MISSING: Any = object()
_EXACT = Context(prec=MAX_PREC)


def invalid(message: str) -> ComputationError:
    return ComputationError("22023", message)


def kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case Decimal():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def field(value: Any, key: str) -> Any:
    return value.get(key, MISSING) if isinstance(value, dict) else MISSING


def element(value: Any, index: int) -> Any:
    return MISSING if isinstance(value, dict) else _element(_listed(value), index)  # a scalar is the first of one


def _element(value: list[Any], index: int) -> Any:
    return value[index] if -len(value) <= index < len(value) else MISSING


def at_path(value: Any, path: list[str | None]) -> Any:
    for step in path:
        if step is None:
            return MISSING
        if isinstance(value, list):
            index = _index(step)
            value = MISSING if index is None else _element(value, index)
        else:
            value = field(value, step)
        if value is MISSING:
            return MISSING
    return value


def _index(step: str) -> int | None:
    try:
        return int(step)
    except ValueError:
        return None


def as_text(value: Any) -> str | None:
    """What ->> gives: a string without its quotes, NULL for null."""
    return None if value is None else value if isinstance(value, str) else print_jsonb(value)


def contains(whole: Any, part: Any) -> bool:
    """``whole @> part``: an array also contains a value that it has as an element."""
    if isinstance(whole, list) and not isinstance(part, list | dict):
        return any(_same(item, part) for item in whole)
    return _contains(whole, part)


def _contains(whole: Any, part: Any) -> bool:
    if isinstance(whole, dict) and isinstance(part, dict):
        return all(key in whole and _contains(whole[key], value) for key, value in part.items())
    if isinstance(whole, list) and isinstance(part, list):
        return all(any(_contains(item, value) for item in whole) for value in part)
    return _same(whole, part)


def _same(left: Any, right: Any) -> bool:
    return kind(left) == kind(right) and not isinstance(left, list | dict) and bool(left == right)


def has(value: Any, key: str) -> bool:
    """``value ? key``: a field of an object, a string in an array, or that string itself."""
    return key in value if isinstance(value, dict | list) else isinstance(value, str) and value == key


def joined(left: Any, right: Any) -> Any:
    """``left || right``: of two objects one, of all else an array."""
    if isinstance(left, dict) and isinstance(right, dict):
        return {**left, **right}
    return [*_listed(left), *_listed(right)]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def without(value: Any, keys: list[str | None]) -> Any:
    if isinstance(value, dict):
        return {key: inner for key, inner in value.items() if key not in keys}
    if isinstance(value, list):
        return [inner for inner in value if not (isinstance(inner, str) and inner in keys)]
    raise invalid("cannot delete from scalar")


def without_element(value: Any, index: int) -> Any:
    if isinstance(value, dict):
        raise invalid("cannot delete from object using integer index")
    if not isinstance(value, list):
        raise invalid("cannot delete from scalar")
    place = index + len(value) if index < 0 else index
    return [inner for number, inner in enumerate(value) if number != place]


def without_path(value: Any, path: list[str | None]) -> Any:
    if not isinstance(value, list | dict):
        raise invalid("cannot delete path in scalar")
    return _changed(value, path, 1, lambda _old: MISSING) if path else value


def with_path(value: Any, path: list[str | None], new: Any, *, create: bool) -> Any:
    if not isinstance(value, list | dict):
        raise invalid("cannot set path in scalar")
    return _changed(value, path, 1, lambda old: new if create or old is not MISSING else MISSING) if path else value


def with_inserted(value: Any, path: list[str | None], new: Any, *, after: bool) -> Any:
    """``new`` before or behind an element of an array, or as a field that is not there yet."""
    if not isinstance(value, list | dict):
        raise invalid("cannot set path in scalar")
    if not path:
        return value
    *steps, last = path
    inner = at_path(value, steps)
    if inner is MISSING or not isinstance(inner, list | dict):
        return value
    if isinstance(inner, dict):
        if last in inner:
            raise invalid("cannot replace existing key")
        made: Any = with_path(inner, [last], new, create=True)
    else:
        place = _index(last or "")
        if place is None:
            raise ComputationError("22P02", f'path element at position {len(path)} is not an integer: "{last}"')
        place = place + len(inner) if place < 0 else place
        place = 0 if place < 0 else min(place + after, len(inner))
        made = [*inner[:place], new, *inner[place:]]
    return with_path(value, steps, made, create=False) if steps else made


def _changed(value: Any, path: list[str | None], depth: int, change: Callable[[Any], Any]) -> Any:
    """``value`` with what stands at the path changed; MISSING takes it away, or leaves it out."""
    step = path[0]
    if step is None:
        raise ComputationError("22004", f"path element at position {depth} is null")
    if isinstance(value, dict):
        old = value.get(step, MISSING)
        new = _below(old, path, depth, change)
        kept = {key: inner for key, inner in value.items() if key != step}
        return kept if new is MISSING else {**kept, step: new}
    if not isinstance(value, list):
        return value
    index = _index(step)
    if index is None:
        raise ComputationError("22P02", f'path element at position {depth} is not an integer: "{step}"')
    place = index + len(value) if index < 0 else index
    if 0 <= place < len(value):
        new = _below(value[place], path, depth, change)
        return [*value[:place], *([] if new is MISSING else [new]), *value[place + 1 :]]
    new = _below(MISSING, path, depth, change)
    if new is MISSING:
        return value
    return [new, *value] if place < 0 else [*value, new]


def _below(old: Any, path: list[str | None], depth: int, change: Callable[[Any], Any]) -> Any:
    if len(path) == 1:
        return change(old)
    return MISSING if old is MISSING else _changed(old, path[1:], depth + 1, change)


def length(value: Any) -> int:
    if not isinstance(value, list):
        raise invalid(f"cannot get array length of a {'non-array' if isinstance(value, dict) else 'scalar'}")
    return len(value)


def elements(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise invalid(f"cannot extract elements from {'an object' if isinstance(value, dict) else 'a scalar'}")
    return value


def keys(value: Any) -> list[str]:
    if not isinstance(value, dict):
        raise invalid(f"cannot call jsonb_object_keys on {'an array' if isinstance(value, list) else 'a scalar'}")
    return list(value)


def fields(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise invalid("cannot call jsonb_each on a non-object")
    return value


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [without_nulls(inner) for inner in value] if isinstance(value, list) else value


def without_zeros(value: Any) -> Any:
    """Numbers in the one form that equal ones share: 1.0 is 1."""
    match value:
        case Decimal():
            return value.normalize(_EXACT)
        case dict():
            return {key: without_zeros(inner) for key, inner in value.items()}
        case list():
            return [without_zeros(inner) for inner in value]
        case _:
            return value


def pretty(value: Any, indent: str = "") -> str:
    deeper = indent + "    "
    if isinstance(value, dict):
        lines = [f"{deeper}{print_jsonb(key)}: {pretty(inner, deeper)}" for key, inner in value.items()]
        return "{\n" + ",\n".join(lines) + ("\n" if lines else "") + indent + "}"
    if isinstance(value, list):
        lines = [deeper + pretty(inner, deeper) for inner in value]
        return "[\n" + ",\n".join(lines) + ("\n" if lines else "") + indent + "]"
    return print_jsonb(value)
