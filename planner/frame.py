"""The frame of a window function, as a query says it and as plans keep it.

DataFusion computes frames by rows, and those that end with a peer. The others (GROUPS, RANGE with an offset,
EXCLUDE) go through it as a mark: one more term of PARTITION BY, ``con_frame_i64('…', 1, 2)``, that nothing may
compute and that ``planner.lower.framing`` takes out again.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

# By the type of its offsets, which are arguments, for DataFusion to compute.
MARKS = {"bigint": "con_frame_i64", "text": "con_frame_text", "interval": "con_frame_interval"}

Side: TypeAlias = Literal[
    "unbounded preceding", "preceding", "current row", "following", "unbounded following"
]  # fmt: skip
# Rows or groups; a number as text; months, days and microseconds.
Offset: TypeAlias = int | str | tuple[int, int, int]


class Bound(msgspec.Struct, frozen=True):
    """Where a frame begins or ends; ``words``: the offset as it was written."""

    side: Side
    offset: Offset | None = None
    words: str = ""

    def shown(self) -> str:
        return f"{self.words} {self.side.upper()}".strip()


Mode: TypeAlias = Literal["rows", "range", "groups"]


class Frame(msgspec.Struct, frozen=True):
    """The rows that a function sees of its partition. ``fixed``: offsets may have no months or days."""

    mode: Mode
    start: Bound
    end: Bound
    exclude: Literal["no others", "current row", "group", "ties"] = "no others"
    fixed: bool = False

    def shown(self) -> str:
        without = "" if self.exclude == "no others" else f" EXCLUDE {self.exclude.upper()}"
        return f"{self.mode.upper()} BETWEEN {self.start.shown()} AND {self.end.shown()}{without}"


def written(frame: Frame) -> str:
    return msgspec.json.encode(frame).decode()


def read(text: str) -> Frame:
    return msgspec.json.decode(text, type=Frame)
