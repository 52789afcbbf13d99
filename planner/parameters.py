"""Parameters of the extended protocol, written into the text as literals of their types.

Numbers and booleans are checked and written bare, so that they take part in
type resolution as Postgres' typed parameters do; text of an unknown type
becomes a string literal, which coerces to what it meets.
"""

from __future__ import annotations

from collections.abc import Sequence

from constellationdb.catalog.types import by_oid
from constellationdb.errors import InvalidTextRepresentation, UndefinedParameter
from constellationdb.planner.syntax.edits import apply_edits, literal
from constellationdb.planner.syntax.tokens import read_tokens

_NUMBERS = frozenset({20, 21, 23, 700, 701, 1700})
_BOOLEAN = 16
_UNTYPED = frozenset({0, 25, 705, 1043})


def parameter_count(sql: str) -> int:
    """The highest $n of a text."""
    source = read_tokens(sql)
    return max((int(sql[t.start + 1 : t.end]) for t in source.tokens if t.name == "PARAM"), default=0)


def bind(sql: str, values: Sequence[str | None], oids: Sequence[int]) -> str:
    """``sql`` with each $n replaced by its value."""
    source = read_tokens(sql)
    edits = []
    for token in source.tokens:
        if token.name != "PARAM":
            continue
        number = int(sql[token.start + 1 : token.end])
        if not 1 <= number <= len(values):
            raise UndefinedParameter(f"there is no parameter ${number}", position=token.start + 1)
        oid = oids[number - 1] if number <= len(oids) else 0
        edits.append((token.start, token.end, _written(values[number - 1], oid)))
    return apply_edits(sql, edits)[0]


def describe(sql: str, oids: Sequence[int]) -> str:
    """``sql`` with NULLs of the parameters' types, to find the types of its output without values."""
    return bind(sql, [None] * max(parameter_count(sql), len(oids)), oids)


def _written(value: str | None, oid: int) -> str:
    known = by_oid(oid)
    if known is not None and known.element is not None:
        return f"CAST({'NULL' if value is None else literal(value)} AS {known.name})"
    if value is None:
        return "NULL" if known is None or oid in _UNTYPED else f"CAST(NULL AS {known.name})"
    if oid in _NUMBERS:
        return _number(value, known.name if known else "numeric")
    if oid == _BOOLEAN:
        return "TRUE" if value.lower() in ("t", "true", "1", "on", "yes") else "FALSE"
    if known is None or oid in _UNTYPED:
        return literal(value)
    return f"CAST({literal(value)} AS {known.name})"


def _number(value: str, name: str) -> str:
    text = value.strip()
    try:
        number = float(text)
    except ValueError:
        raise InvalidTextRepresentation(f'invalid input syntax for type {name}: "{value}"') from None
    if number != number or number in (float("inf"), float("-inf")):
        return f"CAST('{text}' AS double precision)"
    if name in ("double precision", "real"):
        return f"CAST('{text}' AS {name})"
    return f"({text})" if text.startswith("-") else text
