"""The text form of an array, ``{a,"b, c",NULL}``, read into its elements' texts."""

from __future__ import annotations

import re
from collections.abc import Iterable

from constellationdb.errors import FeatureNotSupported, InvalidTextRepresentation

_ELEMENT = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|((?:[^{},"\\]|\\.)*?))\s*(,|$)', re.DOTALL)


def array_elements(text: str) -> list[str | None]:
    whole = text.strip()
    malformed = InvalidTextRepresentation(f'malformed array literal: "{text}"')
    if not (whole.startswith("{") and whole.endswith("}")):
        if not whole.startswith("{"):
            malformed.detail = 'Array value must start with "{" or dimension information.'
        raise malformed
    inner = whole[1:-1]
    if inner.lstrip().startswith("{"):
        raise FeatureNotSupported("an array of arrays is not supported")
    found: list[str | None] = []
    at, more = 0, bool(inner.strip())
    while more:
        element = _ELEMENT.match(inner, at)
        if element is None or element.group(2) == "":
            raise malformed
        quoted, bare, end = element.groups()
        found.append(_unescaped(quoted) if bare is None else None if bare.upper() == "NULL" else _unescaped(bare))
        at, more = element.end(), end == ","
    return found


def vector_elements(text: str) -> list[str | None]:
    """The text form of int2vector and oidvector: numbers between blanks."""
    return [*text.split()]


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


_QUOTED = re.compile(r'^$|^null$|[{},"\\\s]', re.IGNORECASE)


def array_text(elements: Iterable[str | None]) -> str:
    """The text form of an array of these."""
    return "{" + ",".join(map(_written, elements)) + "}"


def _written(element: str | None) -> str:
    if element is None:
        return "NULL"
    if not _QUOTED.search(element):
        return element
    escaped = element.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
