"""bytea as text, read: ``\\x`` and pairs of digits, or characters with the other bytes as ``\\ooo``."""

from __future__ import annotations

import re

from constellationdb.errors import InvalidParameter, InvalidTextRepresentation

_HEX = "\\x"
_DIGITS = frozenset("0123456789abcdefABCDEF")
_BLANKS = " \n\t\r"
_ESCAPE = re.compile(rb"\\(?:([0-3][0-7]{2})|(\\)|)")


def read_bytea(text: str) -> bytes:
    if "\\" not in text:
        return text.encode()
    return _hexadecimal(text[2:]) if text.startswith(_HEX) else _ESCAPE.sub(_unescaped, text.encode())


def _hexadecimal(digits: str) -> bytes:
    """Blanks may stand between pairs, not inside of one."""
    if _DIGITS.issuperset(digits) and len(digits) % 2 == 0:
        return bytes.fromhex(digits)
    first: str | None = None
    pairs: list[str] = []
    for digit in digits:
        if first is None and digit in _BLANKS:
            continue
        if digit not in _DIGITS:
            raise InvalidParameter(f'invalid hexadecimal digit: "{digit}"')
        if first is None:
            first = digit
        else:
            pairs.append(first + digit)
            first = None
    if first is not None:
        raise InvalidParameter("invalid hexadecimal data: odd number of digits")
    return bytes.fromhex("".join(pairs))


def _unescaped(match: re.Match[bytes]) -> bytes:
    code, backslash = match.groups()
    if code is not None:
        return bytes([int(code, 8)])
    if backslash is None:
        raise InvalidTextRepresentation("invalid input syntax for type bytea")
    return b"\\"
