"""What could come next at the cursor: relations behind FROM, columns of the relations the statement names, words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document

from constellationdb.cli.shell import vocabulary as said
from constellationdb.cli.shell import words
from constellationdb.cli.shell.names import Names
from constellationdb.cli.shell.script import in_comment
from constellationdb.errors import ConstellationError
from constellationdb.planner.references import split
from constellationdb.planner.syntax.edits import identifier
from constellationdb.planner.syntax.split import ends
from constellationdb.planner.syntax.tokens import Source, Token, read_tokens

_BEFORE_RELATION = frozenset({"from", "join", "into", "update", "subscribe", "copy", "truncate", "table", "describe"})
_NOT_NAMES = frozenset({"", "function", "type"})
_SETTINGS = frozenset({"set", "show", "reset"})
_PATHS = frozenset({"i", "ir", "include", "o", "out"})


@dataclass(frozen=True)
class Place:
    """The statement around the cursor: its tokens before the word that is being typed, and all of them."""

    word: str  # what is typed of it so far
    before: tuple[Token, ...]
    tokens: tuple[Token, ...]
    text: str

    def name(self, token: Token) -> str:
        text = self.text[token.start : token.end]
        return text[1:-1].replace('""', '"') if text[0] == '"' else text.lower()

    def ends_with(self, *words_: str) -> bool:
        found = [token.word for token in self.before[-len(words_) :]]
        return found == list(words_)


class SqlCompleter(Completer):
    """The caller runs it on a thread of its own: names may have to be fetched."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self._paths = PathCompleter(expanduser=True)

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        before = document.text_before_cursor
        if before.lstrip().startswith("\\"):
            yield from self._of_word(before.lstrip(), complete_event)
            return
        place = place_at(document.text, document.cursor_position)
        if place is not None:
            yield from _fitting(place.word, self._candidates(place))

    def _of_word(self, text: str, event: CompleteEvent) -> Iterator[Completion]:
        name, blank, argument = text[1:].partition(" ")
        if not blank:
            yield from _fitting("\\" + name, [("\\" + known, "") for known in words.NAMES])
        elif name in _PATHS:
            yield from self._paths.get_completions(Document(argument), event)
        elif name[:1] == "d" or name in ("tail", "copy"):
            typed = argument.rpartition(" ")[2]
            yield from _fitting(typed, self._relations(typed))

    def _candidates(self, place: Place) -> Iterator[tuple[str, str]]:
        """(text, what it is)."""
        last = place.before[-1].word if place.before else ""
        if last == "." and len(place.before) > 1:
            yield from self._members(place, place.name(place.before[-2]))
        elif not place.before or place.ends_with("explain"):
            yield from _keywords(said.STATEMENTS, place)
        elif last in _SETTINGS and len(place.before) == 1:
            yield from ((name, "setting") for name in self.names.settings())
        elif last == "create":
            yield from _keywords(said.CREATED, place)
        elif place.before[0].word == "drop":
            yield from self._dropped(place)
        elif last in _BEFORE_RELATION or place.ends_with("subscribe", "to") or self._lists_relations(place):
            yield from self._relations(place.word)
            yield from _keywords(said.TABLE_FUNCTIONS, place)
        else:
            yield from self._expression(place)

    def _expression(self, place: Place) -> Iterator[tuple[str, str]]:
        for name in self._named(place).values():
            yield from ((identifier(column), name) for column in self.names.columns(name))
        yield from ((identifier(alias), "alias") for alias in self._named(place))
        yield from _keywords(said.CLAUSES, place)
        functions = self.names.functions() or said.FUNCTIONS
        yield from ((f"{function}", "function") for function in functions)
        yield from ((kind, "type") for kind in said.TYPES)

    def _members(self, place: Place, qualifier: str) -> Iterator[tuple[str, str]]:
        """Behind a dot: columns of the relation, or relations of the schema."""
        relation = self._named(place).get(qualifier)
        if relation is not None:
            yield from ((identifier(column), relation) for column in self.names.columns(relation))
        else:
            for entry in self.names.relations():
                schema, label = split(entry.name)
                if (schema or "public") == qualifier:
                    yield identifier(label), entry.kind

    def _dropped(self, place: Place) -> Iterator[tuple[str, str]]:
        kind = " ".join(token.word for token in place.before[1:] if token.word not in ("if", "exists")).upper()
        if kind in said.DROPPED:
            entries = self.names.relations()
            yield from ((_said(e.name), e.kind) for e in entries if e.kind == said.DROPPED[kind])
            yield from _keywords(("IF EXISTS",), place)
        elif len(place.before) == 1:
            yield from _keywords(tuple(said.DROPPED), place)

    def _relations(self, typed: str) -> Iterator[tuple[str, str]]:
        """Side outputs only for who has typed the name of what they belong to."""
        for entry in self.names.relations():
            if entry.owner is None or typed.lower().startswith(entry.owner.lower()):
                yield _said(entry.name), entry.kind

    def _lists_relations(self, place: Place) -> bool:
        """Behind a comma of FROM: FROM a, b."""
        if not place.ends_with(","):
            return False
        for token in reversed(place.before):
            if token.word in ("from", "select", "where", "(", "by", "on", "set", "values"):
                return token.word == "from"
        return False

    def _named(self, place: Place) -> dict[str, str]:
        """Alias (or name) → relation, for those that the statement mentions and that are there."""
        known = {entry.name for entry in self.names.relations()}
        found: dict[str, str] = {}
        tokens = place.tokens
        for i, token in enumerate(tokens):
            if not token.is_identifier or (name := place.name(token)) not in known:
                continue
            found[name] = name
            rest = [t for t in tokens[i + 1 : i + 3] if t.word != "as"]
            if rest and rest[0].name in ("IDENT", "UIDENT"):
                found[place.name(rest[0])] = name
        return found


def place_at(text: str, cursor: int) -> Place | None:
    """None inside of a string or comment, where nothing is to be completed."""
    begin = cursor
    while begin > 0 and (text[begin - 1].isalnum() or text[begin - 1] in "_$"):
        begin -= 1
    before = _scanned(text[:begin])
    if before is not None and in_comment(text[:begin]):
        return None
    if before is None:
        quote = text.rfind('"', 0, cursor)
        before = _scanned(text[:quote]) if quote >= 0 else None
        if before is None:
            return None
        begin = quote
    after = _scanned(text[cursor:])
    start = max((before.tokens[i].end for i in ends(before)), default=0)
    left = tuple(token for token in before.tokens if token.start >= start)
    right: list[Token] = []
    for token in after.tokens if after is not None else ():
        if token.word == ";":
            break
        right.append(token._replace(start=token.start + cursor, end=token.end + cursor))
    return Place(text[begin:cursor], left, (*left, *right), text)


def _scanned(text: str) -> Source | None:
    try:
        return read_tokens(text)
    except ConstellationError:
        return None


def _keywords(choices: Iterable[str], place: Place) -> Iterator[tuple[str, str]]:
    """In the case in which the user types."""
    lower = place.word.islower() or (
        not place.word and any(t.word and place.text[t.start].islower() for t in place.before)
    )
    return ((choice.lower() if lower else choice, "") for choice in choices)


def _fitting(typed: str, candidates: Iterable[tuple[str, str]]) -> Iterator[Completion]:
    bare, seen = typed.strip('"').lower(), set()
    for text, meaning in candidates:
        if typed[:1] == '"' and meaning in _NOT_NAMES:
            continue
        if text.strip('"').lower().startswith(bare) and text not in seen:
            seen.add(text)
            yield Completion(text, start_position=-len(typed), display_meta=meaning)


def _said(name: str) -> str:
    """A relation's name as SQL; one of public needs no schema."""
    schema, label = split(name)
    return identifier(label) if schema is None else f"{identifier(schema)}.{identifier(label)}"
