"""WITH ('k' = 'v', a.b = 1, flag): a map of text, keys in lower case."""

from __future__ import annotations

from constellationdb.errors import InvalidParameter, SqlSyntaxError
from constellationdb.planner.syntax import literals
from constellationdb.planner.syntax.cursor import Cursor
from constellationdb.planner.syntax.tokens import Region

_TRUE = frozenset(("true", "on", "yes", "1"))
_FALSE = frozenset(("false", "off", "no", "0"))


def with_options(cursor: Cursor) -> dict[str, str]:
    """The options of the WITH (…) that comes next; none where something else does."""
    if not cursor.at("with", "("):
        return {}
    cursor.expect("with")
    return read_options(cursor.group())


def read_options(region: Region) -> dict[str, str]:
    """The options between two brackets; a key without a value is ``true``."""
    cursor = Cursor(region)
    found: dict[str, str] = {}
    while not cursor.done:
        position = cursor.position + 1
        key = _key(cursor)
        if key in found:
            raise SqlSyntaxError(f'option "{key}" is given twice', position=position)
        has_value = cursor.accept("=") or not (cursor.done or cursor.at(","))
        found[key] = _value(cursor) if has_value else "true"
        if not cursor.done:
            cursor.expect(",")
            if cursor.done:
                raise cursor.error()
    return found


def merge_options(into: dict[str, str], more: dict[str, str], position: int) -> None:
    """Add ``more``; what is said twice with different values is an error at ``position`` (from 0)."""
    for key, value in more.items():
        if into.setdefault(key, value) != value:
            raise SqlSyntaxError(f'option "{key}" is given twice', position=position + 1)


def boolean_option(key: str, value: str, position: int) -> bool:
    lowered = value.lower()
    if lowered in _TRUE:
        return True
    if lowered in _FALSE:
        return False
    raise InvalidParameter(f'option "{key}" requires a Boolean value, not "{value}"', position=position + 1)


def _key(cursor: Cursor) -> str:
    if literals.is_string(cursor.peek()):
        return cursor.string().lower()
    parts = [_word(cursor)]
    while cursor.accept("."):
        parts.append(_word(cursor))
    return ".".join(parts).lower()


def _word(cursor: Cursor) -> str:
    """Any word, reserved or not: option names are a world of their own."""
    token = cursor.peek()
    if not (token.is_identifier or token.kind != "NO_KEYWORD"):
        raise cursor.error()
    return literals.identifier(cursor.source, cursor.next())


def _value(cursor: Cursor) -> str:
    if literals.is_string(cursor.peek()):
        return cursor.string()
    if cursor.accept("interval"):
        text = cursor.string()
        return text if cursor.done or cursor.at(",") else f"{text} {cursor.next().word}"
    sign = "-" if cursor.accept("-") else ""
    if not sign:
        cursor.accept("+")
    if cursor.peek().name in ("ICONST", "FCONST"):
        return sign + cursor.next().word
    if sign:
        raise cursor.error()
    return _word(cursor)
