"""All cases, each against a server of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from bench.wire import copy_in, copy_out, index_reads, select, statements, subscribers
from bench.wire.line import Line
from bench.wire.rate import Rate
from bench.wire.reading_out import Read, measured
from bench.wire.readings import fill
from bench.wire_probe import Wire, serving


def _reading(case: str, read: Read, wire: Wire, rows: int) -> Line:
    fill(wire, rows)
    return measured(case, read, wire, rows)


# What a case does with a fresh server and a number of rows.
CASES: dict[str, Callable[[Wire, int], Line]] = {
    **{name: partial(_reading, name, read) for name, read in {**select.CASES, **copy_out.CASES}.items()},
    **copy_in.CASES,
}


# What a case does with a fresh server and as many things as it says itself.
RATES: dict[str, tuple[Callable[[Wire, int], Rate], int]] = {
    **statements.CASES,
    **index_reads.CASES,
    **subscribers.CASES,
}


def measure(names: Sequence[str], rows: int) -> Iterator[Line | Rate]:
    for name in names:
        with serving() as wire:
            if name in RATES:
                case, count = RATES[name]
                yield case(wire, count)
            else:
                yield CASES[name](wire, rows)
