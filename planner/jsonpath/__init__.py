"""SQL's paths through JSON values, as in ``$.items[*] ? (@.price > 10)``.

``parser`` reads a path's text into ``nodes`` or says where it goes wrong, ``evaluation`` follows it through a value.
It promises Postgres' answers and errors, lax and strict. Left out: ``datetime()``, ``keyvalue()`` and division.
"""
