"""The command line of the benchmarks."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any, NoReturn

import click
import msgspec

from bench import channels as channel_bench
from bench import checkpoints as checkpoint_bench
from bench import curves as curve_bench
from bench import joins as join_bench
from bench import latency as latencies
from bench import nexmark as nexmark_bench
from bench import orders as order_bench
from bench import scaling as scaling_bench
from bench import state as state_bench
from bench.channel_ends import TRANSPORTS
from bench.curve_cases import CASES as CURVES
from bench.queries import QUERIES, query_named
from bench.run import INPUTS
from bench.wire import measure as wires
from bench.wire.line import Line
from bench.wire.line import table_of as wire_table_of
from bench.wire.rate import Rate
from bench.wire.rate import table_of as rate_table_of

_EVENTS = {"memory": 2_000_000, "parquet": 2_000_000, "jsonl": 500_000}


@click.group()
def main() -> None:
    """What the engine does in a second, and how long a row takes."""


@main.command()
@click.option("--query", "names", multiple=True, type=click.Choice([q.name for q in QUERIES]), help="default: all")
@click.option("--events", type=click.IntRange(min=50), help="bids, auctions and people together")
@click.option("--input", "form", type=click.Choice(INPUTS), default="memory", show_default=True)
@click.option("--repeats", type=click.IntRange(min=1), default=3, show_default=True, help="the best one counts")
@click.option("--core", type=int, help="which core both engines run on; default: the last")
@click.option("--json", "only_json", is_flag=True, help="JSON lines only")
def nexmark(
    names: tuple[str, ...], events: int | None, form: str, repeats: int, core: int | None, only_json: bool
) -> None:
    """Nexmark through the whole engine, beside DuckDB's batch run on the same core."""
    queries = [query_named(name) for name in names] or list(QUERIES)
    measured = nexmark_bench.compare(queries, events or _EVENTS[form], form, _core(core), repeats)
    _report(measured, nexmark_bench.table_of, only_json)


@main.command()
@click.option("--case", "names", multiple=True, type=click.Choice(list(scaling_bench.CASES)), help="default: all")
@click.option("--rows", type=click.IntRange(min=1), default=2_000_000, show_default=True, help="a round")
@click.option("--batch", "sizes", multiple=True, type=click.IntRange(min=1), default=(65_536, 8_192), show_default=True)
@click.option("--workers", multiple=True, type=click.IntRange(1, 64), default=(1, 2), show_default=True)
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True, help="the best one counts")
@click.option("--json", "only_json", is_flag=True, help="JSON lines only")
def scaling(
    names: tuple[str, ...], rows: int, sizes: tuple[int, ...], workers: tuple[int, ...], rounds: int, only_json: bool
) -> None:
    """Views on one worker and on worker processes, from the rows to the view's answer."""
    measured = scaling_bench.measure(names or list(scaling_bench.CASES), rows, sizes, workers, rounds)
    _report(measured, scaling_bench.table_of, only_json)


@main.command()
@click.option("--case", "names", multiple=True, type=click.Choice(list(latencies.CASES)), help="default: all")
@click.option("--rows", type=click.IntRange(min=10), default=500, show_default=True, help="one by one")
@click.option("--seconds", type=click.IntRange(min=1), default=60, show_default=True, help="of the steady case")
@click.option("--json", "only_json", is_flag=True, help="JSON lines only")
def latency(names: tuple[str, ...], rows: int, seconds: int, only_json: bool) -> None:
    """From an INSERT through the Postgres port to the subscriber that receives the row."""
    _report(latencies.measure(names or tuple(latencies.CASES), rows, seconds), latencies.table_of, only_json)


@main.command()
@click.option("--case", "names", multiple=True, type=click.Choice([*wires.CASES, *wires.RATES]), help="default: all")
@click.option("--rows", type=click.IntRange(min=1), default=1_000_000, show_default=True)
@click.option("--json", "only_json", is_flag=True, help="JSON lines only")
def wire(names: tuple[str, ...], rows: int, only_json: bool) -> None:
    """Rows and statements through the Postgres port, and what they cost the server."""
    _report(wires.measure(names or (*wires.CASES, *wires.RATES), rows), _wire_tables, only_json)


@main.command()
@click.option("--case", "names", multiple=True, type=click.Choice(list(join_bench.CASES)), help="default: all")
@click.option("--rows", type=click.IntRange(min=100_000), default=1_000_000, show_default=True, help="of each table")
@click.option("--changes", type=click.IntRange(min=4), default=65_536, show_default=True, help="in an epoch")
@click.option("--epochs", type=click.IntRange(min=1), default=16, show_default=True)
@click.option("--core", type=int, help="which core it runs on; default: the last")
@click.option("--json", "only_json", is_flag=True, help="JSON lines only")
def joins(names: tuple[str, ...], rows: int, changes: int, epochs: int, core: int | None, only_json: bool) -> None:
    """Views that join two changing tables: changes in a second."""
    _report(
        join_bench.measure(names or tuple(join_bench.CASES), rows, changes, epochs, _core(core)),
        join_bench.table_of,
        only_json,
    )


@main.command()
@click.option("--case", "names", multiple=True, type=click.Choice(list(CURVES)), help="default: all")
@click.option("--rows", type=click.IntRange(min=1000), default=10_000, show_default=True, help="at first, a table")
@click.option("--changes", type=click.IntRange(min=4), default=1000, show_default=True, help="in an epoch")
@click.option("--epochs", type=click.IntRange(min=1), default=11, show_default=True)
@click.option("--core", type=int, help="which core it runs on; default: the last")
@click.option("--json", "only_json", is_flag=True, help="JSON lines only")
def curves(names: tuple[str, ...], rows: int, changes: int, epochs: int, core: int | None, only_json: bool) -> None:
    """Every operator: what the same changes cost as its state grows ×1, ×10, ×100."""
    _report(
        curve_bench.measure(names or tuple(CURVES), rows, changes, epochs, _core(core)),
        curve_bench.table_of,
        only_json,
    )


@main.command()
@click.option("--case", "names", multiple=True, type=click.Choice(list(order_bench.CASES)), help="default: all")
@click.option("--rows", "sizes", multiple=True, type=click.IntRange(min=1000), help="default: 40,000 to 4,000,000")
@click.option("--json", "only_json", is_flag=True, help="JSON lines only")
def orders(names: tuple[str, ...], sizes: tuple[int, ...], only_json: bool) -> None:
    """First rows per key and window functions: rows in a second, and what an epoch costs as the state grows."""
    _report(
        order_bench.measure(names or tuple(order_bench.CASES), sizes or order_bench.SIZES),
        order_bench.table_of,
        only_json,
    )


@main.command()
@click.option("--store", "names", multiple=True, type=click.Choice(list(state_bench.STORES)), help="default: all")
@click.option("--keys", type=click.IntRange(min=100), default=1_000_000, show_default=True)
@click.option("--core", type=int, help="which core it runs on; default: the last")
@click.option("--json", "only_json", is_flag=True, help="JSON lines only")
def state(names: tuple[str, ...], keys: int, core: int | None, only_json: bool) -> None:
    """State stores: keys read and written in a second, snapshots, deltas."""
    _report(state_bench.measure(names or tuple(state_bench.STORES), keys, _core(core)), state_bench.table_of, only_json)


@main.command()
@click.option("--megabytes", type=click.IntRange(min=1), default=100, show_default=True, help="of the first checkpoint")
@click.option("--core", type=int, help="which core it runs on; default: the last")
@click.option("--json", "only_json", is_flag=True, help="JSON lines only")
def checkpoints(megabytes: int, core: int | None, only_json: bool) -> None:
    """Checkpoints: what they write, how long they take, what they cost those who go on; and the restart."""
    _report(checkpoint_bench.measure(megabytes, _core(core)), checkpoint_bench.table_of, only_json)


@main.command()
@click.option("--transport", "names", multiple=True, type=click.Choice(TRANSPORTS), help="default: all")
@click.option("--trips", type=click.IntRange(min=100), default=20_000, show_default=True, help="there and back")
@click.option("--megabytes", type=click.IntRange(min=1), default=1000, show_default=True, help="of rows, one way")
@click.option("--json", "only_json", is_flag=True, help="JSON lines only")
def channels(names: tuple[str, ...], trips: int, megabytes: int, only_json: bool) -> None:
    """Rows from one process to another: rings in shared memory, a socket, a pipe."""
    _report(channel_bench.measure(names or TRANSPORTS, trips, megabytes), channel_bench.table_of, only_json)


@main.command("all")
@click.pass_context
def everything(context: click.Context) -> None:
    """All of them, as they are by default."""
    for command in (nexmark, joins, orders, curves, state, checkpoints, channels, latency, wire):
        try:
            context.invoke(command)
        except SystemExit as end:
            if end.code:
                raise


def _wire_tables(lines: list[Line | Rate]) -> str:
    rows = wire_table_of([line for line in lines if isinstance(line, Line)])
    return f"{rows}\n{rate_table_of([line for line in lines if isinstance(line, Rate)])}"


def _report(measured: Iterable[Any], table_of: Callable[[list[Any]], str], only_json: bool) -> NoReturn:
    """Each line as soon as it is measured, then the table of all; failed when an answer was wrong."""
    lines = []
    for line in measured:
        lines.append(line)
        _say(asdict(line))
    if not only_json:
        click.echo(table_of(lines))
    sys.exit(0 if all(line.answer_ok for line in lines) else 1)


def _core(asked: int | None) -> int:
    if asked is not None:
        return asked
    return max(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else -1


def _say(line: dict[str, Any]) -> None:
    click.echo(msgspec.json.encode(line).decode())


if __name__ == "__main__":
    main()
