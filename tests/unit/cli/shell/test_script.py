"""Where statements end, and what a backslash is."""

import pytest

from constellationdb.cli.shell.script import Script, Statement, Word, is_whole, pieces


def _said(text: str) -> list[str]:
    return [piece.sql.strip() if isinstance(piece, Statement) else f"\\{piece.name}" for piece in pieces(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT 1; SELECT 2;", ["SELECT 1;", "SELECT 2;"]),
        ("SELECT\n1\n;", ["SELECT\n1\n;"]),
        ("SELECT ';', \"a;b\", $$;$$, $x$ ; $x$;", ["SELECT ';', \"a;b\", $$;$$, $x$ ; $x$;"]),
        ("SELECT 'two\nlines;\n';", ["SELECT 'two\nlines;\n';"]),
        ("SELECT 1 -- not here;\n;", ["SELECT 1 -- not here;\n;"]),
        ("SELECT /* ; /* nested ; */ ; */ 1;", ["SELECT /* ; /* nested ; */ ; */ 1;"]),
        ("SELECT (1;\n2);", ["SELECT (1;\n2);"]),
        (";;\n;", []),
        ("-- nothing\n/* at all */", []),
        ("SELECT 1", ["SELECT 1"]),
        ("SUBSCRIBE v; FLUSH;", ["SUBSCRIBE v;", "FLUSH;"]),
        ("SELECT 1a;", ["SELECT 1a;"]),
        ("SELECT E'a\\'b;';", ["SELECT E'a\\'b;';"]),
        ("SELECT '\\d';", ["SELECT '\\d';"]),
        ("SELECT 1 -- \\q\n;", ["SELECT 1 -- \\q\n;"]),
        ("-- \\q\nSELECT 1;", ["SELECT 1;"]),
        ("SELECT 1; \\d", ["SELECT 1;", "\\d"]),
    ],
)
def test_a_text_is_cut_where_the_planner_would_cut_it(text: str, expected: list[str]) -> None:
    assert _said(text) == expected


def test_a_word_takes_the_statement_before_it_or_leaves_it() -> None:
    script = Script()
    assert list(script.feed("SELECT 1")) == []
    assert list(script.feed("\\d t")) == [Word("d", "t")]
    assert list(script.feed("  + 1 \\gx")) == [Word("gx", "", "SELECT 1\n  + 1 ")]
    assert script.pending == ""


def test_a_word_goes_to_the_end_of_its_line() -> None:
    assert pieces("\\echo one; two\nSELECT 1;") == [Word("echo", "one; two"), Statement("SELECT 1;")]
    assert pieces("\\?") == [Word("?")]


@pytest.mark.parametrize(
    "text", ["", "  ", "SELECT 1;", "SELECT\n1;", "\\d", "SELECT 1 \\g", "-- a remark", "SELECT 1;;"]
)
def test_what_is_whole(text: str) -> None:
    assert is_whole(text)


@pytest.mark.parametrize("text", ["SELECT", "SELECT ';", "SELECT (1;", "SELECT 1; SELECT", "SELECT $$;", "/* ;", '"a;'])
def test_what_is_not(text: str) -> None:
    assert not is_whole(text)
