"""The first line of a COPY with HEADER: skipped, or compared with the columns' names."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from constellationdb.engine.copy_options import CopyOptions
from constellationdb.errors import BadCopyFormat


def header_end(raw: bytes, options: CopyOptions) -> int:
    """Where the line after the header begins; -1 when its end has not come yet."""
    if not options.csv:
        at = raw.find(b"\n")
        while at >= 0 and _escaped(raw, at):
            at = raw.find(b"\n", at + 1)
        return at + 1 if at >= 0 else -1
    quote, escape = options.quote.encode(), options.escape.encode()
    inside, at = False, 0
    while at < len(raw):
        letter = raw[at : at + 1]
        if inside and letter == escape and raw[at + 1 : at + 2] in (quote, escape):
            at += 1
        elif letter == quote:
            inside = not inside
        elif letter == b"\n" and not inside:
            return at + 1
        at += 1
    return -1


def _escaped(raw: bytes, at: int) -> bool:
    before = raw[:at]
    return (len(before) - len(before.rstrip(b"\\"))) % 2 == 1


def check_header(line: str, options: CopyOptions, names: Sequence[str]) -> None:
    """HEADER MATCH: 22P04 unless the line is ``names``."""
    found = _split(line, options)
    if len(found) != len(names):
        raise BadCopyFormat(f"wrong number of fields in header line: got {len(found)}, expected {len(names)}")
    for number, (text, name) in enumerate(zip(found, names, strict=True), 1):
        if text == options.null:
            raise BadCopyFormat(
                f'column name mismatch in header line field {number}: got null value ("{options.null}"),'
                f' expected "{name}"'
            )
        if text != name:
            raise BadCopyFormat(f'column name mismatch in header line field {number}: got "{text}", expected "{name}"')


def _split(line: str, options: CopyOptions) -> list[str]:
    if not options.csv:
        return line.split(options.delimiter)
    escape = None if options.escape == options.quote else options.escape
    reader = csv.reader(
        io.StringIO(line, newline=""),
        delimiter=options.delimiter,
        quotechar=options.quote,
        escapechar=escape,
        doublequote=escape is None,
    )
    return next(reader, [""])
