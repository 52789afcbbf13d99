"""Where answers go: the screen, standard output, or the file that ``\\o`` named."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

import click
from rich.console import Console, RenderableType

_LESS = "-SRXF"  # long lines are not folded, colours shown, the screen kept, short texts not paged


class Output:
    """``interactive``: somebody looks at a screen."""

    def __init__(self, stream: TextIO | None = None, *, interactive: bool = False, console: Console | None = None):
        self._stream = stream or sys.stdout
        self._screen = interactive
        self._file: TextIO | None = None
        self._console = console or Console(file=self._stream)

    @property
    def interactive(self) -> bool:
        return self._screen and self._file is None

    @property
    def width(self) -> int:
        return self._console.width

    @property
    def console(self) -> Console:
        return self._console

    def lines(self, lines: Iterable[str], *, paged: bool = False) -> None:
        if paged:
            lines = list(lines)
            if len(lines) > self._console.height - 1:
                os.environ.setdefault("LESS", _LESS)
                click.echo_via_pager("\n".join(lines), color=True)
                return
        target = self._file or self._stream
        target.writelines(line + "\n" for line in lines)
        self.flush()

    def write(self, data: bytes) -> None:
        """COPY's data, as it is."""
        (self._file or self._stream).write(data.decode())

    def rendered(self, picture: RenderableType) -> list[str]:
        """The lines of something that rich draws."""
        with self._console.capture() as capture:
            self._console.print(picture)
        return [line for line in capture.get().split("\n") if line.strip()]

    def note(self, text: str) -> None:
        """A remark on what was typed: to the screen, and in a script to standard error."""
        print(text, file=self._stream if self._screen else sys.stderr, flush=True)

    def error(self, text: str) -> None:
        self.flush()
        print(text, file=self._stream if self._screen else sys.stderr, flush=True)

    def redirect(self, path: Path | None) -> None:
        """Answers go to ``path`` from now on; None: back."""
        if self._file is not None:
            self._file.close()
        self._file = None if path is None else path.open("w")

    def flush(self) -> None:
        (self._file or self._stream).flush()

    def close(self) -> None:
        self.redirect(None)
