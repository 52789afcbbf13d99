"""Bind's parameters as the texts the session takes."""

from __future__ import annotations

from constellationdb.catalog.text.binary import SurplusBytesError, binary_reader, utf8_text
from constellationdb.errors import InvalidBinaryRepresentation, InvalidParameter


def parameter_text(value: bytes, code: int, oid: int, number: int) -> str:
    """Parameter ``number``, in the format that ``code`` says."""
    if code == 0:
        return utf8_text(value)
    if code != 1:
        raise InvalidParameter(f"unsupported format code: {code}")
    try:
        return binary_reader(oid)(value)
    except SurplusBytesError:
        raise InvalidBinaryRepresentation(f"incorrect binary data format in bind parameter {number}") from None
