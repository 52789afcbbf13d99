"""How we open RocksDB, and what its errors mean to us.

`rocksdict` raises a bare Exception with RocksDB's status text; `rocks_errors` turns it into the tree. It also keeps the
interpreter lock during a write, so a value of 3 MB stalls every other thread for some 7 ms, and a batch for the sum of
its values: write large values one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import cast

from rocksdict import AccessType, BlockBasedOptions, DbClosedError, DBRecoveryMode, Options, Rdict, Snapshot

from constellationdb.errors import ConstellationError, CorruptState, DirectoryInUse, InternalError, StorageFailure

_BLOOM_BITS = 10  # a key: one of a hundred searches for a missing key reads a file


def open_rocks(directory: Path, read_only: bool = False) -> Rdict:
    """The database in ``directory``, created when missing; keys and values are plain bytes."""
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_paranoid_checks(True)
    # After a crash, everything up to the first torn write. What comes after is no prefix of what was written.
    options.set_wal_recovery_mode(DBRecoveryMode.point_in_time())
    options.set_keep_log_file_num(2)
    # So many keys that most files are asked for ones they do not have.
    table = BlockBasedOptions()
    table.set_bloom_filter(_BLOOM_BITS, block_based=False)
    options.set_block_based_table_factory(table)
    with rocks_errors(directory):
        access = AccessType.read_only(False) if read_only else AccessType.read_write()
        return Rdict(str(directory), options, access_type=access)


@contextmanager
def rocks_errors(directory: Path) -> Iterator[None]:
    """Raises what RocksDB reports about ``directory`` as an error of ours."""
    try:
        yield
    except (ConstellationError, GeneratorExit):
        raise
    except DbClosedError as error:
        raise InternalError(f'the store in "{directory}" is closed') from error
    except Exception as error:
        text = str(error)
        if "LOCK" in text and "lock" in text:
            raise DirectoryInUse(f'directory "{directory}" is in use by another process', detail=text) from error
        if text.startswith("Corruption") or "checksum" in text:
            raise CorruptState(f'the store in "{directory}" is damaged', detail=text) from error
        raise StorageFailure(f'the store in "{directory}" failed', detail=text) from error


def snapshot_get(snapshot: Snapshot, key: bytes) -> bytes | None:
    """The value in a snapshot, whose only point read raises a bare Exception for a missing key."""
    try:
        return cast(bytes, snapshot[key])
    except Exception as error:
        if str(error) == "key not found":
            return None
        raise


def close_rocks(db: Rdict) -> None:
    """Closes; harmless when done twice. The files stay locked until the last snapshot or iterator is dropped."""
    with suppress(DbClosedError):
        db.close()
