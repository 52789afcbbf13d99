"""Files that are read, written and edited."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from constellationdb.cli.shell.script import Script, Word
from constellationdb.cli.shell.words.entry import Refused, entry, unquoted

if TYPE_CHECKING:
    from constellationdb.cli.shell.interpreter import Shell

_COPY = re.compile(
    r"(?P<what>\(.*\)|(?:\"(?:[^\"]|\"\")*\"|[^\s(])+(?:\s*\([^)]*\))?)\s+(?P<way>from|to)\s+"
    r"(?P<file>'(?:[^']|'')*'|\S+)\s*(?P<options>.*)",
    re.IGNORECASE | re.DOTALL,
)


def _path(shell: Shell, argument: str) -> Path:
    return shell.folder / Path(unquoted(argument)).expanduser()


def include(shell: Shell, word: Word) -> None:
    if not word.argument:
        raise Refused("\\i: which file?")
    path = _path(shell, word.argument)
    outer_script, outer_folder = shell.script, shell.folder
    shell.script = Script()
    if word.name in ("ir", "include_relative"):
        shell.folder = path.parent
    try:
        with path.open() as file:
            shell.run(line.rstrip("\n") for line in file)
    finally:
        shell.script, shell.folder = outer_script, outer_folder


def out(shell: Shell, word: Word) -> None:
    shell.output.redirect(_path(shell, word.argument) if word.argument else None)


def edit(shell: Shell, word: Word) -> None:
    text = word.sql if word.sql.strip() else shell.last
    try:
        edited = click.edit(text, extension=".sql")
    except click.ClickException as error:
        raise Refused(f"\\e: {error.message}") from None
    shell.draft = (edited if edited is not None else text).rstrip("\n")


def copy(shell: Shell, word: Word) -> None:
    """``\\copy t from file``: COPY with the client's file behind it."""
    found = _COPY.fullmatch(word.argument.rstrip(" ;"))
    if found is None:
        raise Refused("\\copy: say \\copy TABLE [(COLUMNS)] from|to FILE [OPTIONS], or \\copy (QUERY) to FILE")
    target, options = found["file"], found["options"]
    if found["way"].lower() == "from":
        sql = f"COPY {found['what']} FROM STDIN {options}".rstrip()
        if target.lower() in ("stdin", "pstdin"):
            shell.say(sql)
            return
        with _path(shell, target).open("rb") as source:
            shell.copy_in(sql, iter(lambda: source.read(1 << 16), b""))
        return
    sql = f"COPY {found['what']} TO STDOUT {options}".rstrip()
    if target.lower() in ("stdout", "pstdout"):
        shell.say(sql)
        return
    with _path(shell, target).open("wb") as file:
        shell.copy_out(sql, file.write)


def print_pending(shell: Shell, _: Word) -> None:
    shell.output.note((shell.script.pending or shell.last).rstrip("\n") or "Query buffer is empty.")


def reset(shell: Shell, _: Word) -> None:
    shell.output.note("Query buffer reset (cleared).")


ENTRIES = (
    entry("i FILE", "run what a file says; ir: what it includes is beside it", include, "include", "ir"),
    entry("o [FILE]", "answers into a file; without one: back to the screen", out, "out"),
    entry("copy TABLE|(QUERY) from|to FILE [OPTIONS]", "COPY with a file of this machine", copy),
    entry("e", "change the statement, or the last one, in your editor", edit, "edit"),
    entry("p", "show the statement that is not ended yet", print_pending, "print"),
    entry("r", "forget it", reset, "reset"),
)
