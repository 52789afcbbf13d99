"""The server of the latency benchmark, in a process of its own: prints its URL, ends with its input."""

from __future__ import annotations

import sys

from constellationdb.engine.engine import Engine
from constellationdb.server.listener import Server


def main() -> None:
    with Engine() as engine, Server(engine, "127.0.0.1", 0) as server:
        host, port = server.address
        print(f"postgres://bench@{host}:{port}/constellation", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
