"""Functions of regular expressions over columns of texts; NULL in any argument gives NULL."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import islice
from typing import Any

import pyarrow as pa

from constellationdb.planner.raising import ComputationError
from constellationdb.planner.regular_expressions import expression

Groups = list[str | None]


def definitions() -> list[tuple[Any, list[pa.DataType], pa.DataType, str]]:
    """(function, arguments, result, name) of each."""
    text, whole, texts = pa.string(), pa.int32(), pa.list_(pa.string())
    return [
        (_rowwise(match, texts), [text, text, text], texts, "con_regexp_match"),
        (_rowwise(matches, pa.list_(texts)), [text, text, text], pa.list_(texts), "con_regexp_matches"),
        (_rowwise(split, texts), [text, text, text], texts, "con_regexp_split"),
        (_rowwise(count, whole), [text, text, whole, text], whole, "con_regexp_count"),
        (_rowwise(substring, text), [text, text], text, "con_regexp_substring"),
        (_rowwise(substr, text), [text, text, whole, whole, text, whole], text, "con_regexp_substr"),
    ]


def _rowwise(function: Callable[..., Any], kind: pa.DataType) -> Callable[..., pa.Array]:
    def evaluate(*arguments: pa.Array) -> pa.Array:
        rows = zip(*(argument.to_pylist() for argument in arguments), strict=True)
        return pa.array([None if None in row else function(*row) for row in rows], kind)

    return evaluate


def _groups(found: re.Match[str]) -> Groups:
    return list(found.groups()) or [found[0]]


def match(subject: str, pattern: str, options: str) -> Groups | None:
    if "g" in options:
        raise _no_global("regexp_match")
    found = expression(pattern, options).first(subject)
    return None if found is None else _groups(found)


def matches(subject: str, pattern: str, options: str) -> list[Groups]:
    every = expression(pattern, options).all(subject)
    return [_groups(found) for found in (every if "g" in options else islice(every, 1))]


def split(subject: str, pattern: str, options: str) -> list[str]:
    """An empty match at either end, or right behind another match, does not split."""
    if "g" in options:
        raise _no_global("regexp_split_to_array")
    parts, begin, last = [], 0, 0
    for found in expression(pattern, options).all(subject):
        if found.start() < len(subject) and found.end() > last:
            parts.append(subject[begin : found.start()])
            begin = found.end()
        last = found.end()
    return [*parts, subject[begin:]]


def count(subject: str, pattern: str, start: int, options: str) -> int:
    _check("start", start)
    if "g" in options:
        raise _no_global("regexp_count")
    return sum(1 for _ in expression(pattern, options).all(subject, start - 1))


def substring(subject: str, pattern: str) -> str | None:
    found = expression(pattern, "").first(subject)
    return None if found is None else _groups(found)[0]


def substr(subject: str, pattern: str, start: int, number: int, options: str, group: int) -> str | None:
    _check("start", start)
    _check("n", number)
    if group < 0:
        raise ComputationError("22023", f'invalid value for parameter "subexpr": {group}')
    if "g" in options:
        raise _no_global("regexp_substr")
    said = expression(pattern, options)
    found = next(islice(said.all(subject, start - 1), number - 1, None), None)
    return None if found is None or group > said.groups else found[group]


def _check(name: str, value: int) -> None:
    if value < 1:
        raise ComputationError("22023", f'invalid value for parameter "{name}": {value}')


def _no_global(name: str) -> ComputationError:
    return ComputationError("22023", f'{name}() does not support the "global" option')
