"""How answers are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from constellationdb.cli.shell.formats import FORMATS
from constellationdb.cli.shell.script import Word
from constellationdb.cli.shell.words.entry import Refused, entry, switched, unquoted

if TYPE_CHECKING:
    from constellationdb.cli.shell.interpreter import Shell


def _said(on: bool) -> str:
    return "on" if on else "off"


def expanded(shell: Shell, word: Word) -> None:
    if word.argument.lower() == "auto":
        shell.display.expanded = "auto"
        shell.output.note("Expanded display is used automatically.")
        return
    on = switched(word, shell.display.expanded == "on")
    shell.display.expanded = "on" if on else "off"
    shell.output.note(f"Expanded display is {_said(on)}.")


def timing(shell: Shell, word: Word) -> None:
    shell.display.timing = switched(word, shell.display.timing)
    shell.output.note(f"Timing is {_said(shell.display.timing)}.")


def tuples_only(shell: Shell, word: Word) -> None:
    shell.display.tuples_only = switched(word, shell.display.tuples_only)
    shell.output.note(f"Tuples only is {_said(shell.display.tuples_only)}.")


def alignment(shell: Shell, _: Word) -> None:
    shell.display.format = "unaligned" if shell.display.format == "table" else "table"
    shell.output.note(f"Output format is {shell.display.format}.")


def pset(shell: Shell, word: Word) -> None:
    name, _, value = word.argument.partition(" ")
    value, display = unquoted(value.strip()), shell.display
    match name:
        case "":
            values = {"expanded": display.expanded, "format": display.format, "null": f"'{display.null}'"}
            values |= {"pager": _said(display.pager), "tuples_only": _said(display.tuples_only)}
            shell.output.note("\n".join(f"{key:<12} {value}" for key, value in values.items()))
        case "format":
            _format(shell, value)
        case "null":
            display.null = value
            shell.output.note(f'Null display is "{value}".')
        case "pager":
            display.pager = switched(Word("pset pager", value), display.pager)
            shell.output.note(f"Pager is {_said(display.pager)}.")
        case "expanded" | "x":
            expanded(shell, Word("pset expanded", value))
        case "tuples_only" | "t":
            tuples_only(shell, Word("pset tuples_only", value))
        case _:
            raise Refused(f"\\pset: unknown option: {name}\nThere are expanded, format, null, pager and tuples_only.")


def _format(shell: Shell, value: str) -> None:
    chosen = "table" if value == "aligned" else value
    if chosen not in FORMATS:
        raise Refused(f'\\pset: "{value}" is no format\nThere are {", ".join(FORMATS)}.')
    shell.display.format = chosen
    shell.output.note(f"Output format is {chosen}.")


ENTRIES = (
    entry("x [on|off|auto]", "a line for each column; auto: where a row is wider than the screen", expanded),
    entry("pset [NAME [VALUE]]", "format (table, csv, json, unaligned), null, pager, expanded, tuples_only", pset),
    entry("a", "columns aligned, or not", alignment),
    entry("t [on|off]", "rows only, no header and no count", tuples_only),
    entry("timing [on|off]", "how long statements take", timing),
)
