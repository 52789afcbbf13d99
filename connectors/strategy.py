"""How a lookup table is read: a copy of it kept here, or asked key by key as rows need them.

``strategy = 'replicated'`` (``full``, ``local``) reads the whole table, and again
when it has changed; ``'on-demand'`` (``lazy``, ``fetch``) asks the source. Left
out, a table that can be read whole and is small is replicated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from constellationdb.connectors.api import LookupSource, TableSource
from constellationdb.connectors.options import Option, read_options
from constellationdb.errors import FeatureNotSupported, InvalidParameter

Strategy = Literal["replicated", "on-demand"]

_ALIASES: dict[str, Strategy] = {
    "replicated": "replicated", "full": "replicated", "local": "replicated",
    "on-demand": "on-demand", "lazy": "on-demand", "fetch": "on-demand",
}  # fmt: skip
OPTIONS = (
    Option("strategy", "choice", choices=tuple(_ALIASES)),
    Option("pushdown", "choice", "auto", choices=("auto", "enabled", "disabled")),
    Option("cache.ttl", "duration", minimum=1),
    Option("cache.max_rows", "integer", minimum=1),
)
NAMES = frozenset(option.name for option in OPTIONS)
REPLICATED_BYTES = 64 << 20


@dataclass(frozen=True)
class LookupSettings:
    """``ttl_us``: how long an answer, or a copy's version, is good for; ``max_rows``: of the cache of answers."""

    strategy: Strategy | None
    pushdown: str
    ttl_us: int | None
    max_rows: int | None

    @classmethod
    def of(cls, options: Mapping[str, str]) -> LookupSettings:
        given = read_options(options.get("connector", ""), OPTIONS, {k: v for k, v in options.items() if k in NAMES})
        return cls(
            _ALIASES[given.text("strategy")] if given.has("strategy") else None,
            given.text("pushdown"),
            given.integer("cache.ttl") if given.has("cache.ttl") else None,
            given.integer("cache.max_rows") if given.has("cache.max_rows") else None,
        )


def choose(settings: LookupSettings, source: LookupSource, connector: str) -> Strategy:
    """What is asked for if the source can do it; else by size. ``source`` was checked and answers."""
    whole = source if isinstance(source, TableSource) else None
    if settings.strategy == "replicated":
        if whole is None:
            raise FeatureNotSupported(
                f'connector "{connector}" cannot be replicated', hint="leave strategy out: it is asked by key"
            )
        if settings.max_rows is not None:
            raise InvalidParameter(
                "cache.max_rows bounds a cache, and a replicated table is kept whole", hint="leave one of them out"
            )
        return "replicated"
    if settings.pushdown == "enabled" and not source.capabilities.predicates:
        raise InvalidParameter(f'pushdown is enabled, but connector "{connector}" evaluates no predicate')
    asked = settings.strategy is not None or settings.pushdown == "enabled" or settings.max_rows is not None
    if asked or whole is None:
        return "on-demand"
    return "replicated" if whole.size() <= REPLICATED_BYTES else "on-demand"
