"""Values as the text Postgres prints: what its wire sends, and what a cast to text gives.

``text_encoder`` picks one function per column, from a whole Arrow array to a
``binary`` array of the same length. DateStyle is ISO, IntervalStyle postgres,
extra_float_digits 1, the time zone UTC; other settings are left out.
"""

from constellationdb.catalog.text.columns import Encoder, cast_to_text, text_encoder

__all__ = ["Encoder", "cast_to_text", "text_encoder"]
