"""What clients ask for: a statement or a transaction, and what it makes of the model."""

from __future__ import annotations

import random
from dataclasses import dataclass

from tests.simulation.model import TABLES, VIEWS, State


@dataclass(frozen=True)
class Change:
    text: str
    after: State


def drawn_change(now: State, draw: random.Random) -> Change | None:
    """One to three statements, as one transaction; None where there is nothing to change."""
    after, texts = now.copy(), []
    for _ in range(draw.choice([1, 1, 1, 1, 2, 3])):
        kinds = [
            _insert,
            _insert,
            _insert,
            _insert,
            _update,
            _delete,
            _name,
            _push,
            _push,
            *([_aside] if "side" in now.there else []),
        ]
        text = draw.choice(kinds)(after, draw)
        if text is not None:
            texts.append(text)
    if not texts:
        return None
    return Change(texts[0] if len(texts) == 1 else "; ".join(["BEGIN", *texts, "COMMIT"]), after)


def _insert(state: State, draw: random.Random) -> str:
    rows = []
    for _ in range(draw.choice([1, 1, 2, 20])):
        i = draw.randrange(200)
        if i not in state.entry:
            state.entry[i] = draw.randrange(4), draw.randrange(100)
            rows.append((i, *state.entry[i]))
    return _values("entry", rows) if rows else _push(state, draw)


def _update(state: State, draw: random.Random) -> str | None:
    k, by = draw.randrange(4), draw.randint(1, 9)
    hit = [i for i, (group, _) in state.entry.items() if group == k]
    for i in hit:
        state.entry[i] = k, state.entry[i][1] + by
    return f"UPDATE entry SET v = v + {by} WHERE k = {k}" if hit else None


def _delete(state: State, draw: random.Random) -> str | None:
    if not state.entry:
        return None
    first = draw.choice(list(state.entry))
    gone = [i for i in state.entry if first <= i < first + draw.choice([1, 1, 30])]
    for i in gone:
        del state.entry[i]
    return f"DELETE FROM entry WHERE id IN ({', '.join(map(str, gone))})" if gone else None


def _name(state: State, draw: random.Random) -> str:
    k, name = draw.randrange(4), draw.choice(["ada", "bob", "cy", "di"])
    if k in state.named and draw.random() < 0.5:
        del state.named[k]
        return f"DELETE FROM named WHERE k = {k}"
    known, state.named[k] = k in state.named, name
    return f"UPDATE named SET name = '{name}' WHERE k = {k}" if known else _values("named", [(k, name)])


def _push(state: State, draw: random.Random) -> str:
    rows = [(draw.randrange(3), draw.randrange(50)) for _ in range(draw.choice([1, 3]))]
    state.pushed += rows
    return _values("pushed", rows)


def _aside(state: State, draw: random.Random) -> str:
    state.side.append(draw.randrange(9))
    return _values("side", [(state.side[-1],)])


def _values(
    table: str, rows: list[tuple[int, int, int]] | list[tuple[int, int]] | list[tuple[int, str]] | list[tuple[int]]
) -> str:
    shown = ", ".join("(" + ", ".join(map(repr, row)) + ")" for row in rows)
    return f"INSERT INTO {table} VALUES {shown}"


def drawn_definition(now: State, draw: random.Random) -> Change:
    """A table or a view that comes or goes."""
    after, name = now.copy(), draw.choice(["side", "extra"])
    after.there = now.there ^ {name}
    after.side = [] if name == "side" else after.side
    if name in now.there:
        return Change(f"DROP {'TABLE' if name == 'side' else 'MATERIALIZED VIEW'} {name}", after)
    if name == "side":
        return Change(TABLES["side"], after)
    return Change(f"CREATE MATERIALIZED VIEW extra AS {VIEWS['extra']}", after)
