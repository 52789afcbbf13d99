"""What a backslash word is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from constellationdb.cli.shell.script import Word

if TYPE_CHECKING:
    from constellationdb.cli.shell.interpreter import Shell

Action = Callable[["Shell", Word], None]


class Refused(Exception):
    """A backslash word that cannot be followed, in a person's words."""


@dataclass(frozen=True)
class Entry:
    """``usage`` is what ``\\?`` shows; other names mean the same."""

    usage: str
    meaning: str
    action: Action
    names: tuple[str, ...]


def entry(usage: str, meaning: str, action: Action, *others: str) -> Entry:
    """Its first name is the first word of ``usage``."""
    return Entry(usage, meaning, action, (usage.partition(" ")[0], *others))


def switched(word: Word, now: bool) -> bool:
    """``on``, ``off``, or without an argument the other one."""
    choices = {"on": True, "true": True, "1": True, "off": False, "false": False, "0": False, "": not now}
    chosen = choices.get(word.argument.lower())
    if chosen is None:
        raise Refused(f'\\{word.name}: "{word.argument}" is neither on nor off')
    return chosen


def unquoted(argument: str) -> str:
    """A file's name, say, with blanks in it."""
    if len(argument) > 1 and argument[0] == argument[-1] == "'":
        return argument[1:-1].replace("''", "'")
    return argument
