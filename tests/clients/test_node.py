"""node-postgres with its cursors and streams: what ``node/work.cjs`` prints is what it prints on a real Postgres."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.clients.conftest import Served
from tests.clients.installed import node_command

SCRIPTS = Path(__file__).parent / "node"


def run(script: str, at: Served) -> list[str]:
    command, environment = node_command()
    done = subprocess.run(
        [*command, str(SCRIPTS / script), at.url()],
        env=environment | {"TZ": "UTC"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_script_does_the_same_on_postgres(served: Served, oracle: Served) -> None:
    said = run("work.cjs", served)
    assert said == run("work.cjs", oracle)
    assert len(said) > 30


def test_a_stream_is_read_as_it_comes_and_cancelled(served: Served) -> None:
    assert run("stream.cjs", served) == [
        "[ null ]",
        "-1 null 1 1",
        "-1 1 1 3",
        "-1 3 1 6",
        "57014 canceling statement due to user request",
        "goes on",
    ]
