"""``constellation serve``."""

from __future__ import annotations

from pathlib import Path

import click

from constellationdb.cli.commands.options import ADAPTIVE, Address, Interval, Workers


@click.command()
@click.option("--dir", "directory", type=click.Path(file_okay=False, path_type=Path), help="Keep everything here.")
@click.option(
    "--checkpoint-store",
    metavar="URL",
    envvar="CONSTELLATION_CHECKPOINT_STORE",
    show_envvar=True,
    help="Keep checkpoints in an object store instead: s3://bucket/prefix, gs://…, az://… or file:///….",
)
@click.option(
    "--checkpoint-interval",
    type=Interval(),
    default="10s",
    show_default=True,
    envvar="CONSTELLATION_CHECKPOINT_INTERVAL",
    show_envvar=True,
    help="How far checkpoints are apart, or adaptive: a twentieth of the time goes into them.",
)
@click.option(
    "--checkpoints-kept",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    envvar="CONSTELLATION_CHECKPOINTS_KEPT",
    show_envvar=True,
    help="The newest so many are kept, and those with a name.",
)
@click.option("--listen", type=Address(), default="127.0.0.1:5433", show_default=True, help="Where clients connect.")
@click.option("--workers", type=Workers(), default=1, show_default=True, help="Processes that run views, or auto.")
@click.option("--max-connections", type=click.IntRange(1), default=2000, show_default=True, help="Clients at a time.")
@click.option(
    "--auth-timeout",
    type=click.FloatRange(0, min_open=True),
    default=10.0,
    show_default=True,
    help="Seconds a client may take to introduce itself.",
)
@click.option(
    "--max-message",
    type=click.IntRange(1),
    default=256,
    show_default=True,
    help="MB of a client's longest message.",
)
@click.option(
    "--enable-python-functions",
    is_flag=True,
    help="Let clients define functions in Python, which can do whatever this process can.",
)
def command(
    directory: Path | None,
    checkpoint_store: str | None,
    checkpoint_interval: float | str,
    checkpoints_kept: int,
    listen: tuple[str, int],
    workers: int,
    max_connections: int,
    auth_timeout: float,
    max_message: int,
    enable_python_functions: bool,
) -> None:
    """Serve the Postgres port until Ctrl-C. Without --dir nothing survives the process."""
    if checkpoint_store is not None and directory is None:
        raise click.UsageError("--checkpoint-store needs --dir, for the log")
    from constellationdb.cli.running import banner, running, until_stopped
    from constellationdb.engine.checkpoint_settings import CheckpointSettings
    from constellationdb.wire.limits import Limits

    limits = Limits(max_connections, auth_timeout, max_message << 20)
    started = running(
        directory,
        *listen,
        workers=workers,
        limits=limits,
        python_functions=enable_python_functions,
        checkpoints=CheckpointSettings(
            checkpoint_store, None if checkpoint_interval == ADAPTIVE else float(checkpoint_interval), checkpoints_kept
        ),
    )
    with until_stopped() as stopped, started as database:
        click.echo(banner(database, directory))
        stopped.wait()
        click.echo("stopping: clients are told, then the last epoch is kept" if directory else "stopping")
