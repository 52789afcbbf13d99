"""Many scripts in a row: find them, run each on fresh connections, count, say what failed."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from constellationdb.cli.slt.answers import Mismatch
from constellationdb.cli.slt.lines import ScriptSyntaxError
from constellationdb.cli.slt.parser import parse_file
from constellationdb.cli.slt.report import describe, summary
from constellationdb.cli.slt.runner import Connect, Failure, ScriptOutcome, ScriptRunner


@dataclass
class Suite:
    """``connect_for`` gives each script its own way to connect; ``say`` is where the report goes."""

    connect_for: Callable[[Path], Connect]
    labels: frozenset[str] = frozenset()
    variables: Mapping[str, str] = field(default_factory=dict)
    strict_types: bool = False
    say: Callable[[str], None] = print

    def run(self, paths: Iterable[Path]) -> int:
        """Runs every script and ends with the line that counts; the exit code of the command."""
        passed = failed = 0
        for path in expand(paths):
            outcome = self.run_file(path)
            passed += outcome.passed
            failed += len(outcome.failures)
        self.say(summary(passed, failed))
        return 1 if failed or not passed else 0

    def run_file(self, path: Path) -> ScriptOutcome:
        """Runs one script; one that cannot be read counts as one failure."""
        try:
            records = parse_file(path)
        except ScriptSyntaxError as error:
            mismatch = Mismatch("the script cannot be read", "a script", error.message)
            failure = Failure(error.place, None, str(path), mismatch)
            self.say(describe(failure))
            return ScriptOutcome(failures=[failure])
        with tempfile.TemporaryDirectory(prefix="slt-") as folder:
            runner = ScriptRunner(
                connect=self.connect_for(path),
                labels=self.labels,
                variables=self._variables(folder),
                strict_types=self.strict_types,
                report=lambda failure: self.say(describe(failure)),
            )
            return runner.run(records)

    def _variables(self, folder: str) -> dict[str, str]:
        """The environment, what the caller set, and what differs from run to run."""
        return {**os.environ, **self.variables, "__TEST_DIR__": folder, "__NOW__": str(time.time_ns())}


def expand(paths: Iterable[Path]) -> list[Path]:
    """Folders become the ``.slt`` files below them, in order of name."""
    found: list[Path] = []
    for path in paths:
        found += sorted(path.rglob("*.slt")) if path.is_dir() else [path]
    return found
