"""varchar(n) where no SQL script goes: COPY, the embedded insert, and after a restart."""

from __future__ import annotations

from pathlib import Path

import pytest

import constellationdb
from constellationdb.engine.engine import Engine
from constellationdb.errors import FeatureNotSupported, StringTooLong


def test_copy_fits_texts() -> None:
    engine = Engine().start()
    try:
        session = engine.session()
        list(session.execute("CREATE TABLE t (a varchar(3))"))
        for text, fits in ((b"abc  \n", True), (b"abcd\n", False)):
            sink = next(iter(session.execute("COPY t FROM STDIN"))).copy_in
            assert sink is not None
            sink.write(text)
            if fits:
                assert sink.finish() == "COPY 1"
            else:
                with pytest.raises(StringTooLong, match=r"value too long for type character varying\(3\)"):
                    sink.finish()
    finally:
        engine.close()


def test_the_length_survives_a_restart(tmp_path: Path) -> None:
    with constellationdb.connect(tmp_path / "db") as database:
        database.execute("CREATE TABLE t (a varchar(3))")
    with constellationdb.connect(tmp_path / "db") as database:
        database.insert("t", [("abc ",)])
        with pytest.raises(StringTooLong):
            database.insert("t", [("abcd",)])
        with pytest.raises(StringTooLong):
            database.execute("INSERT INTO t VALUES ('abcd')")
        assert database.answers("SELECT a FROM t")[0].table().to_pydict() == {"a": ["abc"]}


def test_character_n_is_refused() -> None:
    with constellationdb.connect() as database, pytest.raises(FeatureNotSupported, match="character\\(n\\)"):
        database.execute("CREATE TABLE t (a char(2))")
