"""What is offered at the cursor, which stands at the mark |."""

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from constellationdb.cli.shell.completion import SqlCompleter
from tests.unit.cli.shell.conftest import Typed


@pytest.fixture
def schema(typed: Typed) -> Typed:
    typed(
        """CREATE TABLE orders (id int PRIMARY KEY, item text, "Unit price" numeric(8,2), "order" int);
        CREATE MATERIALIZED VIEW order_totals AS SELECT item AS what, count(*) AS n FROM orders GROUP BY item;
        CREATE VIEW "Odd one" AS SELECT * FROM order_totals;"""
    )
    return typed


def _offered(shell: Typed, marked: str) -> list[str]:
    """The texts as they would be after each completion, in place of what was typed."""
    cursor = marked.index("|")
    document = Document(marked.replace("|", ""), cursor)
    completer = SqlCompleter(shell.shell.names)
    return [completion.text for completion in completer.get_completions(document, CompleteEvent())]


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        ("SELECT * FROM ord|", ["orders", "order_totals"]),
        ("SELECT * FROM orders o JOIN order_t|", ["order_totals"]),
        ("SELECT it| FROM orders", ["item"]),
        ("SELECT Unit| FROM orders", ['"Unit price"']),
        ('SELECT "Un| FROM orders', ['"Unit price"']),
        ("SELECT o.| FROM orders o", ["id", "item", '"Unit price"', '"order"']),
        ("SELECT 1; SELECT wh| FROM order_totals; SELECT 2", ["what", "when", "where"]),
        ("SELECT * FROM odd|", ['"Odd one"']),
        ("INSERT INTO ord|", ["order_totals", "orders"]),
        ("UPDATE orders SET it|", ["item"]),
        ("SUBSCRIBE order_|", ["order_totals"]),
        ("SUBSCRIBE TO order_|", ["order_totals"]),
        ("SELECT * FROM orders, order_|", ["order_totals"]),
        ("DROP MATERIALIZED VIEW |", ["order_totals", "IF EXISTS"]),
        ("DROP TABLE IF EXISTS |", ["orders", "IF EXISTS"]),
        ("CREATE MAT|", ["MATERIALIZED VIEW"]),
        ("create mat|", ["materialized view"]),
        ("sel|", ["select"]),
        ("CREATE MATERIALIZED VIEW v AS SELECT count(*) FROM orders EMI|", ["EMIT CHANGES", "EMIT ON WINDOW CLOSE"]),
        ("SET statement_t|", ["statement_timeout"]),
        ("SHOW sear|", ["search_path"]),
        ("SELECT date_tr|", ["date_trunc"]),
        ("\\d ord|", ["orders", "order_totals"]),
        ("\\tai|", ["\\tail"]),
        ("\\tail order_|", ["order_totals"]),
        ("SELECT 'ord|'", []),
        ("SELECT 1 -- FROM ord|", []),
        ("SELECT /* FROM ord|", []),
    ],
)
def test_what_fits_there(schema: Typed, marked: str, expected: list[str]) -> None:
    assert sorted(_offered(schema, marked)) == sorted(expected)


def test_relations_behind_their_schema(schema: Typed) -> None:
    schema('CREATE SCHEMA shop; CREATE TABLE shop.item (id int); CREATE TABLE shop."Odd" (id int);')
    assert sorted(_offered(schema, "SELECT * FROM shop.|")) == ['"Odd"', "item"]
    assert "shop.item" in _offered(schema, "SELECT * FROM sho|")
    assert "orders" in _offered(schema, "SELECT * FROM public.|")
    schema("DROP SCHEMA shop CASCADE;")


def test_names_are_fetched_again_after_a_definition(schema: Typed) -> None:
    assert _offered(schema, "SELECT * FROM neu|") == []
    schema("CREATE TABLE neu (a int);")
    assert _offered(schema, "SELECT * FROM neu|") == ["neu"]
    schema("DROP TABLE neu;")
    assert _offered(schema, "SELECT * FROM neu|") == []


def test_a_transaction_that_failed_is_no_obstacle_and_takes_no_notice(schema: Typed) -> None:
    schema("BEGIN;\nINSERT INTO orders (id) VALUES (1);")
    assert _offered(schema, "SELECT * FROM odd|") == ['"Odd one"']
    assert schema.shell.database.transaction_status == "T"
    schema("SELEC;\n")
    schema.shell.names.forget()
    assert _offered(schema, "SELECT * FROM odd|") == ['"Odd one"']
    schema("ROLLBACK;")
