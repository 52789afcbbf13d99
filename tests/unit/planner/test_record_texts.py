"""Rows as text: written, read, refused, and put in Postgres' order."""

from __future__ import annotations

from random import Random

import pytest

from constellationdb.catalog import types
from constellationdb.catalog.text.array_literals import array_elements, array_text
from constellationdb.catalog.text.record_literals import fields_for, record_fields, record_text
from constellationdb.errors import InvalidParameter, InvalidTextRepresentation, NullNotAllowed
from constellationdb.planner.maps import map_text
from constellationdb.planner.record_order import sort_texts
from constellationdb.planner.records import read_values

_PIECES = ["a", "", " ", '"', "\\", ",", "(", ")", "{", "}", "NULL", "é", "\n", None]


@pytest.mark.parametrize("seed", range(50))
def test_what_is_written_is_read_again(seed: int) -> None:
    random = Random(seed)
    fields = [
        None if (first := random.choice(_PIECES)) is None else first + "".join(random.choices(_PIECES[:-1], k=3))  # type: ignore[arg-type]
        for _ in range(random.randint(1, 5))
    ]
    assert record_fields(record_text(fields)) == fields
    assert array_elements(array_text(fields)) == fields


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("1,2)", "Missing left parenthesis."),
        ("(1,2", "Unexpected end of input."),
        ('(1,"2)', "Unexpected end of input."),
        ("(1,2) x", "Junk after right parenthesis."),
        ("(1)", "Too few columns."),
        ("(1,2,3)", "Too many columns."),
    ],
)
def test_malformed_rows_are_refused(text: str, detail: str) -> None:
    with pytest.raises(InvalidTextRepresentation) as caught:
        fields_for(text, 2)
    assert (caught.value.message, caught.value.detail) == (f'malformed record literal: "{text}"', detail)


_KIND = types.record((("a", types.INTEGER), ("b", types.TEXT), ("c", types.DOUBLE), ("d", types.array_of(types.DATE))))


def test_rows_sort_field_by_field_with_null_last() -> None:
    ordered = [
        "(-5,z,,)", '(1,"",,)', "(1,a,-Infinity,)", "(1,a,-1.5,)", "(1,a,0,{})", "(1,a,0,{2023-12-31})",
        '(1,a,0,"{2023-12-31,2020-01-01}")', "(1,a,0,{2024-01-01})", "(1,a,0,{NULL})", "(1,a,0,)", "(1,a,2,)",
        "(1,a,NaN,)", "(1,a,,)", "(1,ab,0,)", "(1,é,0,)", "(1,,0,)", "(20,a,0,)", "(,a,0,)", None,
    ]  # fmt: skip
    keys = sort_texts(ordered, _KIND)
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)


def test_equal_values_share_a_key() -> None:
    kind = types.record((("a", types.DOUBLE), ("b", types.numeric()), ("c", types.INTERVAL), ("d", types.JSONB)))
    first, second = sort_texts(['(0,1.0,1 day,"{""a"": 1.0}")', '(-0,1.00,24:00:00,"{""a"": 1}")'], kind)
    assert first == second


def test_maps_have_their_keys_in_order_and_once() -> None:
    kind = types.map_of(types.INTEGER, types.array_of(types.TEXT))
    assert read_values(['{"10": ["b", null], "9": null}', None], kind).to_pylist() == [
        '{"9": null, "10": ["b",null]}',
        None,
    ]
    for text, error in (
        ('{"1": [], "01": []}', InvalidParameter),
        ('{"x": []}', InvalidTextRepresentation),
        ("[1]", InvalidTextRepresentation),
        ('{"1": {"a": 1}}', InvalidTextRepresentation),
        ("{", InvalidTextRepresentation),
    ):
        with pytest.raises(error):
            read_values([text], kind)
    with pytest.raises(NullNotAllowed):
        map_text([None], ["{}"], kind)


def test_types_are_known_by_what_is_said_of_them() -> None:
    inner = types.composite("pt", 16400, (("x", types.INTEGER), ("n", types.numeric(6, 2)), ("v", types.varchar(5))))
    for kind in (
        inner,
        types.array_of(inner),
        types.enum("mood", 16401, ("sad", "ok")),
        types.map_of(types.TEXT, types.array_of(inner)),
        types.record((("f1", types.numeric()), ("f2", types.array_of(types.numeric(5, 1))))),
    ):
        assert types.of_description(types.describe(kind)) == kind
        assert types.of_field(types.field_of("c", kind)) == kind
