"""The entry point: finds the command, and turns what it raises into a message and an exit code."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from constellationdb import __version__
from constellationdb.errors import ConstellationError

_FOLDER = "constellationdb.cli.commands"
COMMANDS = ("checkpoints", "demo", "serve", "slt", "sql", "tail", "version")


class LazyCommands(click.Group):
    """A command's module has the command's name and is imported when somebody wants it."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's signature)
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        found = importlib.import_module(f"{_FOLDER}.{cmd_name}").command
        assert isinstance(found, click.Command)
        return found


@click.group(cls=LazyCommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="constellation")
def cli() -> None:
    """Constellation: SQL over streams, behind a Postgres port."""


def main(arguments: list[str] | None = None) -> Any:
    """Runs one command and ends the process with its exit code."""
    try:
        cli.main(args=arguments, prog_name="constellation", standalone_mode=True)
    except ConstellationError as error:
        print(describe(error), file=sys.stderr)
        sys.exit(1)


def describe(error: ConstellationError) -> str:
    """As psql shows an error, with our stable code behind it."""
    lines = [f"ERROR:  {error.message} ({error.sqlstate}, {error.code})"]
    lines += [f"DETAIL:  {error.detail}"] if error.detail else []
    lines += [f"HINT:  {error.hint}"] if error.hint else []
    lines += [f"CONTEXT:  {error.context}"] if error.context else []
    return "\n".join(lines)
