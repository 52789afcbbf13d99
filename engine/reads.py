"""Snapshot reads: every relation of one SELECT at one epoch, the least of their frontiers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from datafusion import DataFrame, SessionContext
from datafusion.substrait import Consumer, Serde

from constellationdb.engine import batch as zset
from constellationdb.engine.asof_tables import joined, whole
from constellationdb.engine.changelog import Change
from constellationdb.engine.contents import Version
from constellationdb.engine.frames import FramedRows
from constellationdb.engine.history import changes_since, rewound
from constellationdb.engine.operators.base import Context
from constellationdb.engine.operators.build import build
from constellationdb.engine.pg_catalog.readers import read
from constellationdb.engine.pg_catalog.set_functions import is_system
from constellationdb.engine.relation import RelationState
from constellationdb.engine.stopped import await_epoch, refuse_stopped
from constellationdb.engine.system_tables import SYSTEM_TABLES, system_rows
from constellationdb.errors import ConstellationError
from constellationdb.planner import plan
from constellationdb.planner.asof_stages import AsofStage
from constellationdb.planner.frame_stages import FrameStage
from constellationdb.planner.functions import translate
from constellationdb.planner.lower.windows import window_node
from constellationdb.planner.panics import contained
from constellationdb.planner.relations import WindowCall
from constellationdb.planner.shuttle import bare, empty_batch, new_context, parsed
from constellationdb.planner.snapshot import SnapshotPlan

if TYPE_CHECKING:
    from constellationdb.engine.session import Session


class Reader:
    """Reads stored relations, until a statement is cancelled."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._engine = session.engine
        self._cancelled = session.cancelled

    def tables(self, names: Iterable[str], at_least: int, at: int | None = None) -> dict[str, pa.Table]:
        """The contents of some relations at one epoch (``at``, or the latest all have reached)."""
        asked = set(names)
        sequences = {name for name in asked if self._is_sequence(name)}
        stored = sorted(n for n in asked - sequences if not is_system(n))
        found = self._latest(stored, at_least) if at is None else self._past(stored, at)
        found |= {name: self._session.sequences.shown(name) for name in sequences}
        return found | {name: self._system(name) for name in asked - sequences - set(stored)}

    def _is_sequence(self, name: str) -> bool:
        relation = self._session.catalog.relations.get(name)
        return relation is not None and relation.kind == "sequence"

    def _system(self, name: str) -> pa.Table:
        if name in SYSTEM_TABLES:
            return system_rows(self._engine, name)
        return read(self._session, self._session.objects, name)

    def _latest(self, names: list[str], at_least: int) -> dict[str, pa.Table]:
        states = self._states(names, at_least)
        with self._engine.lock:
            refuse_stopped(self._engine, states.values())
            epoch = min((s.frontier for s in states.values()), default=self._engine.epoch)
            versions = {name: state.version() for name, state in states.items()}
        return {name: version.scan(epoch) for name, version in versions.items()}

    def _past(self, names: list[str], epoch: int) -> dict[str, pa.Table]:
        """As of one epoch, also where later rows have taken the place of earlier ones."""
        states = self._states(names, epoch)
        found: dict[str, pa.Table] = {}
        older: dict[str, tuple[Version, int, list[Change]]] = {}
        with self._engine.lock:
            versions = {name: state.version() for name, state in states.items()}
            for name, state in states.items():
                if max(versions[name].floor, state.since) > epoch or state.log.has_undone(epoch):
                    older[name] = versions[name], state.frontier, changes_since(state, epoch)
        for name, version in versions.items():
            if name in older:
                found[name] = pa.Table.from_batches([zset.expanded(rewound(*older[name]))])
            else:
                found[name] = version.scan(epoch)
        return found

    def _states(self, names: list[str], need: int) -> dict[str, RelationState]:
        """The relations, as soon as all of them have reached epoch ``need``."""
        engine = self._engine
        with engine.lock:
            states = {n: engine.state(n) for n in names}
        await_epoch(engine, states.values(), need, self._cancelled)
        return states


def relations_of(planned: SnapshotPlan) -> set[str]:
    """Every relation a plan reads."""
    windowed = {call.relation for name, call in planned.windows.items() if name not in planned.inputs}
    return {*planned.tables.values(), *windowed, *(n for inner in planned.inputs.values() for n in relations_of(inner))}


def execute(planned: SnapshotPlan, tables: Mapping[str, pa.Table]) -> pa.Table:
    """Run a plan over these tables; ConstellationError when a row cannot be computed."""
    context = _context(planned, tables)
    with _translating():
        return _conformed(_frame(context, planned).to_arrow_table(), planned.schema)


def execution(planned: SnapshotPlan, tables: Mapping[str, pa.Table]) -> Any:
    """The same for what it measures: DataFusion's plan after it was run, the rows thrown away."""
    context = _context(planned, tables)
    with _translating():
        physical = _frame(context, planned).execution_plan()
        for partition in range(physical.partition_count):
            for _ in context.execute(physical, partition):
                pass
        return physical


def _context(planned: SnapshotPlan, tables: Mapping[str, pa.Table]) -> SessionContext:
    context = new_context()
    for function in planned.functions.values():
        context.register_udf(function)
    for internal, name in planned.tables.items():
        _register(context, internal, tables[name])
    for internal, call in planned.windows.items():
        inner = planned.inputs.get(internal)
        read = tables[call.relation] if inner is None else execute(inner, tables)
        _register(context, internal, _windowed(read, call))
    return context


@contextmanager
def _translating() -> Iterator[None]:
    try:
        with contained():
            yield
    except ConstellationError:
        raise
    except Exception as error:
        raise translate(error) from error


def evaluate_constant(planned: SnapshotPlan) -> object:
    """The one value of a plan that reads no table."""
    return execute(planned, {}).column(0)[0].as_py()


def _frame(context: SessionContext, planned: SnapshotPlan) -> DataFrame:
    for internal, sql in planned.views.items():
        context.register_view(internal, context.sql(sql))
    if planned.substrait is None:
        return parsed(context, planned.sql)
    for stage in planned.stages:
        _register(context, stage.name, _staged(context, stage))
    return _read(context, planned.substrait)


def _staged(context: SessionContext, stage: AsofStage | FrameStage) -> pa.Table:
    if isinstance(stage, FrameStage):
        rows = whole(_read(context, stage.source).to_arrow_table())
        found = FramedRows(stage.sets, stage.schema).run(rows)
        return pa.Table.from_batches([] if found is None else [found], stage.schema)
    left, right = (_read(context, side).to_arrow_table() for side in (stage.left, stage.right))
    return joined(stage, left, right)


def _read(context: SessionContext, substrait: bytes) -> DataFrame:
    logical = Consumer.from_substrait_plan(context, Serde.deserialize_bytes(substrait))
    return context.create_dataframe_from_logical_plan(logical)


def _register(context: SessionContext, name: str, table: pa.Table) -> None:
    plain = bare(table.schema)
    batches = [pa.RecordBatch.from_arrays(b.columns, schema=plain) for b in table.to_batches() if b.num_rows]
    context.register_record_batches(name, [batches or [empty_batch(plain)]])


def _windowed(table: pa.Table, call: WindowCall) -> pa.Table:
    """A table's rows in their windows: what a window call means in a snapshot."""
    schema = table.schema
    stored = plan.Scan(id=0, schema_ipc=plan.encode_schema(schema), append_only=True, relation="", columns=())
    node = window_node(call, 1, stored, call.time_index(schema), call.partition_indexes(schema))
    operator = build(node, None, None)
    parts = [operator.process([batch], Context(0)) for batch in table.combine_chunks().to_batches()]
    rows = [zset.conform(zset.expanded(part), call.windowed(schema)) for part in parts if part is not None]
    return pa.Table.from_batches(rows, call.windowed(schema))


def _conformed(table: pa.Table, schema: pa.Schema) -> pa.Table:
    columns = [
        column if column.type == field.type else column.cast(field.type)
        for column, field in zip(table.columns, schema, strict=True)
    ]
    if not columns:
        return table
    return pa.Table.from_arrays(columns, schema=schema)
