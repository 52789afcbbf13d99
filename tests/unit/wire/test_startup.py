"""The first words: encryption refused, versions negotiated, databases and settings checked."""

from __future__ import annotations

import struct

import pytest

from constellationdb.server.listener import Server
from constellationdb.wire.limits import Limits
from tests.unit.wire import frontend_bytes as fe
from tests.unit.wire.datafusion_session import DataFusionEngine
from tests.unit.wire.raw_client import RawClient, Reply


def statuses(replies: list[Reply]) -> dict[str, str]:
    pairs = [reply.body.split(b"\0")[:2] for reply in replies if reply.kind == "S"]
    return {name.decode(): value.decode() for name, value in pairs}


def test_encryption_is_declined_and_the_client_goes_on(server: Server) -> None:
    with RawClient(server.port, start=False) as client:
        for request in (fe.GSS_REQUEST, fe.SSL_REQUEST):
            client.send(request)
            assert client.byte() == b"N"
        client.send(fe.startup(user="me", database="postgres"))
        assert client.until("Z")[0].kind == "R"


def test_a_client_is_told_the_settings_it_needs(client: RawClient) -> None:
    told = statuses(client.startup)
    assert told["server_version"] == "15.14 (Constellation 0.1.0)"
    assert told["client_encoding"] == "UTF8"
    assert told["standard_conforming_strings"] == "on"
    assert told["integer_datetimes"] == "on"
    assert told["session_authorization"] == "me"
    assert [reply.kind for reply in client.startup if reply.kind != "S"] == ["R", "K", "Z"]


def test_a_newer_minor_version_and_unknown_options_are_negotiated_down(server: Server) -> None:
    with RawClient(server.port, start=False) as client:
        client.send(fe.startup(2, user="me", database="postgres", **{"_pq_.zip": "1"}))
        first, *rest = client.until("Z")
        assert first.kind == "v"
        assert first.body == struct.pack(">ii", 3 << 16, 1) + b"_pq_.zip\0"
        assert rest[0].kind == "R"


@pytest.mark.parametrize("database", ["constellation", "postgres", "me", ""])
def test_both_names_and_the_users_own_mean_the_one_database(
    server: Server, engine: DataFusionEngine, database: str
) -> None:
    with RawClient(server.port, database=database):
        assert engine.opened[-1].database in ("constellation", "postgres")
        assert engine.opened[-1].user == "me"


def refused(server: Server, data: bytes) -> dict[str, str]:
    with RawClient(server.port, start=False) as client:
        client.send(data)
        *_, error = client.until("E")
        assert client.read() is None
        return error.fields()


def test_another_database_does_not_exist(server: Server) -> None:
    fields = refused(server, fe.startup(user="me", database="sales"))
    assert (fields["S"], fields["C"], fields["M"]) == ("FATAL", "3D000", 'database "sales" does not exist')
    assert fields["H"] == 'connect to "constellation", the only database here'


@pytest.mark.parametrize(
    ("parameters", "sqlstate", "message"),
    [
        ({}, "08P01", "no user name specified in startup packet"),
        ({"user": "me", "client_encoding": "LATIN1"}, "22023", 'client encoding "LATIN1" is not supported'),
        ({"user": "me", "replication": "database"}, "0A000", "replication connections are not supported"),
        ({"user": "me", "options": "nonsense"}, "22023", 'invalid startup option "nonsense"'),
    ],
)
def test_what_cannot_be_served_is_said(server: Server, parameters: dict[str, str], sqlstate: str, message: str) -> None:
    fields = refused(server, fe.startup(**parameters))
    assert (fields["S"], fields["C"], fields["M"]) == ("FATAL", sqlstate, message)


def test_malformed_bytes_end_the_connection_with_08p01(server: Server) -> None:
    assert refused(server, b"GET / HTTP/1.1\r\n\r\n")["C"] == "08P01"


def test_options_and_parameters_become_settings(server: Server, engine: DataFusionEngine) -> None:
    options = "-c search_path=a,b --statement-timeout=5 -cDateStyle=ISO"
    with RawClient(server.port, options=options, application_name="shop", client_encoding="'utf-8'") as client:
        given = {
            "application_name": "shop",
            "client_encoding": "UTF8",
            "search_path": "a,b",
            "statement_timeout": "5",
            "DateStyle": "ISO",
        }
        assert given.items() <= engine.opened[-1].settings.items()
        assert statuses(client.startup)["application_name"] == "shop"


def test_a_changed_setting_is_reported_again(client: RawClient) -> None:
    client.send(fe.query("set application_name = 'other'"))
    replies = client.until("Z")
    assert [reply.kind for reply in replies] == ["C", "S", "Z"]
    assert statuses(replies) == {"application_name": "other"}
    assert client.kinds(fe.query("set application_name = 'other'")) == "CZ"


def test_too_many_connections_are_refused(engine: DataFusionEngine) -> None:
    with Server(engine, port=0, limits=Limits(max_connections=1)) as server, RawClient(server.port) as first:
        assert refused(server, fe.startup(user="me"))["C"] == "53300"
        assert first.kinds(fe.query("select 1")) == "TDCZ"
