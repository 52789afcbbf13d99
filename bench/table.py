"""A plain table for a terminal: the first column to the left, figures to the right."""

from __future__ import annotations

from collections.abc import Sequence


class Table:
    def __init__(self, heads: Sequence[str]) -> None:
        self._rows: list[Sequence[str]] = [heads]

    def add(self, *cells: str) -> None:
        self._rows.append(cells)

    def text(self) -> str:
        widths = [max(len(row[i]) for row in self._rows) for i in range(len(self._rows[0]))]
        lines = ([_aligned(i, c, w) for i, (c, w) in enumerate(zip(r, widths, strict=True))] for r in self._rows)
        return "\n".join("  ".join(line) for line in lines)


def _aligned(place: int, cell: str, width: int) -> str:
    return cell.ljust(width) if place == 0 else cell.rjust(width)
