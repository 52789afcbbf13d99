"""How to get to a Postgres server, and which table is meant."""

from __future__ import annotations

from typing import Any

from constellationdb.connectors.options import Option, Settings
from constellationdb.connectors.postgres_sql import quote
from constellationdb.errors import InvalidParameter

CONNECTION_OPTIONS = (
    Option("dsn", secret=True),
    Option("connection", secret=True),
    Option("host"),
    Option("port", "integer", minimum=1, maximum=65_535),
    Option("user"),
    Option("password", secret=True),
    Option("dbname"),
    Option("sslmode", "choice", choices=("disable", "allow", "prefer", "require", "verify-ca", "verify-full")),
    Option("table", required=True),
    Option("schema"),
    Option("connect_timeout", "duration", "5s", minimum=1),
)
# A server that vanished without a word would otherwise hold its connection for minutes; seconds, but for the last.
_NOTICE_A_DEAD_PEER = {
    "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 15_000,
}  # fmt: skip


def table_of(settings: Settings) -> str:
    """The quoted name; ``sales.products`` is a schema and a table when no schema is given apart."""
    name, schema = settings.text("table"), settings.text_or_none("schema")
    if schema is None and "." in name:
        schema, name = name.split(".", 1)
    return quote(name) if schema is None else f"{quote(schema)}.{quote(name)}"


def conninfo_of(settings: Settings) -> tuple[str, str | None]:
    """The connection string and its password; both from dsn and from the options beside it, which win."""
    import psycopg
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    if settings.has("dsn") and settings.has("connection"):
        raise InvalidParameter('options "dsn" and "connection" of connector "postgres" mean the same: give one')
    dsn = settings.text_or_none("dsn") or settings.text_or_none("connection") or ""
    given: dict[str, Any] = {
        name: settings.values[name]
        for name in ("host", "port", "user", "password", "dbname", "sslmode")
        if settings.has(name)
    }
    timeout_s = max(settings.integer("connect_timeout") // 1_000_000, 1)
    try:
        there = conninfo_to_dict(dsn)
        alive = {name: value for name, value in _NOTICE_A_DEAD_PEER.items() if name not in there}
        conninfo = make_conninfo(dsn, connect_timeout=timeout_s, application_name="constellation", **alive, **given)
        password = conninfo_to_dict(conninfo).get("password")
    except psycopg.Error:
        # the driver's own message quotes the text, password and all
        raise InvalidParameter(
            'invalid value for option "dsn" of connector "postgres"',
            hint="expected a connection string like host=… dbname=… user=… or postgresql://user@host/dbname",
        ) from None
    return conninfo, str(password) if password else None
