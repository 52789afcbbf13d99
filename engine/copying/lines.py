"""Text and CSV: rows are lines, which quotes and backslashes may make longer. UTF-8 only, lines end in LF or CRLF."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np

from constellationdb.catalog.text.binary import utf8_text
from constellationdb.engine.copy_options import CopyOptions
from constellationdb.engine.copying.fields import I64, U8, Fields
from constellationdb.engine.copying.header import check_header, header_end
from constellationdb.engine.copying.scanner import Scanner, writable
from constellationdb.engine.kernels import copycsv, copytext
from constellationdb.errors import BadCopyFormat, ConstellationError

_STOPPED, _FAULTY, _COUNT, _WHY, _LINES = 1, 2, 3, 4, 5  # places in a kernel's state


class LineScanner(Scanner):
    """``names`` are the columns' in the order of the fields."""

    def __init__(self, table: str, names: Sequence[str], options: CopyOptions) -> None:
        super().__init__(table, len(names))
        self._names = names
        self._options = options
        self._null = np.frombuffer(options.null.encode(), np.uint8)
        self._header_due = options.header
        self._state = np.zeros(6, np.int64)
        self._line = 0  # lines read
        self._added = b""  # the line end that the data lack

    def _cut(self, raw: bytes, *, final: bool) -> Iterator[Fields]:
        begin = 0
        if self._header_due and (raw or final):
            begin = header_end(raw if not final or raw.endswith(b"\n") else raw + b"\n", self._options)
            if begin < 0:
                self._keep(raw)
                return
            self._skip_header(raw[:begin])
        if final and begin < len(raw):
            raw = self._completed(raw)
        data = writable(raw)
        room = raw.count(b"\n", begin) if begin < len(raw) else 0
        starts, lengths = np.empty((2, self._columns, room), np.int64)
        lines = np.empty(room, np.int64)
        rows = self._kernel(data, begin, len(raw), starts, lengths, lines)
        if rows:
            yield Fields(data, starts[:, :rows], lengths[:, :rows], lines[:rows], raw)
        why = int(self._state[_WHY]) if room or final else copytext.MORE
        stopped = int(self._state[_STOPPED]) if room or final else begin
        self._judge(why, raw, stopped, final=final)

    def _judge(self, why: int, raw: bytes, stopped: int, *, final: bool) -> None:
        if why == copytext.END:
            self._ended = True
        elif why != copytext.MORE and (why != copycsv.QUOTED or final):
            raise self._problem(why, raw, int(self._state[_FAULTY]), stopped)
        else:
            self._keep(raw[stopped:])

    def _skip_header(self, line: bytes) -> None:
        self._header_due = False
        text = utf8_text(line).removesuffix("\n").removesuffix("\r")
        self._line += 1 + (text.count("\n") if self._options.csv else 0)
        if not self._options.header_match:
            return
        try:
            check_header(text, self._options, self._names)
        except BadCopyFormat as error:
            error.context = self.context(self._line, text)
            raise

    def _completed(self, raw: bytes) -> bytes:
        """With the line end that the last line may lack."""
        if raw.endswith(b"\n") and not self._open(raw):
            return raw
        self._added = b"\r\n" if self._state[0] == copytext.CRLF else b"\n"
        return raw + self._added

    def _problem(self, why: int, raw: bytes, faulty: int, stopped: int) -> ConstellationError:
        line = raw[faulty : stopped if stopped > faulty else None].decode(errors="replace").rstrip("\r\n")
        number = self._line + 1
        match why:
            case copytext.MISSING:
                name = self._names[int(self._state[_COUNT])]
                return BadCopyFormat(f'missing data for column "{name}"', context=self.context(number, line))
            case copytext.EXTRA:
                return BadCopyFormat("extra data after last expected column", context=self.context(number, line))
            case copycsv.QUOTED:
                number = int(self._state[_LINES]) - bool(self._added)
                line = raw[faulty : len(raw) - len(self._added)].decode(errors="replace")
                return BadCopyFormat("unterminated CSV quoted field", context=self.context(number, line))
            case copytext.CORRUPT:
                return BadCopyFormat("end-of-copy marker corrupt", context=self.context(number))
        word = "carriage return" if why == copytext.CARRIAGE else "newline"
        if self._options.csv:
            message, hint = f"unquoted {word} found in data", f"Use quoted CSV field to represent {word}."
        else:
            letter = "\\r" if word == "carriage return" else "\\n"
            message, hint = f"literal {word} found in data", f'Use "{letter}" to represent {word}.'
        return BadCopyFormat(message, hint=hint, context=self.context(number))

    @abstractmethod
    def _open(self, raw: bytes) -> bool:
        """Whether the line end that ``raw`` ends in is part of a value."""

    @abstractmethod
    def _kernel(self, data: U8, begin: int, size: int, starts: I64, lengths: I64, lines: I64) -> int:
        """Fills in the fields; how many rows there are. Counts their lines."""


class TextScanner(LineScanner):
    def _open(self, raw: bytes) -> bool:
        return raw.endswith(b"\n") and (len(raw) - 1 - len(raw[:-1].rstrip(b"\\"))) % 2 == 1

    def _completed(self, raw: bytes) -> bytes:
        if not raw.endswith(b"\n") and (len(raw) - len(raw.rstrip(b"\\"))) % 2:
            raw = raw[:-1]  # a backslash with nothing behind it says nothing
        return super()._completed(raw)

    def _kernel(self, data: U8, begin: int, size: int, starts: I64, lengths: I64, lines: I64) -> int:
        room = len(lines)
        rows = copytext.scan_text(
            data, begin, size, ord(self._options.delimiter), self._null, starts.reshape(-1), lengths.reshape(-1),
            room, self._columns, copytext.control_letters(), self._state,
        )  # fmt: skip
        lines[:rows] = np.arange(self._line + 1, self._line + rows + 1)
        self._line += rows
        return rows


class CsvScanner(LineScanner):
    def _open(self, raw: bytes) -> bool:  # noqa: ARG002
        return False

    def _kernel(self, data: U8, begin: int, size: int, starts: I64, lengths: I64, lines: I64) -> int:
        options = self._options
        marks = np.array([ord(options.delimiter), ord(options.quote), ord(options.escape)], np.int64)
        self._state[_LINES] = self._line
        rows = copycsv.scan_csv(
            data, begin, size, marks, self._null, starts.reshape(-1), lengths.reshape(-1), lines, len(lines),
            self._columns, self._state,
        )  # fmt: skip
        if rows:
            self._line = int(lines[rows - 1])
        return rows

    def _problem(self, why: int, raw: bytes, faulty: int, stopped: int) -> ConstellationError:
        if why in (copytext.MISSING, copytext.EXTRA):
            self._line = int(self._state[_LINES]) - 1
        return super()._problem(why, raw, faulty, stopped)
