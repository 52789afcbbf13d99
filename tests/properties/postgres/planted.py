"""Bugs that random databases must find: of what they alone have, and some of those that the oracle has to find.

``near``: the constructs whose turns are tried first, to save time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from constellationdb.engine import conflicts, merging, set_clauses
from constellationdb.engine.operators import asof, changelog, temporal_filter
from constellationdb.engine.operators.base import Context
from constellationdb.engine.operators.schedule import Schedule
from tests.properties.oracle.planted import PLANTED as OF_THE_ORACLE
from tests.properties.oracle.planted import Patch, PlantedBug


def _upserts_leave_out_a_row(patch: Patch) -> None:
    known = set_clauses.batch_of

    def batch_of(table: pa.Table) -> pa.RecordBatch:
        rows = known(table)
        return rows.slice(0, max(0, rows.num_rows - 1))

    patch.setattr(conflicts, "batch_of", batch_of)


def _merges_insert_one_row(patch: Patch) -> None:
    known = merging._Merging._inserted
    patch.setattr(merging._Merging, "_inserted", lambda self, *given: known(self, *given).slice(0, 1))


def _changelogs_tell_no_deletions(patch: Patch) -> None:
    known = changelog.ChangelogOperator.process

    def process(self: Any, inputs: Sequence[Any], context: Context) -> Any:
        told = known(self, inputs, context)
        return told if told is None else told.filter(pc.greater(told.column(1), 0))

    patch.setattr(changelog.ChangelogOperator, "process", process)


def _rows_stay_when_their_time_is_over(patch: Patch) -> None:
    known = temporal_filter.TemporalFilterOperator._let_in

    def let_in(self: Any, rows: pa.RecordBatch, tick: int) -> Any:
        there = known(self, rows, tick)
        self._leaving = Schedule()
        return there

    patch.setattr(temporal_filter.TemporalFilterOperator, "_let_in", let_in)


def _late_versions_correct_nothing(patch: Patch) -> None:
    known = asof.AsofOperator._correct
    patch.setattr(asof.AsofOperator, "_correct", lambda self, delta, epoch, _parts: known(self, delta, epoch, []))


_MET = (
    "netting drops deletions",
    "NULL keys join",
)

PLANTED: tuple[PlantedBug, ...] = (
    PlantedBug("an upsert leaves out a row", _upserts_leave_out_a_row, ()),
    PlantedBug("MERGE inserts one row", _merges_insert_one_row, ()),
    PlantedBug("a changelog tells no deletions", _changelogs_tell_no_deletions, ("changelog",)),
    PlantedBug("rows stay when their time is over", _rows_stay_when_their_time_is_over, ("temporal filter",)),
    PlantedBug("late versions correct nothing", _late_versions_correct_nothing, ("FOR SYSTEM_TIME AS OF",)),
    *(replace(bug, near=()) for bug in OF_THE_ORACLE if bug.name in _MET),
)
