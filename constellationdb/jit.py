"""Machine code from Python, compiled at start-up and never later.

A kernel is a function over flat numpy arrays, declared with its exact types::

    @kernel("i64(const i64[], i64[], i64)")
    def running_total(values, out, start): ...

``const`` arrays accept read-only memory (Arrow buffers); the others are
written to. The module that holds a kernel compiles it on import, or takes it
from the cache; a call with any other types is a TypeError, never a compile.
``inlined`` marks a function that only kernels call.

The cache lies in the user's cache folder, under a digest of every kernel
source of the package and of all that decides what they compile to. So an
edited function that was inlined into another file's kernel can never survive
there, which numba's own check (the age of one file) would allow; and nothing
is ever written beside the sources. A cache that cannot be written costs the
compile time of each start, no more. ``CONSTELLATION_CACHE_DIR`` moves it.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import platform
import re
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from constellationdb.errors import InternalError

_P = ParamSpec("_P")
_R = TypeVar("_R")

_PACKAGE = Path(__file__).parent
_LEFTOVER_SECONDS = 30 * 24 * 3600
_SCALARS = {
    "i8": "int8", "i16": "int16", "i32": "int32", "i64": "int64",
    "u8": "uint8", "u16": "uint16", "u32": "uint32", "u64": "uint64",
    "f32": "float32", "f64": "float64", "bool": "boolean", "void": "void",
}  # fmt: skip
_OPTIONS = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}

# One compile at a time: the cache folder is a global of numba while it lasts.
_lock = threading.RLock()
_compiled: list[str] = []
_loaded: list[str] = []
_frozen = False


def kernel(signature: str) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """Compile the function for ``signature`` now; it releases the GIL while it runs."""

    def compile_now(function: Callable[_P, _R]) -> Callable[_P, _R]:
        name = f"{function.__module__}.{function.__qualname__}"
        if _frozen:
            raise InternalError(
                f"kernel {name} was declared after start-up",
                hint="keep it in a kernels folder of the package, which compile_all() imports",
            )
        import numba

        with _lock, _cache_folder() as folder:
            compiled = numba.njit(_numba_types(signature), cache=folder is not None, **_OPTIONS)(function)
            stats = getattr(compiled, "stats", None)
            from_cache = folder is not None and stats is not None and sum(stats.cache_hits.values()) > 0
            (_loaded if from_cache else _compiled).append(name)
        return compiled  # type: ignore[no-any-return]

    return compile_now


def inlined(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """A function for kernels to call; it is compiled as a part of each."""
    import numba

    return numba.njit(**_OPTIONS)(function)  # type: ignore[no-any-return]


def compile_all() -> None:
    """Import every kernels module of the package, so that all that will ever compile has."""
    for module in kernel_modules():
        importlib.import_module(module)


def freeze() -> None:
    """From here on a new kernel is an error: start-up is over."""
    global _frozen
    _frozen = True


def compiled_kernels() -> tuple[str, ...]:
    """The kernels this process had to compile, in order."""
    return tuple(_compiled)


def loaded_kernels() -> tuple[str, ...]:
    """The kernels this process took from the cache, in order."""
    return tuple(_loaded)


def kernel_sources(package: Path = _PACKAGE) -> tuple[Path, ...]:
    """Every file whose text decides what some kernel compiles to."""
    return tuple(sorted(package.glob("*/kernels/*.py")))


def kernel_modules() -> tuple[str, ...]:
    """The importable names of those files."""
    names = (source.relative_to(_PACKAGE).with_suffix("").parts for source in kernel_sources())
    return tuple(".".join((__name__.rpartition(".")[0], *parts)) for parts in names if parts[-1] != "__init__")


def source_digest(package: Path = _PACKAGE) -> str:
    """A name for this exact set of kernels, compiler, interpreter and processor."""
    import llvmlite  # type: ignore[import-untyped]
    import llvmlite.binding as llvm  # type: ignore[import-untyped]
    import numba
    import numpy as np

    digest = hashlib.blake2b(digest_size=16)
    versions = (numba.__version__, llvmlite.__version__, np.__version__, sys.version)
    processor = (platform.machine(), llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten())
    for part in (*versions, *processor, Path(__file__).read_text()):
        digest.update(part.encode() + b"\0")
    for source in kernel_sources(package):
        digest.update(source.relative_to(package).as_posix().encode() + b"\0" + source.read_bytes() + b"\0")
    return digest.hexdigest()


def cache_root() -> Path:
    """Where the caches of all versions lie."""
    chosen = os.environ.get("CONSTELLATION_CACHE_DIR")
    if chosen:
        return Path(chosen) / "kernels"
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "constellationdb" / "kernels"


@cache
def _own_cache() -> Path | None:
    """This version's folder, made and proven writable; None when that fails."""
    try:
        folder = cache_root() / source_digest()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.utime(folder)
        with suppress(OSError):  # another process may be removing the same ones
            _remove_leftovers(folder)
    except (OSError, RuntimeError):  # RuntimeError: there is no home folder
        return None
    return folder if os.access(folder, os.W_OK) else None


def _remove_leftovers(current: Path) -> None:
    """Caches of versions that nobody has started for a month."""
    oldest = time.time() - _LEFTOVER_SECONDS
    for folder in current.parent.iterdir():
        if folder != current and folder.is_dir() and folder.stat().st_mtime < oldest:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _cache_folder() -> Iterator[Path | None]:
    """Point numba's cache at our folder while a kernel is declared; others' functions keep theirs."""
    from numba.core import config

    folder, before = _own_cache(), config.CACHE_DIR
    config.CACHE_DIR = str(folder or "")
    try:
        yield folder
    finally:
        config.CACHE_DIR = before


def _numba_types(signature: str) -> Any:
    """``i64(const u8[], f64[])`` as numba spells it."""
    from numba import types

    matched = re.fullmatch(r"(\w+)\((.*)\)", signature)
    if matched is None:
        raise InternalError(f'kernel signature "{signature}" is not of the form "result(argument, ...)"')
    arguments = [part.strip() for part in matched[2].split(",") if part.strip()]
    return _numba_type(types, matched[1])(*(_numba_type(types, argument) for argument in arguments))


def _numba_type(types: Any, text: str) -> Any:
    constant, _, name = text.rpartition(" ")
    scalar = getattr(types, _SCALARS[name.removesuffix("[]")])
    if not name.endswith("[]"):
        return scalar
    return types.Array(scalar, 1, "C", readonly=constant == "const")
