"""The session and the server it talks to: current_user, current_setting(), version(), pg_backend_pid(), …"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from constellationdb.catalog.model import TEMPORARY_SCHEMAS
from constellationdb.engine.pg_catalog.cluster import DATABASE, roles
from constellationdb.errors import InvalidParameter, UndefinedObject

if TYPE_CHECKING:
    from constellationdb.engine.session import Session

_ENCODINGS = {0: "SQL_ASCII", 6: "UTF8", 8: "LATIN1"}
_NUMBERS = {name: number for number, name in _ENCODINGS.items()}


def _user(session: Session) -> str:
    return session.user


def _schemas(session: Session, implicit: bool) -> list[str]:
    path = session.names.path
    return [session.names.shown_schema(oid) for oid in (path.searched if implicit else path.listed)]


def _schema(session: Session) -> str | None:
    """The one that CREATE without a schema creates in."""
    return next(iter(_schemas(session, implicit=False)), None)


def _temporary_schema(session: Session) -> int:
    return TEMPORARY_SCHEMAS + session.pid if session.temporary.used else 0


def _is_others(session: Session, oid: int) -> bool:
    return oid in session.objects.namespaces and oid > TEMPORARY_SCHEMAS and oid != TEMPORARY_SCHEMAS + session.pid


def _setting(session: Session, name: str, missing_ok: bool = False) -> str | None:
    try:
        return session.settings.get(name)
    except UndefinedObject:
        if missing_ok:
            return None
        raise


def _set(session: Session, name: str | None, value: str | None, local: bool | None) -> str:
    if name is None:
        raise InvalidParameter("SET requires parameter name")
    mark = session.settings.mark()
    session.settings.set(name, value, local=bool(local))
    found = session.settings.get(name)
    if local and session.transaction is None:  # which is over with this statement
        session.settings.back_to(mark)
    return found


def _backend_pid(session: Session) -> int:
    return session.pid


def _user_name(session: Session, oid: int) -> str:
    return roles(session).get(oid, f"unknown (OID={oid})")


def _started(session: Session) -> int:
    return session.engine.started_us


def _sleep(session: Session, seconds: float) -> str:
    if seconds > 0:
        session.engine.wait(lambda: False, session.cancelled, seconds)
    return ""


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "current_catalog": lambda _: DATABASE,
    "current_database": lambda _: DATABASE,
    "current_role": _user,
    "current_schema": _schema,
    "current_schemas": _schemas,
    "current_setting": _setting,
    "current_user": _user,
    "gen_random_uuid": lambda _: str(uuid4()),
    "getdatabaseencoding": lambda _: "UTF8",
    "inet_client_addr": lambda session: session.client.address,
    "inet_client_port": lambda session: session.client.port,
    "inet_server_addr": lambda _: None,
    "inet_server_port": lambda _: None,
    "pg_advisory_unlock": lambda *_: False,
    "pg_advisory_unlock_all": lambda _: "",
    "pg_backend_pid": _backend_pid,
    "pg_char_to_encoding": lambda _, name: _NUMBERS.get(name.upper().replace("-", ""), -1),
    "pg_client_encoding": lambda session: session.settings.get("client_encoding"),
    "pg_conf_load_time": _started,
    "pg_encoding_to_char": lambda _, number: _ENCODINGS.get(number, ""),
    "pg_get_userbyid": _user_name,
    "pg_sleep": _sleep,
    "pg_is_in_recovery": lambda _: False,
    "pg_is_other_temp_schema": _is_others,
    "pg_is_wal_replay_paused": lambda _: False,
    "pg_my_temp_schema": _temporary_schema,
    "pg_postmaster_start_time": _started,
    "session_user": _user,
    "set_config": _set,
    "txid_current": lambda session: session.engine.epoch,
    "user": _user,
    "version": lambda session: f"PostgreSQL {session.settings.get('server_version')}",
}
