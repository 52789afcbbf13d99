"""A worker's shares of graphs, and how commands on them are done: without I/O but for the edges between workers."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from time import perf_counter_ns

import pyarrow as pa

from constellationdb.engine import batch as zset
from constellationdb.engine.channels.messages import Message
from constellationdb.engine.graph import Graph, Input, Output
from constellationdb.engine.processes import protocol as p
from constellationdb.engine.processes.edge import Mesh, PeerFailed, Ways
from constellationdb.engine.processes.placing import Placing
from constellationdb.errors import ConstellationError, InternalError
from constellationdb.planner import plan

_LOOK_NS = 250_000_000  # so often an answer says how much state there is
Batches = Sequence[pa.RecordBatch]


class Share:
    """This worker's part of one graph."""

    def __init__(self, load: p.Load, mesh: Mesh) -> None:
        lowered = plan.decode(load.plan)
        self._schema = lowered.output
        self._nets = load.nets
        self.graph = Graph(lowered.root, workers=mesh.workers, share=mesh)
        self._placing = None if load.unique is None else Placing(load.unique)
        self._windowed = dict(self.graph.windowed)
        self._looked_ns = 0

    def start(self, epoch: int) -> tuple[p.Ran, Batches]:
        return self._ran(self.graph.start(epoch))

    def run(self, command: p.Run, batches: Batches) -> tuple[p.Ran, Batches]:
        rows = iter(batches)
        inputs = {
            part.relation: Input(None if part.columns is None else _widened(part, next(rows)), part.watermark)
            for part in command.parts
        }
        return self._ran(self.graph.run(command.epoch, inputs, at_us=command.at_us))

    def _ran(self, output: Output) -> tuple[p.Ran, Batches]:
        delta = self._changed(output)
        batches: list[pa.RecordBatch] = []
        gone = renumbered = None
        if delta is not None and self._placing is not None:
            slotted = self._placing.place(delta)
            gone, renumbered = slotted.gone, slotted.renumbered
            batches += [slotted.delta, _numbers(slotted.slots)]
            if renumbered is not None:
                batches.append(_numbers(renumbered))
        elif delta is not None:
            batches.append(delta)
        parts = []
        for merged in self.graph.merged():
            (part,) = merged.parts
            told = None if part is None else (part.epoch, part.at_us, part.watermark)
            parts.append(p.NodePart(merged.node.id, told, merged.answer is not None))
            if merged.answer is not None:
                batches.append(merged.answer)
        batches += output.late
        windowed = {
            node: (used - self._windowed[node][0], late - self._windowed[node][1])
            for node, (used, late) in self.graph.windowed.items()
        }
        self._windowed = dict(self.graph.windowed)
        return p.Ran(
            delta is not None,
            gone,
            renumbered is not None,
            output.watermark,
            tuple(output.errors),
            output.used,
            windowed,
            output.windowed,
            output.dropped,
            self.graph.due_us(),
            self.graph.watermarks(),
            tuple(p.NodeMeter(n, m.rows, m.late, m.errors, m.busy_ns) for n, m in self.graph.meters.items()),
            tuple(parts),
            self._state(),
        ), batches

    def _changed(self, output: Output) -> pa.RecordBatch | None:
        """What the view gets; with its slots, it is what the view's relation is told."""
        if self._placing is None or output.delta is None or output.delta.num_rows == 0:
            return output.delta
        delta = zset.conform(output.delta, self._schema)
        return zset.weighted(delta) if self._nets else zset.netted(delta)

    def _state(self) -> tuple[p.NodeState, ...] | None:
        now = perf_counter_ns()
        if now - self._looked_ns < _LOOK_NS:
            return None
        self._looked_ns = now
        return tuple(p.NodeState(node.id, kept.rows, kept.bytes) for node, _, kept in self.graph.kept())

    def taken(self, changes: bool) -> tuple[p.Taken, Batches]:
        if not changes:
            whole = self.graph.snapshot()
            return p.Taken(tuple(whole), (), ()), tuple(whole.values())
        found = self.graph.changes()
        names = p.Taken(tuple(found.whole), tuple(found.changed), tuple(sorted(found.anew)))
        return names, (*found.whole.values(), *found.changed.values())

    def restore(self, command: p.Restore, batches: Batches) -> None:
        rows = iter(batches)
        state: Mapping[str, pa.RecordBatch] = {name: next(rows) for name in command.names}
        later = [{name: next(rows) for name in names} for names in command.later]
        self.graph.restore(state, command.watermarks, command.epoch, later)


class Host:
    """The shares of all graphs, by the numbers that the server gives them."""

    def __init__(self, ways: Ways) -> None:
        self._ways = ways
        self._shares: dict[int, Share] = {}
        self._busy_ns = 0

    def do(self, message: Message) -> Message | None:
        """A command, and what to answer to it; what goes wrong is an answer, too."""
        command = p.command_of(message.head)
        self._ways.command += 1
        began = perf_counter_ns()
        if isinstance(command, p.Drop):
            self._shares.pop(command.graph, None)
            return None
        try:
            answer, batches = self._do(command, message.batches)
        except PeerFailed:
            answer, batches = p.Failed(None), ()
        except Exception as error:
            answer, batches = p.Failed(_pickled(error)), ()
            self._ways.fail()
        self._busy_ns += perf_counter_ns() - began
        return Message(p.encode_answer(answer, self._busy_ns), tuple(batches))

    def _do(self, command: p.Command, batches: Batches) -> tuple[p.Answer, Batches]:
        if isinstance(command, p.Load):
            self._shares[command.graph] = Share(command, Mesh(self._ways))
            return p.Done(), ()
        share = self._shares[command.graph]
        match command:
            case p.Start():
                return share.start(command.epoch)
            case p.Run():
                return share.run(command, batches)
            case p.Snapshot():
                return share.taken(command.changes)
            case p.Restore():
                share.restore(command, batches)
            case p.Fed():
                share.graph.fed(command.relation, command.epoch)
            case p.Unfed():
                share.graph.unfed()
            case p.Drop():
                raise InternalError("nobody answers to this")
        return p.Done(), ()


def _widened(part: p.Part, sent: pa.RecordBatch) -> pa.RecordBatch:
    """With nothing in the columns that were not sent, for they are not read."""
    assert part.columns is not None
    absent = pa.nulls(sent.num_rows)
    columns = [absent] * part.width
    for place, column in zip(part.columns, sent.columns, strict=False):
        columns[place] = column
    names = [str(number) for number in range(part.width)]
    if part.weighted:
        columns.append(sent.column(sent.num_columns - 1))
        names.append(zset.WEIGHT)
    return pa.RecordBatch.from_arrays(columns, names=names) if columns else zset.rows_of_nothing(sent.num_rows)


def _numbers(numbers: object) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array(numbers, pa.int64())], ["n"])


def _pickled(error: BaseException) -> bytes:
    """The error, or what it said where it cannot be sent."""
    try:
        return pickle.dumps(error)
    except Exception:
        what = error if isinstance(error, ConstellationError) else InternalError(f"{type(error).__name__}: {error}")
        return pickle.dumps(InternalError(str(what)))
