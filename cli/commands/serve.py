"""``constellation serve``."""

from __future__ import annotations

from pathlib import Path

import click

from constellationdb.cli.commands.options import Address


@click.command()
@click.option("--dir", "directory", type=click.Path(file_okay=False, path_type=Path), help="Keep everything here.")
@click.option("--listen", type=Address(), default="127.0.0.1:5433", show_default=True, help="Where clients connect.")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Slices of the key space.")
def command(directory: Path | None, listen: tuple[str, int], workers: int) -> None:
    """Serve the Postgres port until Ctrl-C. Without --dir nothing survives the process."""
    from constellationdb.cli.running import banner, running, until_stopped

    with until_stopped() as stopped, running(directory, *listen, workers=workers) as database:
        click.echo(banner(database, directory))
        stopped.wait()
        click.echo("stopping: clients are told, then the last epoch is kept" if directory else "stopping")
