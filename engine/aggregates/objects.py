"""Users' aggregates that can take rows back: an object for each group, told of the rows that come and go.

A row at which ``accumulate`` fails is remembered, for the object need not take it back: the group has no value as long
as there is one. Where ``retract`` fails the object is of no use any more, until its group has no rows. The objects go
into checkpoints by ``pickle``, as what their attributes hold.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from constellationdb.engine.aggregates.accumulator import I64, Bool, State, end_of
from constellationdb.errors import ExternalRoutineError
from constellationdb.planner import python_functions

_STATE = "state"


@dataclass
class _Group:
    """``rows``: how many the object holds; ``failed``: those it does not, by what they hold: how many, and why."""

    value: Any
    rows: int = 0
    failed: dict[str, tuple[int, str]] = field(default_factory=dict)
    broken: str = ""

    @property
    def failure(self) -> str:
        return self.broken or min((message for _, message in self.failed.values()), default="")


class Objects:
    def __init__(self, internal: str) -> None:
        self._aggregate = python_functions.retracting(internal)
        self._width = len(self._aggregate.function.parameters)
        self._groups: list[_Group | None] = []
        self._unfinished: dict[int, str] = {}

    def reserve(self, slots: int) -> None:
        self._groups += [None] * (slots - len(self._groups))

    def update(self, slots: I64, values: pa.Array | None, weights: I64 | None, valid: Bool | None) -> None:
        arguments = self._columns(values)
        counted = np.ones(len(slots), np.bool_) if valid is None else valid
        if self._aggregate.function.strict:
            for column in arguments:
                counted = counted & column.is_valid().to_numpy(zero_copy_only=False)
        changes = np.ones(len(slots), np.int64) if weights is None else weights
        touched = np.flatnonzero(counted)
        for places in _by_slot(slots, touched):
            group = self._group(int(slots[places[0]]))
            change = changes[places]
            self._accumulate(group, arguments, np.repeat(places, np.maximum(change, 0)))
            self._retract(group, arguments, np.repeat(places, np.maximum(-change, 0)))
            if not group.rows and not group.failed:
                self._groups[int(slots[places[0]])] = None

    def _columns(self, values: pa.Array | None) -> list[pa.Array]:
        if values is None or not self._width:
            return []
        return [values.field(i) for i in range(self._width)] if self._width > 1 else [values]

    def _group(self, slot: int) -> _Group:
        group = self._groups[slot]
        if group is None:
            group = self._groups[slot] = _Group(self._aggregate.make())
        return group

    def _accumulate(self, group: _Group, arguments: list[pa.Array], places: I64) -> None:
        for given, count in self._calls(arguments, places):
            try:
                group.value.accumulate(*given)
                group.rows += count
            except Exception as error:
                if count > 1:  # which of them it was
                    for place in places:
                        self._accumulate(group, arguments, np.array([place]))
                    continue
                known, _ = group.failed.get(_said(given), (0, ""))
                group.failed[_said(given)] = known + 1, self._failure(error)

    def _retract(self, group: _Group, arguments: list[pa.Array], places: I64) -> None:
        if group.failed:
            places = np.array([p for p in places if not self._forgotten(group, arguments, p)], np.int64)
        for given, count in self._calls(arguments, places):
            group.rows -= count
            try:
                group.value.retract(*given)
            except Exception as error:
                group.broken = group.broken or self._failure(error)

    def _forgotten(self, group: _Group, arguments: list[pa.Array], place: np.int64) -> bool:
        """Whether a row is one that the object never took, of which there is one less now."""
        ((given, _),) = self._calls(arguments, np.array([place]))
        said = _said(given)
        if said not in group.failed:
            return False
        count, message = group.failed.pop(said)
        if count > 1:
            group.failed[said] = count - 1, message
        return True

    def _calls(self, arguments: list[pa.Array], places: I64) -> Iterator[tuple[tuple[Any, ...], int]]:
        """What to call a method with for the rows at ``places``, and how many of them it is."""
        taken = [column.take(pa.array(places)) for column in arguments]
        if self._aggregate.vectorised:
            if len(places):
                yield tuple(taken), len(places)
            return
        rows = zip(*(column.to_pylist() for column in taken), strict=True) if taken else ((),) * len(places)
        yield from ((tuple(row), 1) for row in rows)

    def _failure(self, error: Exception) -> str:
        return python_functions.failure(self._aggregate.function, error)

    def result(self, slots: I64) -> tuple[pa.Array, Bool]:
        """One that cannot be had is beyond its type: ``failure`` says why."""
        failures: dict[int, str] = {}
        values = [self._finished(int(slot), failures) for slot in slots]
        self._unfinished = failures
        failed = np.array([int(slot) in failures for slot in slots], np.bool_)
        return pa.concat_arrays([pa.array([], self._aggregate.result), *values]), failed

    def _finished(self, slot: int, failures: dict[int, str]) -> pa.Array:
        group, kind = self._groups[slot], self._aggregate.result
        try:
            if group is not None and group.failure:
                failures[slot] = group.failure
            else:
                found = (self._aggregate.make() if group is None else group.value).finish()
                return pa.array([found.as_py() if isinstance(found, pa.Scalar) else found], kind)
        except Exception as error:
            failures[slot] = self._failure(error)
        return pa.nulls(1, kind)

    def failure(self, slot: int) -> str:
        """Why the last ``result`` had no value for a slot."""
        return self._unfinished[slot]

    def dump(self, slots: I64) -> State:
        states = np.empty(len(slots), np.object_)
        for place, slot in enumerate(slots):
            group = self._groups[slot]
            states[place] = b"" if group is None else self._pickled(group)
        return {_STATE: states}

    def _pickled(self, group: _Group) -> bytes:
        try:
            return pickle.dumps((group.value.__getstate__(), group.rows, group.failed, group.broken))
        except Exception as error:
            raise ExternalRoutineError(f"the state of {self._failure(error)}") from error

    def load(self, state: State, slots: I64) -> None:
        self.reserve(end_of(slots))
        for slot, data in zip(slots.tolist(), state[_STATE], strict=False):
            self._groups[slot] = None
            if data:
                held, rows, failed, broken = pickle.loads(data)
                self._groups[slot] = _Group(_with_state(self._aggregate.make(), held), rows, failed, broken)


def _by_slot(slots: I64, places: I64) -> list[I64]:
    """``places``, those of each slot together, in the order in which they came."""
    if not len(places):
        return []
    ordered = places[np.argsort(slots[places], kind="stable")]
    return np.split(ordered, np.flatnonzero(np.diff(slots[ordered])) + 1)


def _said(given: tuple[Any, ...]) -> str:
    """Arguments as text: they need not be hashable."""
    return repr([one.to_pylist() if isinstance(one, pa.Array) else [one] for one in given])


def _with_state(value: Any, held: Any) -> Any:
    """What ``copy`` and ``pickle`` do with the state of an object."""
    if hasattr(value, "__setstate__"):
        value.__setstate__(held)
        return value
    attributes, slotted = held if isinstance(held, tuple) else (held, None)
    for name, one in {**(attributes or {}), **(slotted or {})}.items():
        setattr(value, name, one)
    return value
