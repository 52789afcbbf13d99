"""What a script consists of: one frozen value per kind of record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

SortMode: TypeAlias = Literal["nosort", "rowsort", "valuesort"]
ResultMode: TypeAlias = Literal["rowwise", "valuewise"]


@dataclass(frozen=True)
class Place:
    """Where a record begins; lines count from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Condition:
    """``skipif`` or ``onlyif`` and the label it asks for."""

    kind: Literal["skipif", "onlyif"]
    label: str

    def allows(self, labels: frozenset[str]) -> bool:
        return (self.label in labels) == (self.kind == "onlyif")


@dataclass(frozen=True)
class Retry:
    """Try again up to ``attempts`` times, pausing ``backoff`` seconds before each."""

    attempts: int
    backoff: float


@dataclass(frozen=True)
class ExpectOk:
    """The statement succeeds; rows it may return are not looked at."""


@dataclass(frozen=True)
class ExpectCount:
    """The statement succeeds and touches this many rows."""

    count: int


@dataclass(frozen=True)
class ExpectError:
    """The statement fails. Whatever is not None must agree; all None means any error will do."""

    pattern: str | None = None
    sqlstate: str | None = None
    message: str | None = None


@dataclass(frozen=True)
class ExpectRows:
    """The query answers these lines. ``types`` has one letter per column: I, R, T or anything else."""

    types: str
    lines: tuple[str, ...]
    sort_mode: SortMode | None = None
    label: str | None = None


Expectation: TypeAlias = ExpectOk | ExpectCount | ExpectError | ExpectRows


@dataclass(frozen=True)
class Record:
    place: Place
    conditions: tuple[Condition, ...]

    def applies(self, labels: frozenset[str]) -> bool:
        return all(condition.allows(labels) for condition in self.conditions)


@dataclass(frozen=True)
class SqlRecord(Record):
    """``statement`` and ``query`` alike; ``connection`` is "default" where none was named."""

    sql: str
    expect: Expectation
    connection: str = "default"
    retry: Retry | None = None


@dataclass(frozen=True)
class SystemRecord(Record):
    """A shell command that must exit with 0 and print ``stdout`` where that is given."""

    command: str
    stdout: str | None = None
    retry: Retry | None = None


@dataclass(frozen=True)
class Halt(Record):
    """Nothing after this is run, in included scripts and the including one alike."""


@dataclass(frozen=True)
class Sleep(Record):
    seconds: float


@dataclass(frozen=True)
class Subtest(Record):
    name: str


@dataclass(frozen=True)
class HashThreshold(Record):
    """Answers of more values than this are compared by their MD5; 0 switches it off."""

    values: int


@dataclass(frozen=True)
class SetSortMode(Record):
    mode: SortMode


@dataclass(frozen=True)
class SetResultMode(Record):
    mode: ResultMode


@dataclass(frozen=True)
class SetSubstitution(Record):
    on: bool


AnyRecord: TypeAlias = (
    SqlRecord | SystemRecord | Halt | Sleep | Subtest | HashThreshold | SetSortMode | SetResultMode | SetSubstitution
)
