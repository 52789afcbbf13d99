"""What may stand at the very end of a query and Postgres does not know.

    EMIT CHANGES | EMIT ON UPDATE
    EMIT ON WINDOW CLOSE | EMIT FINAL | EMIT AFTER WATERMARK, of these three each WITH DELAY interval
    ALLOW LATENESS interval
    LATE DATA TO table
    AS OF EPOCH n | AS OF AT LEAST EPOCH n | AS OF TIMESTAMP expression

in any order, each at most once. All these words are ordinary names to
Postgres, so a clause counts only where Postgres' grammar has no other reading.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from constellationdb.errors import FeatureNotSupported
from constellationdb.planner.statements import Emit
from constellationdb.planner.syntax.cursor import Cursor
from constellationdb.planner.syntax.intervals import interval_literal
from constellationdb.planner.syntax.tokens import Region, word_set

Mode = Literal["changes", "on_window_close"]

# After one of these a name is expected, so EMIT there is a name.
_EXPECT_NAME = word_set(
    "select distinct all from join as by where having on and or not using into only when then else case in "
    "with limit offset , ( . = < > + - / % ^ :: [ :"
)
_MODES: tuple[tuple[tuple[str, ...], Mode], ...] = (
    (("emit", "on", "window", "close"), "on_window_close"),
    (("emit", "after", "watermark"), "on_window_close"),
    (("emit", "final"), "on_window_close"),
    (("emit", "on", "update"), "changes"),
    (("emit", "changes"), "changes"),
)
_BEHIND_INSTANT = (("emit",), ("allow", "lateness"), ("late", "data"), ("with", "("), ("where",))
_CLAUSE_NAMES = {"emit": "EMIT", "allow": "ALLOW LATENESS", "late": "LATE DATA TO", "as": "AS OF"}


@dataclass(slots=True)
class Tail:
    """What was said so far; ``position`` is that of the first clause about emitting."""

    mode: Mode | None = None
    delay_us: int = 0
    lateness_us: int | None = None
    late_to: str | None = None
    as_of_epoch: int | None = None
    as_of_time: str | None = None
    at_least_epoch: int = 0
    position: int | None = None

    @property
    def looks_back(self) -> bool:
        return self.as_of_epoch is not None or self.as_of_time is not None or self.at_least_epoch > 0

    def emit(self) -> Emit | None:
        if self.position is None:
            return None
        return Emit(
            self.mode or "changes", self.mode is not None, self.lateness_us or 0, self.late_to, self.position,
            self.delay_us,
        )  # fmt: skip


def find_tail(region: Region) -> tuple[Tail, int] | None:
    """The clauses that end ``region`` and the index where they begin."""
    depth = 0
    for i in range(region.lo, region.hi):
        word = region.source.tokens[i].word
        if word in ("(", "["):
            depth += 1
        elif word in (")", "]"):
            depth -= 1
        elif word in _CLAUSE_NAMES and _can_begin(region, i):
            if depth > 0:
                _refuse_nested(region, i)
            elif (tail := _read(region, i)) is not None:
                return tail, i
    return None


def _can_begin(region: Region, index: int) -> bool:
    """Whether a whole phrase stands before ``index``, so that a clause may follow."""
    if index == region.lo:
        return False
    before = region.source.tokens[index - 1]
    return before.word not in _EXPECT_NAME and before.name != "Op"


def _read(region: Region, index: int) -> Tail | None:
    """All clauses up to the region's end; None when the words turn out to be something else."""
    cursor, tail = Cursor(region), Tail()
    cursor.index = index
    while not cursor.done:
        if not _clause(cursor, tail):
            return None
    return tail


def _clause(cursor: Cursor, tail: Tail) -> bool:
    start = cursor.position
    for words, mode in _MODES:
        if tail.mode is None and cursor.accept(*words):
            tail.mode = mode
            if mode == "on_window_close" and cursor.accept("with", "delay"):
                tail.delay_us = interval_literal(cursor)
            break
    else:
        if cursor.at("emit"):
            _refuse_periodic(cursor)
        if tail.lateness_us is None and cursor.accept("allow", "lateness"):
            tail.lateness_us = interval_literal(cursor)
        elif tail.late_to is None and cursor.accept("late", "data", "to"):
            tail.late_to = cursor.name().reference
        else:
            return not tail.looks_back and _as_of(cursor, tail)
    tail.position = start if tail.position is None else tail.position
    return True


def _as_of(cursor: Cursor, tail: Tail) -> bool:
    if cursor.accept("as", "of", "at", "least", "epoch"):
        tail.at_least_epoch = cursor.integer()
    elif cursor.accept("as", "of", "epoch"):
        tail.as_of_epoch = cursor.integer()
    elif cursor.accept("as", "of", "timestamp"):
        tail.as_of_time = instant(cursor)
    else:
        return False
    return True


def instant(cursor: Cursor) -> str:
    """The expression behind AS OF TIMESTAMP: up to another clause, or the end."""
    lo = cursor.index
    while not cursor.done and not any(cursor.at(*words) for words in _BEHIND_INSTANT):
        if cursor.at("("):
            cursor.group()
        else:
            cursor.next()
    if cursor.index == lo:
        raise cursor.error()
    return cursor.region.slice(lo, cursor.index)


def _refuse_periodic(cursor: Cursor) -> None:
    """EMIT EVERY 5 … and EMIT PERIODIC 5 …: only with an interval behind, else they are names."""
    word, amount = cursor.peek(1).word, cursor.peek(2)
    if word in ("every", "periodic") and (amount.word == "interval" or amount.name in ("ICONST", "SCONST")):
        raise FeatureNotSupported(
            f"EMIT {word.upper()} is not supported on a query",
            detail="Emitting at intervals belongs to sinks and subscriptions: "
            "on a view it would break the consistency of everything above it.",
            hint="leave it out, or use EMIT ON WINDOW CLOSE",
            position=cursor.position + 1,
        )


def _refuse_nested(region: Region, index: int) -> None:
    """A clause that ends a query in brackets; names that happen to be spelt so are left alone."""
    close = index
    while close < region.hi and region.source.tokens[close].word not in (")", "("):
        close += 1
    tokens = region.source.tokens
    if close < region.hi and tokens[close].word == ")" and _unmistakable(region, index, close):
        raise FeatureNotSupported(
            f"{_CLAUSE_NAMES[tokens[index].word]} inside a subquery is not supported",
            hint="create a materialized view for the inner query and select from it",
            position=tokens[index].start + 1,
        )


def _unmistakable(region: Region, index: int, close: int) -> bool:
    words = tuple(token.word for token in region.source.tokens[index:close])
    return words in (("emit", "changes"), ("emit", "final")) or words[:3] in (
        ("emit", "on", "window"),
        ("emit", "after", "watermark"),
        ("emit", "every", "interval"),
        ("allow", "lateness", "interval"),
        ("late", "data", "to"),
        ("as", "of", "epoch"),
        ("as", "of", "timestamp"),
    )
