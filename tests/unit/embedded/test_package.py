"""What ``import constellationdb`` costs, and what it exports."""

import subprocess
import sys

import pytest

import constellationdb
from constellationdb import embedded

_HEAVY = ("numba", "pyarrow", "datafusion", "numpy", "psycopg", "pglast", "rocksdict")


def _loaded_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*(name for name in {_HEAVY!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert _loaded_by("import constellationdb; constellationdb.__version__; dir(constellationdb)") == set()


def test_the_command_line_loads_nothing_heavy_before_a_command_runs() -> None:
    assert _loaded_by("import constellationdb.cli.main") == set()


@pytest.mark.parametrize("module", ["cli.tailing", "cli.slt.engines", "embedded.remote"])
def test_what_talks_to_a_server_loads_no_engine(module: str) -> None:
    assert "datafusion" not in _loaded_by(f"import constellationdb.{module}")


def test_connect_loads_what_it_needs() -> None:
    # so that the tests above would notice
    assert {"pyarrow", "numba", "datafusion"} <= _loaded_by("import constellationdb; constellationdb.connect().close()")


@pytest.mark.parametrize("name", [name for name in constellationdb.__all__ if name != "__version__"])
def test_every_exported_name_is_there(name: str) -> None:
    assert getattr(constellationdb, name) is getattr(embedded, name)


def test_all_is_what_dir_shows() -> None:
    assert dir(constellationdb) == sorted(constellationdb.__all__)
    assert set(embedded.__all__) == set(constellationdb.__all__) - {"__version__"}


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = constellationdb.nothing
