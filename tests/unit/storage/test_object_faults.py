"""An object store that fails: requests are tried again, and what is reported as done is done, once."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from constellationdb.errors import CorruptState, FeatureNotSupported, StorageFailure
from constellationdb.storage.checkpoints.store import CheckpointStore
from constellationdb.storage.objects import remote as remote_objects
from constellationdb.storage.objects.remote import RemoteObjects
from tests.fault_proxy import FaultProxy, first
from tests.object_stores import s3_environment, start_s3

FAULTS = ["500", "reset", "lost", "late", "truncated"]


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with start_s3() as endpoint:
        yield endpoint


@pytest.fixture
def proxy(s3: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    monkeypatch.setattr(remote_objects, "FIRST_PAUSE", 0.001)
    with FaultProxy(s3) as proxy:
        s3_environment(proxy.endpoint, monkeypatch)
        yield proxy


@pytest.fixture
def objects(proxy: FaultProxy) -> RemoteObjects:
    assert not proxy.ended.is_set()
    return RemoteObjects(f"s3://bucket/{os.urandom(4).hex()}", timeout=1.0)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_request_that_fails_is_tried_again(proxy: FaultProxy, objects: RemoteObjects, fault: str) -> None:
    times = 1 if fault == "late" else 3  # it is waited for
    proxy.fault = first(times, fault, "PUT", "parts/a")
    objects.put("parts/a", [b"content"])
    proxy.fault = first(times, fault, "GET", "parts/a")
    assert objects.get("parts/a") == memoryview(b"content")
    proxy.fault = first(times, fault, "GET", "prefix=")
    assert [info.name for info in objects.list("parts/")] == ["parts/a"]
    proxy.fault = first(times, fault, "POST")  # S3 deletes several at a time
    objects.delete(["parts/a"])
    assert objects.get("parts/a") is None
    assert sum(done == fault for _, _, done in proxy.requests) >= 3 * times + 1  # some answers have nothing to truncate


@pytest.mark.parametrize("fault", FAULTS)
def test_whoever_created_knows_it_also_when_the_answer_was_lost(
    proxy: FaultProxy, objects: RemoteObjects, fault: str
) -> None:
    proxy.fault = first(1 if fault == "late" else 2, fault, "PUT", "manifests/1")
    assert objects.create("manifests/1", [b"ours"])
    proxy.fault = first(1, fault, "PUT", "manifests/1")
    assert not objects.create("manifests/1", [b"theirs"])
    assert objects.get("manifests/1") == memoryview(b"ours")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_part_of_a_large_object_that_fails(proxy: FaultProxy, objects: RemoteObjects, fault: str) -> None:
    body = os.urandom(17 << 20)
    proxy.fault = first(1, fault, "PUT", "partNumber=2")
    objects.put("parts/large", [body])
    parts = [headers for path, headers in proxy.headers if "partNumber=" in path]
    assert len(parts) >= 3
    assert all("x-amz-checksum-sha256" in headers for headers in parts)
    assert objects.get("parts/large") == memoryview(body)


def test_the_fourth_failure_is_reported(proxy: FaultProxy, objects: RemoteObjects) -> None:
    proxy.fault = first(4, "500", "PUT", "parts/a")
    with pytest.raises(StorageFailure, match=r'could not write object "parts/a" in "s3://bucket/.*500') as failed:
        objects.put("parts/a", [b"content"])
    assert "\n" not in failed.value.message
    assert sum(fault == "500" for _, _, fault in proxy.requests) == 4
    assert objects.get("parts/a") is None


def test_a_store_that_ignores_conditions_is_refused(proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    forward = proxy._server.RequestHandlerClass._forward  # type: ignore[attr-defined]

    def without_condition(handler: object, body: bytes) -> object:
        del handler.headers["If-None-Match"]  # type: ignore[attr-defined]
        return forward(handler, body)

    monkeypatch.setattr(proxy._server.RequestHandlerClass, "_forward", without_condition)
    with pytest.raises(FeatureNotSupported, match="does not create objects only if they are absent"):
        RemoteObjects("s3://bucket/unconditional")


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault != "late"])
def test_checkpoints_through_a_store_where_every_sixth_request_fails(
    proxy: FaultProxy, objects: RemoteObjects, fault: str
) -> None:
    turn = iter(range(10**9))
    proxy.fault = lambda _method, _path: fault if next(turn) % 6 == 5 else None
    store = CheckpointStore(objects)
    for epoch in range(1, 4):
        store.commit(
            epoch, b"m%d" % epoch, {f"k/{epoch}": b"x" * epoch, f"l/{epoch}": bytes(1 << 20)}, [f"l/{epoch - 1}"]
        )
    again = CheckpointStore(objects)
    assert again.latest() == (3, b"m3")
    assert dict(again.blobs()) == {"k/1": b"x", "k/2": b"xx", "k/3": b"xxx", "l/3": bytes(1 << 20)}


def test_a_commit_that_fails_leaves_the_checkpoint_before_and_is_tried_again(
    proxy: FaultProxy, objects: RemoteObjects
) -> None:
    store = CheckpointStore(objects)
    store.commit(1, b"first", {"a": b"1", "b": b"1"})
    proxy.fault = first(4, "reset", "PUT", "manifests/")
    with pytest.raises(StorageFailure):
        store.commit(2, b"second", {"a": b"2"}, deleted=["b"])
    assert (store.latest(), dict(store.blobs())) == ((1, b"first"), {"a": b"1", "b": b"1"})
    store.commit(2, b"second again", {"a": b"two"})
    again = CheckpointStore(objects)
    assert (again.latest(), dict(again.blobs())) == ((2, b"second again"), {"a": b"two", "b": b"1"})


def test_a_manifest_whose_fate_is_unknown_is_never_mixed_with_another(
    proxy: FaultProxy, objects: RemoteObjects
) -> None:
    """The store wrote it and said nothing, four times; the process goes on from what it knows."""
    store = CheckpointStore(objects)
    store.commit(1, b"first", {"a": b"1", "b": b"1"})
    fault = first(1, "lost", "PUT", "manifests/")
    proxy.fault = lambda method, path: fault(method, path) or ("500" if "manifests/" in path else None)
    with pytest.raises(StorageFailure):
        store.commit(2, b"unknown", {"a": b"2"}, deleted=["b"])
    proxy.fault = lambda _method, _path: None
    assert CheckpointStore(objects).latest() == (2, b"unknown")
    with pytest.raises(StorageFailure, match="another process has taken over"):
        store.commit(3, b"third", {"c": b"3"})


def test_bytes_that_are_gone_are_said_to_be(objects: RemoteObjects) -> None:
    store = CheckpointStore(objects)
    store.commit(1, b"first", {"a": b"1"})
    objects.delete(info.name for info in objects.list("parts/"))
    with pytest.raises(CorruptState, match=r'object "parts/0{19}1-\w+-pack" is missing'):
        store.get("a")
