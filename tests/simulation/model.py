"""What the database has to hold, after every epoch: plain dictionaries, and the views' answers worked out from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass, field

Rows = Counter[tuple[object, ...]]

TABLES = {
    "entry": "CREATE TABLE entry (id bigint PRIMARY KEY, k int, v int)",
    "named": "CREATE TABLE named (k int PRIMARY KEY, name text)",
    "side": "CREATE TABLE side (a int)",
}
SOURCES = {
    "pushed": "CREATE SOURCE pushed (g int, n int)",
    "feed": "CREATE SOURCE feed (n bigint, g bigint) WITH (connector = 'simulated')",
}
VIEWS = {
    "by_k": "SELECT k, count(*) AS c, sum(v) AS s, max(v) AS m FROM entry GROUP BY k",
    "joined": "SELECT e.id, n.name FROM entry e JOIN named n ON n.k = e.k",
    "largest": "SELECT k, v, id FROM (SELECT *, row_number() OVER (PARTITION BY k ORDER BY v DESC, id) AS place"
    " FROM entry) r WHERE place <= 2",
    "over": "SELECT m, count(*) AS c FROM by_k GROUP BY m",
    "told": "SELECT g, count(*) AS c, sum(n) AS s FROM pushed GROUP BY g",
    "fed": "SELECT g, count(*) AS c, sum(n) AS s FROM feed GROUP BY g",
    "extra": "SELECT v % 4 AS r, count(*) AS c FROM entry GROUP BY v % 4",
}
OPTIONAL = ("side", "extra")  # that come and go


@dataclass(frozen=True)
class SinkOf:
    """A sink of the model: to a table, or to files."""

    relation: str
    into: str | None = None
    options: str = ""

    def definition(self, name: str) -> str:
        into = f" INTO {self.into}" if self.into else ""
        options = "" if self.into else f" WITH (connector = 'file', path = '{name}', commit_rows = 6{self.options})"
        return f"CREATE SINK {name}{into} FROM {self.relation}{options}"


SINKS = {
    "changes": SinkOf("by_k", options=", type = 'debezium'"),
    "rows": SinkOf("pushed"),
    "own": SinkOf("told", into="ours"),
}
TARGET = "CREATE TABLE ours (g int PRIMARY KEY, c bigint, s bigint)"
SUBSCRIPTION = "CREATE SUBSCRIPTION kept FROM by_k WITH (retention = '30 days')"


@dataclass
class State:
    """Everything as of one epoch. ``fed``: how many rows of the source were read; None where nobody noted it."""

    entry: dict[int, tuple[int, int]] = field(default_factory=dict)
    named: dict[int, str] = field(default_factory=dict)
    side: list[int] = field(default_factory=list)
    pushed: list[tuple[int, int]] = field(default_factory=list)
    there: frozenset[str] = frozenset()

    def copy(self) -> State:
        return deepcopy(self)

    def rows(self, relation: str, fed: int) -> Rows:
        """Of a table or a view."""
        answer: Callable[[], Iterable[tuple[object, ...]]] = {
            "entry": lambda: ((i, k, v) for i, (k, v) in self.entry.items()),
            "named": self.named.items,
            "pushed": lambda: self.pushed,
            "side": lambda: ((a,) for a in self.side),
            "by_k": self._by_k,
            "joined": lambda: ((i, self.named[k]) for i, (k, _) in self.entry.items() if k in self.named),
            "largest": self._largest,
            "over": lambda: ((m, c) for m, c in Counter(row[3] for row in self._by_k()).items()),
            "told": lambda: _grouped(self.pushed),
            "fed": lambda: _grouped((n % 3, n) for n in range(fed)),
            "extra": lambda: Counter(v % 4 for _, v in self.entry.values()).items(),
        }[relation]
        return Counter(answer())

    def _by_k(self) -> list[tuple[object, ...]]:
        groups: dict[int, list[int]] = {}
        for k, v in self.entry.values():
            groups.setdefault(k, []).append(v)
        return [(k, len(v), sum(v), max(v)) for k, v in groups.items()]

    def _largest(self) -> list[tuple[object, ...]]:
        groups: dict[int, list[tuple[int, int]]] = {}
        for i, (k, v) in self.entry.items():
            groups.setdefault(k, []).append((-v, i))
        return [(k, -v, i) for k, members in groups.items() for v, i in sorted(members)[:2]]


def _grouped(rows: Iterable[tuple[int, int]]) -> list[tuple[object, ...]]:
    groups: dict[int, list[int]] = {}
    for g, n in rows:
        groups.setdefault(g, []).append(n)
    return [(g, len(n), sum(n)) for g, n in groups.items()]


class History:
    """The states that were, by epoch."""

    def __init__(self) -> None:
        self._states: dict[int, State] = {0: State()}
        self.fed: dict[int, int] = {}  # how far the source was read by the end of an epoch, where that is known

    @property
    def now(self) -> State:
        return self._states[max(self._states)]

    def add(self, epoch: int, state: State) -> None:
        assert epoch >= max(self._states), f"epoch {epoch} after {max(self._states)}"
        self._states[epoch] = state

    def at(self, epoch: int) -> State:
        return self._states[max(known for known in self._states if known <= epoch)]
