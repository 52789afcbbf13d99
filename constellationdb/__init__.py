"""Constellation: a SQL-first streaming database with a Postgres wire frontend.

``connect()`` embeds one in this process. Importing the package is cheap: the
engine and its libraries load when the first connection is made.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from constellationdb.embedded import Changes, Database, Relation, Subscription, aggregate, connect, function

# DataFusion's allocator reads it when the library is loaded; its own choice, 10 ms, is about as long as an epoch, so
# that the memory of each was given back and faulted in again (``engine/allocators.py``).
os.environ.setdefault("MIMALLOC_PURGE_DELAY", "1000")

__version__ = "0.1.0"

__all__ = [
    "Changes",
    "Database",
    "Relation",
    "Subscription",
    "__version__",
    "aggregate",
    "connect",
    "function",
]


def __getattr__(name: str) -> Any:
    """The public names live in ``embedded``, which is imported with the first of them."""
    if name in __all__:
        from constellationdb import embedded

        return getattr(embedded, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
