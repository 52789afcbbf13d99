"""What an input brings, in order; what else happens to a receiver; and what it is told to do about it, in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import pyarrow as pa

from constellationdb.engine.barriers.barrier import Barrier


@dataclass(frozen=True, slots=True)
class Watermark:
    """No row that follows on this input is earlier."""

    us: int


@dataclass(frozen=True, slots=True)
class End:
    """Nothing follows on this input."""


Data: TypeAlias = "pa.RecordBatch | Watermark | End"
Item: TypeAlias = "Data | Barrier"


@dataclass(frozen=True, slots=True)
class Arrived:
    input: int
    item: Item


@dataclass(frozen=True, slots=True)
class Abort:
    """Whoever leads the checkpoint has given it up."""

    id: int
    reason: str


@dataclass(frozen=True, slots=True)
class Tick:
    """Nothing but time: see ``BarrierAligner.due``."""


Event: TypeAlias = Arrived | Abort | Tick


@dataclass(frozen=True, slots=True)
class Pass:
    """Process it. ``in_flight``: it is before a cut that was taken already, so that checkpoint keeps it, too."""

    input: int
    item: Data
    in_flight: bool = False


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Keep the state as it is now, then hand the barrier on. ``watermark``: the least of the inputs', at the cut."""

    barrier: Barrier
    watermark: int


@dataclass(frozen=True, slots=True)
class Completed:
    """All that was in flight before an unaligned cut has come: so many bytes."""

    id: int
    in_flight_bytes: int


@dataclass(frozen=True, slots=True)
class Aborted:
    """This checkpoint will not be, as far as this receiver is concerned."""

    id: int
    reason: str


@dataclass(frozen=True, slots=True)
class Ignored:
    """A barrier that means nothing here: worth a warning."""

    input: int
    barrier: Barrier
    reason: str


Action: TypeAlias = Pass | Snapshot | Completed | Aborted | Ignored
