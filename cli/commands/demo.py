"""``constellation demo`` and ``constellation demo flights``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from constellationdb.cli.commands.options import Duration


@click.command()
@click.argument("name", type=click.Choice(["market", "flights"]), default="market")
@click.option("--check", "check_s", type=Duration(), metavar="20s", help="Run that long, compare every view, and end.")
@click.option("--dir", "directory", type=click.Path(file_okay=False, path_type=Path), help="Keep everything here.")
@click.option("--port", type=click.IntRange(0, 65_535), help="The Postgres port; 0 is any free one.")
def command(name: str, check_s: float | None, directory: Path | None, port: int | None) -> None:
    """Run a demo: generated trades, live (the default), or the real flights of 2013.

    The flights end by themselves and check every view against DuckDB; the trades run
    until Ctrl-C, or with --check for that long and are compared with an independent oracle.
    """
    from rich.console import Console

    console = Console()
    if name == "flights":
        if check_s is not None:
            raise click.UsageError("the flights demo always checks itself, and ends by itself")
        from constellationdb.cli.flights.demo import run

        sys.exit(run(directory, port or 0, console))
    from constellationdb.cli.market.demo import check, show_live
    from constellationdb.cli.running import PORT

    if check_s is not None:
        sys.exit(check(directory, port or 0, check_s, console))
    show_live(directory, PORT if port is None else port, console)
