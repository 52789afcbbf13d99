"""``constellation slt``."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="FILE...", type=click.Path(exists=True, path_type=Path))
@click.option("--dsn", help="Run against this server; otherwise each script gets an empty database in this process.")
@click.option("--label", "labels", multiple=True, help="A label that skipif and onlyif ask for.")
def command(paths: tuple[Path, ...], dsn: str | None, labels: tuple[str, ...]) -> None:
    """Run sqllogictest scripts, or the .slt files below a folder; the exit code is 1 when any check failed."""
    from constellationdb.cli.slt.engines import LABEL, wire_suite

    chosen = frozenset({LABEL, *labels})
    if dsn:
        suite = wire_suite(dsn, chosen)
    else:
        from constellationdb.cli.slt_local import local_suite

        suite = local_suite(chosen)
    sys.exit(suite.run(paths))
