"""A view's changes on standard output, epoch by epoch."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from constellationdb.cli.display import tab_line, texts_of
from constellationdb.cli.stopping import until_stopped
from constellationdb.embedded import Database

_LOOK_S = 0.2  # between looks at Ctrl-C


def tail(
    database: Database, view: str, *, snapshot: bool = True, resume: str | None = None, out: TextIO | None = None
) -> str | None:
    """Runs until Ctrl-C, SIGTERM or the reader of the pipe has left; the token to go on with."""
    stream = out or sys.stdout
    with until_stopped() as stopped, database.subscribe(view, snapshot=snapshot, resume=resume) as subscription:
        try:
            while not stopped.is_set():
                changes = subscription.next(_LOOK_S)
                if changes is not None:
                    columns = [texts_of(column) for column in changes.arrow().columns]
                    stream.writelines(tab_line(row) + "\n" for row in zip(*columns, strict=True))
                    stream.flush()
        except BrokenPipeError:
            # The reader has left; what is still buffered goes nowhere when the interpreter flushes it at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return subscription.resume_token
