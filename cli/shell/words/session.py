"""The connection, and the shell's own variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from constellationdb.cli.shell.script import Word
from constellationdb.cli.shell.target import Target
from constellationdb.cli.shell.words.entry import Refused, entry, unquoted

if TYPE_CHECKING:
    from constellationdb.cli.shell.interpreter import Shell


def connect(shell: Shell, word: Word) -> None:
    shell.move(Target.named(unquoted(word.argument)) if word.argument not in ("", "-") else shell.target)
    shell.output.note(str(shell.target))


def conninfo(shell: Shell, _: Word) -> None:
    shell.output.note(str(shell.target))


def set_variable(shell: Shell, word: Word) -> None:
    name, _, value = word.argument.partition(" ")
    if not name:
        shell.output.note("\n".join(f"{key} = '{value}'" for key, value in sorted(shell.variables.items())))
        return
    if not name.isidentifier():
        raise Refused(f'\\set: invalid variable name: "{name}"')
    shell.assign(name, unquoted(value.strip()))


def unset(shell: Shell, word: Word) -> None:
    shell.variables.pop(word.argument, None)
    if word.argument == "ON_ERROR_STOP":
        shell.stop_on_error = False


def echo(shell: Shell, word: Word) -> None:
    shell.output.lines([unquoted(word.argument)])


def leave(shell: Shell, _: Word) -> None:
    shell.leaving = True


ENTRIES = (
    entry("c [URL|DIRECTORY]", "another database; without one: connect again", connect, "connect"),
    entry("conninfo", "which database this is", conninfo),
    entry("set [NAME [VALUE]]", ":NAME, :'NAME' and :\"NAME\" in statements; ON_ERROR_STOP ends scripts", set_variable),
    entry("unset NAME", "forget it", unset),
    entry("echo TEXT", "print it", echo),
    entry("q", "leave; so does Ctrl-D", leave, "quit"),
)
