"""Text of a script → its records, included scripts in their place."""

from __future__ import annotations

import glob
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from constellationdb.cli.slt.lines import Lines, ScriptSyntaxError
from constellationdb.cli.slt.records import (
    AnyRecord,
    Condition,
    ExpectCount,
    ExpectError,
    ExpectOk,
    ExpectRows,
    Halt,
    HashThreshold,
    Place,
    Retry,
    SetResultMode,
    SetSortMode,
    SetSubstitution,
    Sleep,
    SortMode,
    SqlRecord,
    Subtest,
    SystemRecord,
)

Value = TypeVar("Value")

_UNITS = {"ms": 0.001, "s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+)\s*([a-z]+)")
_SQLSTATE = re.compile(r"\(([0-9A-Z]{5})\)")


def parse_file(path: Path) -> list[AnyRecord]:
    """The records of ``path`` and of everything it includes, in the order they run."""
    return list(_Parser(str(path), _read(path, Place(str(path), 1)), path.parent, (path.resolve(),)).records())


def parse_text(text: str, file: str = "<text>", folder: Path | None = None) -> list[AnyRecord]:
    """The records of a script that is not a file; ``folder`` is where its includes are looked for."""
    return list(_Parser(file, text, folder or Path(), ()).records())


def parse_duration(text: str) -> float:
    """Seconds of ``500ms``, ``5s`` or ``1m30s``; ValueError for anything else."""
    if not re.fullmatch(rf"({_DURATION.pattern})+", text):
        raise ValueError(text)
    return sum(int(number) * _UNITS[unit] for number, unit in _known_units(text))


def _known_units(text: str) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = _DURATION.findall(text)
    if any(unit not in _UNITS for _, unit in pairs):
        raise ValueError(text)
    return pairs


def _read(path: Path, place: Place) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ScriptSyntaxError(place, f"cannot read {path}: {error.strerror}") from error


@dataclass
class _Parser:
    """One script. ``open_files`` are this one and those that include it, so that a circle is noticed."""

    file: str
    text: str
    folder: Path
    open_files: tuple[Path, ...]

    def __post_init__(self) -> None:
        self._lines = Lines(self.file, self.text)
        self._conditions: list[Condition] = []
        self._connection = "default"

    def records(self) -> Iterator[AnyRecord]:
        while (line := self._lines.take()) is not None:
            words = line.split()
            if words and not words[0].startswith("#"):
                yield from self._directive(words[0], words[1:], line)

    def _directive(self, name: str, rest: list[str], line: str) -> Iterator[AnyRecord]:
        match name, rest:
            case ("skipif", [label]):
                self._conditions.append(Condition("skipif", label))
            case ("onlyif", [label]):
                self._conditions.append(Condition("onlyif", label))
            case ("connection", [connection]):
                self._connection = connection
            case ("include", [pattern]):
                yield from self._include(pattern)
            case ("statement", ["ok" | "count" | "error", *_]):
                yield self._statement(rest[0], rest[1:], line)
            case ("query", ["error", *_]):
                yield self._failing(rest[1:], line)
            case ("query", [types, *options]):
                yield self._query(types, options)
            case ("system", ["ok", *options]):
                yield self._system(options)
            case _:
                yield self._setting(name, rest)

    def _setting(self, name: str, rest: list[str]) -> AnyRecord:
        place, conditions = self._lines.place, self._take_conditions()
        match name, rest:
            case ("halt", []):
                return Halt(place, conditions)
            case ("sleep", [duration]):
                return Sleep(place, conditions, self._read_as(parse_duration, duration, "a duration"))
            case ("subtest", [_, *_]):
                return Subtest(place, conditions, " ".join(rest))
            case ("hash-threshold", [number]):
                return HashThreshold(place, conditions, self._read_as(int, number, "a number"))
            case ("control", ["sortmode", word]) if (sort_mode := _sort_mode(word)) is not None:
                return SetSortMode(place, conditions, sort_mode)
            case ("control", ["resultmode", "rowwise" | "valuewise" as result_mode]):
                return SetResultMode(place, conditions, result_mode)
            case ("control", ["substitution", "on" | "off" as switch]):
                return SetSubstitution(place, conditions, switch == "on")
        raise ScriptSyntaxError(place, f"not a record: {' '.join([name, *rest])}")

    def _statement(self, kind: str, rest: list[str], line: str) -> AnyRecord:
        place = self._lines.place
        if kind == "error":
            return self._failing(rest, line)
        expect: ExpectOk | ExpectCount = ExpectOk()
        if kind == "count":
            if not rest:
                raise ScriptSyntaxError(place, "statement count lacks its number")
            expect, rest = ExpectCount(self._read_as(int, rest[0], "a number")), rest[1:]
        retry = self._retry(rest)
        sql, has_rows = self._lines.body()
        if has_rows:
            raise ScriptSyntaxError(place, f"statement {kind} cannot expect rows; say query")
        return SqlRecord(place, self._take_conditions(), sql, expect, self._take_connection(), retry)

    def _failing(self, rest: list[str], line: str) -> AnyRecord:
        place, retry, inline = self._lines.place, None, ""
        if len(rest) == 4 and (rest[0], rest[2]) == ("retry", "backoff"):
            retry = self._retry(rest)
        elif rest:
            inline = line.split(maxsplit=2)[2].strip()
        sqlstate, pattern = _SQLSTATE.fullmatch(inline), None
        if inline and not sqlstate:
            pattern = self._read_as(_checked_pattern, inline, "a regular expression")
        sql, has_message = self._lines.body()
        if has_message and pattern:
            raise ScriptSyntaxError(place, "an error has either a pattern or an exact message, not both")
        message = self._lines.paragraphs() if has_message else None
        expect = ExpectError(pattern, sqlstate[1] if sqlstate else None, message)
        return SqlRecord(place, self._take_conditions(), sql, expect, self._take_connection(), retry)

    def _query(self, types: str, options: list[str]) -> AnyRecord:
        place, label = self._lines.place, None
        sort_mode = _sort_mode(options[0]) if options else None
        options = options[1:] if sort_mode else options
        if options and options[0] != "retry":
            label, *options = options
        retry = self._retry(options)
        sql, has_rows = self._lines.body()
        expect = ExpectRows(types, self._lines.rows() if has_rows else (), sort_mode, label)
        return SqlRecord(place, self._take_conditions(), sql, expect, self._take_connection(), retry)

    def _system(self, options: list[str]) -> AnyRecord:
        place, retry = self._lines.place, self._retry(options)
        command, has_output = self._lines.body()
        stdout = self._lines.paragraphs() if has_output else None
        return SystemRecord(place, self._take_conditions(), command, stdout, retry)

    def _retry(self, words: Sequence[str]) -> Retry | None:
        match words:
            case []:
                return None
            case ["retry", attempts, "backoff", pause]:
                times = self._read_as(int, attempts, "a number")
                return Retry(times, self._read_as(parse_duration, pause, "a duration"))
        raise ScriptSyntaxError(self._lines.place, f"expected retry N backoff DURATION, found {' '.join(words)}")

    def _include(self, pattern: str) -> Iterator[AnyRecord]:
        place, conditions = self._lines.place, self._take_conditions()
        if conditions:
            raise ScriptSyntaxError(place, "include cannot be conditional; put the condition on the records")
        found = sorted(glob.glob(str(self.folder / pattern), recursive=True))
        if not found:
            raise ScriptSyntaxError(place, f"no file matches {pattern}")
        for name in found:
            path = Path(name)
            if path.resolve() in self.open_files:
                raise ScriptSyntaxError(place, f"{path} includes itself")
            yield from _Parser(name, _read(path, place), path.parent, (*self.open_files, path.resolve())).records()

    def _take_conditions(self) -> tuple[Condition, ...]:
        taken, self._conditions = tuple(self._conditions), []
        return taken

    def _take_connection(self) -> str:
        """A ``connection`` line names the connection of the next record only."""
        taken, self._connection = self._connection, "default"
        return taken

    def _read_as(self, read: Callable[[str], Value], text: str, wanted: str) -> Value:
        try:
            return read(text)
        except ValueError as error:
            raise ScriptSyntaxError(self._lines.place, f"expected {wanted}, found {text}") from error


def _sort_mode(word: str) -> SortMode | None:
    match word:
        case "nosort" | "rowsort" | "valuesort":
            return word
    return None


def _checked_pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(str(error)) from error
    return text
