"""The interface of accumulators, and values as the flat arrays they take."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Protocol, Self, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

I64: TypeAlias = NDArray[np.int64]
Bool: TypeAlias = NDArray[np.bool_]
State: TypeAlias = dict[str, NDArray[Any]]


class Accumulator(Protocol):
    """``result`` gives the values of some slots, and which of them do not fit their type."""

    def reserve(self, slots: int) -> None: ...

    def update(self, slots: I64, values: pa.Array | None, weights: I64 | None, valid: Bool | None) -> None: ...

    def result(self, slots: I64) -> tuple[pa.Array, Bool]: ...

    def dump(self, slots: I64) -> State:
        """The state of some slots, as plain arrays."""
        ...

    def load(self, state: State, slots: I64) -> None:
        """Put what ``dump`` gave at these slots, in place of what is there."""
        ...


class Mergeable(Accumulator, Protocol):
    """Whose slots can be added up: of groups that turn out to be one."""

    def merge(self, slots: I64, source: Self, others: I64) -> None:
        """Add to each of ``slots`` what ``source`` (it may be this one) has in the other slot in its place."""
        ...


def end_of(slots: I64) -> int:
    """How many slots there must be for these."""
    return int(slots.max()) + 1 if len(slots) else 0


def integers(values: pa.Array) -> I64:
    array: I64 = filled(values.cast(pa.int64()), 0).to_numpy(zero_copy_only=False)
    return array


def floats(values: pa.Array) -> NDArray[np.float64]:
    """As doubles; an integer that none equals is rounded."""
    array: NDArray[np.float64] = filled(values.cast(pa.float64(), safe=False), 0.0).to_numpy(zero_copy_only=False)
    return array


def filled(values: pa.Array, value: float | Decimal) -> pa.Array:
    return values.fill_null(value) if values.null_count else values  # it copies, even where nothing is to fill


def none(slots: I64) -> Bool:
    return np.zeros(len(slots), np.bool_)
