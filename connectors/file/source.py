"""CREATE SOURCE … WITH (connector = 'file', path = …)."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from constellationdb.clock import Clock
from constellationdb.connectors.api import Options, Position, SourceReader
from constellationdb.connectors.file.discovery import SHAPE_OPTIONS, AnyFile, FileShape, check_types, infer_schema
from constellationdb.connectors.file.reader import FollowReader, OrderedReader
from constellationdb.connectors.options import Option, read_options
from constellationdb.errors import ConnectorFailure

OPTIONS = (
    *SHAPE_OPTIONS,
    Option("follow", "flag", "false"),
    Option("order", "choice", "name", choices=("name",)),
    Option("poll_interval", "duration", "1s"),
)


class FileSource:
    """One partition: the files in the order of their names."""

    def __init__(self, columns: pa.Schema | None, options: Options, clock: Clock) -> None:
        settings = read_options("file", OPTIONS, options)
        self._shape = FileShape.of(settings)
        self._follow = settings.flag("follow")
        self._interval_s = settings.integer("poll_interval") / 1e6
        self._clock = clock
        # one that follows may begin before there is a file
        may_be_empty = self._follow and columns is not None
        self._files = self._shape.files() if may_be_empty else self._shape.existing_files()
        self.schema = check_types(columns) if columns is not None else infer_schema(self._shape, self._files[0])

    def partitions(self) -> Sequence[str]:
        return ("files",)

    def open(self, partition: str, position: Position) -> SourceReader:
        if partition != "files":
            raise ConnectorFailure(f'file source has no partition "{partition}"')
        if self._follow:
            return FollowReader(
                self._shape.files, self._open_file, self.schema, position, self._clock, self._interval_s
            )
        return OrderedReader(self._files, self._open_file, self.schema, position)

    def _open_file(self, path: str) -> AnyFile:
        return self._shape.open(path, self.schema, growing=self._follow)
