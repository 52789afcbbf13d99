"""Every form, in the order in which the oracle runs them."""

from __future__ import annotations

from tests.properties.oracle.forms import Form
from tests.properties.oracle.forms_corners import CORNERS
from tests.properties.oracle.forms_joins import JOINS
from tests.properties.oracle.forms_nested import NESTED
from tests.properties.oracle.forms_rows import GROUPS, ROWS
from tests.properties.oracle.forms_sessions import SESSIONS
from tests.properties.oracle.forms_sets import OVER, SETS, SUBQUERIES, TOP
from tests.properties.oracle.forms_windows import CLOSES, VIEWS, WINDOWS

FORMS: tuple[Form, ...] = (
    *ROWS,
    *GROUPS,
    *JOINS,
    *SETS,
    *SUBQUERIES,
    *NESTED,
    *OVER,
    *TOP,
    *WINDOWS,
    *CLOSES,
    *VIEWS,
    *CORNERS,
    *SESSIONS,
)
