"""A drive that says that a sync failed, to the real command: strace answers for it with EIO.

Nothing is acknowledged that a later life of the server lacks. The log is not synced a second time: after the error
nothing is acknowledged until the server is started again.
"""

from __future__ import annotations

import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from tests.e2e.conftest import Serve, Served

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


def fail_syncs(served: Served, count: int) -> subprocess.Popen[bytes]:
    """From the ``count``-th on, of each thread."""
    inject = f"inject=fdatasync,fsync:error=EIO:when={count}+"
    command = ["strace", "-f", "-qq", "-e", "trace=fdatasync,fsync", "-e", inject, "-p", str(served.process.pid)]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE)
    assert tracer.stderr is not None
    with psycopg.connect(served.dsn, autocommit=True) as connection, suppress(psycopg.Error):
        for _ in range(50):  # until it is attached
            connection.execute("INSERT INTO warm VALUES (1)")
            if tracer.poll() is not None:
                pytest.skip(f"strace cannot trace here: {tracer.stderr.read().decode()}")
    return tracer


def test_what_was_acknowledged_was_synced(serve: Serve, tmp_path: Path) -> None:
    served = serve(tmp_path / "data")
    with psycopg.connect(served.dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE t (id int PRIMARY KEY)")
        connection.execute("CREATE TABLE warm (a int)")
    tracer = fail_syncs(served, 5)
    acknowledged, failed = [], ""
    try:
        for key in range(200):
            try:
                with psycopg.connect(served.dsn, autocommit=True) as connection:
                    connection.execute("INSERT INTO t VALUES (%s)", (key,))
                assert not failed, "acknowledged after a sync had failed"
                acknowledged.append(key)
            except psycopg.Error as error:
                if failed:
                    break
                failed = str(error)
        assert "Input/output error" in failed or "has stopped" in failed, failed or "nothing failed"
    finally:
        tracer.terminate()
        tracer.wait()
        assert tracer.stderr is not None
        tracer.stderr.close()
        served.process.kill()
        served.process.wait()
    with psycopg.connect(serve(tmp_path / "data").dsn) as connection:
        found = [key for (key,) in connection.execute("SELECT id FROM t ORDER BY id")]
    assert found[: len(acknowledged)] == acknowledged
    assert len(found) <= len(acknowledged) + 1, "one was not answered, and the other refused"
