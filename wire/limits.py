"""What one client, and all of them together, may take of the server."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """``message_bytes``: a longer message ends its connection before any of it is kept.

    ``authentication_seconds``: so long may a connection take to introduce itself.
    """

    max_connections: int = 2000
    authentication_seconds: float = 10.0
    message_bytes: int = 256 << 20
