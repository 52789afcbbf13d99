"""SET, RESET, SHOW and DISCARD for a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from constellationdb.engine import answers
from constellationdb.engine.result import Result
from constellationdb.engine.transaction_control import outside, set_mode
from constellationdb.errors import ActiveTransaction
from constellationdb.planner import statements as st

if TYPE_CHECKING:
    from constellationdb.engine.session import Session

_MODES = ("transaction_isolation", "transaction_read_only", "transaction_deferrable")


def set_variable(session: Session, statement: st.SetVariable) -> Result:
    tag = "RESET" if statement.reset else "SET"
    if statement.name.lower() == "all" and statement.values is None:
        session.settings.reset()
        return Result(tag)
    if statement.name.lower() in _MODES and statement.values is not None:
        set_mode(session, statement.name.lower(), statement.values[0])
        return Result(tag)
    if statement.local and session.transaction is None:
        session.settings.check(statement.name, statement.values)
        return Result(tag, notices=[outside("SET LOCAL")])
    session.settings.set(statement.name, statement.values, local=statement.local)
    return Result(tag)


def show(session: Session, statement: st.Show) -> Result:
    if statement.name.lower() == "all":
        return answers.settings(session.settings.all())
    title = session.settings.title(statement.name)
    return answers.text_rows((title,), [(session.setting(statement.name),)], "SHOW")


def discard(session: Session, statement: st.Discard) -> Result:
    """PLANS has nothing to discard: plans are not kept."""
    if statement.what == "all":
        if session.transaction is not None:
            raise ActiveTransaction("DISCARD ALL cannot run inside a transaction block")
        session.portals.close_all()
        session.settings.set("session_authorization", None)
        session.settings.set("role", None)
        session.settings.reset()
        session.statements.clear()
    if statement.what in ("all", "sequences"):
        session.sequences.forget()
    if statement.what in ("all", "temp"):
        session.temporary.discard()
    return Result(f"DISCARD {statement.what.upper()}")
