"""Relations are called anything: what a checkpoint has of one is never taken for a part of another."""

from __future__ import annotations

from pathlib import Path

import pytest

from constellationdb.engine import recovery
from constellationdb.engine.blob_names import escaped, group
from constellationdb.engine.engine import Engine
from constellationdb.engine.manifest import Manifest
from tests.unit.engine.statements import run

_NAMES = ("a", "a/b", "a/", "a/1", "a%2Fb", "%", "/", "a/b/1+2", "a+3")


def test_names_with_slashes_come_back(tmp_path: Path) -> None:
    for life in range(3):
        with Engine(tmp_path) as engine:
            session = engine.session()
            for number, name in enumerate(_NAMES):
                if life == 0:
                    run(session, f"CREATE TABLE \"{name}\" (k int PRIMARY KEY, v int) WITH (retain_history = '1 day')")
                    run(
                        session,
                        f'CREATE MATERIALIZED VIEW "{name} v" AS SELECT v, count(*) AS n FROM "{name}" GROUP BY v',
                    )
                    run(session, f'CREATE MATERIALIZED VIEW "v/{name}" AS SELECT max(n) AS m FROM "{name} v"')
                assert run(session, f'SELECT count(*) FROM "{name}"') == [(2 * life,)]
                run(session, f'INSERT INTO "{name}" VALUES ({2 * life}, {number}), ({2 * life + 1}, {number})')
                assert run(session, f'SELECT v, n FROM "{name} v"') == [(number, 2 * life + 2)]
                assert run(session, f'SELECT m FROM "v/{name}"') == [(2 * life + 2,)]
            assert engine.durability.checkpoint() is not None


def test_an_escaped_name_has_no_slash_and_is_no_other_ones() -> None:
    groups = [group("contents", name) for name in _NAMES]
    assert len(set(groups)) == len(_NAMES)
    assert all(name.count("/") == 1 for name in groups)


def test_names_as_an_earlier_release_wrote_them() -> None:
    blobs = {"contents/a/": "1", "contents/a/b/": "2", "contents/a/b/7": "3", "job/a%/4/0/keys": "4"}
    assert list(escaped({**blobs, "contents/ab/": "5"}, ["a", "a/b", "a%", "ab"]).items()) == [
        ("contents/a/", "1"), ("contents/a%2Fb/", "2"), ("contents/a%2Fb/7", "3"), ("job/a%25/4/0/keys", "4"),
        ("contents/ab/", "5"),
    ]  # fmt: skip


def test_a_checkpoint_of_an_earlier_release_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that has the names of blobs as they are, of a view whose name has a slash."""
    from constellationdb.engine import checkpoint_blobs, durability

    with monkeypatch.context() as earlier:
        for module in (checkpoint_blobs, durability, recovery):
            for said in ("group", "group_of"):
                if hasattr(module, said):
                    earlier.setattr(module, said, lambda kind, name: f"{kind}/{name}")
        earlier.setattr(durability, "Manifest", lambda *given, **_: Manifest(*given))
        with Engine(tmp_path) as engine:
            session = engine.session()
            run(session, "CREATE TABLE t (a int)", 'CREATE MATERIALIZED VIEW "x/y" AS SELECT count(*) AS n FROM t')
            run(session, "INSERT INTO t VALUES (1), (2)", "FLUSH")
            assert engine.durability.checkpoint() is not None
    for life in range(2):
        with Engine(tmp_path) as engine:
            session = engine.session()
            assert run(session, 'SELECT n FROM "x/y"') == [(2 + life,)]
            run(session, "INSERT INTO t VALUES (3)")
            assert engine.durability.checkpoint() is not None
