"""Which Postgres this server says it is: clients choose their queries by these."""

from __future__ import annotations

CONSTELLATION_VERSION = "0.1.0"  # the package's; a layer this low cannot ask the package itself
SERVER_VERSION_NUM = 150014
_NUMBER = f"{SERVER_VERSION_NUM // 10_000}.{SERVER_VERSION_NUM % 10_000}"
SERVER_VERSION = f"{_NUMBER} (Constellation {CONSTELLATION_VERSION})"
VERSION = f"PostgreSQL {SERVER_VERSION}"
