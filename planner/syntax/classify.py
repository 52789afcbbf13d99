"""Which statement is it? The first words decide, and hand the tokens to the reader of that statement."""

from __future__ import annotations

from collections.abc import Callable

from constellationdb.errors import FeatureNotSupported, SqlSyntaxError
from constellationdb.planner.statements import (
    Checkpoint,
    CreateSink,
    CreateTableAs,
    CreateView,
    Delete,
    Explain,
    Flush,
    Insert,
    Merge,
    NamedView,
    Select,
    Statement,
    Subscribe,
    Update,
    Wait,
)
from constellationdb.planner.syntax import (
    accepted,
    alterations,
    changes,
    copying,
    cursors,
    definitions,
    functions,
    merging,
    postgres,
    prepared,
    queries,
    savepoints,
    schemas,
    sequences,
    session,
    sinks,
    subscriptions,
    user_types,
    views,
)
from constellationdb.planner.syntax.changing_with import changing_with
from constellationdb.planner.syntax.cursor import Cursor
from constellationdb.planner.syntax.options import boolean_option, read_options
from constellationdb.planner.syntax.rows import Rows
from constellationdb.planner.syntax.split import first_break
from constellationdb.planner.syntax.tokens import Region, word_set

Reader = Callable[[Region], Statement]

_EXPLAINED = (Select, CreateView, CreateTableAs, CreateSink, Subscribe, NamedView, Insert, Update, Delete, Merge)
# Statements of streaming systems, unknown to Postgres' grammar, that we recognise only to name them.
_STREAMING_OBJECTS = word_set("sink connection secret source stream lookup")
# Postgres parses their bodies in ways that do not fit into one statement; no use in asking it.
_BODIES = frozenset(("procedure", "rule"))
_MODIFIERS = word_set(
    "or replace global local temp temporary unlogged unique recursive trusted default if not exists constraint"
)
_EXPLAIN_OPTIONS = word_set(
    "analyze verbose format costs buffers timing summary settings wal memory generic_plan serialize"
)
_TWO_WORDS = word_set("materialized foreign event access text operator user default large lookup")


def read_statement(region: Region, rows: Rows | None = None) -> Statement:
    """The statement of ``region``; ``rows`` are the rows of a long INSERT, already read."""
    word = region.source.tokens[region.lo].word
    if _is_ours_unsupported(region):
        raise _unsupported(region)
    _refuse_broken(region, word)
    if word == "insert":
        return changes.insert(region, rows)
    return _READERS.get(word, _refuse)(region)


# What Postgres' parser has nothing to say about.
_OUR_WORDS = frozenset({"subscribe", "flush", "wait", "fetch", "declare", "prepare", "restore"})
_OUR_OBJECTS = frozenset({"source", "lookup", "savepoint", "sink", "subscription"})


def _refuse_broken(region: Region, word: str) -> None:
    """What is no single statement must not reach a reader; an error before the break is the one to tell."""
    at = first_break(region)
    if at is None:
        return
    if word not in _OUR_WORDS and _object_word(region) not in _OUR_OBJECTS:
        postgres.check(region)
    raise region.source.error_at(at)


def _create(region: Region) -> Statement:
    for words, reader in _CREATED:
        if _begins(region, words):
            return reader(region)
    if _object_word(region) == "table":
        return views.create_table_as(region) if views.is_table_as(region) else definitions.create_table(region)
    if _object_word(region) == "view":
        return views.create_view(region)
    if _object_word(region) == "sequence":
        return sequences.create_sequence(region)
    if _object_word(region) == "index":
        return accepted.create_index(region)
    return _refuse(region)


def _begins(region: Region, words: tuple[str, ...]) -> bool:
    """CREATE [OR REPLACE] words."""
    cursor = Cursor(region)
    cursor.expect("create")
    cursor.accept("or", "replace")
    return cursor.at(*words)


def _object_word(region: Region) -> str:
    """The first word after CREATE, ALTER or DROP that says what, not how."""
    tokens = region.source.tokens
    for i in range(region.lo + 1, region.hi):
        if tokens[i].word not in _MODIFIERS:
            return tokens[i].word
    return ""


def _alter(region: Region) -> Statement:
    cursor = Cursor(region)
    cursor.expect("alter")
    if cursor.at("schema"):
        return schemas.alter_schema(region)
    if cursor.at("type"):
        return user_types.alter_type(region) or _refuse(region)
    if cursor.at("sink"):
        return sinks.alter_sink(region)
    if cursor.at("sequence") and _is_about_parameters(region):
        return sequences.alter_sequence(region)
    return alterations.alter(region) or _refuse(region)


def _is_about_parameters(region: Region) -> bool:
    return postgres.check(region) == "AlterSeqStmt"


def _drop(region: Region) -> Statement:
    if _object_word(region) == "savepoint":
        return savepoints.drop_savepoint(region)
    if session.drop_kind(region) is not None:
        return session.drop(region)
    if _object_word(region) == "index":
        return session.drop_index(region)
    if _object_word(region) == "schema":
        return schemas.drop_schema(region)
    if _object_word(region) == "type":
        return user_types.drop_type(region)
    if _object_word(region) in ("function", "routine", "aggregate"):
        return functions.drop_function(region)
    return accepted.drop_nothing(region) or _refuse(region)


def _comment(region: Region) -> Statement:
    return schemas.comment(region) or accepted.accepted(region)


def _with(region: Region) -> Statement:
    """WITH … SELECT, or a change with a WITH list: the first word outside brackets that can begin one tells."""
    if (changing := changing_with(region, read_statement)) is not None:
        return changing
    cursor = Cursor(region)
    while not cursor.done:
        if cursor.at("insert", "into"):
            return changes.insert(region)
        if cursor.at("delete", "from"):
            return changes.delete(region)
        if cursor.at("merge", "into"):
            return merging.merge(region)
        if cursor.peek().word in ("select", "values", "table"):
            break
        if cursor.at("update") and cursor.peek(-1).word == ")":
            return changes.update(region)
        if cursor.at("("):
            cursor.group()
        else:
            cursor.next()
    return queries.select_statement(region)


def _explain(region: Region) -> Statement:
    cursor = Cursor(region)
    cursor.expect("explain")
    analyze = False
    if cursor.at("(") and cursor.peek(1).word not in ("select", "values", "with", "table", "("):
        position = cursor.position
        analyze = _explain_options(read_options(cursor.group()), position)
    else:
        analyze = cursor.accept("analyze") or cursor.accept("analyse")
        cursor.accept("verbose")
    if cursor.done:
        raise cursor.error()
    inner = _named_view(cursor) or read_statement(region.of(cursor.index, region.hi))
    if not isinstance(inner, _EXPLAINED):
        name = _command_name(region.of(cursor.index, region.hi))
        raise FeatureNotSupported(f"EXPLAIN of {name} is not supported", position=inner.offset + 1)
    return Explain(region.text, region.start, inner, analyze)


def _named_view(cursor: Cursor) -> NamedView | None:
    start = cursor.position
    if not cursor.accept("materialized", "view"):
        return None
    name = cursor.name()
    cursor.expect_end()
    return NamedView(cursor.region.text[start - cursor.region.start :], start, name.reference, name.position)


def _explain_options(options: dict[str, str], position: int) -> bool:
    if options.get("format", "text").lower() != "text":
        raise FeatureNotSupported(
            f"EXPLAIN (FORMAT {options['format'].upper()}) is not supported",
            hint="use FORMAT TEXT",
            position=position + 1,
        )
    for name in options:
        if name not in _EXPLAIN_OPTIONS:
            raise SqlSyntaxError(f'unrecognized EXPLAIN option "{name}"', position=position + 1)
    return boolean_option("analyze", options.get("analyze", "false"), position)


def _flush(region: Region) -> Statement:
    cursor = Cursor(region)
    cursor.expect("flush")
    cursor.expect_end()
    return Flush(region.text, region.start)


def _wait(region: Region) -> Statement:
    cursor = Cursor(region)
    cursor.expect("wait")
    cursor.expect_end()
    return Wait(region.text, region.start)


def _checkpoint(region: Region) -> Statement:
    postgres.check(region)
    return Checkpoint(region.text, region.start)


def _refuse(region: Region) -> Statement:
    postgres.check(region)
    raise _unsupported(region)


def _unsupported(region: Region) -> FeatureNotSupported:
    return FeatureNotSupported(f"{_command_name(region)} is not supported", position=region.start + 1)


def _is_ours_unsupported(region: Region) -> bool:
    """Whether it is known without Postgres that there is no such statement here."""
    tokens = region.source.tokens
    word, what = tokens[region.lo].word, _object_word(region)
    if word == "create":
        is_ours = what in ("sink", "source", "stream") or _begins(region, ("lookup", "table"))
        if what == "stream":
            is_ours = views.is_table_as(region)
        return what in _BODIES or (what in _STREAMING_OBJECTS and not is_ours)
    if word == "drop":
        return what in ("connection", "secret")
    if word == "alter":
        return what in _STREAMING_OBJECTS - {"sink", "source"}
    return word in ("pause", "resume") and region.hi - region.lo > 1


def _command_name(region: Region) -> str:
    """``CREATE SINK``, ``DROP INDEX``, ``ALTER MATERIALIZED VIEW``, ``GRANT``."""
    words = [token.word for token in region.source.tokens[region.lo : region.lo + 8]]
    if words[0] not in ("create", "alter", "drop"):
        return words[0].upper()
    named = [word for word in words[1:] if word not in _MODIFIERS]
    count = 2 if named and named[0] in _TWO_WORDS else 1
    return " ".join([words[0], *named[:count]]).upper()


_CREATED: tuple[tuple[tuple[str, ...], Reader], ...] = (
    (("sink",), sinks.create_sink),
    (("source",), definitions.create_source),
    (("lookup", "table"), definitions.create_lookup_table),
    (("materialized", "view"), views.create_view),
    (("stream",), views.create_view),
    (("savepoint",), savepoints.create_savepoint),
    (("schema",), schemas.create_schema),
    (("subscription",), subscriptions.create_subscription),
    (("function",), functions.create_function),
    (("type",), user_types.create_type),
    (("extension",), accepted.create_extension),
)

_READERS: dict[str, Reader] = {
    "(": queries.select_statement,
    "select": queries.select_statement,
    "table": queries.select_statement,
    "values": queries.select_statement,
    "with": _with,
    "merge": merging.merge,
    "update": changes.update,
    "delete": changes.delete,
    "create": _create,
    "alter": _alter,
    "comment": _comment,
    "drop": _drop,
    "truncate": session.truncate,
    "subscribe": queries.subscribe,
    "copy": copying.copy,
    "explain": _explain,
    "flush": _flush,
    "wait": _wait,
    "checkpoint": _checkpoint,
    "restore": savepoints.restore_savepoint,
    "do": functions.do,
    "set": session.set_variable,
    "reset": session.set_variable,
    "show": session.show,
    **dict.fromkeys(
        ("begin", "start", "commit", "end", "rollback", "abort", "savepoint", "release"), session.transaction
    ),
    **dict.fromkeys(
        ("vacuum", "analyze", "analyse", "unlisten", "listen", "lock", "refresh", "cluster", "reindex"),
        accepted.accepted,
    ),
    **dict.fromkeys(("grant", "revoke"), accepted.accepted),
    "discard": session.discard,
    "prepare": prepared.prepare,
    "execute": prepared.execute,
    "deallocate": prepared.deallocate,
    "declare": cursors.declare,
    "fetch": cursors.fetch,
    "move": cursors.fetch,
    "close": cursors.close,
}
