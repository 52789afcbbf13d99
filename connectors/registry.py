"""Opening a connector by the name that a statement gives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import pyarrow as pa

from constellationdb.clock import Clock, SystemClock
from constellationdb.connectors.api import LookupSource, Options, Sink, SinkShape, Source
from constellationdb.connectors.file.source import FileSource
from constellationdb.connectors.file_lookup import open_file_lookup
from constellationdb.connectors.file_sink.sink import FileSink
from constellationdb.connectors.generator.source import GeneratorSource
from constellationdb.connectors.inline import open_inline
from constellationdb.connectors.postgres_lookup import open_postgres
from constellationdb.connectors.postgres_sink.sink import PostgresSink
from constellationdb.errors import InvalidParameter
from constellationdb.storage.disk import DISK, Disk

SOURCES: dict[str, Callable[[pa.Schema | None, Options, Clock], Source]] = {
    "file": FileSource,
    "generator": GeneratorSource,
}
LOOKUPS: dict[str, Callable[[pa.Schema, Sequence[str], Options], LookupSource]] = {
    "file": open_file_lookup,
    "inline": open_inline,
    "postgres": open_postgres,
}

SINKS: dict[str, Callable[[SinkShape, Options, Disk], Sink]] = {
    "file": FileSink,
    "postgres": lambda shape, options, _: PostgresSink(shape, options),
}


def open_source(name: str, columns: pa.Schema | None, options: Options, clock: Clock | None = None) -> Source:
    """The source that CREATE SOURCE … WITH (connector = name, …) means; ``columns`` are those given in SQL."""
    if name not in SOURCES:
        raise _unknown("source", name, SOURCES)
    return SOURCES[name](columns, options, clock or SystemClock())


def open_lookup(name: str, schema: pa.Schema, primary_key: Sequence[str], options: Options) -> LookupSource:
    """The back end of CREATE LOOKUP TABLE … WITH (connector = name, …)."""
    if name not in LOOKUPS:
        raise _unknown("lookup", name, LOOKUPS)
    return LOOKUPS[name](schema, primary_key, options)


def open_sink(name: str, shape: SinkShape, options: Options, disk: Disk = DISK) -> Sink:
    """The target of CREATE SINK … WITH (connector = name, …); ``disk``: for those that write files."""
    if name not in SINKS:
        raise _unknown("sink", name, SINKS)
    return SINKS[name](shape, options, disk)


def _unknown(kind: str, name: str, known: Iterable[str]) -> InvalidParameter:
    return InvalidParameter(f'there is no {kind} connector "{name}"', hint="there are " + ", ".join(sorted(known)))
