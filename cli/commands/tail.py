"""``constellation tail``."""

from __future__ import annotations

import click

from constellationdb.cli.commands.options import dsn_option


@click.command()
@click.argument("view")
@dsn_option
@click.option("--no-snapshot", is_flag=True, help="Only what changes from now on.")
@click.option("--resume", metavar="TOKEN", help="Go on behind a token that an earlier tail ended with.")
def command(view: str, dsn: str, no_snapshot: bool, resume: str | None) -> None:
    """Print a view's rows and then its changes, until Ctrl-C.

    Each line is the epoch, the weight (1 appeared, -1 went) and the row, between tabs.
    """
    from constellationdb.cli.tailing import tail
    from constellationdb.embedded import connect

    with connect(dsn) as database:
        token = tail(database, view, snapshot=not no_snapshot, resume=resume)
    if token:
        click.echo(f"go on with: constellation tail {view} --resume {token}", err=True)
