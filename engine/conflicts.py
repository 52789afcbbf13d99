"""ON CONFLICT: which of the proposed rows meet one that is there, and what becomes of these."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from constellationdb.catalog.text.zones import Zone
from constellationdb.engine import batch as zset
from constellationdb.engine.column_defaults import ColumnDefaults
from constellationdb.engine.kernels.groupby import group
from constellationdb.engine.kernels.rowcodec import encode_rows
from constellationdb.engine.row_rules import nulls_aside
from constellationdb.engine.set_clauses import batch_of, changed, numbered
from constellationdb.engine.tables import TableRules
from constellationdb.engine.writes import Run, Write
from constellationdb.errors import CardinalityViolation, InvalidColumnReference, UndefinedObject
from constellationdb.planner import statements as st
from constellationdb.planner.rewrite.qualified import TARGET
from constellationdb.planner.snapshot import SnapshotPlan

PROPOSED = "#excluded"


@dataclass(frozen=True)
class ConflictUpdate:
    """What ON CONFLICT DO UPDATE asks, and the columns that its answers go to."""

    plan: SnapshotPlan
    columns: list[int]
    zone: Zone
    defaults: ColumnDefaults
    defaulted: list[bool]  # which of the columns are SET to DEFAULT


def no_arbiter(statement: st.Insert) -> InvalidColumnReference:
    return InvalidColumnReference(
        "there is no unique or exclusion constraint matching the ON CONFLICT specification",
        position=statement.table_position + 1,
    )


def arbiters_of(statement: st.Insert, clause: st.OnConflict, state: TableRules) -> list[tuple[int, ...]]:
    """The columns of each constraint whose conflicts are taken."""
    known = state.unique_columns
    if clause.constraint is not None:
        if clause.constraint not in known:
            name = state.relation.shown
            raise UndefinedObject(f'constraint "{clause.constraint}" for table "{name}" does not exist')
        return [known[clause.constraint]]
    if not clause.target:
        return list(known.values())
    wanted = {state.schema.get_field_index(name) for name in clause.target}
    found = [columns for columns in known.values() if set(columns) == wanted]
    if not found:
        raise no_arbiter(statement)
    return found[:1]


def do_nothing(target: TableRules, rows: pa.RecordBatch, epoch: int, arbiters: list[tuple[int, ...]]) -> Write:
    """The rows that conflict with none that is there, nor with one before them that goes in.

    Those that do not go in must be what the table allows, too.
    """
    target.check(rows)
    taken: list[tuple[dict[int, bytes], set[bytes]]] = []
    blocked: set[int] = set()
    for columns in arbiters:
        places = nulls_aside(rows, columns)
        some = zset.take(rows, places)
        blocked |= set(places[target.existing(some, epoch, columns)[0]].tolist())
        encoded = encode_rows(some, columns)
        taken.append(({int(place): encoded.key(i) for i, place in enumerate(places)}, set()))
    kept = []
    for row in range(rows.num_rows):
        if row in blocked or any(keys.get(row) in seen for keys, seen in taken):
            continue
        kept.append(row)
        for keys, seen in taken:
            if row in keys:
                seen.add(keys[row])
    fresh = zset.take(rows, np.array(kept, np.int64))
    return Write(None, fresh, fresh.num_rows, fresh)


def do_update(
    run: Run, target: TableRules, rows: pa.RecordBatch, epoch: int, update: ConflictUpdate, arbiter: tuple[int, ...]
) -> Write:
    target.check(rows)
    places = nulls_aside(rows, arbiter)
    some = zset.take(rows, places)
    if len(group(encode_rows(some, arbiter))[1]) < len(places):
        raise CardinalityViolation(
            "ON CONFLICT DO UPDATE command cannot affect row a second time",
            hint="Ensure that no rows proposed for insertion within the same command have duplicate"
            " constrained values.",
        )
    probe, there = target.existing(some, epoch, arbiter)
    conflicting = places[probe]
    fresh = zset.take(rows, np.setdiff1d(np.arange(rows.num_rows, dtype=np.int64), conflicting))
    tables = {TARGET: numbered(there), PROPOSED: numbered(zset.take(rows, conflicting))}
    answer = batch_of(run(update.plan, tables))
    chosen = answer.column(0).to_numpy(zero_copy_only=False).astype(np.int64)
    before = zset.take(there, chosen)
    values = answer.columns[1:]
    after = changed(before, values, update.columns, update.defaults, update.defaulted, update.zone)
    added = pa.concat_batches([fresh, after])
    return Write(before, added, added.num_rows, added)
