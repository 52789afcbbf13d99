"""Postgres' operators over the types there are here, as ``pg_operator`` lists them.

A line is operators with the same signatures: operand types, then what they give; one operand is a prefix operator's.
"""

from __future__ import annotations

from constellationdb.planner.inference.signatures import read_signatures

OPERATORS = read_signatures(
    """
!~ !~* !~~* ~* ~~*: name text, text text, bpchar text → bool
!~~ ~~: bytea bytea, name text, text text, bpchar text → bool
# & |: int8 int8 → int8; int2 int2 → int2; int4 int4 → int4
#-: jsonb text[] → jsonb
#>: json text[] → json; jsonb text[] → jsonb
#>>: json text[], jsonb text[] → text
%: int8 int8 → int8; int2 int2 → int2; int4 int4 → int4; numeric numeric → numeric
&&: anyarray anyarray → bool
*: int8 int8, int8 int2, int8 int4, int2 int8, int4 int8 → int8; int2 int2 → int2; int2 int4, int4 int2, int4 int4 →
    int4; float4 float4 → float4; float4 float8, float8 float4, float8 float8 → float8; float8 interval, interval
    float8 → interval; numeric numeric → numeric
+: int8, int8 int8, int8 int2, int8 int4, int2 int8, int4 int8 → int8; int2, int2 int2 → int2; int4, int2 int4, int4
    int2, int4 int4 → int4; float4, float4 float4 → float4; float8, float4 float8, float8 float4, float8 float8 →
    float8; numeric, numeric numeric → numeric; int4 date, date int4 → date; date time, date interval, time date,
    timestamp interval, interval date, interval timestamp → timestamp; date timetz, timestamptz interval, interval
    timestamptz, timetz date → timestamptz; time interval, interval time → time; interval interval → interval;
    interval timetz, timetz interval → timetz
-: int8, int8 int8, int8 int2, int8 int4, int2 int8, int4 int8 → int8; int2, int2 int2 → int2; int4, int2 int4, int4
    int2, int4 int4, date date → int4; float4, float4 float4 → float4; float8, float4 float8, float8 float4, float8
    float8 → float8; interval, time time, timestamp timestamp, timestamptz timestamptz, interval interval →
    interval; numeric, numeric numeric → numeric; date int4 → date; date interval, timestamp interval → timestamp;
    time interval → time; timestamptz interval → timestamptz; timetz interval → timetz; jsonb int4, jsonb text,
    jsonb text[] → jsonb
->: json int4, json text → json; jsonb int4, jsonb text → jsonb
->>: json int4, json text, jsonb int4, jsonb text → text
/: int8 int8, int8 int2, int8 int4, int2 int8, int4 int8 → int8; int2 int2 → int2; int2 int4, int4 int2, int4 int4 →
    int4; float4 float4 → float4; float4 float8, float8 float4, float8 float8 → float8; interval float8 → interval;
    numeric numeric → numeric
< <= <> = > >=: bool bool, bytea bytea, char char, name name, name text, int8 int8, int8 int2, int8 int4, int2 int8,
    int2 int2, int2 int4, int4 int8, int4 int2, int4 int4, text name, text text, oid oid, float4 float4, float4
    float8, float8 float4, float8 float8, bpchar bpchar, date date, date timestamp, date timestamptz, time time,
    timestamp date, timestamp timestamp, timestamp timestamptz, timestamptz date, timestamptz timestamp, timestamptz
    timestamptz, interval interval, timetz timetz, numeric numeric, record record, anyarray anyarray, uuid uuid,
    jsonb jsonb → bool
<< >>: int8 int4 → int8; int2 int4 → int2; int4 int4 → int4
<@ @>: anyarray anyarray, jsonb jsonb → bool
?: jsonb text → bool
?& ?|: jsonb text[] → bool
@: int8 → int8; int2 → int2; int4 → int4; float4 → float4; float8 → float8; numeric → numeric
@@ ^@: text text → bool
^: float8 float8 → float8; numeric numeric → numeric
|/ ||/: float8 → float8
||: bytea bytea → bytea; text text, text anynonarray, anynonarray text → text; jsonb jsonb → jsonb; anycompatible
    anycompatiblearray, anycompatiblearray anycompatible, anycompatiblearray anycompatiblearray → anycompatiblearray
~: int8 → int8; int2 → int2; int4 → int4; name text, text text, bpchar text → bool
"""
)
