"""A session's settings: what SET changes and SHOW prints."""

from __future__ import annotations

import re

from constellationdb.errors import InvalidParameter, UndefinedObject

DEFAULTS = {
    "application_name": "",
    "bytea_output": "hex",
    "client_encoding": "UTF8",
    "client_min_messages": "notice",
    "datestyle": "ISO, MDY",
    "default_table_access_method": "heap",
    "default_transaction_isolation": "repeatable read",
    "default_transaction_read_only": "off",
    "extra_float_digits": "1",
    "idle_in_transaction_session_timeout": "0",
    "integer_datetimes": "on",
    "intervalstyle": "postgres",
    "is_superuser": "on",
    "jit": "on",
    "lock_timeout": "0",
    "max_index_keys": "32",
    "search_path": '"$user", public',
    "server_encoding": "UTF8",
    "server_version": "15.0 (Constellation 0.1.0)",
    "server_version_num": "150000",
    "standard_conforming_strings": "on",
    "statement_timeout": "0",
    "synchronous_commit": "on",
    "timezone": "UTC",
}
_TIMES = frozenset({"statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"})
_UNITS_MS = {"us": 0.001, "ms": 1, "s": 1_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*(us|ms|s|min|h|d)?")
_SPELLED = {"time zone": "timezone", "session_authorization": "session_authorization", "names": "client_encoding"}
# What a transaction's own setting is while none was said.
_DEFAULTED = {name: f"default_{name}" for name in ("transaction_isolation", "transaction_read_only")}


class Settings:
    def __init__(self, user: str, given: dict[str, str]) -> None:
        self._initial = DEFAULTS | {"session_authorization": user}
        self._initial |= {_key(k): v for k, v in given.items() if _key(k) in DEFAULTS}
        self._values: dict[str, str] = {}
        self._local: dict[str, str] = {}
        self._before: dict[str, str] | None = None  # values as they were when the transaction began

    def get(self, name: str) -> str:
        key = _key(name)
        for layer in (self._local, self._values, self._initial):
            if key in layer:
                return layer[key]
        if key in _DEFAULTED:
            return self.get(_DEFAULTED[key])
        raise UndefinedObject(f'unrecognized configuration parameter "{name}"')

    def set(self, name: str, value: str | None, *, local: bool) -> None:
        key = _key(name)
        if key == "all" and value is None:
            self._values.clear()
            return
        if key not in self._initial and key not in _DEFAULTED and "." not in key:
            raise UndefinedObject(f'unrecognized configuration parameter "{name}"')
        if key.endswith("transaction_isolation") and value is not None:
            value = _isolation(value)
        if key in _TIMES and value is not None:
            value = _time(key, value)
        layer = self._local if local or key in _DEFAULTED else self._values
        if value is None:
            layer.pop(key, None)
        else:
            layer[key] = value

    def begin(self) -> None:
        """A transaction begins: a ROLLBACK brings back what was set now."""
        self._before = dict(self._values)

    def end(self, *, committed: bool) -> None:
        """It ends, and with it what SET LOCAL said."""
        if not committed and self._before is not None:
            self._values = self._before
        self._before = None
        self._local.clear()

    def all(self) -> dict[str, str]:
        defaulted = {name: self.get(name) for name in _DEFAULTED}
        return dict(sorted((self._initial | self._values | self._local | defaulted).items()))


def milliseconds(value: str) -> int:
    """A time setting as ``SHOW`` prints it, in milliseconds; 0 is no limit."""
    found = _TIME.fullmatch(value.strip().lower())
    if found is None:
        raise ValueError(value)
    return round(float(found[1]) * _UNITS_MS[found[2] or "ms"])


def _time(key: str, value: str) -> str:
    """As Postgres prints it: in the largest unit that keeps it whole."""
    try:
        number = milliseconds(value)
    except ValueError:
        raise InvalidParameter(
            f'invalid value for parameter "{key}": "{value}"',
            hint='Valid units for this parameter are "us", "ms", "s", "min", "h", and "d".',
        ) from None
    for unit in ("d", "h", "min", "s"):
        if number and number % _UNITS_MS[unit] == 0:
            return f"{round(number / _UNITS_MS[unit])}{unit}"
    return f"{number}ms" if number else "0"


def _key(name: str) -> str:
    lowered = name.lower()
    return _SPELLED.get(lowered, lowered)


def _isolation(level: str) -> str:
    known = level.lower()
    if known in ("serializable", "repeatable read", "read committed"):
        return known
    if known == "read uncommitted":
        return "read committed"
    raise InvalidParameter(f'invalid value for parameter "transaction_isolation": "{level}"')
