"""``constellation version``."""

from __future__ import annotations

import click


@click.command()
def command() -> None:
    """Print the versions of Constellation and of what it stands on."""
    import platform
    from importlib.metadata import version

    from constellationdb import __version__

    click.echo(f"constellation {__version__}")
    click.echo(f"python {platform.python_version()} on {platform.system().lower()} {platform.machine()}")
    for name in ("datafusion", "numba", "pyarrow", "pglast"):
        click.echo(f"{name} {version(name)}")
