"""An HTTP proxy in front of an object store, that does to a request what it is told to.

"500"        answers for the store, which does not hear of it
"reset"      closes the connection, and the store does not hear of it
"lost"       the store does it, and the connection closes before its answer
"late"       the store does it, and the answer comes when the client has long gone
"truncated"  half of the answer's body, then the connection closes
"""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Fault = Callable[[str, str], str | None]
"""From method and path of a request to what is done to it; None: nothing."""


class FaultProxy:
    def __init__(self, target: str) -> None:
        self.target = target.removeprefix("http://")
        self.fault: Fault = lambda _method, _path: None
        self.requests: list[tuple[str, str, str | None]] = []  # as they came, and what was done to them
        self.headers: list[tuple[str, dict[str, str]]] = []  # of the same requests, by path
        self.ended = threading.Event()
        handler = type("Handler", (_Handler,), {"proxy": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def __enter__(self) -> FaultProxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def first(count: int, fault: str, method: str, path: str = "") -> Fault:
    """The fault for the first ``count`` requests of the method whose path has this in it."""
    left = [fault] * count
    return lambda m, p: left.pop() if left and m == method and path in p else None


class _Handler(BaseHTTPRequestHandler):
    proxy: FaultProxy
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        body = self._body()
        fault = self.proxy.fault(self.command, self.path)
        self.proxy.requests.append((self.command, self.path, fault))
        self.proxy.headers.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        if fault == "500":
            self._send(500, [], b"<Error><Code>InternalError</Code></Error>", 0)
            return
        if fault == "reset":
            self.close_connection = True
            return
        status, headers, answer = self._forward(body)
        if fault == "late":
            self.proxy.ended.wait(30)
        if fault in ("lost", "late"):
            self.close_connection = True
            return
        self._send(status, headers, answer, len(answer) // 2 if fault == "truncated" else 0)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _answer  # noqa: N815

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "") == "chunked":
            raise AssertionError("the clients we test give the length of what they send")
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(self.proxy.target)
        try:
            connection.request(self.command, self.path, body, dict(self.headers.items()))
            response = connection.getresponse()
            return response.status, response.getheaders(), response.read()
        finally:
            connection.close()

    def _send(self, status: int, headers: list[tuple[str, str]], body: bytes, left_out: int) -> None:
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                self.send_header(name, value)
        length = (
            {name.lower(): value for name, value in headers}.get("content-length") if self.command == "HEAD" else None
        )
        self.send_header("Content-Length", length or str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) - left_out])
        self.close_connection = self.close_connection or left_out > 0

    def log_message(self, format: str, *args: Any) -> None: ...  # noqa: A002
