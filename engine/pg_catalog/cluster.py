"""The one database, its roles and settings, as a session sees them."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from constellationdb.catalog.catalog import FIRST_OID
from constellationdb.catalog.postgres import rows
from constellationdb.engine.pg_catalog.objects import OWNER
from constellationdb.engine.setting_kinds import Boolean, Choice, Number
from constellationdb.engine.setting_table import SETTINGS

if TYPE_CHECKING:
    from constellationdb.engine.session import Session

Row = dict[str, Any]

OWNER_NAME = DATABASE = "constellation"
DATABASE_OID = 5
_OTHER_USER = FIRST_OID - 1  # whoever connects by another name
_DEFAULT_SPACE, _UTF8 = 1663, 6
_CAN = ("rolsuper", "rolinherit", "rolcreaterole", "rolcreatedb", "rolcanlogin", "rolreplication", "rolbypassrls")


def roles(session: Session) -> dict[int, str]:
    """Those of Postgres, the owner of everything, and the session's user."""
    found = {int(row["oid"]): row["rolname"] for row in rows.texts("pg_authid")} | {OWNER: OWNER_NAME}
    if session.user not in found.values():
        found[_OTHER_USER] = session.user
    return found


def pg_authid(session: Session) -> Iterator[Row]:
    for oid in (OWNER, _OTHER_USER):
        name = roles(session).get(oid)
        if name is not None:
            yield {"oid": oid, "rolname": name, "rolconnlimit": -1} | dict.fromkeys(_CAN, True)


def pg_roles(session: Session) -> Iterator[Row]:
    known = [
        {"oid": int(row["oid"]), "rolname": row["rolname"], "rolconnlimit": int(row["rolconnlimit"])}
        | {name: rows.truth(row[name]) for name in _CAN}
        for row in rows.texts("pg_authid")
    ]
    for row in [*pg_authid(session), *known]:
        yield row | {"rolpassword": "********"}


def pg_user(session: Session) -> Iterator[Row]:
    for row in pg_authid(session):
        yield {
            "usename": row["rolname"], "usesysid": row["oid"], "usecreatedb": True, "usesuper": True, "userepl": True,
            "usebypassrls": True, "passwd": "********",
        }  # fmt: skip


def pg_shadow(session: Session) -> Iterator[Row]:
    for row in pg_user(session):
        yield row | {"passwd": None}


def pg_group(_: Session) -> Iterator[Row]:
    """The roles that cannot log in."""
    for row in rows.texts("pg_authid"):
        yield {"groname": row["rolname"], "grosysid": int(row["oid"]), "grolist": _members(row["oid"])}


def _members(role: str) -> list[int]:
    return [int(row["member"]) for row in rows.texts("pg_auth_members") if row["roleid"] == role]


def pg_database(_: Session) -> Iterator[Row]:
    yield {
        "oid": DATABASE_OID, "datname": DATABASE, "datdba": OWNER, "encoding": _UTF8, "datlocprovider": "c",
        "datistemplate": False, "datallowconn": True, "datconnlimit": -1, "datfrozenxid": 0, "datminmxid": 0,
        "dattablespace": _DEFAULT_SPACE, "datcollate": "C", "datctype": "C.UTF-8",
    }  # fmt: skip


def pg_settings(session: Session) -> Iterator[Row]:
    for name, value, about in session.settings.all():
        setting = SETTINGS.get(name.lower())
        kind = None if setting is None else setting.kind
        first = value if setting is None else setting.default
        row: Row = {
            "name": name, "setting": value, "category": "Client Connection Defaults", "short_desc": about,
            "context": _CONTEXTS[setting.context if setting is not None else "user"], "vartype": "string",
            "source": "default" if value == first else "session", "boot_val": first, "reset_val": first,
            "pending_restart": False,
        }  # fmt: skip
        match kind:
            case Boolean():
                row["vartype"] = "bool"
            case Choice(offered):
                row |= {"vartype": "enum", "enumvals": list(offered)}
            case Number(least, most, unit, whole):
                row |= {
                    "vartype": "integer" if whole else "real", "unit": unit or None, "min_val": f"{least:.15g}",
                    "max_val": f"{most:.15g}", "setting": kind.bare(value), "boot_val": kind.bare(first),
                    "reset_val": kind.bare(first),
                }  # fmt: skip
        yield row


_CONTEXTS = {"user": "user", "internal": "internal", "server": "postmaster"}


def enabled_roles(session: Session) -> Iterator[Row]:
    for name in roles(session).values():
        yield {"role_name": name}


def applicable_roles(_: Session) -> Iterator[Row]:
    """Who is a member of which role."""
    names = {row["oid"]: row["rolname"] for row in rows.texts("pg_authid")}
    for row in rows.texts("pg_auth_members"):
        yield {"grantee": names[row["member"]], "role_name": names[row["roleid"]], "is_grantable": "NO"}


def pg_timezone_names(session: Session) -> Iterator[Row]:
    """Offsets are those of now."""
    now = datetime.fromtimestamp(session.engine.clock.now_us() / 1e6, UTC)
    for name in sorted(zoneinfo.available_timezones()):
        local = now.astimezone(zoneinfo.ZoneInfo(name))
        yield {"name": name, "abbrev": local.tzname(), "utc_offset": local.utcoffset(), "is_dst": bool(local.dst())}
