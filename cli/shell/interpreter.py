"""Runs the pieces of a script against a database and prints what they answer; an error does not end the session."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from constellationdb.cli.display import say_notice
from constellationdb.cli.shell import words
from constellationdb.cli.shell.errors import with_caret
from constellationdb.cli.shell.names import Names
from constellationdb.cli.shell.output import Output
from constellationdb.cli.shell.printing import Display, Printer
from constellationdb.cli.shell.running import Quiet, Running
from constellationdb.cli.shell.script import Piece, Script, Statement, Word, pieces
from constellationdb.cli.shell.target import Target
from constellationdb.cli.shell.variables import expand
from constellationdb.cli.shell.words.entry import Refused
from constellationdb.embedded import Database
from constellationdb.errors import ConstellationError
from constellationdb.planner.statements import Copy
from constellationdb.planner.syntax import parse

T = TypeVar("T")

END_OF_DATA = "\\."
_QUIET_S = 0.25  # so long rows wait for more of their table
_DEFINING = ("CREATE", "DROP", "ALTER", "COMMIT", "ROLLBACK")


class Stopped(Exception):
    """An error has ended the script."""


@dataclass
class Shell:
    """One session at one place after another (``\\c``)."""

    target: Target
    database: Database
    output: Output
    display: Display = field(default_factory=Display)
    variables: dict[str, str] = field(default_factory=dict)
    stop_on_error: bool = False
    script: Script = field(default_factory=Script)
    folder: Path = field(default_factory=Path)  # what \i and \copy name is below it
    last: str = ""  # the statement that \g says again
    leaving: bool = False
    failed: bool = False
    copying: bool = False  # the lines that come are data
    draft: str = ""  # what the prompt begins with: a text that was edited

    def __post_init__(self) -> None:
        self.names = Names(self.database)
        self._lines: Iterator[str] = iter(())

    def run(self, lines: Iterable[str]) -> None:
        """Until the lines end, ``\\q``, or an error where errors stop it (Stopped)."""
        outer, self._lines = self._lines, iter(lines)
        try:
            for line in self._lines:
                self.feed(line)
                if self.leaving:
                    return
            for piece in self.script.finish():
                self.perform(piece)
        finally:
            self._lines = outer

    def command(self, text: str, lines: Iterable[str] = ()) -> None:
        """What ``-c`` gives: statements as one text, and so one transaction, or a backslash word."""
        outer, self._lines = self._lines, iter(lines)
        try:
            found = pieces(text)
            if not any(isinstance(piece, Word) for piece in found):
                self.say(text)
                return
            for piece in found:
                self.perform(piece)
        finally:
            self._lines = outer

    def assign(self, name: str, value: str) -> None:
        """``\\set``; ON_ERROR_STOP is heard."""
        self.variables[name] = value
        if name == "ON_ERROR_STOP":
            self.stop_on_error = value.lower() not in ("off", "0", "false", "no")

    def feed(self, line: str) -> None:
        for piece in self.script.feed(line):
            self.perform(piece)
            if self.leaving:
                return

    def perform(self, piece: Piece) -> None:
        if isinstance(piece, Statement):
            self.say(piece.sql)
        else:
            self.attempt(lambda: words.perform(self, piece), self.last)

    def say(self, sql: str, display: Display | None = None) -> bool:
        """Runs statements as one text; False when they failed."""
        text = expand(sql, self.variables).strip()
        self.last = text
        copy = _copy(text)
        if copy is None:
            return self._timed(lambda: self._show(text, display or self.display), text)
        if copy.direction == "out":
            return self._timed(lambda: self.copy_out(text, self.output.write), text)
        try:
            data = [line.encode() for line in self.data_lines()]
        except KeyboardInterrupt:
            self.report("nothing is copied")
            return False
        return self._timed(lambda: self.copy_in(text, data), text)

    def attempt(self, work: Callable[[], None], sql: str = "") -> bool:
        """Does ``work`` and reports its error; False when there was one."""
        try:
            work()
            return True
        except ConstellationError as error:
            self.report(with_caret(sql, error))
        except Refused as refused:
            self.report(str(refused))
        except OSError as error:
            if isinstance(error, BrokenPipeError):
                raise
            self.report(f"{error.filename or ''}: {error.strerror or error}".lstrip(": "))
        return False

    def report(self, message: str) -> None:
        self.output.flush()
        self.output.error(message)
        self.failed = True
        if self.stop_on_error:
            raise Stopped

    def copy_out(self, sql: str, write: Callable[[bytes], object]) -> None:
        self._interruptible(lambda: self.database.copy_out(sql), write, lambda: None)
        self.output.flush()

    def copy_in(self, sql: str, data: Iterable[bytes]) -> None:
        printer = Printer(self.output, self.display)
        self._interruptible(lambda: iter([self.database.copy_in(sql, data)]), printer.take, lambda: None)

    def data_lines(self) -> Iterator[str]:
        """The lines that follow in the script, up to ``\\.``."""
        self.copying = True
        try:
            for line in self._lines:
                if line == END_OF_DATA:
                    return
                yield line + "\n"
        finally:
            self.copying = False

    def move(self, target: Target) -> None:
        """Another database from now on; the one before stays when that one cannot be reached."""
        if isinstance(target.place, str):
            database = target.connect(say_notice)
            self.database.close()
        else:
            database = self._open_instead(target)
        self.names.close()
        self.target, self.database, self.names = target, database, Names(database)

    def _open_instead(self, target: Target) -> Database:
        """A directory is open once only, so that ours is closed first, and opened again when the other cannot be."""
        if self.target.place is None:
            raise Refused("this database is in memory only and would be lost: start another shell")
        self.database.close()
        try:
            return target.connect(say_notice)
        except ConstellationError:
            self.database = self.target.connect(say_notice)
            self.names.forget()
            raise

    def take_draft(self) -> str:
        draft, self.draft = self.draft, ""
        return draft

    def show(self, table: pa.Table, title: str = "", display: Display | None = None) -> None:
        """Rows that no statement answered, as if one had."""
        chosen = display or self.display
        if title and chosen.format == "table" and not chosen.tuples_only:
            self.output.lines([title])
        printer = Printer(self.output, chosen)
        for event in (table.schema, *table.to_batches(), "SELECT"):
            printer.take(event)

    def close(self) -> None:
        self.names.close()
        self.output.close()
        self.database.close()

    def _timed(self, work: Callable[[], None], sql: str) -> bool:
        started = time.perf_counter()
        done = self.attempt(work, sql)
        if self.display.timing:
            self.output.note(f"Time: {(time.perf_counter() - started) * 1e3:.3f} ms")
        return done

    def _show(self, sql: str, display: Display) -> None:
        printer = Printer(self.output, replace(display))

        def take(event: object) -> None:
            if isinstance(event, str) and event.startswith(_DEFINING):
                self.names.forget()
            printer.take(event)

        try:
            self._interruptible(lambda: self.database.events(sql), take, printer.pause)
        except BaseException:
            printer.abandon()
            raise

    def _interruptible(
        self, work: Callable[[], Iterator[T]], take: Callable[[T], object], quiet: Callable[[], object]
    ) -> None:
        """Takes what ``work`` gives; Ctrl-C cancels it, and its own last words are what is raised."""
        running = Running(work, self.database.cancel)
        try:
            while (event := running.get(_QUIET_S)) is not None:
                if isinstance(event, Quiet):
                    quiet()
                else:
                    take(event)
        except KeyboardInterrupt:
            running.interrupted()
        except BaseException:
            if running.is_going:  # it is what was printed that failed
                with suppress(ConstellationError):
                    running.interrupted()
            raise


def _copy(sql: str) -> Copy | None:
    """The statement, if it moves data beside its text."""
    if sql[:4].lower() != "copy":
        return None
    try:
        statements = parse(sql)
    except ConstellationError:
        return None
    found = statements[0] if len(statements) == 1 else None
    return found if isinstance(found, Copy) else None
