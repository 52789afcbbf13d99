"""What the commands' options take."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from constellationdb.cli.main import cli


@pytest.mark.parametrize("command", [["sql", "-c", "SELECT 1"], ["tail", "v"]])
def test_a_dsn_of_keywords_is_refused_and_no_directory_is_made(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli, [*command, "--dsn", "host=127.0.0.1 port=5433"])
    assert done.exit_code == 2
    assert '"host=127.0.0.1 port=5433" is not a server: say postgres://' in done.output
    assert list(tmp_path.iterdir()) == []
