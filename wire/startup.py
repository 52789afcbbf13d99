"""What a client says first and what it is told: who, which database, which settings."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from constellationdb.catalog.version import SERVER_VERSION
from constellationdb.engine.result import SessionProtocol
from constellationdb.engine.sessions import Client
from constellationdb.errors import (
    FeatureNotSupported,
    InvalidParameter,
    ProtocolViolation,
    UndefinedDatabase,
    UndefinedObject,
)
from constellationdb.wire.messages import Startup

DATABASES = ("constellation", "postgres")

# Reported at startup, and again when a statement changed one. A session that knows better overrides the value.
REPORTED = {
    "application_name": "",
    "client_encoding": "UTF8",
    "DateStyle": "ISO, MDY",
    "default_transaction_read_only": "off",
    "in_hot_standby": "off",
    "integer_datetimes": "on",
    "IntervalStyle": "postgres",
    "is_superuser": "on",
    "server_encoding": "UTF8",
    "server_version": SERVER_VERSION,
    "session_authorization": "",
    "standard_conforming_strings": "on",
    "TimeZone": "UTC",
}

_ENCODINGS = ("utf8", "unicode")


class SessionFactory(Protocol):
    """What the wire needs of an engine. Called from the connection's own thread."""

    def session(self, user: str, database: str, settings: dict[str, str], client: Client) -> SessionProtocol: ...


@dataclass(frozen=True)
class Introduction:
    user: str
    database: str
    settings: dict[str, str]


def introduction(startup: Startup) -> Introduction:
    """Who connects to what; raises what ends the connection before it began."""
    settings = dict(startup.parameters)
    user = settings.pop("user", "")
    if not user:
        raise ProtocolViolation("no user name specified in startup packet")
    # A client that names no database means the one called like the user; here that is the only one there is.
    database = settings.pop("database", "") or user
    if database not in (*DATABASES, user):
        raise UndefinedDatabase(
            f'database "{database}" does not exist', hint='connect to "constellation", the only database here'
        )
    if settings.pop("replication", "false").lower() not in ("false", "off", "no", "0"):
        raise FeatureNotSupported("replication connections are not supported", hint="use SUBSCRIBE in an ordinary one")
    settings |= _options(settings.pop("options", ""))
    if "client_encoding" in settings:
        settings["client_encoding"] = _encoding(settings["client_encoding"])
    return Introduction(user, database if database in DATABASES else DATABASES[0], settings)


def _options(text: str) -> dict[str, str]:
    """``-c name=value`` and ``--name=value``, as libpq's ``options`` and PGOPTIONS carry them."""
    try:
        words = iter(shlex.split(text))
    except ValueError as problem:
        raise InvalidParameter(f"cannot read the startup options: {problem}") from problem
    found: dict[str, str] = {}
    for word in words:
        assignment = next(words, "") if word == "-c" else word.removeprefix("--").removeprefix("-c")
        name, equals, value = assignment.partition("=")
        if not equals or word[:1] != "-":
            raise InvalidParameter(f'invalid startup option "{word}"', hint="write options as -c name=value")
        found[name.replace("-", "_")] = value
    return found


def _encoding(name: str) -> str:
    if re.sub(r"[^a-z0-9]", "", name.lower()) not in _ENCODINGS:
        raise InvalidParameter(f'client encoding "{name}" is not supported', hint="set client_encoding to UTF8")
    return "UTF8"


def reported_settings(session: SessionProtocol, user: str, settings: dict[str, str]) -> Iterator[tuple[str, str]]:
    """The value of every reported setting, the session's own where it has one."""
    known = REPORTED | {"session_authorization": user, "application_name": settings.get("application_name", "")}
    for name, default in known.items():
        try:
            yield name, session.setting(name)
        except UndefinedObject:
            yield name, default
