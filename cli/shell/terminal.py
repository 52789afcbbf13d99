"""The prompt: statements over several lines, a history that can be searched, colours, completion."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import Condition, has_focus
from prompt_toolkit.formatted_text import AnyFormattedText
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.lexers import PygmentsLexer
from pygments.lexers.sql import PostgresLexer

from constellationdb.cli.shell.completion import SqlCompleter
from constellationdb.cli.shell.interpreter import END_OF_DATA, Shell
from constellationdb.cli.shell.script import is_whole

_MARKS = {"I": "", "T": "*", "E": "!"}


class Terminal:
    """An iterator of the lines that are typed; a statement's lines come once it is whole."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._ready: list[str] = []
        self._completer = SqlCompleter(shell.names)
        self._prompt: PromptSession[str] = PromptSession(
            history=_history(),
            lexer=PygmentsLexer(PostgresLexer),
            completer=self._completer,
            complete_in_thread=True,
            search_ignore_case=True,
            complete_while_typing=Condition(lambda: not self._shell.copying),
            multiline=True,
            key_bindings=_bindings(lambda: self._shell.copying),
            prompt_continuation=_continuation,
        )

    def __iter__(self) -> Terminal:
        return self

    def __next__(self) -> str:
        while not self._ready:
            self._ready = self._ask().split("\n")
        return self._ready.pop(0)

    def _ask(self) -> str:
        if self._shell.copying:
            return self._ask_for_data()
        self._completer.names = self._shell.names
        try:
            return self._prompt.prompt(self._sign(), default=self._shell.take_draft())
        except KeyboardInterrupt:
            self._shell.script.pending = ""
            return ""
        except EOFError:
            raise StopIteration from None

    def _ask_for_data(self) -> str:
        try:
            return self._prompt.prompt(">> ")
        except EOFError:
            return END_OF_DATA

    def _sign(self) -> str:
        if self._shell.script.pending:
            return f"{self._shell.target.database}-> "
        return f"{self._shell.target.database}{_MARKS[self._shell.database.transaction_status]}=> "


def talk(shell: Shell) -> None:
    """Until Ctrl-D or ``\\q``."""
    shell.output.note("\\? shows what there is besides SQL")
    terminal = Terminal(shell)
    while True:
        try:
            shell.run(terminal)
            return
        except KeyboardInterrupt:  # between statements, say while a file is read
            shell.output.note("")


def _bindings(copying: Callable[[], bool]) -> KeyBindings:
    keys = KeyBindings()

    @keys.add("enter", filter=has_focus(DEFAULT_BUFFER))
    def _(event: KeyPressEvent) -> None:
        """A whole statement goes out; another line of one that is not whole begins."""
        buffer = event.current_buffer
        if copying() or is_whole(buffer.text):
            buffer.validate_and_handle()
        else:
            buffer.insert_text("\n")

    @keys.add("tab", filter=Condition(copying))
    def _(event: KeyPressEvent) -> None:
        """Between the columns of COPY's data, and no question."""
        event.current_buffer.insert_text("\t")

    return keys


def _continuation(width: int, _line: int, _wrapped: int) -> AnyFormattedText:
    return "-> ".rjust(width)


def _history() -> History:
    """In the user's state folder, for the user's eyes; in memory where that cannot be written."""
    try:
        folder = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "constellation"
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "history"
        file.touch(mode=0o600)
        return FileHistory(str(file))
    except OSError:
        return InMemoryHistory()
