"""One bit of one file of a data directory flips: it is found, or nothing that anybody is told changes.

What may not happen is another answer without a word. So each file is damaged in places that are drawn, everything is
read, and what comes of it is one of

    refused     the database does not open, and says which file is damaged
    told        it opens as it was, and says what it has passed over
    unharmed    it opens as it was and needs nothing of it; of a checkpoint ``checkpoints verify`` finds it
"""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from constellationdb.engine.engine import Engine
from constellationdb.errors import ConstellationError, CorruptState, FeatureNotSupported, InvalidParameter
from constellationdb.storage.checkpoints.verifying import verify
from constellationdb.storage.objects.local import LocalObjects
from tests.faults.workload import Workload, rows

PLACES = 3  # in each file
Answers = tuple[object, ...]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With files of every kind, ended by a crash, so that a part of it is in the log alone."""
    place = tmp_path_factory.mktemp("bits")
    workload = Workload(place)
    with workload.opened() as engine:
        workload._define(engine)
        for number in range(5):
            workload._round(engine, number)
            assert workload.say(engine, "CREATE SAVEPOINT IF NOT EXISTS kept")
        workload.insert(engine, 20)
        workload.insert(engine, 20)
        assert not workload.errors
        shutil.copytree(workload.data, place / "left")
    return place / "left"


def answers(engine: Engine) -> Answers:
    """Everything that clients are told."""
    names = sorted(engine.catalog.relations)
    queries = ("SELECT * FROM t ORDER BY id", "SELECT * FROM s ORDER BY k", "SELECT name FROM constellation.sinks")
    return (engine.epoch, names, *(rows(engine, query) for query in queries))


def outcome(left: Path, place: Path, path: Path, offset: int, bit: int, good: Answers) -> str:
    shutil.copytree(left, place)
    content = bytearray((place / path).read_bytes())
    content[offset] ^= 1 << bit
    (place / path).write_bytes(content)
    findings = verify(LocalObjects(place / "checkpoints"))
    damages = [damage for finding in findings for damage in finding.damages]
    engine = None
    try:
        engine = Engine(place)
        engine.start()
        found = answers(engine)
        told = "passed over" in (engine.restored or "")
    except (CorruptState, FeatureNotSupported, InvalidParameter) as error:
        return _refused(error, path)
    finally:
        if engine is not None:
            engine.close()
        shutil.rmtree(place)
    if path.parts[0] == "checkpoints":
        assert damages, f"not found by who looks for it: bit {bit} of byte {offset} in {path}"
    assert found == good, f"another answer without a word: bit {bit} of byte {offset} in {path}"
    return "told" if told else "unharmed"


def _refused(error: ConstellationError, path: Path) -> str:
    assert path.name in f"{error.message} {error.detail}", f"{error.message}: it does not name {path}"
    return "refused"


def files(left: Path) -> Iterator[tuple[str, Path]]:
    """Each with its kind."""
    for path in sorted(left.rglob("*")):
        if path.is_file() and path.stat().st_size:
            name = path.relative_to(left)
            yield name.parts[-2] if len(name.parts) > 1 and name.suffix != ".lock" else name.name, name


def test_no_flipped_bit_changes_an_answer(database: Path, tmp_path: Path) -> None:
    draw = random.Random(17)
    with Engine(shutil.copytree(database, tmp_path / "good")) as engine:
        good = answers(engine)
    seen: dict[str, Counter[str]] = {}
    for kind, path in files(database):
        size = (database / path).stat().st_size
        for offset in [0, *(draw.randrange(size) for _ in range(PLACES))]:
            found = outcome(database, tmp_path / "damaged", path, offset, draw.randrange(8), good)
            seen.setdefault(kind, Counter())[found] += 1
    print(seen)
    assert {"log", "manifests", "parts", "names", "owners", "checkpoints", "identity", "format"} <= seen.keys()
    assert set(seen["identity"]) | set(seen["format"]) | set(seen["checkpoints"]) == {"refused"}
    assert seen["manifests"]["told"] >= PLACES
    assert set(seen["log"]) == {"refused"}
