"""What is done with the statement typed before the word, or with the last one."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from constellationdb.catalog.types import of_field
from constellationdb.cli.shell.live import watch as watch_live
from constellationdb.cli.shell.script import Word
from constellationdb.cli.shell.variables import expand
from constellationdb.cli.shell.words.entry import Refused, entry, unquoted
from constellationdb.cli.tailing import tail

if TYPE_CHECKING:
    from constellationdb.cli.shell.interpreter import Shell

_WATCH = re.compile(r"(?P<seconds>\d+(?:\.\d+)?)?\s*(?:c=(?P<count>\d+))?")


def _statement(shell: Shell, word: Word) -> str:
    sql = word.sql if word.sql.strip() else shell.last
    if not sql:
        raise Refused(f"\\{word.name}: there is no statement yet")
    return sql


def go(shell: Shell, word: Word) -> None:
    sql = _statement(shell, word)
    if not word.argument:
        shell.say(sql)
        return
    shell.output.redirect(Path(unquoted(word.argument)))
    try:
        shell.say(sql)
    finally:
        shell.output.redirect(None)


def go_expanded(shell: Shell, word: Word) -> None:
    shell.say(_statement(shell, word), replace(shell.display, expanded="on"))


def describe(shell: Shell, word: Word) -> None:
    schema = shell.database.sql(expand(_statement(shell, word), shell.variables)).schema
    kinds = [of_field(field).name for field in schema]
    shell.show(pa.table({"Column": pa.array(schema.names, pa.string()), "Type": pa.array(kinds, pa.string())}))


def watch(shell: Shell, word: Word) -> None:
    sql, found = _statement(shell, word), _WATCH.fullmatch(word.argument)
    if found is None:
        raise Refused(f'\\watch: "{word.argument}" is not a number of seconds')
    seconds, left = float(found["seconds"] or 2), int(found["count"] or 0)
    try:
        while True:
            shell.output.lines([f"{datetime.now():%Y-%m-%d %H:%M:%S} (every {seconds:g}s)", ""])
            left -= 1
            if not shell.say(sql) or left == 0:
                return
            time.sleep(seconds)
    except KeyboardInterrupt:
        return


def live(shell: Shell, word: Word) -> None:
    if not word.argument:
        raise Refused("\\tail: which relation?")
    name = unquoted(word.argument).strip('"')
    if shell.output.interactive:
        watch_live(shell.database, name, shell.output.console, shell.display.null)
    else:
        tail(shell.database, name)


ENTRIES = (
    entry("g [FILE]", "run it, as ; does; its answer into a file", go),
    entry("gx", "run it, a line for each column", go_expanded),
    entry("gdesc", "the columns of its answer, without running it", describe),
    entry("watch [SECONDS] [c=COUNT]", "run it again and again, until Ctrl-C", watch),
    entry("tail NAME", "a relation's contents, kept up to date, until q or Ctrl-C", live),
)
