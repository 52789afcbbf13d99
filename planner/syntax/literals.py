"""What literals and identifiers mean once their quotes are off."""

from __future__ import annotations

import re
from decimal import Decimal

from constellationdb.catalog.text.binary import utf8_text
from constellationdb.planner.syntax.tokens import Source, Token

_PIECES = re.compile(r"'((?:[^']|'')*)'")
_ESCAPE_PIECES = re.compile(r"'((?:[^'\\]|''|\\.)*)'", re.DOTALL)
_ESCAPE = re.compile(r"\\(?:([0-7]{1,3})|x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))|''", re.DOTALL)
_CONTROL = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_UNICODE_ESCAPE = re.compile(r"\\(?:\+([0-9a-fA-F]{6})|([0-9a-fA-F]{4})|(\\))")
_FOLD = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
NAME_BYTES = 63  # as long as a name can be in Postgres; the rest is cut off there, too


def is_string(token: Token) -> bool:
    return token.name in ("SCONST", "USCONST")


def string(source: Source, token: Token) -> str:
    """The value of a string constant: plain, E'…', U&'…' or dollar-quoted; pieces on several lines joined."""
    raw = source.scanned[token.start : token.end]
    if raw[0] == "$":
        quote = raw.index("$", 1) + 1
        return raw[quote:-quote]
    if token.name == "USCONST":
        return _unicode("".join(_PIECES.findall(raw)).replace("''", "'"))
    if raw[0] in "eE":
        return _escaped("".join(_ESCAPE_PIECES.findall(raw)))
    return "".join(_PIECES.findall(raw)).replace("''", "'")


def identifier(source: Source, token: Token) -> str:
    """The name a token stands for: folded to lower case unless quoted."""
    raw = source.scanned[token.start : token.end]
    if token.name == "UIDENT":
        name = _unicode(raw[raw.index('"') + 1 : -1].replace('""', '"'))
    elif raw[0] == '"':
        name = raw[1:-1].replace('""', '"')
    else:
        name = raw.translate(_FOLD)
    if len(name) * 4 > NAME_BYTES and len(encoded := name.encode()) > NAME_BYTES:
        return encoded[:NAME_BYTES].decode(errors="ignore")
    return name


def number(text: str) -> int | Decimal:
    """An int for digits alone, whatever their count; a Decimal with a point or an exponent."""
    plain = text.replace("_", "").lower()
    if plain[:2] in ("0x", "0o", "0b"):
        return int(plain, 0)
    return int(plain) if plain.isdigit() else Decimal(plain)


def _escaped(body: str) -> str:
    """E'…': a byte escape may be one part of a UTF-8 character, so the value is built from bytes."""
    out, last = bytearray(), 0
    for match in _ESCAPE.finditer(body):
        out += body[last : match.start()].encode() + _escape_bytes(match)
        last = match.end()
    out += body[last:].encode()
    return utf8_text(bytes(out))


def _escape_bytes(match: re.Match[str]) -> bytes:
    octal, hexadecimal, short, long, other = match.groups()
    if octal is not None:
        return bytes((int(octal, 8) & 0xFF,))
    if hexadecimal is not None:
        return bytes((int(hexadecimal, 16),))
    if (code := short or long) is not None:
        return _utf8(int(code, 16))
    return b"'" if other is None else _CONTROL.get(other, other).encode()


def _utf8(code: int) -> bytes:
    return chr(code).encode(errors="surrogatepass")


def _unicode(body: str) -> str:
    def character(match: re.Match[str]) -> str:
        return "\\" if match[3] else chr(int(match[1] or match[2], 16))

    return _UNICODE_ESCAPE.sub(character, body)
