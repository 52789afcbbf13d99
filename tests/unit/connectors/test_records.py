"""Where records end: checked against Python's own CSV reader."""

import csv
import io
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from constellationdb.connectors.file.csv_decoder import unique_names
from constellationdb.connectors.file.records import csv_record_ends, line_ends

FIELD = st.text(alphabet='ab",\n ;', max_size=6)


def written(rows: list[list[str]], quoting: int) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n", quoting=quoting).writerows(rows)  # type: ignore[arg-type]
    return out.getvalue().encode()


def cut(block: bytes, delimiter: str = ",") -> list[bytes]:
    ends = [0, *csv_record_ends(block, delimiter).tolist()]
    return [block[start:end] for start, end in pairwise(ends)]


@given(st.lists(st.lists(FIELD, min_size=2, max_size=3), min_size=1, max_size=6), st.sampled_from([0, 1]))
def test_records_are_those_that_were_written(rows: list[list[str]], quoting: int) -> None:
    block = written(rows, quoting)
    assert cut(block) == [written([row], quoting) for row in rows]
    # an incomplete last record is not given
    assert cut(block[:-1]) == [written([row], quoting) for row in rows[:-1]]


@given(st.lists(st.text(alphabet="ab,' x", min_size=1, max_size=8), max_size=5), st.integers(0, 5))
def test_a_stray_quote_within_a_field_ends_nothing(lines: list[str], place: int) -> None:
    """``5" pipe`` is a field with a quote in it: each line is still a record."""
    lines.insert(min(place, len(lines)), '1,5" pipe,2')
    block = "".join(line + "\n" for line in lines).encode()
    assert cut(block) == [line.encode() + b"\n" for line in lines]


def test_stray_and_real_quotes_together() -> None:
    block = b'1,5" pipe\n2,"a\nb"\n3,"c""d\n"\n'
    assert cut(block) == [b'1,5" pipe\n', b'2,"a\nb"\n', b'3,"c""d\n"\n']
    assert cut(b"1|x\n2|'\n", "|") == [b"1|x\n", b"2|'\n"]


def test_an_open_quote_has_no_end() -> None:
    assert cut(b'1,x\n2,"ab\n3,y\n') == [b"1,x\n"]


def test_lines() -> None:
    assert line_ends(b"\na\n\nb").tolist() == [1, 3, 4]
    assert line_ends(b"").tolist() == []


def test_the_first_of_two_columns_with_one_name_counts() -> None:
    assert unique_names(["a", "b", "a", "a"]) == ["a", "b", "a#2", "a#3"]
