"""The prompt, with keys from a pipe."""

import threading
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput
from rich.console import Console

from constellationdb.cli.shell.live import Contents, watch
from constellationdb.cli.shell.terminal import talk
from constellationdb.embedded import connect
from tests.unit.cli.shell.conftest import Typed

CTRL_C, CTRL_D, ENTER = "\x03", "\x04", "\r"


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PipeInput]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        yield keys


def _lines(typed: Typed) -> list[str]:
    return [line.strip() for line in typed.out.getvalue().splitlines()]


def test_a_statement_may_take_several_lines_and_ctrl_d_leaves(typed: Typed, keys: PipeInput) -> None:
    keys.send_text(f"SELECT 40 +{ENTER}2 AS answer;{ENTER}{CTRL_D}")
    talk(typed.shell)
    assert [_lines(typed)[i] for i in (1, 3, 4)] == ["answer", "42", "(1 row)"]


def test_ctrl_c_drops_what_is_typed(typed: Typed, keys: PipeInput) -> None:
    keys.send_text(f"SELECT 'dropped',{ENTER}{CTRL_C}SELECT 'kept' AS s;{ENTER}\\q{ENTER}")
    talk(typed.shell)
    assert "dropped" not in typed.out.getvalue()
    assert "kept" in _lines(typed)


def test_the_history_is_kept_in_a_file_of_the_users_own(typed: Typed, keys: PipeInput, tmp_path: Path) -> None:
    keys.send_text(f"SELECT 1 AS first;{ENTER}{CTRL_D}")
    talk(typed.shell)
    file = tmp_path / "state" / "constellation" / "history"
    assert "SELECT 1 AS first;" in file.read_text()
    assert file.stat().st_mode & 0o077 == 0


def test_data_of_copy_is_typed_line_by_line(typed: Typed, keys: PipeInput) -> None:
    typed("CREATE TABLE t (a int, b text);")
    keys.send_text(f"COPY t FROM STDIN;{ENTER}1\tone; or{ENTER}2\ttwo{ENTER}\\.{ENTER}{CTRL_D}")
    talk(typed.shell)
    assert "COPY 2" in _lines(typed)
    assert typed.shell.database.sql("SELECT * FROM t ORDER BY a").fetchall() == [(1, "one; or"), (2, "two")]


def test_ctrl_c_ends_the_data_and_nothing_is_copied(typed: Typed, keys: PipeInput) -> None:
    typed("CREATE TABLE t (a int);")
    keys.send_text(f"COPY t FROM STDIN;{ENTER}1{ENTER}{CTRL_C}SELECT count(*) AS n FROM t;{ENTER}{CTRL_D}")
    talk(typed.shell)
    assert "nothing is copied" in _lines(typed)
    assert "0" in _lines(typed)


def test_an_edited_statement_comes_back_to_the_prompt(
    typed: Typed, keys: PipeInput, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nsed -i s/before/behind/ $1\n")
    editor.chmod(0o700)
    monkeypatch.setenv("EDITOR", str(editor))
    monkeypatch.delenv("VISUAL", raising=False)
    keys.send_text(f"SELECT 'before' AS s;{ENTER}\\e{ENTER}{ENTER}{CTRL_D}")
    talk(typed.shell)
    assert [line for line in _lines(typed) if line in ("before", "behind")] == ["before", "behind"]


@pytest.mark.parametrize("leaving", ["q", CTRL_C])
def test_a_live_tail_shows_the_contents_until_a_key_is_pressed(typed: Typed, keys: PipeInput, leaving: str) -> None:
    typed("CREATE TABLE stock (item text PRIMARY KEY, n int);\nINSERT INTO stock VALUES ('tea', 3), ('mug', 1);")
    out = StringIO()
    screen = Console(file=out, width=60, height=20, force_terminal=True, color_system=None)
    _press_when(keys, lambda: "mug" in out.getvalue(), leaving)
    watch(typed.shell.database, "stock", screen)
    left_behind = out.getvalue().rpartition("stock at epoch ")[2].splitlines()
    assert left_behind[0].rstrip().endswith(": 2 rows")
    rows = [line.split() for line in left_behind if line.split()]
    assert sorted(rows[-2:]) == [["mug", "1"], ["tea", "3"]]


def test_a_live_tail_of_nothing_is_an_error(typed: Typed, keys: PipeInput) -> None:  # noqa: ARG001 (a keyboard)
    assert typed("\\tail nothing") == ['ERROR:  relation "nothing" does not exist (42P01, CON-1002)']


def test_contents_follow_the_changes() -> None:
    contents = Contents()
    with connect() as database:
        database.execute("CREATE SOURCE readings (name text, n int)")
        database.execute("CREATE MATERIALIZED VIEW counted AS SELECT n, name FROM readings")
        database.execute("INSERT INTO readings VALUES ('a', 1), ('a', 1), (NULL, 2)")
        with database.subscribe("counted") as subscription:
            first = subscription.next(20.0)
            assert first is not None
            contents.apply(first)
    assert sorted(contents.table(10).to_pylist(), key=str) == [
        {"n": 1, "name": "a"}, {"n": 1, "name": "a"}, {"n": 2, "name": None},
    ]  # fmt: skip
    assert (len(contents), contents.table(2).num_rows, contents.epoch) == (3, 2, first.epoch)


def _press_when(keys: PipeInput, seen: Callable[[], bool], key: str) -> None:
    def press() -> None:
        while not seen():
            threading.Event().wait(0.02)
        keys.send_text(key)

    threading.Thread(target=press, daemon=True).start()
