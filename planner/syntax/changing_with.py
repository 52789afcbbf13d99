"""WITH lists that change rows: each change becomes a statement of its own, and what it returns a relation.

WITH gone AS (DELETE FROM t WHERE a < 3 RETURNING *), few AS (SELECT 1) INSERT INTO u SELECT * FROM gone

             (DELETE FROM t WHERE a < 3 RETURNING *)
WITH gone AS (TABLE "#1"                           ), few AS (SELECT 1) INSERT INTO u SELECT * FROM gone

Nothing moves, so that positions stay those of the client's text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pglast
from pglast import ast

from constellationdb.errors import FeatureNotSupported
from constellationdb.planner.statements import ChangingWith, Delete, Insert, Statement, Update
from constellationdb.planner.syntax import postgres
from constellationdb.planner.syntax.cursor import Cursor
from constellationdb.planner.syntax.edits import Edit, overlay
from constellationdb.planner.syntax.mask import mask
from constellationdb.planner.syntax.tokens import Region, read_tokens

_CHANGES = (("insert", "into"), ("delete", "from"), ("merge", "into"))


@dataclass(frozen=True)
class _Item:
    """An item of the list: where its name stands, and its query without the brackets."""

    name: str
    at: int
    body: Region
    changes: bool


def changing_with(region: Region, read: Callable[[Region], Statement]) -> ChangingWith | None:
    """None where no item of the list itself changes anything."""
    items = _items(region)
    if not any(item.changes for item in items):
        return None
    masked = mask(region)
    postgres.check(region, masked.text)
    masked.refuse_streaming("WITH")
    texts: list[tuple[_Item | None, str]] = []
    stands: dict[str, str] = {}
    edits: list[Edit] = []
    for item in items:
        if not item.changes:
            continue
        texts.append((item, _alone(region, item, edits, first=item is items[0])))
        stands[item.name] = f"#{len(texts)}"
        returned = f'TABLE "{stands[item.name]}"' if _returns(item.body) else "VALUES (1)"  # then nobody reads it
        edits.append((item.body.start, item.body.end, returned))
    texts.append((None, overlay(region.text, edits, region.start)))
    return _chained(region, texts, stands, read)


def changes_rows(region: Region) -> bool:
    """Whether an item of the WITH list that ``region`` begins with does."""
    return any(item.changes for item in _items(region))


def _items(region: Region) -> list[_Item]:
    cursor = Cursor(region)
    cursor.expect("with")
    cursor.accept("recursive")
    found: list[_Item] = []
    while not cursor.done:
        at = cursor.index
        if not cursor.peek().is_identifier:
            return found
        name = cursor.identifier()
        if cursor.at("("):
            cursor.group()
        if not cursor.accept("as"):
            return found
        cursor.accept("not")
        cursor.accept("materialized")
        if not cursor.at("("):
            return found
        body = cursor.group()
        if body.lo < body.hi:
            found.append(_Item(name, at, body, _is_change(body)))
        if not cursor.accept(","):
            return found
    return found


def _is_change(body: Region) -> bool:
    """Whether a query's first word outside brackets that can begin a statement is one of a change."""
    cursor = Cursor(body)
    begins = True
    while not cursor.done:
        if cursor.at("merge", "into"):
            raise FeatureNotSupported("MERGE not supported in WITH query", position=body.start + 1)
        if any(cursor.at(*words) for words in _CHANGES) or (cursor.at("update") and begins):
            return True
        if cursor.peek().word in ("select", "values", "table") or (begins and not cursor.at("with")):
            return False
        begins = cursor.at("(")
        if cursor.at("("):
            cursor.group()
        else:
            cursor.next()
    return False


def _returns(body: Region) -> bool:
    cursor = Cursor(body)
    while not cursor.done and not cursor.at("returning"):
        if cursor.at("("):
            cursor.group()
        else:
            cursor.next()
    return not cursor.done


def _alone(region: Region, item: _Item, edits: list[Edit], *, first: bool) -> str:
    """The text with nothing but the query of ``item``, and the items before it."""
    tokens = region.source.tokens
    begin = region.start if first else tokens[item.at - 1].start  # with its comma
    blanks: list[Edit] = [(begin, item.body.start, ""), (item.body.end, region.end, "")]
    if not first and item.body.source.tokens[item.body.lo].word == "with":  # its own list goes on with the one before
        blanks.append((item.body.start, item.body.start + len("with"), ","))
        if tokens[item.body.lo + 1].word == "recursive":
            raise FeatureNotSupported(
                "WITH RECURSIVE inside WITH is not supported with a change", position=item.body.start + 1
            )
    return overlay(region.text, [*edits, *blanks], region.start)


def _chained(
    region: Region,
    texts: list[tuple[_Item | None, str]],
    stands: dict[str, str],
    read: Callable[[Region], Statement],
) -> ChangingWith:
    """The changes one after the other, and the statement behind them."""
    made = [(item, _read(region, text, read)) for item, text in texts]
    trees = [_tree(statement) for _, statement in made]
    rest = made[-1][1]
    for number in range(len(made) - 2, -1, -1):
        item, change = made[number]
        assert item is not None
        assert isinstance(change, Insert | Update | Delete)
        read_at = next((at for tree in trees[number + 1 :] if (at := _mentioned(tree, item.name)) is not None), None)
        if read_at is not None and change.returning is None:
            raise FeatureNotSupported(
                f'WITH query "{item.name}" does not have a RETURNING clause', position=rest.offset + read_at + 1
            )
        rest = ChangingWith(
            region.text,
            region.start,
            name=item.name,
            stand_in=stands[item.name],
            change=change,
            rest=rest,
            is_read=read_at is not None,
        )
    assert isinstance(rest, ChangingWith)
    return rest


def _read(region: Region, text: str, read: Callable[[Region], Statement]) -> Statement:
    source = read_tokens(" " * region.start + text)
    return read(Region(source, 0, len(source.tokens)))


def _tree(statement: Statement) -> Any:
    source = read_tokens(statement.text)
    return pglast.parse_sql(mask(Region(source, 0, len(source.tokens))).text)


def _mentioned(tree: Any, name: str) -> int | None:
    """Where ``tree`` reads the relation ``name``."""
    if isinstance(tree, ast.RangeVar):
        return int(tree.location) if tree.schemaname is None and tree.relname == name else None
    inside: Iterable[Any] = ()
    if isinstance(tree, tuple | list):
        inside = tree
    elif isinstance(tree, ast.Node):
        inside = (getattr(tree, field) for field in tree)
    return next((at for part in inside if (at := _mentioned(part, name)) is not None), None)
