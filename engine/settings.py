"""A session's settings: what SET changes and SHOW prints, and what a ROLLBACK brings back.

    local      SET LOCAL, until the transaction ends
    session    SET
    initial    what the client asked for when it connected, or the server was started with, else the default

Of effect are ``statement_timeout``, the two idle timeouts, ``client_min_messages``
and the transaction's modes; ``setting_values`` refuses what would have to change
an answer and does not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from constellationdb.engine.setting_kinds import Text
from constellationdb.engine.setting_table import SETTINGS, Setting
from constellationdb.errors import (
    CannotChangeSetting,
    InvalidName,
    InvalidParameter,
    UndefinedObject,
)
from constellationdb.planner.syntax.edits import identifier

_SPELLED = {"time zone": "timezone", "names": "client_encoding"}
_NAME = re.compile(r"[a-z_][a-z0-9_$]*(?:\.[a-z_][a-z0-9_$]*)+")
# What a transaction's own setting is while none was said.
_DEFAULTED = {f"transaction_{mode}": f"default_transaction_{mode}" for mode in ("isolation", "read_only", "deferrable")}
_UNITS_MS = {"us": 0.001, "ms": 1, "s": 1_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}


@dataclass(frozen=True)
class Mark:
    """The settings at a savepoint."""

    session: Mapping[str, str]
    local: Mapping[str, str]


class Settings:
    """``changes`` counts up whenever a value may have become another."""

    def __init__(self, user: str, given: Mapping[str, str], server: Mapping[str, str] | None = None) -> None:
        self._user = user
        self._initial = {"session_authorization": user, "role": "none", **(server or {})}
        self._session: dict[str, str] = {}
        self._local: dict[str, str] = {}
        self._before: Mark | None = None  # as they were when the transaction began
        self.changes = 0
        for name, value in given.items():
            self._initial[_key(name)] = self._checked(name, value)

    # -- reading -------------------------------------------------------------------------------

    def get(self, name: str) -> str:
        """The value SHOW prints; 42704 when there is no such setting."""
        key = _key(name)
        for layer in (self._local, self._session, self._initial):
            if key in layer:
                return layer[key]
        if key in _DEFAULTED:
            return self.get(_DEFAULTED[key])
        if key in SETTINGS:
            return SETTINGS[key].default
        raise _unknown(name)

    def title(self, name: str) -> str:
        """The setting's name as Postgres spells it: what the column of a SHOW is called."""
        found = SETTINGS.get(_key(name))
        return _key(name) if found is None else found.name

    def all(self) -> list[tuple[str, str, str]]:
        """Name, value and description of each, in the order of their names."""
        own = {*self._initial, *self._session, *self._local} - set(SETTINGS)
        names = sorted([*(s.name for s in SETTINGS.values()), *own], key=str.lower)
        return [(n, self.get(n), SETTINGS[n.lower()].about if n.lower() in SETTINGS else "") for n in names]

    # -- changing ------------------------------------------------------------------------------

    def set(self, name: str, values: Sequence[str] | str | None, *, local: bool = False) -> None:
        """SET; ``values`` None is SET … TO DEFAULT and RESET. A text is taken as it is, a sequence as SET lists it."""
        key = _key(name)
        setting = SETTINGS.get(key)
        if setting is not None and setting.context != "user":
            raise _fixed(setting)
        if values is None:
            self._known(name)
            value = self._initial.get(key, setting.default if setting is not None else "")
            keep = local and key not in _DEFAULTED
        else:
            value = self._checked(name, values)
            keep = True
        self.changes += 1
        if local or key in _DEFAULTED:
            self._store(self._local, key, value if keep else None)
            return
        self._local.pop(key, None)
        own = setting is None and key not in self._initial  # a name of the user's own stays known, and empty
        self._store(self._session, key, value if values is not None or own else None)

    def check(self, name: str, values: Sequence[str] | str | None) -> None:
        """What ``set`` would raise."""
        if values is None:
            self._known(name)
        else:
            self._checked(name, values)

    def _store(self, layer: dict[str, str], key: str, value: str | None) -> None:
        if value is None:
            layer.pop(key, None)
        else:
            layer[key] = value

    def reset(self) -> None:
        """RESET ALL."""
        self.changes += 1
        kept = {key: value for key, value in self._local.items() if key in _DEFAULTED}
        own = {key: "" for key in {**self._session, **self._local} if "." in key and key not in self._initial}
        self._session, self._local = own, kept

    def _checked(self, name: str, values: Sequence[str] | str) -> str:
        key = _key(name)
        setting = SETTINGS.get(key)
        text = values if isinstance(values, str) else _joined(key, setting, values)
        if key in ("role", "session_authorization"):
            return self._role(key, text)
        if setting is None:
            _check_own(name)
            return text
        if setting.context != "user":
            raise _fixed(setting)
        return setting.read(text, name)

    def _role(self, key: str, name: str) -> str:
        """There is one user to be: oneself."""
        if name == self._user or (key == "role" and name == "none"):
            return name
        raise InvalidParameter(f'role "{name}" does not exist')

    def _known(self, name: str) -> None:
        key = _key(name)
        if key not in SETTINGS and key not in self._initial and "." not in key:
            raise _unknown(name)

    # -- transactions --------------------------------------------------------------------------

    def begin(self) -> None:
        """A transaction begins: a ROLLBACK brings back what was set now."""
        self._before = self.mark()

    def mark(self) -> Mark:
        return Mark(dict(self._session), dict(self._local))

    def back_to(self, mark: Mark) -> None:
        """ROLLBACK TO the savepoint that ``mark`` was made at."""
        self.changes += 1
        self._session, self._local = dict(mark.session), dict(mark.local)

    def end(self, *, committed: bool) -> None:
        """It ends, and with it what SET LOCAL said."""
        if not committed and self._before is not None and self._before.session != self._session:
            self._session = dict(self._before.session)
            self.changes += 1
        self._before = None
        if self._local:
            self.changes += 1
            self._local.clear()


def milliseconds(value: str) -> int:
    """A time setting as ``SHOW`` prints it, in milliseconds; 0 is no limit."""
    if value == "0":
        return 0
    found = re.fullmatch(r"(\d+)(us|ms|s|min|h|d)?", value)
    assert found is not None, value
    return round(int(found[1]) * _UNITS_MS[found[2] or "ms"])


def _joined(key: str, setting: Setting | None, values: Sequence[str]) -> str:
    """What SET lists, as one text; in a list of names each is quoted where it has to be."""
    if key in ("search_path", "temp_tablespaces"):
        return ", ".join(identifier(value) for value in values)
    listed = setting is None or (isinstance(setting.kind, Text) and setting.kind.listed)
    if len(values) > 1 and not listed:
        raise InvalidParameter(f"SET {key} takes only one argument")
    return ", ".join(values)


def _key(name: str) -> str:
    lowered = name.lower()
    return _SPELLED.get(lowered, lowered)


def _fixed(setting: Setting) -> CannotChangeSetting:
    more = " without restarting the server" if setting.context == "server" else ""
    return CannotChangeSetting(f'parameter "{setting.name}" cannot be changed{more}')


def _unknown(name: str) -> UndefinedObject:
    return UndefinedObject(f'unrecognized configuration parameter "{name}"')


def _check_own(name: str) -> None:
    """A name of the user's own has a dot in it."""
    if "." not in name:
        raise _unknown(name)
    if _NAME.fullmatch(name.lower()) is None:
        raise InvalidName(
            f'invalid configuration parameter name "{name}"',
            detail="Custom parameter names must be two or more simple identifiers separated by dots.",
        )
