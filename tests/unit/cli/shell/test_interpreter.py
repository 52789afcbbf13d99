"""Statements and backslash words, inside the process and over the wire."""

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from constellationdb.cli.shell.interpreter import Stopped
from tests.unit.cli.shell.conftest import Typed


@pytest.fixture
def orders(typed: Typed) -> Typed:
    typed(
        """CREATE TABLE orders (id int PRIMARY KEY, item text NOT NULL DEFAULT 'tea', price numeric(8,2));
        INSERT INTO orders VALUES (1, 'mug', 2.50), (2, 'tea', NULL);
        CREATE MATERIALIZED VIEW totals AS SELECT item, count(*) AS n FROM orders GROUP BY item;
        CREATE VIEW "Odd one" AS SELECT * FROM totals;"""
    )
    return typed


def test_rows_are_drawn_with_their_count(orders: Typed) -> None:
    lines = orders("SELECT * FROM orders ORDER BY id;")
    assert lines[0].split() == ["id", "item", "price"]
    assert lines[2].split() == ["1", "mug", "2.50"]
    assert lines[3].split() == ["2", "tea", "NULL"]
    assert lines[4] == "(2 rows)"


def test_an_error_has_a_caret_below_its_place_and_the_shell_goes_on(orders: Typed) -> None:
    lines = orders("SELECT id,\n\tnope FROM orders;\nSELECT 'on' AS went;")
    assert lines[0] == 'ERROR:  column "nope" does not exist (42703, CON-1003)'
    assert lines[1] == "LINE 2: \tnope FROM orders;"
    assert lines[2] == "        \t^"
    assert "on" in "".join(lines[3:])


def test_detail_and_hint_are_shown(orders: Typed) -> None:
    lines = orders("DROP TABLE orders;")
    assert lines[0].startswith("ERROR:  cannot drop table orders because other objects depend on it")
    assert lines[1].startswith("DETAIL:  ")
    assert lines[-1] == "HINT:  Use DROP ... CASCADE to drop the dependent objects too."


def test_a_script_ends_at_its_first_error_when_it_is_told_to(typed: Typed) -> None:
    typed("\\set ON_ERROR_STOP on")
    with pytest.raises(Stopped):
        typed("SELEC 1; CREATE TABLE never (a int);")
    typed("\\unset ON_ERROR_STOP")
    assert "never" not in "".join(typed("\\dt"))


def test_what_there_is(orders: Typed) -> None:
    listed = [line.split("  ")[0].strip() for line in orders("\\d")]
    assert {"orders", "totals", "Odd one"} <= set(listed)
    assert not any(name.endswith("_errors") for name in listed)
    assert [line.split()[0] for line in orders("\\dt")[3:-2]] == ["orders"]
    assert "totals" in orders("\\dm tot*")[3]
    assert orders("\\dt no*") == ['Did not find any relation named "no*".']
    assert "orders_pkey" in orders("\\di")[3]
    assert "public" in "".join(orders("\\dn"))
    assert "constellation" in "".join(orders("\\l"))
    assert len(orders("\\du")) > 3
    assert "abs" in "".join(orders("\\df abs"))


def test_relations_of_other_schemas(typed: Typed) -> None:
    typed("CREATE SCHEMA shop; CREATE TABLE shop.item (id int PRIMARY KEY, name text);")
    assert typed("\\dt shop.*")[3].split()[:2] == ["shop.item", "table"]
    assert typed("\\d shop.item")[0] == 'Table "shop.item"'
    assert typed("SET search_path = shop;\n\\d item")[0:2][-1] == 'Table "shop.item"'
    typed("RESET search_path; DROP SCHEMA shop CASCADE;")


def test_one_relation_in_full(orders: Typed) -> None:
    lines = orders("\\d orders")
    assert lines[0] == 'Table "orders"'
    rows = [line.split() for line in lines[3:6]]
    assert rows[0][:4] == ["id", "integer", "not", "null"]
    assert rows[1] == ["item", "text", "not", "null", "'tea'::text"]
    assert rows[2][:2] == ["price", "numeric(8,2)"]
    assert "Primary key: id" in lines
    assert "Read by: totals" in lines
    lines = orders("\\d totals;")
    assert "Reads: orders" in lines
    assert "Read by: Odd one" in lines
    assert any(line.strip().startswith("CREATE MATERIALIZED VIEW totals") for line in lines)
    assert orders('\\d "Odd one"')[0] == 'View "Odd one"'
    assert orders("\\d nothing") == ['ERROR:  relation "nothing" does not exist (42P01, CON-1002)']


def test_sources_and_lookup_tables(typed: Typed) -> None:
    typed(
        """CREATE SOURCE ticks (a int, at timestamp, WATERMARK FOR at AS at - INTERVAL '1 second');
        CREATE LOOKUP TABLE kind (kind text PRIMARY KEY, label text)
        WITH (connector = 'inline', rows = '[["a", "first"]]');"""
    )
    assert "ticks" in typed("\\ds")[3]
    assert "kind" in typed("\\dl")[3]
    assert "Primary key: kind" in typed("\\d kind")
    assert "Side outputs: ticks_errors" in typed("\\d ticks")


def test_the_statement_before_a_word(orders: Typed) -> None:
    assert orders("SELECT 7 AS seven \\gx")[:2] == ["-[ RECORD 1 ]", "seven | 7"]
    assert "7" in "".join(orders("\\g"))
    assert [line.split() for line in orders("SELECT id, item FROM orders \\gdesc")[2:4]] == [
        ["id", "integer"], ["item", "text"],
    ]  # fmt: skip
    assert orders("SELECT 1\n\\p\n\\r\n\\p")[:2] == ["SELECT 1", "Query buffer reset (cleared)."]


def test_how_answers_are_shown(orders: Typed) -> None:
    assert orders("\\x") == ["Expanded display is on."]
    assert orders("SELECT id FROM orders WHERE id = 1;")[1] == "id | 1"
    orders("\\x auto")
    assert orders("SELECT 1 AS a;")[0].split() == ["a"]
    assert orders(f"SELECT '{'x' * 200}' AS a;")[0] == "-[ RECORD 1 ]"
    orders("\\x off\n\\pset null (none)")
    assert "(none)" in "".join(orders("SELECT NULL AS a;"))
    orders("\\pset format csv")
    assert orders("SELECT id, price FROM orders ORDER BY id;") == ["id,price", "1,2.50", "2,(none)"]
    orders("\\pset format json\n\\t")
    assert json.loads(orders("SELECT id FROM orders WHERE id = 1;")[0]) == {"id": 1}
    assert orders("\\pset format xml")[0] == '\\pset: "xml" is no format'
    orders("\\pset format table\n\\t off\n\\timing")
    assert orders("SELECT 1;")[-1].startswith("Time: ")


def test_wide_rows_are_cut_to_the_screen(typed: Typed) -> None:
    lines = typed(f"SELECT '{'x' * 300}' AS a, 1 AS b;")
    assert max(map(len, lines)) <= 100
    assert "…" in "".join(lines)


def test_variables(orders: Typed) -> None:
    assert orders("\\set wanted 2\nSELECT item FROM orders WHERE id = :wanted;")[2].strip() == "tea"
    assert orders("\\echo wanted: :wanted") == ["wanted: 2"]
    orders("\\unset wanted")
    assert orders("SELECT :wanted;")[0].startswith("ERROR:  syntax error")


def test_files(orders: Typed, tmp_path: Path) -> None:
    (tmp_path / "more.sql").write_text("INSERT INTO orders (id)\nVALUES (3);\n\\echo included\n")
    assert orders("\\i more.sql") == ["INSERT 0 1", "included"]
    assert "No such file" in orders("\\i nowhere.sql")[0]
    orders("\\o out.txt\nSELECT count(*) AS n FROM orders;\n\\o")
    assert (tmp_path / "out.txt").read_text().split() == ["n", "---", "3", "(1", "row)"]


def test_copy_with_a_file_and_with_lines_of_the_script(orders: Typed, tmp_path: Path) -> None:
    assert orders("\\copy orders (id, item) to 'out.csv' with (format csv, header)") == []
    assert (tmp_path / "out.csv").read_text().splitlines() == ["id,item", "1,mug", "2,tea"]
    assert orders("\\copy (SELECT id FROM orders WHERE id > 1) to out.txt") == []
    assert (tmp_path / "out.txt").read_text() == "2\n"
    (tmp_path / "in.csv").write_text("7,seven\n8,\n")
    assert orders("\\copy orders (id, item) from in.csv csv")[0].startswith("ERROR:  null value")
    (tmp_path / "in.csv").write_text("7,seven\n8,eight\n")
    assert orders("\\copy orders (id, item) from in.csv csv") == ["COPY 2"]
    assert orders("COPY orders (id, item) FROM STDIN;\n9\tnine\n\\.\nSELECT 1 AS after;")[0] == "COPY 1"
    assert orders("COPY (SELECT item FROM orders WHERE id >= 8 ORDER BY id) TO STDOUT;") == ["eight", "nine"]
    lines = orders("COPY orders (id) FROM STDIN;\n10\nx\n\\.")
    assert lines[0].startswith('ERROR:  invalid input syntax for type integer: "x"')
    assert lines[1].startswith("CONTEXT:  COPY orders, line 2, column id")
    assert orders("\\copy orders")[0].startswith("\\copy: say")


def test_watch_says_it_again(orders: Typed) -> None:
    lines = orders("SELECT 'again' AS said \\watch 0.01 c=3")
    assert sum("again" in line for line in lines) == 3
    assert orders("SELEC \\watch 0.01")[2].startswith("ERROR:")


def test_help(typed: Typed) -> None:
    text = "\n".join(typed("\\?"))
    assert "\\copy TABLE|(QUERY) from|to FILE [OPTIONS]" in text
    assert "\\tail NAME" in text
    assert typed("\\h create so")[0] == "CREATE SOURCE"
    assert typed("\\h nothing")[0] == 'No help available for "nothing".'
    assert typed("\\frobnicate") == ["invalid command \\frobnicate", "Try \\? for help."]


def test_leaving(typed: Typed) -> None:
    typed("\\q\nCREATE TABLE never (a int);")
    assert typed.shell.leaving


def test_a_transaction_is_the_shells_own_and_its_state_is_known(orders: Typed) -> None:
    database = orders.shell.database
    orders("BEGIN;\nINSERT INTO orders (id) VALUES (5);")
    assert database.transaction_status == "T"
    orders("SELEC;")
    assert database.transaction_status == "E"
    assert "25P02" in orders("SELECT 1;")[0]
    orders("\\dt")
    orders("ROLLBACK;")
    assert database.transaction_status == "I"
    assert orders("SELECT count(*) AS n FROM orders;")[2].split() == ["2"]


@pytest.fixture
def heard() -> Iterator[None]:
    """Ctrl-C is heard, also where the tests run in the background of a shell that lets it be ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def _with_ctrl_c_when(seen: Callable[[], bool]) -> threading.Thread:
    def press() -> None:
        while not seen():
            threading.Event().wait(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    return thread


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("statement", ["SELECT * FROM ticks;", "SUBSCRIBE seen;", "COPY (SUBSCRIBE seen) TO STDOUT;"])
def test_ctrl_c_ends_a_query_that_does_not_end_and_keeps_the_shell(typed: Typed, statement: str) -> None:
    typed(
        """CREATE SOURCE ticks WITH (connector = 'generator', preset = 'sensors', rate = '100');
        CREATE MATERIALIZED VIEW seen AS SELECT site, count(*) FROM ticks GROUP BY site;"""
    )
    pressing = _with_ctrl_c_when(lambda: typed.out.getvalue().count("site-") >= 3)
    lines = typed(statement)
    pressing.join()
    assert lines[-1] == "ERROR:  canceling statement due to user request (57014, CON-4001)"
    assert sum("site-" in line for line in lines) >= 3
    assert typed("SELECT 'still' AS here;")[2].strip() == "still"


@pytest.mark.usefixtures("heard")
def test_ctrl_c_ends_watch(typed: Typed) -> None:
    pressing = _with_ctrl_c_when(lambda: "again" in typed.out.getvalue())
    lines = typed("SELECT 'again' AS said \\watch 1000")
    pressing.join()
    assert sum("again" in line for line in lines) == 1


def test_a_server_can_be_changed_for_another_and_a_wrong_one_is_refused(typed: Typed, url: str) -> None:
    if typed.shell.target.place is None:
        assert "would be lost" in typed("\\c /tmp/nowhere")[0]
        return
    typed("BEGIN;")
    assert typed("\\c postgres://127.0.0.1:1/x")[0].startswith("ERROR:  the server does not answer")
    assert typed.shell.database.transaction_status == "T"
    assert typed(f"\\c {url}")[0].startswith('You are connected to database "constellation" as user "ada"')
    assert typed.shell.database.transaction_status == "I"
    assert typed("\\conninfo")[0].startswith("You are connected")
