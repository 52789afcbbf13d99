"""The whole text: splitting, positions in characters, and errors as Postgres words and orders them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pglast.parser import ParseError, parse_sql_json

from constellationdb.errors import (
    CharacterNotInRepertoire,
    ConstellationError,
    FeatureNotSupported,
    LimitExceeded,
    SqlSyntaxError,
)
from constellationdb.planner.statements import CreateSource, Select
from constellationdb.planner.syntax import parse
from constellationdb.planner.syntax.mask import mask
from constellationdb.planner.syntax.split import statements
from constellationdb.planner.syntax.tokens import read_tokens

STATEMENTS = [
    "SELECT 'a;b', $$c;d$$, $é$;'$é$, \"x;y\"",
    "SELECT (1 + (2)) /* ; /* ; */ ' */ AS é",
    "INSERT INTO t VALUES (1, ';😀')",
    "SUBSCRIBE v WITH (progress)",
    "SUBSCRIBE (SELECT ';' FROM t EMIT CHANGES)",
    "CREATE SOURCE s (a int) WITH ('x' = ';')",
    "FLUSH",
    "SELECT E'\\';' -- it's ; here\n + 1",
]
GAPS = ["", " ", "\n\t", "-- ; é '\n", "/* ;' */", ";", " ; /* ü */ ;"]


@given(st.lists(st.tuples(st.sampled_from(GAPS), st.sampled_from(STATEMENTS)), max_size=5), st.sampled_from(GAPS))
@settings(max_examples=200, deadline=None)
def test_splitting_gives_every_statement_back_at_its_place(parts: list[tuple[str, str]], last: str) -> None:
    sql, expected = "", []
    for gap, text in parts:
        sql += gap
        expected.append((len(sql), text))
        sql += text + ";"
    sql += last
    assert [(found.offset, found.text) for found in parse(sql)] == expected


@pytest.mark.parametrize("sql", ["", " ", ";", ";;; ", "-- x", "/* é */ ; -- ;"])
def test_nothing_is_no_statement(sql: str) -> None:
    assert parse(sql) == []


def test_a_statement_without_any_keyword_of_postgres_is_not_lost() -> None:
    assert [type(found).__name__ for found in parse("SELECT 1; SUBSCRIBE mv; FLUSH; SELECT 2")] == [
        "Select",
        "Subscribe",
        "Flush",
        "Select",
    ]


def test_names_are_folded_quoted_and_cut_as_in_postgres() -> None:
    found = parse(f'CREATE SOURCE ÉtÉ ("a""B" int, CamelCase int, U&"d\\0061t" int, {"x" * 70} int)')[0]
    assert isinstance(found, CreateSource)
    assert found.name == "ÉtÉ"  # only ASCII letters fold
    assert [column.name for column in found.columns] == ['a"B', "camelcase", "dat", "x" * 63]


# ¦ stands before the character an error points at.
@pytest.mark.parametrize(
    ("marked", "message"),
    [
        ("¦SELEC 1", 'syntax error at or near "SELEC"'),
        ("SELECT '😀é'; ¦SELEC 1; SELECT 2", 'syntax error at or near "SELEC"'),
        ("SELECT 1 +¦", "syntax error at end of input"),
        ("SELECT 1 + /* é */   ¦", "syntax error at end of input"),
        ("SELECT 'é' + /* x */ ¦; SELECT 2", 'syntax error at or near ";"'),
        ("SELECT (1¦; SELECT 2)", 'syntax error at or near ";"'),
        ("SUBSCRIBE (SELECT 1¦; SELECT 2)", 'syntax error at or near ";"'),
        ("SUBSCRIBE (SELECT 1 +¦)", 'syntax error at or near ")"'),
        ("SELECT ¦'abc", 'unterminated quoted string at or near "\'abc"'),
        ("SELECT 'é', ¦\"abc", 'unterminated quoted identifier at or near ""abc"'),
        ('SELECT WITH ¦"abc', 'unterminated quoted identifier at or near ""abc"'),
        ("¦SELEC 1; SELECT 'abc", 'syntax error at or near "SELEC"'),
        ("SELECT 1; SELECT FROM ¦FROM; SELECT $$abc", 'syntax error at or near "FROM"'),
        ("SELECT ¦1a", 'trailing junk after numeric literal at or near "1a"'),
        ("CREATE INDEX i ON t (a); ¦SELEC 1", 'syntax error at or near "SELEC"'),
        ("¦SELEC 1; SELECT \0", 'syntax error at or near "SELEC"'),
        ("SELECT '¦\ud800'", "the text is not valid Unicode"),
    ],
)
def test_syntax_errors(marked: str, message: str) -> None:
    with pytest.raises(SqlSyntaxError) as caught:
        parse(marked.replace("¦", ""))
    assert (caught.value.message, caught.value.position) == (message, marked.index("¦") + 1)


@pytest.mark.parametrize("text", ["SELECT \0", "SELECT E'\\000'", "SELECT E'a\\xff'"])
def test_bytes_that_are_no_text(text: str) -> None:
    with pytest.raises(CharacterNotInRepertoire, match='invalid byte sequence for encoding "UTF8": 0x'):
        parse(text)


def test_the_first_refused_statement_is_told_when_all_are_valid() -> None:
    with pytest.raises(FeatureNotSupported) as caught:
        parse("SELECT 1; NOTIFY x; CREATE INDEX ON t (a)")
    assert (caught.value.message, caught.value.position) == ("NOTIFY is not supported", 11)


def test_too_deep_is_a_limit_and_no_crash() -> None:
    with pytest.raises(LimitExceeded):
        parse("SELECT " + "(" * 30000 + "1" + ")" * 30000)


def test_equal_texts_give_equal_values_and_lists_of_their_own() -> None:
    first = parse("SELECT 1")
    first.clear()
    assert len(parse("SELECT 1")) == 1


_WORDS = (
    "SELECT FROM WHERE GROUP BY ORDER LIMIT a b \"Q é\" 'str;' $$d;$$ $1 1 1.5 ( ) , ; * + = . :: int AS WITH VALUES "
    "INSERT INTO UPDATE SET DELETE USING RETURNING ON CONFLICT DO NOTHING JOIN emit changes window close final allow "
    "late data to FOR UPDATE epoch CREATE TABLE VIEW IF NOT EXISTS PRIMARY KEY DEFAULT NULL DROP CASCADE COPY STDIN "
    "SHOW BEGIN /*;*/ é [ ] DISTINCT TRUNCATE RESET"
)
WORDS = _WORDS.split(" ")
_OWN_READERS = ("CREATE", "COPY")  # read by us before Postgres sees them: the error may be another one


@given(st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join))
@settings(max_examples=600, deadline=None)
def test_what_postgres_accepts_is_never_a_syntax_error_and_errors_are_its_own(sql: str) -> None:
    """Postgres' parser is asked about the same words: where both refuse plain SQL, they refuse alike."""
    try:
        parse(sql)
        ours: ConstellationError | None = None
    except ConstellationError as error:
        ours = error
    theirs = _postgres_error(sql)
    is_streaming = bool({"emit", "allow", "late", "epoch"} & set(sql.split()))
    if theirs is None:
        assert not isinstance(ours, SqlSyntaxError)
    elif isinstance(ours, SqlSyntaxError):
        assert ours.position is not None
        assert 1 <= ours.position <= len(sql) + 1
        assert is_streaming or sql.split()[0] in _OWN_READERS or (ours.message, ours.position) == theirs
    else:
        assert ours is not None or is_streaming


def _postgres_error(sql: str) -> tuple[str, int] | None:
    try:
        parse_sql_json(sql)
    except ParseError as error:
        message, location = error.args
        return message, len(sql) + 1 if location is None else location + 1
    return None


OPAQUE = [
    "' EMIT CHANGES '", "'FOR SYSTEM_TIME AS OF now()'", "$$ EMIT ON WINDOW CLOSE$$", '"EMIT CHANGES"', "$x$; $$ '$x$",
    "/* EMIT CHANGES */ 1", "-- FOR SYSTEM_TIME AS OF NOW()\n 2", "E'\\' AS OF EPOCH 5'", "'é😀'", "emit", "t.late",
    "(SELECT 'AS OF EPOCH 4' FROM late)", "f(x, ' EMIT FINAL')",
]  # fmt: skip
TAILS = [
    "",
    " EMIT CHANGES",
    " AS OF EPOCH 9",
    " EMIT ON WINDOW CLOSE LATE DATA TO x",
    " ALLOW LATENESS INTERVAL '1' DAY",
]


@given(st.lists(st.sampled_from(OPAQUE), min_size=1, max_size=5), st.booleans(), st.sampled_from(TAILS))
@settings(max_examples=300, deadline=None)
def test_masking_keeps_length_and_touches_only_the_clauses(items: list[str], joined: bool, tail: str) -> None:
    head = f"SELECT {', '.join(items)} FROM t"
    clause = " FOR SYSTEM_TIME AS OF PROCTIME()" if joined else ""
    sql = f"{head}{clause} WHERE a = {items[0]}\n{tail}"
    (region,) = statements(read_tokens(sql))
    masked = mask(region)
    assert masked.text == head + " " * len(clause) + f" WHERE a = {items[0]}\n".rstrip() + (
        "\n" + " " * len(tail) if tail else ""
    )
    (found,) = parse(sql)
    assert isinstance(found, Select)
    assert found.query.text == masked.text
    assert (found.query.emit is not None) == ("EMIT" in tail or "LATENESS" in tail)
