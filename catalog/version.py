"""Which Postgres this server says it is: clients choose their queries by these."""

from __future__ import annotations

from constellationdb import __version__

SERVER_VERSION_NUM = 150014
SERVER_VERSION = f"{SERVER_VERSION_NUM // 10_000}.{SERVER_VERSION_NUM % 10_000} (Constellation {__version__})"
VERSION = f"PostgreSQL {SERVER_VERSION}"
