"""A hostile client, for as long as asked: damaged conversations with the wire frontend over a real engine.

    python -m tests.fuzz.protocol --mode talk --seconds 60 --executions 100000 --seed 1

    parser    bytes into the parser alone: the fastest
    talk      parser, lane and conversation in one thread, without sockets
    sockets   a server and its connections

Whatever comes, a conversation ends: with sound replies, no internal error, within a second of being cancelled, and
leaving nothing behind. What did not is a finding, printed with the bytes that show it.
"""

from __future__ import annotations

import argparse
import faulthandler
import logging
import resource
import socket
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from constellationdb.engine.engine import Engine
from constellationdb.errors import ProtocolViolation
from constellationdb.server.listener import Server
from constellationdb.wire.parser import FrontendParser
from tests.fuzz.conversations import SCHEMA, Conversations
from tests.fuzz.in_process import Talk, kinds

# A statement that still runs is cancelled; one that goes on much longer than that hangs.
CANCEL_AFTER_S, HANG_S = 0.3, 2.0
GROWTH_MB = 200
_ROUND = 2_000

Pieces = list[bytes]


@dataclass
class Tally:
    executions: int = 0
    replies: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    findings: list[str] = field(default_factory=list)

    def found(self, what: str, pieces: Pieces) -> None:
        self.findings.append(f"{what}\n    {pieces!r}")
        print(f"FOUND {self.findings[-1]}", flush=True)


class _Complaints(logging.Handler):
    """What the program says when something failed in a way it must not."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        trace = "" if record.exc_info is None else "".join(traceback.format_exception(*record.exc_info))
        self.heard.append(f"{record.getMessage()}\n{trace}")


class _Watch:
    """Cancels the statement that takes long, from another thread, as a CancelRequest does."""

    def __init__(self) -> None:
        self._talk: tuple[Talk, float] | None = None
        threading.Thread(target=self._run, daemon=True).start()

    def over(self, talk: Talk | None) -> None:
        self._talk = None if talk is None else (talk, time.monotonic() + CANCEL_AFTER_S)

    def _run(self) -> None:
        while True:
            time.sleep(CANCEL_AFTER_S / 3)
            watched, now = self._talk, time.monotonic()
            if watched is None or now < watched[1]:
                continue
            if watched[0].session is not None:
                watched[0].session.cancel()
            if now > watched[1] + 10 * HANG_S:
                faulthandler.dump_traceback()


def parse_only(pieces: Pieces, tally: Tally) -> None:
    parser = FrontendParser(1 << 20)
    try:
        for piece in pieces:
            parser.receive(piece)
            while (message := parser.next_message()) is not None:
                tally.replies[type(message).__name__] += 1
    except ProtocolViolation:
        tally.replies["violation"] += 1


def talk(engine: Engine, watch: _Watch, pieces: Pieces, tally: Tally) -> None:
    conversation = Talk(engine, pieces)
    watch.over(conversation)
    try:
        conversation.run()
    finally:
        watch.over(None)
    said = b"".join(conversation.said)
    tally.replies.update(kinds(said))
    if b"\0CXX000\0" in said:
        tally.found("an internal error was told", pieces)
    if len(engine.sessions.all()):
        tally.found("a session was left behind", pieces)


def over_socket(port: int, pieces: Pieces, tally: Tally) -> None:
    said = bytearray()
    with socket.create_connection(("127.0.0.1", port), timeout=HANG_S * 5) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
            connection.shutdown(socket.SHUT_WR)
            while got := connection.recv(1 << 16):
                said += got
        except TimeoutError:
            raise
        except OSError:  # it may close while our bytes are still on their way
            pass
    if b"\0CXX000\0" in said:
        tally.found("an internal error was told", pieces)


def hunt(run: Callable[[Pieces, Tally], None], args: argparse.Namespace, tidy: Callable[[], None]) -> Tally:
    complaints = _Complaints()
    logging.getLogger("constellationdb").addHandler(complaints)
    tally, draw = Tally(), Conversations(args.seed, args.light)
    until, before_mb = time.monotonic() + args.seconds, 0.0
    while tally.executions < args.executions and time.monotonic() < until and len(tally.findings) < args.most:
        pieces = draw.conversation()
        began = time.monotonic()
        try:
            run(pieces, tally)
        except Exception as error:
            tally.found("".join(traceback.format_exception(error)), pieces)
        took = time.monotonic() - began
        tally.slowest_s = max(tally.slowest_s, took)
        if took > HANG_S:
            tally.found(f"it took {took:.1f} s", pieces)
        if complaints.heard:
            tally.found(complaints.heard.pop(), pieces)
        tally.executions += 1
        if tally.executions % _ROUND == 0:
            tidy()
            before_mb = before_mb or _resident_mb() if tally.executions >= 5 * _ROUND else 0.0
            print(f"{tally.executions}: {_resident_mb():.0f} MB, slowest {tally.slowest_s:.2f} s", flush=True)
    if before_mb and _resident_mb() - before_mb > GROWTH_MB:
        tally.findings.append(f"memory grew from {before_mb:.0f} to {_resident_mb():.0f} MB")
    return tally


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1]) if Path("/proc/self/statm").exists() else 0
    return pages * resource.getpagesize() / (1 << 20)


def _tidy(engine: Engine) -> Callable[[], None]:
    def tidy() -> None:
        session = engine.session()
        for _ in session.execute("DELETE FROM loose; DELETE FROM t WHERE id > 40"):
            pass
        session.close()

    return tidy


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mode", choices=("parser", "talk", "sockets"), default="talk")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--executions", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--light", type=float, default=0.5, help="the part that needs no planning, and so goes fast")
    parser.add_argument("--most", type=int, default=10, help="findings after which it stops")
    args = parser.parse_args(arguments)
    logging.getLogger("constellationdb").propagate = False
    if args.mode == "parser":
        tally = hunt(parse_only, args, lambda: None)
    else:
        with Engine() as engine:
            session = engine.session()
            for _ in session.execute(SCHEMA):
                pass
            session.close()
            if args.mode == "talk":
                watch = _Watch()
                tally = hunt(lambda pieces, tally: talk(engine, watch, pieces, tally), args, _tidy(engine))
            else:
                with Server(engine, port=0) as server:
                    tally = hunt(lambda pieces, tally: over_socket(server.port, pieces, tally), args, _tidy(engine))
    print(f"{tally.executions} executions, slowest {tally.slowest_s:.2f} s, {dict(tally.replies.most_common())}")
    print(f"{len(tally.findings)} findings")
    return 1 if tally.findings else 0


if __name__ == "__main__":
    sys.exit(main())
