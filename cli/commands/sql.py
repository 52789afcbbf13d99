"""``constellation sql``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from constellationdb.cli.commands.options import dsn_option

if TYPE_CHECKING:
    from constellationdb.cli.shell.interpreter import Shell


@click.command()
@click.option("-c", "--command", "commands", multiple=True, metavar="SQL", help="Run this and leave; may be repeated.")
@click.option("-f", "--file", "files", multiple=True, type=click.File(), help="Run a file and leave; - is the input.")
@dsn_option
@click.option("--dir", "directory", type=click.Path(file_okay=False, path_type=Path), help="Open a directory instead.")
@click.option("--memory", is_flag=True, help="Use an empty database in memory instead.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(("table", "csv", "json", "unaligned")),
    default="table",
    show_default=True,
    help="How rows are written; json is one object a row.",
)
@click.option("--set", "variables", multiple=True, metavar="NAME=VALUE", help="Set a variable of the shell.")
def command(
    commands: tuple[str, ...],
    files: tuple[TextIO, ...],
    dsn: str,
    directory: Path | None,
    memory: bool,
    format_: str,
    variables: tuple[str, ...],
) -> None:
    """Run SQL and backslash words: from -c, from files, from a pipe, or typed at a prompt.

    A script ends at its first error, with exit code 1, unless ON_ERROR_STOP is set to off.
    """
    if directory is not None and memory:
        raise click.UsageError("--dir and --memory exclude each other")
    from constellationdb.cli.display import say_notice
    from constellationdb.cli.shell.interpreter import Shell
    from constellationdb.cli.shell.output import Output
    from constellationdb.cli.shell.printing import Display
    from constellationdb.cli.shell.target import Target

    target = Target(None if memory else directory or dsn)
    typed = not commands and not files and sys.stdin.isatty()
    database = target.connect(say_notice)
    if database.restored:
        click.echo(database.restored, err=True)
    output = Output(interactive=typed and sys.stdout.isatty())
    shell = Shell(target, database, output, Display(format_), stop_on_error=not typed)
    try:
        for name, value in map(_assignment, variables):
            shell.assign(name, value)
        if typed:
            from constellationdb.cli.shell.terminal import talk

            talk(shell)
        else:
            sys.exit(_run(shell, commands, files))
    finally:
        shell.close()


def _run(shell: Shell, commands: tuple[str, ...], files: tuple[TextIO, ...]) -> int:
    """The exit code."""
    from constellationdb.cli.shell.interpreter import Stopped

    try:
        for text in commands:
            shell.command(text, _lines(sys.stdin))
        for file in files if commands or files else (sys.stdin,):
            shell.run(_lines(file))
    except Stopped:
        pass
    except BrokenPipeError:
        # The reader has left; what is still buffered goes nowhere when the interpreter flushes it at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return int(shell.failed)


def _lines(file: TextIO) -> Iterator[str]:
    return (line.rstrip("\n") for line in file)


def _assignment(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    if not name.isidentifier():
        raise click.UsageError(f'--set: "{text}" is not NAME=VALUE')
    return name, value
