"""``constellation checkpoints``."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from constellationdb.errors import InvalidParameter, UndefinedObject

if TYPE_CHECKING:
    from constellationdb.storage.checkpoints.reader import CheckpointInfo

_directory = click.option(
    "--dir",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="The data directory.",
)
_epoch = click.option("--epoch", type=click.IntRange(1), help="The checkpoint of this epoch.")
_savepoint = click.option("--savepoint", help="The checkpoint with this name.")


@click.group()
def command() -> None:
    """What checkpoints there are, whether they are whole, and how to go back to one."""


@command.command("list")
@_directory
def list_checkpoints(directory: Path) -> None:
    """Show the checkpoints, the newest first. The database may be in use."""
    from constellationdb.storage.checkpoints.opening import objects_of
    from constellationdb.storage.checkpoints.reader import CheckpointReader

    infos = CheckpointReader(objects_of(directory)).infos()
    lines = [("epoch", "taken", "parts", "bytes", "name"), *map(_line, infos)]
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    for line in lines:
        numbers = (f"{text:>{width}}" for text, width in zip(line[:4], widths, strict=True))
        click.echo("  ".join((*numbers, line[4])).rstrip())


def _line(info: CheckpointInfo) -> tuple[str, str, str, str, str]:
    names = ", ".join(info.names)
    if info.damage is not None:
        return str(info.epoch), "?", "?", "?", f"{names}  damaged: {info.damage}".strip()
    taken = datetime.fromtimestamp(info.at_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return str(info.epoch), taken, str(info.parts), str(info.bytes), names


@command.command("verify")
@_directory
def verify_checkpoints(directory: Path) -> None:
    """Read every byte and compare it with its checksum; exit code 1 when something is damaged."""
    from constellationdb.storage.checkpoints.opening import objects_of
    from constellationdb.storage.checkpoints.verifying import verify

    damaged = 0
    for finding in verify(objects_of(directory)):
        click.echo(f"{finding.what}: {'damaged' if finding.damages else 'whole'}")
        for damage in finding.damages:
            click.echo(f"  {damage}")
        damaged += bool(finding.damages)
    sys.exit(1 if damaged else 0)


@command.command("restore")
@_directory
@_epoch
@_savepoint
def restore_checkpoint(directory: Path, epoch: int | None, savepoint: str | None) -> None:
    """Go back to a checkpoint, while no server has the directory open. What came after it is set aside."""
    from constellationdb.engine.going_back import go_back
    from constellationdb.storage.directory import DataDirectory

    chosen = _chosen(directory, epoch, savepoint)
    with DataDirectory(directory) as opened:
        went = go_back(opened, chosen)
    click.echo(f"went back to the checkpoint of epoch {chosen}; the next epoch is {went.order.goes_on_at + 1}")
    for line in went.report:
        click.echo(line)


@command.command("clone")
@_directory
@_epoch
@_savepoint
@click.option(
    "--to", "target", type=click.Path(file_okay=False, path_type=Path), required=True, help="The new data directory."
)
@click.option("--checkpoint-store", "url", help="Where the new database keeps its checkpoints, as for serve.")
def clone_checkpoint(directory: Path, epoch: int | None, savepoint: str | None, target: Path, url: str | None) -> None:
    """Make a new database from a checkpoint. The one it is taken from may be in use."""
    from constellationdb.storage.checkpoints.cloning import clone
    from constellationdb.storage.checkpoints.opening import HERE, objects_of

    chosen = _chosen(directory, epoch, savepoint)
    clone(objects_of(directory), chosen, target, url or HERE)
    click.echo(f"{target} has the state of epoch {chosen}")


def _chosen(directory: Path, epoch: int | None, savepoint: str | None) -> int:
    from constellationdb.storage.checkpoints.opening import objects_of
    from constellationdb.storage.checkpoints.reader import CheckpointReader

    if (epoch is None) == (savepoint is None):
        raise click.UsageError("say either --epoch or --savepoint")
    reader = CheckpointReader(objects_of(directory))
    if savepoint is not None:
        names = reader.names()
        if savepoint not in names:
            raise UndefinedObject(f'savepoint "{savepoint}" does not exist', hint=_there_are(list(names), "savepoints"))
        return names[savepoint]
    assert epoch is not None
    if epoch not in (there := reader.epochs()):
        raise InvalidParameter(
            f"there is no checkpoint of epoch {epoch}", hint=_there_are(list(map(str, there)), "checkpoints of epochs")
        )
    return epoch


def _there_are(names: list[str], what: str) -> str:
    return f"there are {what} {', '.join(names)}" if names else f"there are no {what.partition(' ')[0]}"
