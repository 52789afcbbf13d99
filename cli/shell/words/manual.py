"""``\\?`` for the backslash words and ``\\h`` for SQL."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from constellationdb.cli.shell.script import Word
from constellationdb.cli.shell.words.entry import Action, Entry, Refused, entry
from constellationdb.cli.shell.words.syntax import SYNTAX

if TYPE_CHECKING:
    from constellationdb.cli.shell.interpreter import Shell

Topics = Callable[[], Mapping[str, tuple[Entry, ...]]]
_WIDTH = 29
_KEYS = """\
  ;                            ends a statement; Enter before it begins another line
  Tab                          completes; so does typing on
  Ctrl-R                       looks for what was typed before
  Ctrl-C                       drops what is typed, cancels what runs"""


def _words(topics: Topics) -> Action:
    def action(shell: Shell, _: Word) -> None:
        lines = ["Keys", *_KEYS.split("\n")]
        for topic, entries in topics().items():
            lines += ["", topic, *map(_line, entries)]
        shell.output.lines(lines, paged=shell.output.interactive and shell.display.pager)

    return action


def _line(one: Entry) -> str:
    usage = f"  \\{one.usage}"
    gap = "\n" + " " * (_WIDTH + 2) if len(usage) > _WIDTH + 1 else " " * (_WIDTH + 2 - len(usage))
    return usage + gap + one.meaning


def sql(shell: Shell, word: Word) -> None:
    wanted = word.argument.rstrip(" ;").upper()
    found = {name: text for name, text in SYNTAX.items() if name.startswith(wanted)} if wanted else {}
    if wanted and not found:
        raise Refused(f'No help available for "{word.argument}".\nTry \\h with no arguments to see available help.')
    if not wanted:
        shell.output.lines(["\\h NAME shows how these are said:", *(f"  {name}" for name in SYNTAX)])
    for name, text in found.items():
        shell.output.lines([name, *("    " + line for line in text.strip().split("\n")), ""])


def entries(topics: Topics) -> tuple[Entry, ...]:
    return (
        entry("?", "this list", _words(topics)),
        entry("h [STATEMENT]", "how a statement is said", sql, "help"),
    )
