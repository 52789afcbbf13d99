"""A directory as a sink: what is there after each commit, and after a crash at each step of one."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from constellationdb.connectors.api import SinkShape, SinkType
from constellationdb.connectors.file_sink.commits import FOLDER
from constellationdb.connectors.file_sink.sink import FileSink, FileWriter
from constellationdb.errors import (
    ConnectorFailure,
    ConstellationError,
    FeatureNotSupported,
    InvalidParameter,
    SinkFailure,
    UndefinedColumn,
)
from constellationdb.storage.buffers import Bytes
from constellationdb.storage.disk import Disk

SCHEMA = pa.schema([("id", pa.int64()), ("place", pa.string())])


class Crash(BaseException):
    """The process ends here."""


class FailingDisk(Disk):
    """Fails in the ``at``-th call: by an error of the system, or for good."""

    def __init__(self, at: int, error: BaseException) -> None:
        self.left = at
        self._error = error

    def _step(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise self._error

    def write(self, fd: int, data: Bytes) -> None:
        self._step()
        super().write(fd, data)

    def sync(self, fd: int) -> None:
        self._step()
        super().sync(fd)

    def sync_directory(self, path: Path) -> None:
        self._step()
        super().sync_directory(path)

    def create(self, path: Path, *pieces: Bytes) -> None:
        self._step()
        super().create(path, *pieces)

    def remove(self, path: Path) -> None:
        self._step()
        super().remove(path)


def rows(*ids: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([{"id": i, "place": f"p{i % 2}"} for i in ids], schema=SCHEMA)


def sink(  # its options are texts, so the rest is said by position
    path: Path, kind: SinkType = "append", disk: Disk | None = None, owner: str = "a", /, **options: str
) -> FileSink:
    shape = SinkShape("s", owner, kind, SCHEMA, ("id",) if kind == "upsert" else ())
    return FileSink(shape, {"path": str(path), **options}, disk or Disk())


def opened(made: FileSink) -> FileWriter:
    writer = made.open()
    writer.position()
    return writer


def commit(writer: FileWriter, epoch: int, *ids: int) -> None:
    writer.write(rows(*ids))
    writer.commit(epoch)


def files(path: Path) -> list[str]:
    """Those with their names."""
    found = (p for p in path.rglob("*") if p.is_file() and FOLDER not in p.parts)
    return sorted(str(p.relative_to(path)) for p in found)


def ids(path: Path) -> list[int]:
    lines = [line for name in files(path) for line in (path / name).read_text().splitlines()]
    return [json.loads(line)["id"] for line in lines]


def test_each_commit_is_a_file_named_after_its_epochs(tmp_path: Path) -> None:
    writer = opened(sink(tmp_path))
    commit(writer, 7, 1, 2)
    commit(writer, 9, 3)
    assert files(tmp_path) == ["000000000000-000000000007-0.jsonl", "000000000008-000000000009-0.jsonl"]
    assert ids(tmp_path) == [1, 2, 3]
    assert opened(sink(tmp_path)).position() == 9


def test_nothing_is_there_before_the_commit_and_nothing_is_left_without_it(tmp_path: Path) -> None:
    writer = opened(sink(tmp_path))
    writer.write(rows(1))
    assert files(tmp_path) == []
    writer.close()
    again = opened(sink(tmp_path))
    assert again.position() is None
    assert not list((tmp_path / FOLDER).glob("*.tmp"))


_CRASHES: tuple[Callable[[], BaseException], ...] = (Crash, lambda: OSError(errno.ENOSPC, "No space left on device"))


@pytest.mark.parametrize("failure", _CRASHES, ids=("crash", "full disk"))
@pytest.mark.parametrize("options", [{}, {"partition_by": "place", "max_file_size": "1"}], ids=("one", "parts"))
def test_a_failure_at_any_step_leaves_a_commit_whole_or_undone(
    tmp_path: Path, failure: Callable[[], BaseException], options: dict[str, str]
) -> None:
    """And a second failure while the first is made good changes nothing."""
    for step in range(1, 60):
        path = tmp_path / str(step)
        path.mkdir()
        commit(opened(sink(path, **options)), 5, 1, 2)
        disk = FailingDisk(step, failure())
        try:
            commit(opened(sink(path, "append", disk, **options)), 6, 3, 4)
        except (Crash, ConnectorFailure):
            pass
        else:
            assert disk.left > 0
            break
        seen = sum(1 for _ in files(path))
        with suppress(Crash, ConnectorFailure):
            opened(sink(path, "append", FailingDisk(2, failure()), **options))
        writer = opened(sink(path, **options))
        assert len(files(path)) >= seen
        position = writer.position()
        assert position in (5, 6)
        if position == 5:
            commit(writer, 6, 3, 4)
        found = [p for name in files(path) for p in (path / name).read_text().splitlines()]
        assert sorted(json.loads(line)["id"] for line in found) == [1, 2, 3, 4], f"step {step}"
    else:
        raise AssertionError("no step was the last")


def test_partitions_are_folders_and_their_columns_are_not_in_the_files(tmp_path: Path) -> None:
    writer = opened(sink(tmp_path, partition_by="place"))
    writer.write(
        pa.RecordBatch.from_pylist([{"id": 1, "place": "a/b"}, {"id": 2}, {"id": 3, "place": ""}], schema=SCHEMA)
    )
    writer.commit(3)
    name = "000000000000-000000000003-{}.jsonl"
    found = {file: (tmp_path / file).read_text() for file in files(tmp_path)}
    assert found == {
        "place=a%2Fb/" + name.format(0): '{"id":1}\n',
        "place=__HIVE_DEFAULT_PARTITION__/" + name.format(1): '{"id":2}\n',
        "place=/" + name.format(2): '{"id":3}\n',
    }


def test_a_file_that_is_large_enough_gets_no_more_rows(tmp_path: Path) -> None:
    writer = opened(sink(tmp_path, max_file_size="1"))
    for i in range(3):
        writer.write(rows(i))
    assert writer.commit(1) == sum((tmp_path / name).stat().st_size for name in files(tmp_path))
    assert len(files(tmp_path)) == 3


def test_parquet_and_csv(tmp_path: Path) -> None:
    for form in ("parquet", "csv"):
        writer = opened(sink(tmp_path / form, format=form))
        commit(writer, 4, *range(20_000))
    (name,) = files(tmp_path / "parquet")
    assert pq.read_table(tmp_path / "parquet" / name).column("id").to_pylist() == list(range(20_000))
    (name,) = files(tmp_path / "csv")
    lines = (tmp_path / "csv" / name).read_text().splitlines()
    assert (lines[0], lines[1], len(lines)) == ("id,place", "0,p0", 20_001)


def test_an_upsert_says_which_rows_are_put_and_which_keys_are_gone(tmp_path: Path) -> None:
    writer = opened(sink(tmp_path, "upsert"))
    writer.write(rows(1), rows(2).select(["id"]))
    writer.commit(2)
    (name,) = files(tmp_path)
    assert (tmp_path / name).read_text().splitlines() == [
        '{"_op":"delete","id":2,"place":null}',
        '{"_op":"upsert","id":1,"place":"p1"}',
    ]


def test_the_directory_of_another_sink_is_refused(tmp_path: Path) -> None:
    commit(opened(sink(tmp_path)), 1, 1)
    with pytest.raises(SinkFailure, match="has the output of another sink"):
        sink(tmp_path, "append", None, "b").check()
    sink(tmp_path).check()


def test_two_writers_do_not_write_past_each_other(tmp_path: Path) -> None:
    first, second = opened(sink(tmp_path)), opened(sink(tmp_path))
    commit(first, 1, 1)
    second.write(rows(1))
    with pytest.raises((SinkFailure, ConnectorFailure)):
        second.commit(2)
    assert ids(tmp_path) == [1]


def test_a_damaged_record_is_not_taken_for_none(tmp_path: Path) -> None:
    commit(opened(sink(tmp_path)), 1, 1)
    (record,) = (tmp_path / FOLDER).glob("commit-*.json")
    text = record.read_text()
    for damaged in ("{", text.replace('"epoch":1,', '"epoch":3,')):
        assert damaged != text
        record.write_text(damaged)
        with pytest.raises(SinkFailure, match="is damaged"):
            opened(sink(tmp_path))


@pytest.mark.parametrize(
    ("kind", "options", "error"),
    [
        ("debezium", {"format": "csv"}, FeatureNotSupported),
        ("append", {"partition_by": "nowhere"}, UndefinedColumn),
        ("append", {"partition_by": "id, place"}, InvalidParameter),
        ("append", {"compression": "zip"}, InvalidParameter),
        ("append", {"format": "avro"}, InvalidParameter),
    ],
)
def test_what_does_not_fit_is_refused(
    tmp_path: Path, kind: SinkType, options: dict[str, str], error: type[ConstellationError]
) -> None:
    with pytest.raises(error):
        sink(tmp_path, kind, **options)


def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConnectorFailure, match=r"could not write to .*: (Not a directory|File exists)"):
        sink(tmp_path / "file" / "below").check()
