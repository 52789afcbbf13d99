"""What every home of objects promises: a local directory, S3 and Azure as their emulators speak them."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from constellationdb.errors import InvalidParameter, StorageFailure
from constellationdb.storage.checkpoints.opening import open_objects
from constellationdb.storage.objects.local import LocalObjects
from constellationdb.storage.objects.remote import RemoteObjects
from constellationdb.storage.objects.store import ObjectStore
from tests.object_stores import azure_environment, s3_environment, start_azure, start_s3


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with start_s3() as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with start_azure(tmp_path_factory.mktemp("azure")) as port:
        yield port


@pytest.fixture(params=["local", "s3", "azure"])
def objects(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    prefix = os.urandom(4).hex()
    match request.param:
        case "s3":
            s3_environment(request.getfixturevalue("s3"), monkeypatch)
            return RemoteObjects(f"s3://bucket/{prefix}")
        case "azure":
            azure_environment(request.getfixturevalue("azure"), monkeypatch)
            return RemoteObjects(f"az://container/{prefix}")
    return LocalObjects(tmp_path / prefix)


def _names(objects: ObjectStore, prefix: str) -> list[str]:
    return [info.name for info in objects.list(prefix)]


def test_what_was_put_is_read(objects: ObjectStore) -> None:
    objects.put("parts/a", [b"he", bytearray(b"ll"), memoryview(b"o"), pa.py_buffer(b" there")])
    assert objects.get("parts/a") == memoryview(b"hello there")
    assert objects.get("parts/a", 6) == memoryview(b"there")
    assert objects.get("parts/a", 1, 3) == memoryview(b"ell")
    assert objects.get("parts/a", 9, 100) == memoryview(b"re")
    assert objects.get("parts/a", 3, 0) == memoryview(b"")
    assert objects.get("parts/b") is None
    assert objects.get("parts/b", 1, 3) is None
    assert objects.get("parts/b", 0, 0) is None
    objects.put("parts/a", [b"replaced"])
    assert objects.get("parts/a") == memoryview(b"replaced")


def test_an_object_without_bytes(objects: ObjectStore) -> None:
    objects.put("parts/empty", [])
    assert objects.get("parts/empty") == memoryview(b"")


def test_a_large_object_arrives_whole(objects: ObjectStore) -> None:
    body = os.urandom((20 << 20) + 7)
    objects.put("parts/large", [b"header", pa.py_buffer(body)])
    assert objects.get("parts/large") == memoryview(b"header" + body)
    assert objects.get("parts/large", 1 << 20) == memoryview(b"header" + body)[1 << 20 :]
    assert objects.get("parts/large", 6 + (9 << 20), 1000) == memoryview(body[9 << 20 :][:1000])


def test_listing_is_by_folder_and_in_order(objects: ObjectStore) -> None:
    assert objects.list("parts/") == []
    names = ["parts/b", "parts/a%2Fb-_%25", "parts/C", "manifests/00000000000000000001"]
    for number, name in enumerate(names):
        objects.put(name, [b"x" * number])
    assert _names(objects, "parts/") == sorted(names[:3])
    assert [info.size for info in objects.list("parts/")] == [2, 1, 0]
    assert all(info.modified > 1.7e9 for info in objects.list("parts/"))


def test_deleting(objects: ObjectStore) -> None:
    objects.put("parts/a", [b"a"])
    objects.put("parts/b", [b"b"])
    objects.delete(["parts/a", "parts/never there"])
    assert _names(objects, "parts/") == ["parts/b"]
    objects.delete(["parts/a"])


def test_only_the_first_creates(objects: ObjectStore) -> None:
    assert objects.create("manifests/1", [b"first", b" one"])
    assert not objects.create("manifests/1", [b"second"])
    assert not objects.create("manifests/1", [b"first one"])
    assert objects.get("manifests/1") == memoryview(b"first one")


def test_of_many_at_once_one_creates(objects: ObjectStore) -> None:
    together, won = threading.Barrier(12), []

    def create(number: int) -> None:
        together.wait()
        if objects.create("manifests/1", [b"%d" % number]):
            won.append(number)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert objects.get("manifests/1") == memoryview(b"%d" % won[0])
    assert len(won) == 1


def test_a_bucket_that_is_not_there(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    s3_environment(s3, monkeypatch)
    with pytest.raises(StorageFailure, match=r'could not write object "probe/\w+" in "s3://nowhere/x"'):
        RemoteObjects("s3://nowhere/x")


@pytest.mark.parametrize("url", ["checkpoints", "ftp://host/x", "s3:bucket", "file://host/x"])
def test_what_is_no_address_of_a_store(url: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter):
        open_objects(url, tmp_path)


def test_a_file_address_is_a_local_directory(tmp_path: Path) -> None:
    objects = open_objects(f"file://{tmp_path}/with%20space", tmp_path)
    objects.put("parts/a", [b"a"])
    assert (tmp_path / "with space" / "parts" / "a").read_bytes() == b"a"


def test_a_disk_that_fails(tmp_path: Path) -> None:
    objects = LocalObjects(tmp_path)
    (tmp_path / "parts").write_text("a file where a directory is due")
    with pytest.raises(StorageFailure, match=f'could not write object "parts/a" in "{tmp_path}"'):
        objects.put("parts/a", [b"a"])
