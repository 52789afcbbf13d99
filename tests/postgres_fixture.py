"""A private, real Postgres to compare answers with: the server the ``pgserver`` wheel ships.

``with start_postgres() as dsn`` runs a fresh cluster on a loopback port in a
temporary directory and removes both. Postgres refuses to run as root, so then
it runs as ``nobody``, from a copy of its programs: root's environment often
lies where nobody else may look. A test that needs it fails where it cannot start: an
oracle that is silently absent proves nothing.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

_SETTINGS = {
    "autovacuum": "off",
    "fsync": "off",
    "listen_addresses": "127.0.0.1",
    "log_min_messages": "fatal",
    "max_connections": "40",
    "shared_buffers": "16MB",
    "timezone": "UTC",
    "unix_socket_directories": "",
}


def postgres_program(name: str) -> Path:
    """Where the wheel keeps ``postgres``, ``initdb``, ``psql``, ``pgbench`` …"""
    spec = find_spec("pgserver")  # not imported: the package warns about the environment when it is
    if spec is None or spec.origin is None:
        raise RuntimeError("pgserver is not installed; it is part of the extra 'dev'")
    return Path(spec.origin).parent / "pginstall" / "bin" / name


@contextmanager
def start_postgres() -> Iterator[str]:
    """A running server's DSN, e.g. ``host=127.0.0.1 port=… user=postgres dbname=postgres``."""
    folder = Path(tempfile.mkdtemp(prefix="constellation-oracle-"))
    try:
        programs = _programs(folder)
        data = folder / "data"
        # Texts in the order of their bytes, upper() and lower() for all letters: what is true of us.
        locale = ("--locale=C", "--lc-ctype=C.UTF-8")
        _run(programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", *locale, "--no-sync")
        port = free_port()
        with (data / "postgresql.auto.conf").open("a") as conf:
            conf.writelines(f"{name} = '{value}'\n" for name, value in (_SETTINGS | {"port": str(port)}).items())
        _run(programs / "pg_ctl", "-D", data, "-l", folder / "log", "-w", "-t", "60", "start", log=folder / "log")
        try:
            yield f"host=127.0.0.1 port={port} user=postgres dbname=postgres"
        finally:
            _run(programs / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _programs(folder: Path) -> Path:
    """The folder of the programs for whoever is going to run them; as root that is ``nobody``, who owns ``folder``."""
    programs = postgres_program("initdb").parent
    if os.geteuid() != 0:
        return programs
    shutil.chown(folder, "nobody")
    packages = programs.parents[2]
    for part in packages.glob("pgserver*"):  # with the libraries beside it, which the programs find by their place
        if part.is_dir():
            shutil.copytree(part, folder / part.name, symlinks=True)
    return folder / programs.relative_to(packages)


def _run(program: Path, *arguments: str | Path, log: Path | None = None) -> None:
    command = [str(program), *map(str, arguments)]
    if os.geteuid() == 0:
        command = ["runuser", "-u", "nobody", "--", *command]
    # Output goes to a file: a daemon that inherits a pipe would keep it open.
    with tempfile.TemporaryFile() as output:
        code = subprocess.call(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/")
        if code != 0:
            output.seek(0)
            more = log.read_text() if log is not None and log.exists() else ""
            raise RuntimeError(f"{program.name} ended with {code}: {output.read().decode()}{more}")
