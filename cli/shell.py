"""The prompt: statements over several lines, a history, and a few of psql's backslash words."""

from __future__ import annotations

import os
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.history import FileHistory
from rich.console import Console

from constellationdb.cli.display import print_answers
from constellationdb.cli.main import describe
from constellationdb.embedded import Database
from constellationdb.errors import ConstellationError

_HELP = """\
  \\d        list relations            \\q   leave (or Ctrl-D)
  \\d NAME   columns of one            \\?   this help
End a statement with ; — Ctrl-C drops what is typed, or cancels what runs.
For a live view: constellation tail NAME, or psql with COPY (SUBSCRIBE name) TO STDOUT;"""
_RELATIONS = "SELECT * FROM constellation.relations ORDER BY name"


class Shell:
    """Reads until a line ends with a semicolon, says it, prints the answers; errors do not end it."""

    def __init__(self, database: Database, console: Console | None = None) -> None:
        self._database = database
        self._console = console or Console()

    def run(self) -> None:
        prompt: PromptSession[str] = PromptSession(history=FileHistory(str(_history_file())))
        self._console.print("\\? shows what there is besides SQL", markup=False, highlight=False)
        typed = ""
        while True:
            try:
                typed += prompt.prompt("constellation-> " if typed else "constellation=> ") + "\n"
            except KeyboardInterrupt:
                typed = ""
                continue
            except EOFError:
                return
            if not typed.strip():
                typed = ""
            elif typed.lstrip().startswith("\\"):
                if not self.meta(typed.strip()):
                    return
                typed = ""
            elif typed.rstrip().endswith(";"):
                self.say(typed)
                typed = ""

    def meta(self, line: str) -> bool:
        """A backslash word; False to leave."""
        word, _, name = line.partition(" ")
        if word in ("\\q", "\\quit"):
            return False
        if word == "\\d":
            self.say(f"SELECT * FROM {name.strip(' ;')} LIMIT 0" if name else _RELATIONS)
        else:
            self._console.print(_HELP, markup=False, highlight=False)
        return True

    def say(self, sql: str) -> None:
        try:
            print_answers(self._database, sql, self._console)
        except ConstellationError as error:
            self._console.print(_with_caret(sql, error), markup=False, highlight=False)
        except KeyboardInterrupt:
            self._database.cancel()
            self._console.print("cancelled")


def _with_caret(sql: str, error: ConstellationError) -> str:
    """The line of the statement that is wrong, with a caret below the place, as psql draws it."""
    text = describe(error)
    if not error.position or error.position > len(sql):
        return text
    before = sql[: error.position - 1]
    number, start = before.count("\n") + 1, before.rfind("\n") + 1
    line = sql[start:].partition("\n")[0]
    label = f"LINE {number}: "
    first, _, rest = text.partition("\n")
    caret = " " * (len(label) + len(before) - start) + "^"
    return "\n".join(part for part in (first, label + line, caret, rest) if part)


def _history_file() -> Path:
    folder = Path(os.environ.get("XDG_STATE_HOME", Path.home() / ".local" / "state")) / "constellation"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "history"
