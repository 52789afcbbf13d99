"""A session's settings: what SET changes and SHOW prints."""

from __future__ import annotations

from constellationdb.errors import UndefinedObject

DEFAULTS = {
    "application_name": "",
    "bytea_output": "hex",
    "client_encoding": "UTF8",
    "client_min_messages": "notice",
    "datestyle": "ISO, MDY",
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "extra_float_digits": "1",
    "idle_in_transaction_session_timeout": "0",
    "integer_datetimes": "on",
    "intervalstyle": "postgres",
    "is_superuser": "on",
    "lock_timeout": "0",
    "search_path": '"$user", public',
    "server_encoding": "UTF8",
    "server_version": "15.0 (Constellation 0.1.0)",
    "server_version_num": "150000",
    "standard_conforming_strings": "on",
    "statement_timeout": "0",
    "synchronous_commit": "on",
    "timezone": "UTC",
    "transaction_isolation": "read committed",
    "transaction_read_only": "off",
}
_SPELLED = {"time zone": "timezone", "session_authorization": "session_authorization", "names": "client_encoding"}


class Settings:
    def __init__(self, user: str, given: dict[str, str]) -> None:
        self._initial = DEFAULTS | {"session_authorization": user}
        self._initial |= {_key(k): v for k, v in given.items() if _key(k) in DEFAULTS}
        self._values: dict[str, str] = {}
        self._local: dict[str, str] = {}

    def get(self, name: str) -> str:
        key = _key(name)
        for layer in (self._local, self._values, self._initial):
            if key in layer:
                return layer[key]
        raise UndefinedObject(f'unrecognized configuration parameter "{name}"')

    def set(self, name: str, value: str | None, *, local: bool) -> None:
        key = _key(name)
        if key == "all" and value is None:
            self._values.clear()
            return
        if key not in self._initial and "." not in key:
            raise UndefinedObject(f'unrecognized configuration parameter "{name}"')
        layer = self._local if local else self._values
        if value is None:
            layer.pop(key, None)
        else:
            layer[key] = value

    def end_transaction(self) -> None:
        self._local.clear()

    def all(self) -> dict[str, str]:
        return dict(sorted((self._initial | self._values | self._local).items()))


def _key(name: str) -> str:
    lowered = name.lower()
    return _SPELLED.get(lowered, lowered)
