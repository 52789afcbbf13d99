"""Runs the records of one script, one after the other, and keeps count."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from constellationdb.cli.slt.answers import Mismatch, RowRules, actual_lines, mismatch_of_error, mismatch_of_rows
from constellationdb.cli.slt.connection import Answer, Connection, ConnectionLost, SqlError
from constellationdb.cli.slt.records import (
    AnyRecord,
    ExpectCount,
    ExpectError,
    ExpectOk,
    ExpectRows,
    Halt,
    HashThreshold,
    Place,
    SetResultMode,
    SetSortMode,
    SetSubstitution,
    Sleep,
    SqlRecord,
    Subtest,
    SystemRecord,
)
from constellationdb.cli.slt.substitution import UndefinedVariable, substitute

Connect = Callable[[str], Connection]


@dataclass(frozen=True)
class Failure:
    """A record that did not do what the script says; ``source`` is its SQL or command."""

    place: Place
    subtest: str | None
    source: str
    mismatch: Mismatch


@dataclass
class ScriptOutcome:
    passed: int = 0
    failures: list[Failure] = field(default_factory=list)


@dataclass
class ScriptRunner:
    """One run of one script.

    ``connect`` opens a connection by name ("default" is the unnamed one), at its first use. ``labels`` are what
    ``skipif`` and ``onlyif`` ask for. ``report`` hears of each failure as it happens.
    """

    connect: Connect
    labels: frozenset[str] = frozenset()
    variables: Mapping[str, str] = field(default_factory=dict)
    strict_types: bool = False
    report: Callable[[Failure], None] = lambda _failure: None
    sleep: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        self._connections: dict[str, Connection] = {}
        self._rules = RowRules(strict_types=self.strict_types)
        self._substituting = False
        self._subtest: str | None = None
        self._labelled: dict[str, list[str]] = {}
        self._outcome = ScriptOutcome()

    def run(self, records: Iterable[AnyRecord]) -> ScriptOutcome:
        try:
            for record in records:
                if not record.applies(self.labels):
                    continue
                if isinstance(record, Halt) or not self._run(record):
                    break
        finally:
            for connection in self._connections.values():
                connection.close()
            self._connections.clear()
        return self._outcome

    def _run(self, record: AnyRecord) -> bool:
        """Runs one record; False when nothing after it can run."""
        match record:
            case SqlRecord():
                return self._counted(record, record.sql, lambda: self._sql(record))
            case SystemRecord():
                return self._counted(record, record.command, lambda: self._system(record))
            case Sleep():
                self.sleep(record.seconds)
            case Subtest():
                self._subtest = record.name
            case HashThreshold():
                self._rules = replace(self._rules, hash_threshold=record.values)
            case SetSortMode():
                self._rules = replace(self._rules, sort_mode=record.mode)
            case SetResultMode():
                self._rules = replace(self._rules, result_mode=record.mode)
            case SetSubstitution():
                self._substituting = record.on
            case Halt():
                return False
        return True

    def _counted(self, record: SqlRecord | SystemRecord, source: str, attempt: Callable[[], Mismatch | None]) -> bool:
        try:
            mismatch = attempt()
            for _ in range(record.retry.attempts if record.retry else 0):
                if mismatch is None:
                    break
                self.sleep(record.retry.backoff if record.retry else 0.0)
                mismatch = attempt()
        except ConnectionLost as lost:
            self._failed(Failure(record.place, self._subtest, source, _lost(lost)))
            return False
        if mismatch is None:
            self._outcome.passed += 1
        else:
            self._failed(Failure(record.place, self._subtest, source, mismatch))
        return True

    def _failed(self, failure: Failure) -> None:
        self._outcome.failures.append(failure)
        self.report(failure)

    def _sql(self, record: SqlRecord) -> Mismatch | None:
        try:
            sql = substitute(record.sql, self.variables) if self._substituting else record.sql
        except UndefinedVariable as undefined:
            return Mismatch("the statement cannot be said", "a variable that is set", str(undefined))
        try:
            answer = self._connection(record.connection).execute(sql)
        except SqlError as error:
            if isinstance(record.expect, ExpectError):
                return mismatch_of_error(record.expect, error)
            return Mismatch("it failed", _wanted(record.expect), str(error))
        return self._judge(record.expect, answer)

    def _judge(self, expect: ExpectOk | ExpectCount | ExpectError | ExpectRows, answer: Answer) -> Mismatch | None:
        match expect:
            case ExpectOk():
                return None
            case ExpectCount():
                # A query's rows count themselves, should its tag not.
                count = answer.count or len(answer.rows)
                wrong = Mismatch("it touched another number of rows", str(expect.count), str(count))
                return None if count == expect.count else wrong
            case ExpectError():
                return Mismatch("it succeeded", _wanted(expect), answer.tag)
            case ExpectRows():
                return mismatch_of_rows(expect, answer, self._rules) or self._label_mismatch(expect, answer)

    def _label_mismatch(self, expect: ExpectRows, answer: Answer) -> Mismatch | None:
        if expect.label is None:
            return None
        lines = actual_lines(answer, expect.sort_mode or self._rules.sort_mode, self._rules)
        earlier = self._labelled.setdefault(expect.label, lines)
        if earlier == lines:
            return None
        return Mismatch(f"label {expect.label} had another answer before", "\n".join(earlier), "\n".join(lines))

    def _connection(self, name: str) -> Connection:
        if name not in self._connections:
            self._connections[name] = self.connect(name)
        return self._connections[name]

    def _system(self, record: SystemRecord) -> Mismatch | None:
        """The shell replaces variables itself, so they go into its environment and not into the text."""
        done = subprocess.run(
            ["/bin/sh", "-c", record.command],
            env={**os.environ, **self.variables},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            got = f"exit code {done.returncode}\n{done.stderr}".strip()
            return Mismatch("the command failed", "exit code 0", got)
        if record.stdout is None or done.stdout.strip() == record.stdout:
            return None
        return Mismatch("the command printed something else", record.stdout, done.stdout.strip())


def _wanted(expect: ExpectOk | ExpectCount | ExpectError | ExpectRows) -> str:
    match expect:
        case ExpectOk():
            return "success"
        case ExpectCount():
            return f"{expect.count} rows touched"
        case ExpectRows():
            return "\n".join(expect.lines)
        case ExpectError():
            state = f"SQLSTATE {expect.sqlstate}" if expect.sqlstate else None
            pattern = f"an error matching {expect.pattern}" if expect.pattern else None
            return "\n".join(part for part in (state, pattern, expect.message) if part) or "an error"


def _lost(lost: ConnectionLost) -> Mismatch:
    return Mismatch("the connection is gone, the rest of the script is not run", "an answer", str(lost))
