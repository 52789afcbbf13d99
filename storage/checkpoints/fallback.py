"""Restoring the newest checkpoint that is whole.

A damaged one is passed over and the one before it taken, at most three times; the epoch log, which is kept that far,
makes up for the difference. When none is whole, or the log does not reach back, recovery stops: what remains would be
a database that silently lacks something.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from constellationdb.errors import CorruptState

T = TypeVar("T")
FALLBACKS = 3


class Checkpoints(Protocol):
    """What there is to choose from."""

    @property
    def place(self) -> str: ...
    def epochs(self) -> list[int]: ...
    def go_to(self, epoch: int) -> bytes: ...


@dataclass(frozen=True)
class Restored(Generic[T]):
    """``passed_over``: what is wrong with the newer ones."""

    epoch: int
    value: T
    passed_over: tuple[str, ...] = ()


def newest_whole(checkpoints: Checkpoints, load: Callable[[bytes], T], log_begins: int) -> Restored[T] | None:
    """What ``load`` makes of the newest manifest for which it raises no CorruptState. None: there is no checkpoint.

    ``load`` reads everything that it needs of the checkpoint and changes nothing. ``log_begins``: the first epoch
    that the log still has.
    """
    damages: list[str] = []
    epochs = checkpoints.epochs()
    for epoch in epochs[: FALLBACKS + 1]:
        if damages and epoch + 1 < log_begins:
            damages.append(
                f"checkpoint of epoch {epoch}: the epoch log begins at {log_begins}, too late to go on from it"
            )
            break
        try:
            return Restored(epoch, load(checkpoints.go_to(epoch)), tuple(damages))
        except CorruptState as damage:
            why = f"{damage.message}: {damage.detail}" if damage.detail else damage.message
            damages.append(f"checkpoint of epoch {epoch}: {why}")
    if not epochs:
        return None
    raise CorruptState(
        f'no checkpoint in "{checkpoints.place}" can be restored',
        detail="\n".join(damages),
        hint="put the named files back from a copy, or go back to another checkpoint: "
        '"constellation checkpoints list" shows which there are, "constellation checkpoints restore" goes back',
    )
