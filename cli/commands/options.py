"""Values that several commands take."""

from __future__ import annotations

import os
import re

import click

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|)")
_MOST_WORKERS = 64
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}


class Address(click.ParamType[tuple[str, int]]):
    """``host:port``; the host of an IPv6 address may stand in brackets."""

    name = "host:port"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        if isinstance(value, tuple):
            return value
        host, _, port = str(value).rpartition(":")
        if not host or not port.isdigit():
            self.fail(f'"{value}" is not an address: say 127.0.0.1:5433', param, ctx)
        return host.strip("[]"), int(port)


class Duration(click.ParamType[float]):
    """``20s``, ``2m`` or a bare number of seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        match = _DURATION.fullmatch(str(value))
        if match is None or float(match[1]) == 0:
            self.fail(f'"{value}" is not a duration: say 20s or 2m', param, ctx)
        return float(match[1]) * _SECONDS[match[2]]


class Workers(click.ParamType[int]):
    """How many; ``auto`` is one for each core."""

    name = "number"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if value == "auto":
            return min(_cores(), _MOST_WORKERS)
        if not str(value).isdigit() or not 1 <= int(str(value)) <= _MOST_WORKERS:
            self.fail(f'"{value}" is not a number of workers: say auto, or 1 to {_MOST_WORKERS}', param, ctx)
        return int(str(value))


def _cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


ADAPTIVE = "adaptive"


class Interval(click.ParamType[float | str]):
    """A duration, or ``adaptive``."""

    name = "duration|adaptive"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float | str:
        return ADAPTIVE if value == ADAPTIVE else Duration().convert(value, param, ctx)


class Server(click.ParamType[str]):
    """A server's address; anything else would be opened as a directory."""

    name = "text"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not str(value).startswith(("postgres://", "postgresql://")):
            self.fail(f'"{value}" is not a server: say postgres://127.0.0.1:5433/constellation', param, ctx)
        return str(value)


DEFAULT_DSN = "postgres://constellation@127.0.0.1:5433/constellation"

dsn_option = click.option(
    "--dsn",
    default=DEFAULT_DSN,
    show_default=True,
    envvar="CONSTELLATION_DSN",
    type=Server(),
    help="The server to talk to.",
)
