"""COPY's two text formats, read: bytes in, rows of field texts out.

``copy_reader`` picks the reader of a format. A reader takes the client's bytes
in pieces cut anywhere and answers the rows they complete, each a list with one
text (or None for NULL) a column; ``finish`` answers the last row where its
line end is missing. A row that cannot be read raises BadCopyFormat naming its
line. What a field means is the table's business, not the format's.

Left out: FORMAT binary, encodings other than UTF-8, lines that end in a lone
carriage return.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

from constellationdb.engine.copy_options import CopyOptions
from constellationdb.errors import BadCopyFormat, FeatureNotSupported

Row = list[str | None]


class CopyReader(Protocol):
    """``line`` is the number of the last line read, from 1."""

    line: int

    def feed(self, data: bytes) -> list[Row]: ...

    def finish(self) -> list[Row]: ...


def copy_reader(options: CopyOptions, columns: Sequence[str]) -> CopyReader:
    """A reader of rows with exactly these ``columns``, for one COPY."""
    if options.binary:
        raise FeatureNotSupported("COPY FROM with FORMAT binary is not supported", hint="use FORMAT text or csv")
    return CsvReader(options, columns) if options.csv else TextReader(options, columns)


class _LineReader(ABC):
    """What both formats share: cutting bytes into lines, counting them, the header and the end marker ``\\.``."""

    def __init__(self, options: CopyOptions, columns: Sequence[str]) -> None:
        self.line = 0
        self._options = options
        self._columns = columns
        self._rest: list[bytes] = []  # pieces of the line that is not complete yet
        self._header_due = options.header
        self._ended = False
        self._crlf: bool | None = None  # decided by the first line

    def feed(self, data: bytes) -> list[Row]:
        if self._ended:
            return []
        first, newline, more = data.partition(b"\n")
        self._rest.append(first)
        if not newline:
            return []
        lines = [b"".join(self._rest), *more.split(b"\n")]
        self._rest = [lines.pop()]
        return [row for line in lines if (row := self._take(line)) is not None]

    def finish(self) -> list[Row]:
        last, self._rest = b"".join(self._rest), []
        row = self._take(last) if last and not self._ended else None
        self._check_complete()
        return [] if row is None else [row]

    def _take(self, line: bytes) -> Row | None:
        """One physical line; None when it completes no row."""
        if self._ended:
            return None
        self.line += 1
        if self._crlf is None:
            self._crlf = line.endswith(b"\r")
        if not self._inside() and self._stripped(line) == b"\\.":
            self._ended = True
            return None
        row = self._row(line)
        if row is not None and self._header_due:
            self._header_due = False
            return None
        return None if row is None else self._fitting(row)

    def _stripped(self, line: bytes) -> bytes:
        return line[:-1] if self._crlf and line.endswith(b"\r") else line

    @abstractmethod
    def _row(self, line: bytes) -> Row | None:
        """The row that ``line`` completes, if it does."""

    @abstractmethod
    def _inside(self) -> bool:
        """Whether the last line left a value open."""

    @abstractmethod
    def _check_complete(self) -> None:
        """The data ended: raise when a value is still open."""

    def _fitting(self, row: Row) -> Row:
        if len(row) == len(self._columns):
            return row
        if len(row) < len(self._columns):
            raise self.problem(f'missing data for column "{self._columns[len(row)]}"')
        raise self.problem("extra data after last expected column")

    def problem(self, message: str) -> BadCopyFormat:
        return BadCopyFormat(f"{message} in line {self.line}", detail=f"COPY, line {self.line}")

    def _decoded(self, data: bytes) -> str:
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise self.problem('invalid byte sequence for encoding "UTF8"') from error


_TEXT_ESCAPE = re.compile(rb"\\(x[0-9A-Fa-f]{1,2}|[0-7]{1,3}|.)", re.DOTALL)
_TEXT_LETTERS = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}


class TextReader(_LineReader):
    """Tab separated, ``\\N`` for NULL, backslash escapes; a backslash before the line end takes it into the value."""

    def __init__(self, options: CopyOptions, columns: Sequence[str]) -> None:
        super().__init__(options, columns)
        self._open = b""
        self._delimiter = options.delimiter.encode()
        self._null = options.null.encode()

    def _inside(self) -> bool:
        return bool(self._open)

    def _row(self, line: bytes) -> Row | None:
        line = self._stripped(line)
        if line.endswith(b"\\") and (len(line) - len(line.rstrip(b"\\"))) % 2:
            self._open += line + b"\n"
            return None
        line, self._open = self._open + line, b""
        if b"\r" in line:
            raise self.problem("literal carriage return found in data")
        if b"\\" not in line and len(self._null) != 0 and self._null not in line:
            return list(self._decoded(line).split(self._options.delimiter))
        return [None if field == self._null else self._decoded(_unescaped(field)) for field in self._fields(line)]

    def _fields(self, line: bytes) -> list[bytes]:
        """Cut at the delimiters that no backslash hides."""
        fields: list[bytes] = []
        for piece in line.split(self._delimiter):
            if fields and (len(fields[-1]) - len(fields[-1].rstrip(b"\\"))) % 2:
                fields[-1] += self._delimiter + piece
            else:
                fields.append(piece)
        return fields

    def _check_complete(self) -> None:
        if self._open:
            raise self.problem("unexpected end of data after a backslash")


def _unescaped(field: bytes) -> bytes:
    return _TEXT_ESCAPE.sub(_escape_value, field) if b"\\" in field else field


def _escape_value(match: re.Match[bytes]) -> bytes:
    sequence = match[1]
    if sequence[:1] == b"x" and len(sequence) > 1:
        return bytes([int(sequence[1:], 16)])
    if sequence[0] in b"01234567":
        return bytes([int(sequence, 8) & 0xFF])
    return _TEXT_LETTERS.get(sequence, sequence)


class CsvReader(_LineReader):
    """Quoted values may hold delimiters, doubled quotes and line ends; only an unquoted field can be NULL."""

    def __init__(self, options: CopyOptions, columns: Sequence[str]) -> None:
        super().__init__(options, columns)
        quote, escape = options.quote, options.escape
        self._open: list[bytes] = []
        self._quoting = False
        # An escape counts only before a quote or itself.
        self._pairs = re.compile(f"{re.escape(escape)}([{re.escape(quote)}{re.escape(escape)}])")

    def _inside(self) -> bool:
        return self._quoting

    def _row(self, line: bytes) -> Row | None:
        if not self._open and self._options.quote.encode() not in line:
            text = self._decoded(self._stripped(line))
            if "\r" in text:
                raise self.problem("unquoted carriage return found in data")
            return [None if field == self._options.null else field for field in text.split(self._options.delimiter)]
        self._quoting = self._toggled(self._decoded(line))
        self._open.append(line)
        if self._quoting:
            return None
        record, self._open = b"\n".join(self._open), []
        return self._split(self._decoded(self._stripped(record)))

    def _toggled(self, text: str) -> bool:
        """Whether a quote is open after ``text``: each quote opens or closes, a doubled one does both."""
        quote, escape = self._options.quote, self._options.escape
        if quote == escape:
            return self._quoting ^ bool(text.count(quote) % 2)
        inside, at = self._quoting, 0
        while at < len(text):
            if inside and text[at] == escape and text[at + 1 : at + 2] in (quote, escape):
                at += 1
            elif text[at] == quote:
                inside = not inside
            at += 1
        return inside

    def _split(self, record: str) -> Row:
        row: Row = []
        at = 0
        while True:
            field, at = self._field(record, at)
            row.append(field)
            if at >= len(record):
                return row
            at += 1  # past the delimiter
            if at == len(record):
                row.append(self._plain("", False))
                return row

    def _field(self, record: str, at: int) -> tuple[str | None, int]:
        """The field that begins at ``at`` and where it ends. Quoted and plain stretches may alternate in one field."""
        parts: list[str] = []
        quoted = False
        while at < len(record) and record[at] != self._options.delimiter:
            if record[at] == self._options.quote:
                quoted = True
                end = self._closing(record, at + 1)
                parts.append(self._pairs.sub(r"\1", record[at + 1 : end]))
                at = end + 1
            else:
                end = min(_position(record, mark, at) for mark in (self._options.delimiter, self._options.quote))
                parts.append(record[at:end])
                at = end
        return self._plain("".join(parts), quoted), at

    def _plain(self, field: str, quoted: bool) -> str | None:
        return None if not quoted and field == self._options.null else field

    def _closing(self, record: str, at: int) -> int:
        quote, escape = self._options.quote, self._options.escape
        while at < len(record):
            if record[at] == escape and record[at + 1 : at + 2] in (quote, escape):
                at += 2
            elif record[at] == quote:
                return at
            else:
                at = min(_position(record, mark, at + 1) for mark in {quote, escape})
        raise self.problem("unterminated CSV quoted field")

    def _check_complete(self) -> None:
        if self._open:
            raise self.problem("unterminated CSV quoted field")


def _position(text: str, mark: str, start: int) -> int:
    found = text.find(mark, start)
    return len(text) if found < 0 else found
