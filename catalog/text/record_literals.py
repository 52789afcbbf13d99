"""The text form of a row, ``(a,"b, c",)``, and its fields' texts: NULL is a field of nothing, without quotes."""

from __future__ import annotations

import re
from collections.abc import Iterable

from constellationdb.errors import InvalidTextRepresentation

_PART = re.compile(r'"((?:[^"\\]|\\.|"")*)"|\\(.)|([^,()"\\]+)', re.DOTALL)
_ESCAPED = re.compile(r'\\(.)|"(")', re.DOTALL)
_QUOTED = re.compile(r'[(),"\\\s]')


def record_text(fields: Iterable[str | None]) -> str:
    return f"({','.join(map(_written, fields))})"


def _written(field: str | None) -> str:
    if field is None:
        return ""
    if field and not _QUOTED.search(field):
        return field
    doubled = field.replace("\\", "\\\\").replace('"', '""')
    return f'"{doubled}"'


def record_fields(text: str) -> list[str | None]:
    """The fields of a row that was printed, or that someone wrote."""
    at = len(text) - len(text.lstrip())
    if not text.startswith("(", at):
        raise _malformed(text, "Missing left parenthesis.")
    found: list[str | None] = []
    at += 1
    while True:
        field, at = _field(text, at)
        found.append(field)
        if at >= len(text):
            raise _malformed(text, "Unexpected end of input.")
        at += 1
        if text[at - 1] == ")":
            break
        if text[at - 1] != ",":
            raise _malformed(text, "Unexpected end of input.")
    if text[at:].strip():
        raise _malformed(text, "Junk after right parenthesis.")
    return found


def _field(text: str, at: int) -> tuple[str | None, int]:
    """One field, and where it ends."""
    parts: list[str] = []
    while (part := _PART.match(text, at)) is not None:
        quoted, escaped, bare = part.groups()
        parts.append(bare or escaped or _ESCAPED.sub(r"\1\2", quoted or ""))
        at = part.end()
    return ("".join(parts) if parts else None), at


def fields_for(text: str, count: int) -> list[str | None]:
    """The fields of a row that someone wrote for a type with ``count`` of them."""
    found = record_fields(text)
    if count == 0 and found == [None]:
        return []
    if len(found) != count:
        raise _malformed(text, f"Too {'few' if len(found) < count else 'many'} columns.")
    return found


def _malformed(text: str, detail: str) -> InvalidTextRepresentation:
    return InvalidTextRepresentation(f'malformed record literal: "{text}"', detail=detail)
