"""Settings: what they take, which layer wins, what a transaction's end and a savepoint bring back."""

from __future__ import annotations

import pytest

from constellationdb import __version__
from constellationdb.catalog.version import CONSTELLATION_VERSION, SERVER_VERSION, SERVER_VERSION_NUM, VERSION
from constellationdb.engine.setting_table import SETTINGS
from constellationdb.engine.settings import Settings, milliseconds
from constellationdb.errors import CannotChangeSetting, FeatureNotSupported, InvalidParameter, UndefinedObject


@pytest.fixture
def settings() -> Settings:
    return Settings("me", {})


def test_every_default_is_a_value_as_it_is_shown() -> None:
    for setting in SETTINGS.values():
        assert setting.read(setting.default, setting.name) == setting.default, setting.name


def test_the_versions_are_one() -> None:
    assert __version__ == CONSTELLATION_VERSION
    assert SERVER_VERSION.split()[0] == f"{SERVER_VERSION_NUM // 10000}.{SERVER_VERSION_NUM % 10000}"
    assert f"PostgreSQL {SERVER_VERSION}" == VERSION
    assert Settings("me", {}).get("server_version_num") == str(SERVER_VERSION_NUM)


@pytest.mark.parametrize(
    ("name", "given", "shown"),
    [
        ("work_mem", "1.5GB", "1536MB"),
        ("work_mem", "4096", "4MB"),
        ("statement_timeout", "1.5s", "1500ms"),
        ("statement_timeout", "90000", "90s"),
        ("statement_timeout", " 3 min ", "3min"),
        ("effective_cache_size", "2", "16kB"),
        ("seq_page_cost", "1e2", "100"),
        ("jit", "tr", "on"),
        ("synchronous_commit", "FALSE", "off"),
        ("TimeZone", "europe/paris", "Europe/Paris"),
        ("timezone", "-3.5", "<-03:30>+03:30"),
        ("datestyle", "DMY", "ISO, DMY"),
        ("client_encoding", "Unicode", "UTF8"),
        ("application_name", "é", "\\xc3\\xa9"),
    ],
)
def test_a_value_has_one_spelling(settings: Settings, name: str, given: str, shown: str) -> None:
    settings.set(name, given)
    assert settings.get(name) == shown
    settings.set(name, shown)
    assert settings.get(name) == shown


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DateStyle", "German"),
        ("IntervalStyle", "iso_8601"),
        ("standard_conforming_strings", "off"),
        ("transform_null_equals", "on"),
        ("client_encoding", "latin1"),
    ],
)
def test_what_would_change_answers_is_refused(settings: Settings, name: str, value: str) -> None:
    before = settings.get(name)
    with pytest.raises(FeatureNotSupported):
        settings.set(name, value)
    assert settings.get(name) == before


def test_what_the_client_asked_for_is_what_reset_brings_back() -> None:
    settings = Settings("me", {"search_path": "a,b", "application_name": "shop"})
    settings.set("application_name", "other")
    settings.set("application_name", None)
    assert settings.get("application_name") == "shop"
    settings.set("search_path", ("x", "Y"))
    assert settings.get("search_path") == 'x, "Y"'
    settings.reset()
    assert settings.get("search_path") == "a,b"


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"nosuch": "1"}, UndefinedObject),
        ({"jit": "x"}, InvalidParameter),
        ({"server_version": "1"}, CannotChangeSetting),
    ],
)
def test_a_client_cannot_ask_for_everything(given: dict[str, str], error: type[Exception]) -> None:
    with pytest.raises(error):
        Settings("me", given)


def test_local_ends_with_the_transaction(settings: Settings) -> None:
    settings.begin()
    settings.set("jit", "off", local=True)
    assert settings.get("jit") == "off"
    settings.end(committed=True)
    assert settings.get("jit") == "on"


def test_set_after_set_local_is_the_later(settings: Settings) -> None:
    settings.begin()
    settings.set("jit", "off", local=True)
    settings.set("jit", "on")
    assert settings.get("jit") == "on"
    settings.set("jit", "off", local=True)
    settings.end(committed=True)
    assert settings.get("jit") == "on"


def test_a_rollback_brings_everything_back_and_counts_as_a_change(settings: Settings) -> None:
    settings.set("application_name", "before")
    settings.begin()
    settings.set("application_name", "within")
    changes = settings.changes
    settings.end(committed=False)
    assert settings.get("application_name") == "before"
    assert settings.changes > changes


def test_a_savepoint_brings_back_both_layers(settings: Settings) -> None:
    settings.begin()
    settings.set("work_mem", "5MB")
    settings.set("jit", "off", local=True)
    mark = settings.mark()
    settings.set("work_mem", "6MB")
    settings.set("jit", "on", local=True)
    settings.back_to(mark)
    assert (settings.get("work_mem"), settings.get("jit")) == ("5MB", "off")
    settings.end(committed=True)
    assert (settings.get("work_mem"), settings.get("jit")) == ("5MB", "on")


def test_all_are_listed_in_order(settings: Settings) -> None:
    settings.set("my.own", "x")
    names = [name for name, _, _ in settings.all()]
    assert names == sorted(names, key=str.lower)
    assert {"my.own", "role", "DateStyle", "transaction_isolation"} <= set(names)


@pytest.mark.parametrize(
    ("shown", "number"), [("0", 0), ("250ms", 250), ("2s", 2000), ("1min", 60_000), ("1d", 86_400_000)]
)
def test_a_time_in_milliseconds(shown: str, number: int) -> None:
    assert milliseconds(shown) == number
