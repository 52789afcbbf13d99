"""``constellation demo flights``, in whole, with one row missing from what DuckDB says."""

from io import StringIO

from rich.console import Console

from constellationdb.cli.flights.compare import Row
from constellationdb.cli.flights.data import FlightFiles
from constellationdb.cli.flights.demo import report, run
from constellationdb.cli.flights.expected import expected
from constellationdb.cli.flights.views import VIEWS


def test_a_single_wrong_row_among_all_views_is_found_and_nothing_else_differs() -> None:
    removed: list[Row] = []

    def corrupted(files: FlightFiles) -> dict[str, list[Row]]:
        answers = expected(files)
        removed.append(answers["flights_named"].pop(1234))
        return answers

    out = StringIO()
    assert run(None, 0, Console(file=out, width=300), corrupted) == 1
    shown = out.getvalue()
    assert f"1 of {len(VIEWS)} views differ" in shown
    assert "differs in 1 rows" in shown
    assert f"flights_named: unexpected ({removed[0][0]}, " in shown


def test_agreement_is_success() -> None:
    out = StringIO()
    assert report([], Console(file=out)) == 0
