"""``constellation sql``."""

from __future__ import annotations

from pathlib import Path
from typing import TextIO

import click

from constellationdb.cli.commands.options import dsn_option


@click.command()
@click.option("-c", "--command", "commands", multiple=True, metavar="SQL", help="Run this and leave; may be repeated.")
@click.option("-f", "--file", "files", multiple=True, type=click.File(), help="Run a file and leave; - is the input.")
@dsn_option
@click.option("--dir", "directory", type=click.Path(file_okay=False, path_type=Path), help="Open a directory instead.")
@click.option("--memory", is_flag=True, help="Use an empty database in memory instead.")
def command(
    commands: tuple[str, ...], files: tuple[TextIO, ...], dsn: str, directory: Path | None, memory: bool
) -> None:
    """Run SQL, or open a prompt when neither -c nor -f is given."""
    if directory is not None and memory:
        raise click.UsageError("--dir and --memory exclude each other")
    from constellationdb.cli.display import print_answers, say_notice
    from constellationdb.cli.shell import Shell
    from constellationdb.embedded import connect

    target = None if memory else directory or dsn
    with connect(target, on_notice=say_notice) as database:
        if database.restored:
            click.echo(database.restored, err=True)
        for text in [*commands, *(file.read() for file in files)]:
            print_answers(database, text)
        if not commands and not files:
            Shell(database).run()
