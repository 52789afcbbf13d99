"""Bugs that random databases must find: of DML and of joins, and some of those that the oracle has to find."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa

from constellationdb.engine import conflicts, set_clauses
from tests.properties.oracle.planted import PLANTED as OF_THE_ORACLE
from tests.properties.oracle.planted import Patch, PlantedBug


def _upserts_leave_out_a_row(patch: Patch) -> None:
    known = set_clauses.batch_of

    def batch_of(table: pa.Table) -> pa.RecordBatch:
        rows = known(table)
        return rows.slice(0, max(0, rows.num_rows - 1))

    patch.setattr(conflicts, "batch_of", batch_of)


_MET = (
    "netting drops deletions",
    "NULL keys join",
)

PLANTED: tuple[PlantedBug, ...] = (
    PlantedBug("an upsert leaves out a row", _upserts_leave_out_a_row, ()),
    *(replace(bug, near=()) for bug in OF_THE_ORACLE if bug.name in _MET),
)
