"""``Server``: the event loop on a thread, from bound sockets to the last goodbye."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import threading
from types import TracebackType

from constellationdb.errors import InternalError
from constellationdb.server.addresses import bound_sockets
from constellationdb.wire.connection import Connection, Frontend
from constellationdb.wire.limits import Limits
from constellationdb.wire.startup import SessionFactory

# A busy Python thread otherwise keeps the event loop waiting for 5 ms at every turn.
_SWITCH_SECONDS = 0.0005


class Server:
    """Serves ``engine`` on ``host:port`` between ``start`` and ``stop``, which any thread may call.

    ``start`` returns when clients can connect and raises what made that
    impossible. ``stop`` returns when every client was told and every statement
    has ended, or after ``grace`` seconds. The engine is not the server's to close.
    """

    def __init__(
        self,
        engine: SessionFactory,
        host: str = "127.0.0.1",
        port: int = 5433,
        *,
        limits: Limits = Limits(),  # noqa: B008 - frozen
    ) -> None:
        self._engine = engine
        self._host = host
        self._port = port
        self._limits = limits
        self._sockets: list[socket.socket] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._serving = threading.Event()
        self._stopping: asyncio.Event
        self._grace = 10.0
        self._failure: BaseException | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens; with port 0 the port that was found."""
        return self._host, self._port

    @property
    def port(self) -> int:
        return self._port

    def start(self) -> None:
        assert self._thread is None, "a server starts once"
        sys.setswitchinterval(_SWITCH_SECONDS)
        self._sockets = bound_sockets(self._host, self._port)
        self._host, self._port = self._sockets[0].getsockname()[:2]
        self._thread = threading.Thread(target=self._run, name="constellation-listener", daemon=True)
        self._thread.start()
        self._serving.wait()
        if self._failure is not None:
            for opened in self._sockets:
                opened.close()
            raise InternalError(f"the listener did not start: {self._failure}") from self._failure

    def stop(self, grace: float = 10.0) -> None:
        """Idempotent; a server that was never started has nothing to stop."""
        if self._thread is None or self._loop is None:
            return
        self._grace = grace
        with contextlib.suppress(RuntimeError):  # the loop has ended already
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # -- the thread -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=_loop_factory()) as runner:
                runner.run(self._serve())
        except BaseException as failure:
            self._failure = failure
            raise
        finally:
            self._serving.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        frontend = Frontend(self._engine, self._limits)
        listeners = [await self._loop.create_server(lambda: Connection(frontend), sock=s) for s in self._sockets]
        self._serving.set()
        await self._stopping.wait()
        for listener in listeners:
            listener.close()
        await self._say_goodbye(frontend)

    async def _say_goodbye(self, frontend: Frontend) -> None:
        """Every client gets 57P01; a statement that does not end in time loses its socket."""
        for connection in list(frontend.open):
            connection.shut_down()
        if not frontend.open:
            return
        try:
            await asyncio.wait_for(frontend.all_closed.wait(), self._grace)
        except TimeoutError:
            for connection in list(frontend.open):
                connection.abort()
            await asyncio.sleep(0)  # lets the sockets close before the loop does


def _loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    """uvloop where it is installed: a fifth less CPU on small statements."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: type[asyncio.AbstractEventLoop] = uvloop.Loop
    return factory
