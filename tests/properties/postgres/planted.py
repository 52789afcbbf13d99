"""Bugs that random databases must find: of DML and of joins, and some of those that the oracle has to find."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyarrow as pa

from constellationdb.engine import dml
from constellationdb.planner import shuttle
from tests.properties.oracle.planted import PLANTED as OF_THE_ORACLE
from tests.properties.oracle.planted import Patch, PlantedBug


def _upserts_forget_new_rows(patch: Patch) -> None:
    known = dml._split

    def split(target: Any, rows: pa.RecordBatch, epoch: int) -> Any:
        fresh, there, proposed = known(target, rows, epoch)
        return fresh.slice(0, max(0, fresh.num_rows - 1)), there, proposed

    patch.setattr(dml, "_split", split)


def _excluded_is_the_old_row(patch: Patch) -> None:
    known = dml._split

    def split(target: Any, rows: pa.RecordBatch, epoch: int) -> Any:
        fresh, there, _ = known(target, rows, epoch)
        return fresh, there, there

    patch.setattr(dml, "_split", split)


def _updates_skip_a_row(patch: Patch) -> None:
    known = dml._batch

    def batch(table: pa.Table) -> pa.RecordBatch:
        rows = known(table)
        return rows.slice(0, rows.num_rows - 1) if rows.num_rows > 2 else rows

    patch.setattr(dml, "_batch", batch)


def _nulls_meet(patch: Patch) -> None:
    """Nested joins by = and IS NOT DISTINCT FROM as DataFusion flattens them."""
    patch.setattr(shuttle, "parsed", lambda context, sql: context.sql(sql))


_MET = (
    "recomputation adds new output and keeps the old",
    "count counts changes instead of weights",
    "netting drops deletions",
    "a full join forgets its right side",
    "NULL keys join",
    "sum does not take back",
)

PLANTED: tuple[PlantedBug, ...] = (
    PlantedBug("an upsert forgets a new row", _upserts_forget_new_rows, ()),
    PlantedBug("excluded is the old row", _excluded_is_the_old_row, ()),
    PlantedBug("UPDATE and DELETE leave out a row", _updates_skip_a_row, ()),
    PlantedBug("NULLs meet in nested joins", _nulls_meet, ()),
    *(replace(bug, near=()) for bug in OF_THE_ORACLE if bug.name in _MET),
)
