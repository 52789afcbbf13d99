"""``constellation demo --check``: right as it is, and wrong as soon as one row is."""

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from constellationdb.cli.demo_oracle import Rows
from constellationdb.cli.market.checked import expected
from constellationdb.cli.market.demo import check
from constellationdb.errors import InvalidParameter
from tests.e2e.conftest import PATIENCE_S


def test_the_views_agree_with_the_oracle() -> None:
    out = StringIO()
    assert check(None, 0, 3.0, Console(file=out, width=200)) == 0, out.getvalue()
    assert "all 4 views agree" in out.getvalue()


def test_one_row_too_few_is_found_and_nothing_else_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    view = "bars_10s"
    monkeypatch.setattr("constellationdb.cli.market.checked._PATIENCE_S", 2.0)

    def corrupted(limit: int, cuts: list[int]) -> Mapping[str, Rows]:
        answers = {name: Counter(rows) for name, rows in expected(limit, cuts).items()}
        answers[view] -= Counter([next(iter(answers[view]))])
        return answers

    out = StringIO()
    assert check(None, 0, 1.0, Console(file=out, width=200), corrupted) == 1
    assert f"{view}: unexpected (" in out.getvalue()
    assert "1 views differ" in out.getvalue()


def test_a_directory_with_earlier_trades_is_not_checked(tmp_path: Path) -> None:
    quiet = Console(file=StringIO())
    assert check(tmp_path / "d", 0, 0.5, quiet) == 0
    with pytest.raises(InvalidParameter, match="holds trades of an earlier run"):
        check(tmp_path / "d", 0, 0.5, quiet)


def test_the_live_demo_survives_kill_9(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "constellationdb", "demo", "--dir", str(tmp_path / "d"), "--port", "0"]

    def run(lines_of_trades: int, number: signal.Signals) -> tuple[list[str], list[int], int]:
        """What it says first, the trades it counts then, and how it ends."""
        said: list[str] = []
        trades: list[int] = []
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo:
            assert demo.stdout is not None
            for line in demo.stdout:
                if " trades, " not in line:
                    said.append(line.strip())
                    continue
                trades.append(int(line.partition(" ")[0].replace(",", "")))
                if len(trades) == lines_of_trades:
                    break
            demo.send_signal(number)
            return said, trades, demo.wait(PATIENCE_S)

    said, before, _ = run(3, signal.SIGKILL)
    assert any("psql -h 127.0.0.1 -p" in line for line in said)
    assert any("COPY (SUBSCRIBE big_moves) TO STDOUT;" in line for line in said)
    said, after, code = run(2, signal.SIGTERM)
    assert any("restored" in line for line in said), said
    assert after[0] >= before[-1] > 0
    assert after[1] > after[0]
    assert code == 0
