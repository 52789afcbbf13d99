"""Objects in S3, Google Cloud Storage or Azure, through `obstore`.

Credentials and endpoints come from the environment, under the names that the clouds' own tools use. A request that
fails is tried three more times. For ``create`` that has a catch: one that timed out may have been done, and is then
refused as a second one. So the object that is there is compared with ours, which no other writer's equals.

From 8 MiB on an object goes up in parts, eight at a time, one such object after the other: no more than 64 MiB are
copied. Large ones come down like that, too. S3 is sent a SHA-256 of every part, and refuses one that arrives
differently.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar, cast

import obstore
from obstore import exceptions as refusals
from obstore.store import from_url

from constellationdb.errors import FeatureNotSupported, InvalidParameter, StorageFailure
from constellationdb.storage.buffers import Bytes, as_view, size_of
from constellationdb.storage.objects.store import ObjectInfo

if TYPE_CHECKING:
    from obstore.store import ObjectStore as Store

T = TypeVar("T")

MULTIPART_BYTES = 8 << 20
PARALLEL_PARTS = 8
LARGEST_GET = 16 << 20
RETRIES = 3
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 10.0
_FINAL = (
    refusals.AlreadyExistsError,
    refusals.InvalidPathError,
    refusals.NotSupportedError,
    refusals.PermissionDeniedError,
    refusals.UnauthenticatedError,
    refusals.UnknownConfigurationKeyError,
    FileNotFoundError,
)


class RemoteObjects:
    """Objects below the prefix of ``url``. ``timeout``: seconds for one request."""

    grace_seconds = 3600.0

    def __init__(self, url: str, timeout: float = 60.0) -> None:
        self.place = url
        self._multipart = threading.Lock()
        try:
            self._store = _open(url, timeout)
        except (refusals.BaseError, ValueError) as error:
            raise InvalidParameter(f'could not open object store "{url}": {_reason(error)}') from error
        self._require_conditional_writes()

    def _require_conditional_writes(self) -> None:
        """Some stores accept the condition and ignore it. Then two writers would both think that they are alone."""
        name = f"probe/{os.urandom(8).hex()}"
        try:
            first = self.create(name, [b"first"])
            second = self.create(name, [b"second"])
            content = self.get(name)
        finally:
            self.delete([name])
        if not first or second or content != memoryview(b"first"):
            raise FeatureNotSupported(
                f'object store "{self.place}" does not create objects only if they are absent',
                detail="a second write of an object that was to be created replaced it",
                hint="use a store that honours If-None-Match, as S3, Google Cloud Storage and Azure do",
            )

    def put(self, name: str, pieces: Sequence[Bytes]) -> None:
        if sum(map(size_of, pieces)) < MULTIPART_BYTES:
            self._try("write", name, lambda: obstore.put(self._store, name, _joined(pieces), use_multipart=False))
            return
        with self._multipart:
            self._try("write", name, lambda: self._put_in_parts(name, pieces))

    def _put_in_parts(self, name: str, pieces: Sequence[Bytes]) -> None:
        views = (as_view(piece)[at : at + MULTIPART_BYTES] for piece in pieces for at in _starts(piece))
        content = cast(Any, views)  # its stubs know no memoryview of one byte per item
        obstore.put(
            self._store,
            name,
            content,
            use_multipart=True,
            chunk_size=MULTIPART_BYTES,
            max_concurrency=PARALLEL_PARTS,
        )

    def create(self, name: str, pieces: Sequence[Bytes]) -> bool:
        content, unknown = _joined(pieces), False

        def create() -> bool:
            nonlocal unknown
            try:
                obstore.put(self._store, name, content, mode="create", use_multipart=False)
            except refusals.AlreadyExistsError:
                return unknown and self.get(name) == memoryview(content)
            except BaseException:
                unknown = True
                raise
            return True

        return self._try("write", name, create)

    def get(self, name: str, start: int = 0, length: int | None = None) -> memoryview | None:
        def get() -> memoryview | int:
            """The size instead, of what is too large for one request."""
            if length is not None:
                return memoryview(obstore.get_range(self._store, name, start=start, length=length))
            found = obstore.get(self._store, name)
            size = found.meta["size"]
            return size if size > LARGEST_GET else memoryview(found.bytes())[start:]

        if length == 0:
            return self._empty(name)
        try:
            found = self._try("read", name, get)
            return self._get_in_parts(name, start, found) if isinstance(found, int) else found
        except _NoSuchObject:
            return None

    def _empty(self, name: str) -> memoryview | None:
        whole = self.get(name)
        return None if whole is None else whole[:0]

    def _get_in_parts(self, name: str, start: int, end: int) -> memoryview:
        """Several ranges at a time, each within the time that one request has."""
        content = memoryview(bytearray(end - start))

        def get(at: int) -> None:
            part = self._try(
                "read", name, lambda: obstore.get_range(self._store, name, start=at, end=min(at + step, end))
            )
            content[at - start : at - start + len(part)] = part

        step = MULTIPART_BYTES
        with self._multipart, ThreadPoolExecutor(PARALLEL_PARTS) as threads:
            list(threads.map(get, range(start, end, step)))
        return content.toreadonly()

    def list(self, prefix: str) -> list[ObjectInfo]:
        def infos() -> list[ObjectInfo]:
            found = (meta for chunk in obstore.list(self._store, prefix) for meta in chunk)
            return [ObjectInfo(meta["path"], meta["size"], meta["last_modified"].timestamp()) for meta in found]

        return sorted(self._try("list", prefix, infos), key=lambda info: info.name)

    def delete(self, names: Iterable[str]) -> None:
        for name in names:
            try:
                self._try("remove", name, lambda name=name: obstore.delete(self._store, name))  # type: ignore[misc]
            except _NoSuchObject:
                continue

    def close(self) -> None: ...

    def _try(self, what: str, name: str, request: Callable[[], T]) -> T:
        pause = FIRST_PAUSE
        for left in reversed(range(RETRIES + 1)):
            try:
                return request()
            except (refusals.BaseError, OSError) as error:
                if isinstance(error, FileNotFoundError) and what in ("read", "remove"):
                    raise _NoSuchObject(name) from error
                if not left or isinstance(error, _FINAL):
                    raise StorageFailure(
                        f'could not {what} object "{name}" in "{self.place}": {_reason(error)}'
                    ) from error
            time.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, LONGEST_PAUSE)
        raise AssertionError("unreachable")


class _NoSuchObject(StorageFailure):
    """Not there, as the store itself says."""


def _open(url: str, timeout: float) -> Store:
    endpoints = (os.environ.get(name, "") for name in ("AWS_ENDPOINT_URL", "AZURE_STORAGE_ENDPOINT", "GOOGLE_BASE_URL"))
    emulated = os.environ.get("AZURE_STORAGE_USE_EMULATOR") == "true"
    return from_url(
        url,
        config={"checksum_algorithm": "SHA256"} if url.startswith("s3") else None,
        retry_config={"max_retries": 0},  # ours know what a retried ``create`` means
        client_options={
            "timeout": timedelta(seconds=timeout),
            "connect_timeout": timedelta(seconds=min(timeout, 10.0)),
            "allow_http": emulated or any(endpoint.startswith("http:") for endpoint in endpoints),
        },
    )


def _joined(pieces: Sequence[Bytes]) -> bytes:
    return b"".join(map(as_view, pieces))


def _starts(piece: Bytes) -> range:
    return range(0, size_of(piece), MULTIPART_BYTES)


def _reason(error: BaseException) -> str:
    """The first line of what obstore says; the rest is for who debugs it."""
    return (str(error).splitlines() or [type(error).__name__])[0].partition(": <?xml")[0]
