"""Batches that lie in files instead of memory, for as long as somebody holds them.

A file has no name once it is mapped, so nothing is left of it when the process ends: what it holds must be somewhere
else, too, if it is to survive.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pyarrow as pa

from constellationdb.errors import StorageFailure

_PREFIX = "spool-"


class Spool:
    """Files in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def clear(self) -> None:
        """Of what a process left that was killed before it had mapped it."""
        for path in self._folder.glob(f"{_PREFIX}*"):
            path.unlink(missing_ok=True)

    def put(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The same batch, in a file. StorageFailure where it does not fit."""
        try:
            handle, name = tempfile.mkstemp(dir=self._folder, prefix=_PREFIX)
            try:
                with os.fdopen(handle, "wb") as file, pa.ipc.new_file(file, batch.schema) as writer:
                    writer.write_batch(batch)
                return pa.ipc.open_file(pa.memory_map(name)).get_batch(0)
            finally:
                os.unlink(name)
        except OSError as error:
            raise StorageFailure(f'could not write to "{self._folder}": {error.strerror or error}') from error
