"""A window call as it is written in FROM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["tumble", "hop", "cumulate", "session"]


@dataclass(frozen=True)
class Call:
    """In µs; position 1-based in the client's text. ``relation`` may name its schema.

    ``slide_us``: what lies between two starts; of CUMULATE, between two ends. ``size_us``: of SESSION, the gap.
    """

    kind: Kind
    relation: str
    time_column: str
    slide_us: int
    size_us: int
    offset_us: int
    partition: tuple[str, ...]
    position: int

    def arguments(self) -> dict[str, Any]:
        return dict(vars(self))
