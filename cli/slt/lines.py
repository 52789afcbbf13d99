"""A cursor over a script's lines, and the three ways a record's body ends."""

from __future__ import annotations

from constellationdb.cli.slt.records import Place

RESULT_MARK = "----"


class ScriptSyntaxError(Exception):
    """The script itself cannot be read; says where."""

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(f"{place}: {message}")
        self.place = place
        self.message = message


class Lines:
    """``number`` is the number of the line that ``take`` gave last."""

    def __init__(self, file: str, text: str) -> None:
        self._file = file
        self._lines = [line.rstrip("\r") for line in text.split("\n")]
        self.number = 0

    @property
    def place(self) -> Place:
        return Place(self._file, self.number)

    def take(self) -> str | None:
        """The next line, or None at the end."""
        if self.number >= len(self._lines):
            return None
        self.number += 1
        return self._lines[self.number - 1]

    def _next_is_blank_or_end(self) -> bool:
        return self.number >= len(self._lines) or not self._lines[self.number].strip()

    def body(self) -> tuple[str, bool]:
        """The SQL or command up to a blank line or the result mark, and whether the mark ended it."""
        begin, taken = self.place, list[str]()
        while (line := self.take()) is not None and line.strip():
            if line.rstrip() == RESULT_MARK:
                return self._checked(begin, taken), True
            taken.append(line)
        return self._checked(begin, taken), False

    def _checked(self, begin: Place, taken: list[str]) -> str:
        if not taken:
            raise ScriptSyntaxError(begin, "the record has no text")
        return "\n".join(taken)

    def rows(self) -> tuple[str, ...]:
        """Expected rows: up to a blank line."""
        taken = []
        while (line := self.take()) is not None and line.strip():
            taken.append(line)
        return tuple(taken)

    def paragraphs(self) -> str:
        """An expected text that may hold blank lines: up to two of them, or the end of the script."""
        taken = []
        while (line := self.take()) is not None:
            if not line.strip() and self._next_is_blank_or_end():
                self.take()
                break
            taken.append(line)
        return "\n".join(taken).strip()
