"""The server of the latency benchmark, in a process of its own: prints its URL, ends with its input."""

from __future__ import annotations

import sys

from constellationdb.cli.running import running


def main() -> None:
    with running(None, "127.0.0.1", 0) as database:
        print(database.url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
