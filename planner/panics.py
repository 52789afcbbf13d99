"""A panic of DataFusion is the error of what asked for it, not the end of the thread.

pyo3 raises a panic of Rust as a ``BaseException`` that no ``except Exception`` sees: it would go past a statement's
error handling, and past a worker's, whose views would stand still without a word.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from constellationdb.errors import InternalError


@contextmanager
def contained() -> Iterator[None]:
    """InternalError (XX000) for a panic inside."""
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise InternalError(f"DataFusion panicked: {error}") from error
