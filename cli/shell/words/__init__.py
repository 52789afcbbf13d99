"""The backslash words, a file a topic; each is a function of the shell and of the word that was typed.

statements   run the statement before the word: \\g, \\gx, \\gdesc, \\watch; \\tail
describing   what there is: \\d and its relatives
answers      how rows are shown: \\x, \\pset, \\timing
files        \\i, \\o, \\e, \\copy
session      \\c, \\set, \\echo, \\q
manual       \\? and \\h, with syntax
entry        what a word is, and how it is refused
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from constellationdb.cli.shell.script import Word
from constellationdb.cli.shell.variables import expand_argument
from constellationdb.cli.shell.words import answers, describing, files, manual, session, statements
from constellationdb.cli.shell.words.entry import Entry, Refused

if TYPE_CHECKING:
    from constellationdb.cli.shell.interpreter import Shell

TOPICS: dict[str, tuple[Entry, ...]] = {
    "Statements": statements.ENTRIES,
    "Relations": describing.ENTRIES,
    "Answers": answers.ENTRIES,
    "Files": files.ENTRIES,
    "Session": session.ENTRIES,
    "Help": manual.entries(lambda: TOPICS),
}
_BY_NAME = {name: entry for entries in TOPICS.values() for entry in entries for name in entry.names}
NAMES = tuple(sorted(_BY_NAME))
_AS_TYPED = frozenset({"set", "copy"})  # what follows is kept as it is, or is SQL


def perform(shell: Shell, word: Word) -> None:
    # psql's + (more) and S (system) are taken: everything is shown anyway.
    found = _BY_NAME.get(word.name) or _BY_NAME.get(word.name.rstrip("+S"))
    if found is None:
        raise Refused(f"invalid command \\{word.name}\nTry \\? for help.")
    argument = word.argument
    if word.name not in _AS_TYPED:
        argument = expand_argument(argument, shell.variables).rstrip(" ;" if word.name[:1] == "d" else "")
    found.action(shell, Word(word.name, argument, word.sql))
