"""Time zones of queries: Python's zoneinfo knows when clocks show a time; plans name the zone they compute in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest

from constellationdb.catalog.text.zones import zone_named, zone_of_expression
from constellationdb.errors import FeatureNotSupported
from constellationdb.planner.continuous import ContinuousPlanner
from constellationdb.planner.explain import explain
from constellationdb.planner.relations import PlannedRelation
from constellationdb.planner.snapshot import SnapshotPlanner
from constellationdb.planner.statements import Query

MOMENTS = pa.schema([("at", pa.timestamp("us", "UTC")), ("local", pa.timestamp("us")), ("id", pa.int64())])
TABLE = PlannedRelation("t", "table", MOMENTS)
_US = timedelta(microseconds=1)


@pytest.mark.parametrize(
    "name",
    ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "Pacific/Apia", "Asia/Kathmandu"],
)
@pytest.mark.parametrize("year", [1970, 2011, 2018, 2024, 2090, 2500])
def test_the_clocks_of_a_zone(name: str, year: int) -> None:
    """In a gap the offset before counts, of two moments the later: always the lesser of zoneinfo's two offsets."""
    zone, known = zone_named(name), ZoneInfo(name)
    assert zone is not None
    times = [datetime(year, 1, 1, 0, 5) + timedelta(minutes=30 * n) for n in range(2 * 24 * 365)]
    offsets = [min(_offset(t.replace(tzinfo=known, fold=fold)) for fold in (0, 1)) for t in times]
    local = np.array([(t - datetime(1970, 1, 1)) // _US for t in times], np.int64)
    expected = local - np.array(offsets, np.int64)
    assert zone.instants(local).tolist() == expected.tolist()
    some = expected[::97]
    moments = [datetime.fromtimestamp(us // 1_000_000, UTC).astimezone(known) for us in some.tolist()]
    assert zone.locals(some).tolist() == [us + _offset(t) for us, t in zip(some.tolist(), moments, strict=True)]


def _offset(moment: datetime) -> int:
    found = moment.utcoffset()
    assert found is not None
    return found // _US


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("CET", 3600), ("cest", 7200), ("EST", -18000), ("+02", -7200), ("2", -7200), ("XYZ-2:30", 9000), ("utc", 0)],
)
def test_what_may_stand_behind_at_time_zone(text: str, seconds: int) -> None:
    zone = zone_of_expression(text)
    assert zone is not None
    assert zone.fixed == seconds


@pytest.mark.parametrize("text", ["", "nowhere", "Europe", "+200"])
def test_what_is_no_zone(text: str) -> None:
    assert zone_of_expression(text) is None


def test_a_plan_names_the_zone_it_computes_in() -> None:
    query = "SELECT at::date AS day, count(*) AS n FROM t WHERE at > '2024-07-01' GROUP BY 1"
    plans = [SnapshotPlanner({"t": TABLE}).plan(Query(query, zone=zone)).sql for zone in ("UTC", "Europe/Berlin")]
    assert [plan.count("con_zone_local('Europe/Berlin'") for plan in plans] == [0, 1]
    assert ["2024-06-30 22:00:00+00" in plan for plan in plans] == [False, True]


def test_explain_says_at_time_zone() -> None:
    query = Query("SELECT at::date AS day, count(*) AS n FROM t GROUP BY 1", zone="Asia/Tokyo")
    lines = explain(ContinuousPlanner({"t": TABLE}).plan(query), {"t": TABLE})
    assert any("(at AT TIME ZONE 'Asia/Tokyo')::date" in line for line in lines)


def test_a_view_of_another_zone_stays_in_it() -> None:
    """Also where the query that reads it computes in UTC, or in a third zone."""
    view = PlannedRelation("v", "view", pa.schema([]), query=Query("SELECT at::date AS day FROM t", zone="Asia/Tokyo"))
    known = {"t": TABLE, "v": view}
    for zone in ("UTC", "Europe/Berlin"):
        planned = SnapshotPlanner(known).plan(Query("SELECT v.day, t.at::date AS mine FROM v, t", zone=zone))
        assert "con_zone_local('Asia/Tokyo'" in next(iter(planned.views.values()))
        assert f"con_zone_local('{zone}'" in planned.sql


@pytest.mark.parametrize(
    "text",
    [
        "SELECT a.at FROM t a JOIN (SELECT local AS at FROM t) b USING (at)",
        "SELECT id FROM t WHERE (at, id) IN (SELECT local, id FROM t)",
        "SELECT count(*) FROM t a JOIN (SELECT local AS at FROM t) b USING (at) GROUP BY GROUPING SETS ((a.id), ())",
    ],
)
def test_no_moment_is_converted_by_the_clocks_of_utc(text: str) -> None:
    assert SnapshotPlanner({"t": TABLE}).plan(Query(text)) is not None
    with pytest.raises(FeatureNotSupported, match="cannot be converted here in another time zone"):
        SnapshotPlanner({"t": TABLE}).plan(Query(text, zone="Europe/Berlin"))
