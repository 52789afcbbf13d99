"""What the server answers, message by message, as Postgres would."""

from __future__ import annotations

import struct

import pytest

from constellationdb.server.listener import Server
from tests.unit.wire import frontend_bytes as fe
from tests.unit.wire.datafusion_session import DataFusionEngine
from tests.unit.wire.raw_client import RawClient, Reply


def rows(replies: list[Reply]) -> list[list[bytes | None]]:
    return [reply.row() for reply in replies if reply.kind == "D"]


def tags(replies: list[Reply]) -> list[str]:
    return [reply.tag() for reply in replies if reply.kind == "C"]


def status(replies: list[Reply]) -> str:
    return replies[-1].body.decode()


def error(replies: list[Reply]) -> dict[str, str]:
    (found,) = [reply for reply in replies if reply.kind == "E"]
    return found.fields()


# -- simple Query -------------------------------------------------------------------------------------------------


def test_each_statement_of_one_query_has_its_own_answer(client: RawClient) -> None:
    client.send(fe.query("select 1 as a; set x = '1'; select 2 as b, null as c"))
    replies = client.until()
    assert "".join(reply.kind for reply in replies) == "TDCCTDCZ"
    assert rows(replies) == [[b"1"], [b"2", None]]
    assert tags(replies) == ["SELECT 1", "SET", "SELECT 1"]


@pytest.mark.parametrize("sql", ["", "   ", "-- only a comment", ";"])
def test_an_empty_query_is_answered_as_such(client: RawClient, sql: str) -> None:
    assert client.kinds(fe.query(sql)) == "IZ"


def test_an_error_ends_the_query_after_what_was_answered(client: RawClient) -> None:
    client.send(fe.query("select 1; select * from nowhere; select 3"))
    replies = client.until()
    assert "".join(reply.kind for reply in replies) == "TDCEZ"


def test_an_error_carries_its_fields(client: RawClient) -> None:
    client.send(fe.query("select 1 frm x y"))
    fields = error(client.until())
    assert fields == {
        "S": "ERROR",
        "V": "ERROR",
        "C": "42601",
        "M": 'syntax error at or near "x"',
        "R": "CON-1001",
        "P": "14",
    }


def test_transaction_status_follows_the_session(client: RawClient) -> None:
    seen = []
    for sql in ("begin", "select 1", "selec", "select 1", "rollback"):
        client.send(fe.query(sql))
        seen.append(status(client.until()))
    assert seen == ["T", "T", "E", "E", "I"]


def test_a_notice_arrives_before_its_tag(client: RawClient) -> None:
    client.send(fe.query("raise notice careful"))
    notice, *rest = client.until()
    assert (notice.kind, notice.fields()["M"], notice.fields()["S"]) == ("N", "careful", "NOTICE")
    assert "".join(reply.kind for reply in rest) == "CZ"


def test_a_large_result_arrives_whole(client: RawClient) -> None:
    client.send(fe.query("select value as n, 'row ' || value as t from range(100000) order by value"))
    replies = client.until()
    assert rows(replies) == [[b"%d" % n, b"row %d" % n] for n in range(100_000)]
    assert tags(replies) == ["SELECT 100000"]


def test_a_defect_is_an_internal_error_and_the_connection_goes_on(
    client: RawClient, engine: DataFusionEngine, caplog: pytest.LogCaptureFixture
) -> None:
    engine.tables["broken"] = (["a", "b"], [["only one"]])
    client.send(fe.query("select * from broken"))
    assert error(client.until())["C"] == "XX000"
    assert "failed in a way it must not" in caplog.text
    del engine.tables["broken"]
    assert client.kinds(fe.query("select 1")) == "TDCZ"


# -- the extended protocol ----------------------------------------------------------------------------------------


def test_parse_bind_describe_execute(client: RawClient) -> None:
    client.send(
        fe.parse("select $1::int8 + 1 as n", "s"),
        fe.describe("S", "s"),
        fe.bind(b"41", statement="s", portal="p"),
        fe.describe("P", "p"),
        fe.execute("p"),
        fe.SYNC,
    )
    replies = client.until()
    assert "".join(reply.kind for reply in replies) == "1tT2TDCZ"
    assert replies[1].body == struct.pack(">HI", 1, 20)
    assert replies[2].body == struct.pack(">H", 1) + b"n\0" + struct.pack(">ihIhih", 0, 0, 20, 8, -1, 0)
    assert rows(replies) == [[b"42"]]


def test_describe_does_not_execute(client: RawClient, engine: DataFusionEngine) -> None:
    client.kinds(fe.query("create table t (a int)"))
    assert client.kinds(fe.parse("insert into t values (1)"), fe.describe("S"), fe.SYNC) == "1tnZ"
    assert engine.tables["t"][1] == []
    assert client.kinds(fe.bind(), fe.describe("P"), fe.execute(), fe.SYNC) == "2nCZ"
    assert engine.tables["t"][1] == [["1"]]


def test_a_named_statement_is_bound_many_times(client: RawClient) -> None:
    client.kinds(fe.parse("select $1::int8 as n", "s"), fe.SYNC)
    client.send(*[fe.bind(b"%d" % n, statement="s") + fe.execute() for n in range(500)], fe.SYNC)
    replies = client.until()
    assert rows(replies) == [[b"%d" % n] for n in range(500)]


def test_after_an_error_everything_is_skipped_until_sync(client: RawClient, engine: DataFusionEngine) -> None:
    client.kinds(fe.query("create table t (a int)"))
    insert = fe.parse("insert into t values (1)") + fe.bind() + fe.execute()
    assert client.kinds(fe.parse("selec"), insert, fe.query("insert into t values (2)"), fe.SYNC) == "EZ"
    assert engine.tables["t"][1] == []
    assert client.kinds(insert, fe.SYNC) == "12CZ"


def test_every_sync_is_answered_and_told_to_the_session(client: RawClient, engine: DataFusionEngine) -> None:
    client.send(fe.SYNC * 3)
    assert [len(client.until()) for _ in range(3)] == [1, 1, 1]
    assert engine.opened[0].synced == 3


def test_an_error_of_the_wires_own_fails_the_block(client: RawClient) -> None:
    client.kinds(fe.query("begin"))
    client.send(fe.bind(statement="nowhere"), fe.SYNC)
    replies = client.until()
    assert error(replies)["C"] == "26000"
    assert status(replies) == "E"


def test_flush_brings_replies_before_sync(client: RawClient) -> None:
    client.send(fe.parse("select 1"), fe.FLUSH)
    assert client.read() == Reply("1", b"")


def test_a_portal_goes_on_where_it_stopped(client: RawClient) -> None:
    client.kinds(fe.query("begin"))
    client.send(fe.parse("select * from range(5)"), fe.bind(portal="p"), fe.execute("p", 2), fe.SYNC)
    replies = client.until()
    assert "".join(reply.kind for reply in replies) == "12DDsZ"
    client.send(fe.execute("p", 2), fe.execute("p", 2), fe.execute("p", 2), fe.SYNC)
    replies = client.until()
    assert "".join(reply.kind for reply in replies) == "DDsDCCZ"
    assert tags(replies) == ["SELECT 1", "SELECT 0"]


def test_a_limit_met_exactly_suspends_as_in_postgres(client: RawClient) -> None:
    client.send(fe.parse("select * from range(2)"), fe.bind(), fe.execute("", 2), fe.execute("", 2), fe.SYNC)
    assert "".join(reply.kind for reply in client.until()) == "12DDsCZ"


def test_portals_end_with_their_transaction(client: RawClient) -> None:
    client.kinds(fe.parse("select 1"), fe.bind(portal="p"), fe.SYNC)
    client.send(fe.execute("p"), fe.SYNC)
    assert error(client.until())["C"] == "34000"


def test_names_are_taken_once_and_closing_is_forgiving(client: RawClient) -> None:
    client.kinds(fe.parse("select 1", "s"), fe.SYNC)
    client.send(fe.parse("select 2", "s"), fe.SYNC)
    assert error(client.until())["C"] == "42P05"
    assert client.kinds(fe.close("S", "s"), fe.close("S", "s"), fe.parse("select 2", "s"), fe.SYNC) == "331Z"
    client.send(fe.bind(portal="p", statement="s"), fe.bind(portal="p", statement="s"), fe.SYNC)
    assert error(client.until())["C"] == "42P03"


def test_a_simple_query_replaces_the_unnamed_statement(client: RawClient) -> None:
    client.kinds(fe.parse("select 1"), fe.SYNC)
    client.kinds(fe.query("select 2"))
    client.send(fe.bind(), fe.SYNC)
    assert error(client.until())["M"] == "unnamed prepared statement does not exist"


def test_a_command_portal_runs_once(client: RawClient) -> None:
    client.send(fe.parse("set x = '1'"), fe.bind(), fe.execute(), fe.execute(), fe.SYNC)
    replies = client.until()
    assert "".join(reply.kind for reply in replies) == "12CEZ"
    assert (error(replies)["C"], error(replies)["M"]) == ("55000", 'portal "" cannot be run')


def test_text_that_is_not_utf_8_is_an_error_and_the_conversation_goes_on(client: RawClient) -> None:
    client.send(fe.message("Q", b"select '\xff'\0"))
    replies = client.until()
    assert "".join(reply.kind for reply in replies) == "EZ"
    assert error(replies)["C"] == "22021"
    client.send(fe.message("P", b"\0select '\xe9'\0\0\0"), fe.bind(), fe.execute(), fe.SYNC)
    replies = client.until()
    assert "".join(reply.kind for reply in replies) == "EZ"
    assert error(replies)["M"] == 'invalid byte sequence for encoding "UTF8": 0xe9'
    assert client.kinds(fe.query("select 1")) == "TDCZ"


def test_an_empty_statement_goes_through_all_steps(client: RawClient) -> None:
    messages = (fe.parse(""), fe.bind(), fe.describe("P"), fe.execute(), fe.SYNC)
    assert client.kinds(*messages) == "12nIZ"


def test_the_number_of_parameters_must_fit(client: RawClient) -> None:
    client.send(fe.parse("select $1::int"), fe.bind(), fe.SYNC)
    assert error(client.until())["M"] == 'bind message supplies 0 parameters, but prepared statement "" requires 1'


def test_binary_values_both_ways(client: RawClient) -> None:
    sql = "select $1::int4 as a, $2::float8 as b, $3::bool as c, $4::text as d"
    values = (struct.pack(">i", -7), struct.pack(">d", 0.1), b"\x01", "é".encode())
    client.send(fe.parse(sql), fe.bind(*values, formats=(1,), results=(1,)), fe.execute(), fe.SYNC)
    assert rows(client.until()) == [list(values)]


def test_a_binary_parameter_of_the_wrong_size_is_an_error(client: RawClient) -> None:
    client.send(fe.parse("select $1::int4"), fe.bind(b"123", formats=(1,)), fe.SYNC)
    assert error(client.until())["C"] == "08P01"


def test_a_function_call_is_refused_and_the_client_goes_on(client: RawClient) -> None:
    assert client.kinds(fe.message("F", b"\0\0\0\1")) == "EZ"


def test_malformed_bytes_end_the_connection_after_its_answers(client: RawClient) -> None:
    client.send(fe.query("select 1"), b"Z\0\0\0\4")
    assert "".join(reply.kind for reply in client.until("E")) == "TDCZE"
    assert client.read() is None


def test_terminate_closes_the_session(server: Server, engine: DataFusionEngine) -> None:
    with RawClient(server.port) as client:
        client.send(fe.TERMINATE)
        assert client.read() is None
        assert engine.opened[0].closed


# -- cancel, streams, backpressure ----------------------------------------------------------------------------------


def test_cancel_stops_the_statement_and_keeps_the_connection(client: RawClient) -> None:
    client.send(fe.query("subscribe 2"))
    first = [client.read() for _ in range(3)]
    assert [reply.kind for reply in first if reply] == ["T", "D", "D"]  # flushed although the statement goes on
    client.cancel()
    replies = client.until()
    assert error(replies)["C"] == "57014"
    assert client.kinds(fe.query("select 1")) == "TDCZ"


def test_a_cancel_with_a_wrong_secret_does_nothing(client: RawClient) -> None:
    process, secret = client.key()
    with RawClient(client.socket.getpeername()[1], start=False) as other:
        other.send(fe.cancel_request(process, bytes(b ^ 1 for b in secret)))
        assert other.read() is None
    client.send(fe.query("select pg_sleep(0.2)"))
    assert tags(client.until()) == ["SELECT 1"]


def test_a_client_that_leaves_ends_its_subscription(server: Server, engine: DataFusionEngine) -> None:
    with RawClient(server.port) as client:
        client.send(fe.query("subscribe 1"))
        client.until("D")
    server.stop(grace=20)
    assert engine.opened[0].closed


def test_a_slow_reader_makes_its_own_query_wait_and_nobody_else(server: Server, engine: DataFusionEngine) -> None:
    with RawClient(server.port) as slow, RawClient(server.port) as other:
        slow.send(fe.query("select repeat('x', 1000) as t from range(100000)"))
        slow.until("D")
        for _ in range(20):
            assert other.kinds(fe.query("select 1")) == "TDCZ"
        assert engine.opened[0].batches_read < 12  # of 13; the sockets' own buffers take the first few
        replies = slow.until()
        assert sum(len(reply.body) for reply in replies) > 100_000_000 - 10_000
        assert engine.opened[0].batches_read >= 12


def test_stopping_tells_every_client(engine: DataFusionEngine) -> None:
    server = Server(engine, port=0)
    server.start()
    with RawClient(server.port) as idle, RawClient(server.port) as busy:
        busy.send(fe.query("subscribe 1"))
        busy.until("D")
        server.stop()
        for client in (idle, busy):
            *_, last = client.until("E")
            assert (last.fields()["S"], last.fields()["C"]) == ("FATAL", "57P01")
            assert client.read() is None
    assert all(session.closed for session in engine.opened)
