"""What jit promises of the cache and of start-up, each tried in a fresh interpreter."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from constellationdb import errors, jit

_LOW = """
from constellationdb.jit import inlined
@inlined
def step(x):
    return x + {step}
"""
_HIGH = """
from constellationdb.demo.kernels.low import step
from constellationdb.jit import kernel
@kernel("i64(const i64[])")
def walk(values):
    total = 0
    for i in range(len(values)):
        total += step(values[i])
    return total
"""
_RUN = """
import numpy as np
from constellationdb import jit
jit.compile_all()
from constellationdb.demo.kernels.high import walk
print(walk(np.array([1, 2, 3])), len(jit.compiled_kernels()), len(jit.loaded_kernels()))
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A small package around the real jit, with one kernel that inlines another file's function."""
    package = tmp_path / "constellationdb"
    kernels = package / "demo" / "kernels"
    kernels.mkdir(parents=True)
    for module in (errors, jit):
        assert module.__file__ is not None
        shutil.copy(module.__file__, package)
    for folder in (package, package / "demo", kernels):
        (folder / "__init__.py").touch()
    (kernels / "low.py").write_text(_LOW.format(step=2))
    (kernels / "high.py").write_text(_HIGH)
    return package


def _python(code: str, folder: Path | None = None, cache: Path | None = None) -> str:
    """What ``code`` prints in an interpreter that finds the package in ``folder``."""
    environment = dict(os.environ)
    if folder is not None:
        environment["PYTHONPATH"] = str(folder)
    if cache is not None:
        environment["CONSTELLATION_CACHE_DIR"] = str(cache)
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment, cwd=folder
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


def test_the_second_start_takes_every_kernel_from_the_cache(package: Path, tmp_path: Path) -> None:
    assert _python(_RUN, tmp_path, tmp_path / "cache") == "12 1 0"
    assert _python(_RUN, tmp_path, tmp_path / "cache") == "12 0 1"
    assert not [file for file in package.rglob("*") if file.suffix in (".nbi", ".nbc")]


def test_a_changed_function_never_survives_in_a_kernel_that_inlined_it(package: Path, tmp_path: Path) -> None:
    assert _python(_RUN, tmp_path, tmp_path / "cache") == "12 1 0"
    low = package / "demo" / "kernels" / "low.py"
    before = low.stat()
    low.write_text(_LOW.format(step=9))
    os.utime(low, (before.st_atime, before.st_mtime + 2))  # else Python's own bytecode cache may keep the old text
    assert _python(_RUN, tmp_path, tmp_path / "cache") == "33 1 0"


def test_a_cache_that_cannot_be_written_only_costs_time(package: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert _python(_RUN, tmp_path, tmp_path / "cache") == "12 1 0"
    assert package.exists()


def test_the_digest_names_the_text_of_every_kernel(package: Path) -> None:
    first = jit.source_digest(package)
    assert jit.source_digest(package) == first
    added = package / "demo" / "kernels" / "more.py"
    added.write_text("x = 1\n")
    second = jit.source_digest(package)
    added.write_text("x = 2\n")
    third = jit.source_digest(package)
    added.rename(added.with_name("other.py"))
    assert len({first, second, third, jit.source_digest(package)}) == 4


def test_all_kernel_modules_of_the_package_are_found() -> None:
    modules = jit.kernel_modules()
    assert "constellationdb.engine.kernels.keytable" in modules
    assert not [module for module in modules if module.endswith("__init__")]


def test_importing_the_package_loads_no_compiler() -> None:
    heavy = "{'numba', 'numpy', 'pyarrow'}"
    assert _python(f"import sys, constellationdb.jit; print({heavy} & set(sys.modules))") == "set()"


def test_a_kernel_refuses_other_types_instead_of_compiling_for_them() -> None:
    import numpy as np

    from constellationdb.storage.kernels.hashing import hash_rows

    with pytest.raises(TypeError, match="No matching definition"):
        hash_rows(np.zeros(3, np.float32), np.zeros(2, np.int64), np.zeros(1, np.uint64))


def test_a_kernel_after_start_up_is_an_error() -> None:
    code = """
from constellationdb import jit
from constellationdb.errors import InternalError
jit.freeze()
try:
    jit.kernel("i64(i64)")(lambda x: x)
except InternalError as error:
    print(error)
"""
    assert _python(code) == "kernel __main__.<lambda> was declared after start-up"


_EVERYTHING = """
import numpy as np, pyarrow as pa
from numba.core import event
from constellationdb import jit

jit.compile_all()
jit.freeze()
compiles = []
class Listener(event.Listener):
    def on_start(self, e): compiles.append(e.data["dispatcher"])
    def on_end(self, e): pass
event.register("numba:compile", Listener())

from constellationdb.engine.kernels import accumulate as acc, chains, floatsum, groupby, keyindex, rowcodec

columns = [pa.array([1, None, 3]), pa.array(["a", "b", None]), pa.array([1, 2, None], pa.decimal128(5, 1)),
           pa.array([[1], None, [2, 3]]), pa.array([1.0, None, 0.5])]
batch = pa.record_batch(columns, [f"c{i}" for i in range(5)])
for keys in ([], [0], [1], [0, 2], [3, 4]):
    for nulls_equal in (True, False):
        rows = rowcodec.encode_rows(batch, keys, nulls_equal=nulls_equal)
        index = keyindex.KeyIndex()
        slots, _ = index.upsert(rows)
        index.probe(rows.take(np.array([0, 2])))
        index.keys_at(np.arange(len(index)))
        restored = keyindex.KeyIndex()
        restored.restore(*index.snapshot())
        restored.compact(np.ones(len(restored), bool))
        groupby.consolidate(rows, np.ones(3, np.int64))
        groupby.touched(slots), groupby.touched(slots, 4)
slots = np.array([0, 1, 0])
slots.flags.writeable = False
ints = pa.array([5, 6, 7]).to_numpy()
floats = pa.array([5.0, 6.0, 7.0]).to_numpy()
has = np.zeros(2, bool)
for weights in (None, np.ones(3, np.int64), ints):
    for valid in (None, np.ones(3, bool)):
        acc.add_count(np.zeros(2, np.int64), slots, weights, valid)
        acc.add_sum_i128(np.zeros(2, np.int64), np.zeros(2, np.uint64), slots, ints, weights, valid)
        acc.add_sum_decimal(np.zeros(2, np.int64), np.zeros(2, np.uint64), np.zeros(2, np.uint64), slots,
                            acc.raw_decimals(columns[2]), weights, valid)
        acc.add_sum_f64(np.zeros(2), slots, floats, weights, valid)
        acc.fold_min(np.zeros(2, np.int64), has, slots, ints, valid)
        acc.fold_max(np.zeros(2), has, slots, floats, valid)
        sums = floatsum.ExactSums()
        sums.add(slots, floats, weights, valid)
        sums.result(slots)
head, following = chains.rebuild(slots, 2)
born, died = np.zeros(3, np.int64), np.full(3, chains.FOREVER)
chains.gather(head, following, slots, born, died, 1)
chains.find_live(slots, head, following, born, died, 1)
chains.retire(slots, head, following, died, 2)
chains.sweep(head, following, slots, died, 2)
print(compiles)
"""


def test_nothing_compiles_after_start_up() -> None:
    assert _python(_EVERYTHING) == "[]"
