"""Random patterns over few letters: what Postgres finds, we find, or we refuse the pattern by what is in it."""

from __future__ import annotations

import os
import random

import psycopg
import pytest

from constellationdb.planner.raising import ComputationError
from constellationdb.planner.regex_functions import match, matches, split

_ASKED = (
    "SELECT regexp_match(%s, %s, %s), regexp_split_to_array(%s, %s, %s),"
    " ARRAY(SELECT m[1] FROM regexp_matches(%s, %s, %s) AS m)"
)
_ATOMS = ("a", "b", "c", ".", "[ab]", "[^a]", r"\w", "^", "$", r"\m", r"\M", r"\y", "[[:digit:]b]", "-", r"\n")
_QUANTIFIERS = ("", "", "", "*", "+", "?", "{2}", "{1,2}", "{2,}", "*?", "+?", "??")


def _pattern(rng: random.Random, depth: int) -> str:
    branches = ["".join(_piece(rng, depth) for _ in range(rng.randint(1, 3))) for _ in range(rng.choice((1, 1, 1, 2)))]
    return "|".join(branches)


def _piece(rng: random.Random, depth: int) -> str:
    if depth and rng.random() < 0.35:
        return f"({rng.choice(('', '', '?:', '?=', '?!'))}{_pattern(rng, depth - 1)})" + _quantifier(rng)
    atom = rng.choice(_ATOMS)
    return atom + (_quantifier(rng) if atom not in ("^", "$", r"\m", r"\M", r"\y") else "")


def _quantifier(rng: random.Random) -> str:
    return rng.choice(_QUANTIFIERS)


def test_what_postgres_finds(postgres: str) -> None:
    seed = int(os.environ.get("CONSTELLATION_SEED", "4"))
    rng = random.Random(seed)
    compared = refused = 0
    with psycopg.connect(postgres, autocommit=True) as connection:
        while compared < 800:
            pattern = _pattern(rng, 2)
            text = "".join(rng.choice("aabbc-1\n") for _ in range(rng.randint(0, 7)))
            options = rng.choice(("", "", "i", "n"))
            try:
                theirs = connection.execute(
                    _ASKED, [text, pattern, options] * 2 + [text, pattern, options + "g"]
                ).fetchone()
            except psycopg.errors.InvalidRegularExpression:
                with pytest.raises(ComputationError):
                    match(text, pattern, options)
                continue
            try:
                ours = match(text, pattern, options), split(text, pattern, options)
                firsts = [groups[0] for groups in matches(text, pattern, options + "g")]
            except ComputationError as error:
                if error.sqlstate != "0A000":
                    pytest.fail(f"{pattern}: {error.message}, seed {seed}")
                refused += 1
                continue
            assert (*ours, firsts) == theirs, (seed, pattern, text, options)
            compared += 1
    assert refused < 2 * compared
