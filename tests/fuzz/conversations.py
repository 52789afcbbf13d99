"""Random conversations of a client, sound ones and damaged ones, as bytes cut anywhere."""

from __future__ import annotations

import random
import struct

from tests.unit.wire import frontend_bytes as fe

SCHEMA = """
    CREATE TABLE t (id bigint PRIMARY KEY, name text NOT NULL, score double precision, at timestamptz, n numeric(9,2));
    CREATE TABLE loose (a int, b text);
    CREATE MATERIALIZED VIEW counted AS SELECT name, count(*) AS n FROM t GROUP BY name;
    CREATE SOURCE pushed (a int, b text);
    INSERT INTO t SELECT i, 'n' || i % 7, i / 3.0, now(), i FROM generate_series(1, 40) AS g(i)
"""
_QUERIES = (
    "SELECT 1; SELECT 'x', NULL, 1.5, now()",
    "SELECT * FROM t ORDER BY id LIMIT 5",
    "SELECT * FROM counted WHERE name = 'n3'",
    "INSERT INTO loose VALUES (1, 'a'), (2, NULL); DELETE FROM loose",
    "INSERT INTO t VALUES (1, 'again', 0, now(), 0)",
    "UPDATE t SET score = score + 1 WHERE id < 3",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT s; ROLLBACK TO s; RELEASE s",
    "DECLARE c CURSOR FOR SELECT * FROM t; FETCH 2 FROM c; CLOSE c",
    "DECLARE h CURSOR WITH HOLD FOR SUBSCRIBE counted; FETCH 3 FROM h WITH (timeout = '0s'); CLOSE h",
    "BEGIN; DECLARE c SCROLL CURSOR FOR SELECT id FROM t; FETCH LAST FROM c; FETCH BACKWARD 3 FROM c",
    "CREATE TEMP TABLE own (a int) ON COMMIT DROP; SELECT * FROM own",
    "COPY loose FROM STDIN",
    "COPY loose FROM STDIN (FORMAT csv, HEADER)",
    "COPY loose FROM STDIN (FORMAT binary)",
    "COPY t TO STDOUT (FORMAT csv)",
    "COPY (SELECT id, name FROM t) TO STDOUT (FORMAT binary)",
    "PREPARE p (int) AS SELECT $1 + 1; EXECUTE p (3); DEALLOCATE p",
    "SET application_name = 'fuzz'; SHOW ALL; RESET ALL",
    "SET LOCAL TimeZone = 'Europe/Vienna'; SELECT now()",
    "DISCARD ALL",
    "SELECT 1 / 0",
    "SELECT nothing FROM nowhere",
    "SELEC 1",
    "",
    ";;",
    "SELECT relname FROM pg_class WHERE relname ~ '^t' AND oid = 't'::regclass",
    "SELECT * FROM pg_stat_activity",
    "EXPLAIN SELECT * FROM counted",
    "SELECT 'ä€\U0001f600' || repeat('x', 300)",
)
_Prepared = tuple[str, str, tuple[int, ...], int]  # name, text, types and number of its parameters
_PREPARED: tuple[_Prepared, ...] = (
    ("i", "INSERT INTO loose VALUES ($1, $2)", (23, 25), 2),
    ("k", "INSERT INTO t VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO NOTHING", (20, 25, 701, 1184, 1700), 5),
    ("r", "SELECT * FROM t WHERE id = $1", (20,), 1),
    ("a", "SELECT $1::int[], $2::numeric, $3::text", (1007, 1700, 25), 3),
    ("u", "SELECT $1, $2", (), 2),
    ("n", "", (), 0),
    ("b", "BEGIN", (), 0),
    ("c", "COMMIT", (), 0),
    ("f", "COPY loose FROM STDIN", (), 0),
    ("q", "SELECT * FROM t, generate_series(1, 50)", (), 0),
    ("s", "SELECT * FROM pushed LIMIT 0", (), 0),
)
_LIGHT = (
    "BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT s; ROLLBACK TO s", "SET application_name = 'fuzz'; SHOW application_name",
    "DISCARD ALL", "SELEC 1", "", ";;", "FETCH 1 FROM c", "CLOSE c", "DEALLOCATE p", "COPY loose FROM STDIN",
    "COPY loose FROM STDIN (FORMAT binary)", "SET LOCAL work_mem = '1MB'", "RESET ALL", "SHOW no",
)  # fmt: skip
_LIGHT_PREPARED = tuple(prepared for prepared in _PREPARED if prepared[0] in "inbcf")
_VALUES = (
    None, b"", b"1", b"-7", b"abc", b"NaN", b"{1,2}", b"2024-02-30", b"\0\0\0\1", b"\0" * 8, b"\xff" * 4, b"\xc3\x28",
    b"9" * 40, b"1.5", b"true", b"\0\2\0\0\0\0\0\3\0\1\x13\x88",
    struct.pack(">iiiii", 1, 0, 23, 1, 1) + b"\0\0\0\4\0\0\0\5",
)  # fmt: skip
_COPIED = (
    b"1\tx\n", b"1\tx", b"\\N\t\\N\n", b"x\ty\n", b"1\n", b"\\.\n", b"1,x\n", b'1,"a\n', b"\0", b"\xff\n", b"1\t\\x4\n",
    b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0", b"\0\2\0\0\0\4\0\0\0\1\0\0\0\1x", b"\xff\xff", b"1\ta\r\n",
)  # fmt: skip
_COPIES = tuple(f"COPY loose {how}" for how in (
    "FROM STDIN", "FROM STDIN (FORMAT csv)", "(b) FROM STDIN", "FROM STDIN (FORMAT binary)",
))  # fmt: skip
_EXTREMES = (0, 1, 4, 5, 0x7F, 0x7FFF, 0x7FFFFFFF, 0xFFFF, 0xFFFFFFFF, 0x80000000)

Messages = list[bytes]


class Conversations:
    """``light``: how many of them hold no statement that has to be planned."""

    def __init__(self, seed: int, light: float = 0.5) -> None:
        self._rng = random.Random(seed)
        self._light = light
        self._queries: tuple[str, ...] = _QUERIES
        self._prepared: tuple[_Prepared, ...] = _PREPARED

    def conversation(self) -> list[bytes]:
        """The pieces that the network brings one after the other; the first begins with a Startup."""
        rng = self._rng
        is_light = rng.random() < self._light
        self._queries, self._prepared = (_LIGHT, _LIGHT_PREPARED) if is_light else (_QUERIES, _PREPARED)
        messages = self._messages()
        if rng.random() < 0.6:
            messages = [self._spoilt_body(m) if rng.random() < 0.25 else m for m in messages]
        data = bytearray(b"".join(messages))
        if rng.random() < 0.3:
            self._damage(data)
        return self._cut(self._startup() + bytes(data))

    def _startup(self) -> bytes:
        rng = self._rng
        said = fe.startup(user="fuzz", database="constellation")
        draw = rng.random()
        if draw < 0.9:
            return said
        if draw < 0.94:
            return fe.SSL_REQUEST + said
        if draw < 0.97:
            return fe.startup(2, user="fuzz", database="constellation", _pq_="x", options="-c work_mem=1MB")
        damaged = bytearray(said)
        self._damage(damaged)
        return bytes(damaged)

    def _messages(self) -> Messages:
        rng = self._rng
        found: Messages = []
        for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 5))):
            found += rng.choice(
                (self._simple, self._extended, self._extended, self._copy, self._pipeline, self._stray, self._stray)
            )()
        return found

    def _simple(self) -> Messages:
        return [fe.query(self._rng.choice(self._queries))]

    def _extended(self) -> Messages:
        """A statement as a driver sends it, in some order or other."""
        rng = self._rng
        name, sql, oids, count = rng.choice(self._prepared)
        name = rng.choice(("", name))
        portal = rng.choice(("", "", "p"))
        formats = rng.choice(((), (0,), (1,), tuple(rng.randrange(2) for _ in range(count))))
        found = [
            fe.parse(sql, name, rng.choice((oids, ()))),
            fe.describe("S", name),
            fe.bind(*rng.choices(_VALUES, k=count), portal=portal, statement=name, formats=formats,
                    results=rng.choice(((), (0,), (1,)))),
            fe.describe("P", portal),
            fe.execute(portal, rng.choice((0, 0, 0, 1, 7))),
        ]  # fmt: skip
        found = [message for message in found if rng.random() < 0.93]
        if rng.random() < 0.2:
            found.append(fe.execute(portal, 2))
        if rng.random() < 0.2:
            found.append(fe.close(rng.choice("SP"), rng.choice(("", name, portal, "no"))))
        return [*found, rng.choice((fe.SYNC, fe.SYNC, fe.SYNC, fe.FLUSH))]

    def _pipeline(self) -> Messages:
        """Inserts one after the other, in a transaction or not."""
        rng = self._rng
        found = [fe.parse("INSERT INTO loose VALUES ($1, $2)", "i", (23, 25)), fe.SYNC]
        begins = rng.random() < 0.5
        if begins:
            found += [fe.parse("BEGIN"), fe.bind(), fe.execute()]
        for _ in range(rng.randrange(1, 8)):
            value = rng.choice((b"1", b"2", b"3", b"oh"))
            found += [fe.bind(value, rng.choice((b"x", None)), statement="i"), fe.describe("P"), fe.execute()]
            if rng.random() < 0.3:
                found.append(fe.SYNC)
        if begins:
            found += [fe.parse(rng.choice(("COMMIT", "ROLLBACK"))), fe.bind(), fe.execute()]
        return [*found, fe.SYNC]

    def _copy(self) -> Messages:
        rng = self._rng
        found = [fe.query(rng.choice(_COPIES))]
        found += [fe.copy_data(b"".join(rng.choices(_COPIED, k=rng.randrange(4)))) for _ in range(rng.randrange(3))]
        return [*found, rng.choice((fe.COPY_DONE, fe.COPY_DONE, fe.copy_fail("no"), fe.SYNC, fe.query("SELECT 1")))]

    def _stray(self) -> Messages:
        rng = self._rng
        return [rng.choice((
            fe.SYNC, fe.FLUSH, fe.COPY_DONE, fe.copy_data(b"1\n"), fe.copy_fail(""), fe.TERMINATE, fe.execute("no"),
            fe.message("p", b"x\0"), fe.message("F", b"\0" * 8), fe.describe("S", "no"), fe.close("P", "no"),
            fe.bind(statement="no"),
        ))]  # fmt: skip

    # -- damage --------------------------------------------------------------------------------------

    def _spoilt_body(self, message: bytes) -> bytes:
        """A message of the right length whose content is not what it should be."""
        body = bytearray(message[5:])
        if body:
            self._damage(body)
        return fe.message(chr(message[0]), bytes(body))

    def _damage(self, data: bytearray) -> None:
        rng = self._rng
        for _ in range(rng.choice((1, 1, 2, 4))):
            at = rng.randrange(len(data) + 1)
            match rng.randrange(6):
                case 0 if at < len(data):
                    data[at] = rng.randrange(256)
                case 1 if at < len(data):
                    data[at] ^= 1 << rng.randrange(8)
                case 2:
                    del data[at : at + rng.randrange(1, 9)]
                case 3:
                    data[at:at] = data[at : at + rng.randrange(1, 40)]
                case 4:
                    layout = rng.choice((">H", ">I"))
                    number = rng.choice(_EXTREMES) & (0xFFFF if layout == ">H" else 0xFFFFFFFF)
                    data[at : at + struct.calcsize(layout)] = struct.pack(layout, number)
                case _:
                    data[at:at] = rng.randbytes(rng.randrange(1, 5))

    def _cut(self, data: bytes) -> list[bytes]:
        rng = self._rng
        if rng.random() < 0.5 or len(data) < 2:
            return [data]
        places = sorted(rng.randrange(1, len(data)) for _ in range(rng.randrange(1, 5)))
        return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True) if end > start]
