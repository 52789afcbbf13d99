"""ChangedKeys: what a store that keeps no versions knows of its changes."""

from __future__ import annotations

from collections.abc import Iterable


class ChangedKeys:
    """Which keys changed, and before which snapshot: number ``moment`` is the last one that was taken."""

    def __init__(self) -> None:
        self.moment = 0
        self.base: int | None = None
        self.keys: dict[bytes, int] = {}

    def note(self, keys: Iterable[bytes]) -> None:
        if self.moment:
            self.keys.update(dict.fromkeys(keys, self.moment + 1))

    def committed(self, moment: int) -> None:
        self.base = moment
        self.keys = {key: at for key, at in self.keys.items() if at > moment}
