"""Values as the text Postgres prints: what its wire sends, and what a cast to text gives.

``text_encoder`` picks one function per column, from a whole Arrow array to a
``binary`` array of the same length. A ``Style`` says in which time zone, with
how many digits and how bytes are printed; a cast always uses ``PLAIN``. Dates
are ISO and intervals in the style postgres: other styles are left out.

    columns                       a type's function
    floats  times  nested  zones  what they print
    style                         the settings of a session that decide
"""

from constellationdb.catalog.text.columns import REGISTERED, Encoder, cast_to_text, text_encoder
from constellationdb.catalog.text.style import PLAIN, STYLE_SETTINGS, Style, style_of

__all__ = [
    "PLAIN",
    "REGISTERED",
    "STYLE_SETTINGS",
    "Encoder",
    "Style",
    "cast_to_text",
    "style_of",
    "text_encoder",
]
