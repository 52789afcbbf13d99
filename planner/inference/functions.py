"""Postgres' functions, aggregates and window functions that a query here may name, as ``pg_proc`` lists them.

A line is functions with the same signatures: argument types, then what they give. ``()`` is no argument,
``any...`` any number of them from one on; an argument with a default is a signature with it and one without.
"""

from __future__ import annotations

from constellationdb.planner.inference.signatures import read_signatures

FUNCTIONS = read_signatures(
    """
abs: numeric → numeric; int8 → int8; int2 → int2; int4 → int4; float4 → float4; float8 → float8
acos acosh asin asinh atan atanh cbrt cos cosh cot degrees radians sin sinh tan tanh: float8 → float8
age: timestamp, timestamptz, timestamp timestamp, timestamptz timestamptz → interval
array_agg: anyarray, anynonarray → anyarray
array_append array_remove: anycompatiblearray anycompatible → anycompatiblearray
array_cat: anycompatiblearray anycompatiblearray → anycompatiblearray
array_dims: anyarray → text
array_length array_lower array_upper: anyarray int4 → int4
array_ndims cardinality: anyarray → int4
array_position: anycompatiblearray anycompatible, anycompatiblearray anycompatible int4 → int4
array_positions: anycompatiblearray anycompatible → int4[]
array_prepend: anycompatible anycompatiblearray → anycompatiblearray
array_replace: anycompatiblearray anycompatible anycompatible → anycompatiblearray
array_to_json: anyarray, anyarray bool → json
array_to_string: anyarray text, anyarray text text → text
ascii hashtext: text → int4
atan2 corr covar_pop covar_samp regr_avgx regr_avgy regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy:
    float8 float8 → float8
avg: interval → interval; numeric, int8, int2, int4 → numeric; float4, float8 → float8
bit_and bit_or bit_xor: int8 → int8; int2 → int2; int4 → int4
bit_length: bytea, text → int4
bool_and bool_or every: bool → bool
btrim ltrim rtrim: text, text text → text; bytea bytea → bytea
ceil ceiling exp floor ln log10 sign sqrt: numeric → numeric; float8 → float8
char_length character_length: bpchar, text → int4
chr: int4 → text
clock_timestamp now statement_timestamp transaction_timestamp: () → timestamptz
col_description format_type: oid int4 → text
concat: any... → text
concat_ws: text any... → text
count: (), any → int8
cume_dist percent_rank: (), any... → float8
current_database current_schema: () → name
current_schemas: bool → name[]
current_setting: text, text bool → text
date_bin: interval timestamp timestamp → timestamp; interval timestamptz timestamptz → timestamptz
date_part: text date, text time, text timestamp, text timestamptz, text interval, text timetz → float8
date_trunc: text timestamp → timestamp; text timestamptz, text timestamptz text → timestamptz; text interval →
    interval
decode: text text → bytea
dense_rank rank: (), any... → int8
div: numeric numeric → numeric
encode: bytea text → text
extract: text date, text time, text timestamp, text timestamptz, text interval, text timetz → numeric
factorial: int8 → numeric
first_value last_value: anyelement → anyelement
format: text, text any... → text
gcd lcm: numeric numeric → numeric; int8 int8 → int8; int4 int4 → int4
gen_random_uuid: () → uuid
generate_series: numeric numeric, numeric numeric numeric → numeric; int8 int8, int8 int8 int8 → int8; int4 int4,
    int4 int4 int4 → int4; timestamp timestamp interval → timestamp; timestamptz timestamptz interval, timestamptz
    timestamptz interval text → timestamptz
generate_subscripts: anyarray int4, anyarray int4 bool → int4
has_any_column_privilege has_database_privilege has_schema_privilege has_table_privilege: text text, oid text, name
    text text, name oid text, oid text text, oid oid text → bool
has_column_privilege: text int2 text, text text text, oid int2 text, oid text text, name text int2 text, name text
    text text, name oid int2 text, name oid text text, oid text int2 text, oid text text text, oid oid int2 text,
    oid oid text text → bool
initcap lower quote_ident reverse upper: text → text
isfinite: date, timestamp, timestamptz, interval → bool
json_agg to_json: anyelement → json
json_array_elements json_strip_nulls: json → json
json_array_elements_text json_object_keys json_typeof: json → text
json_array_length: json → int4
json_build_array json_build_object: (), any... → json
json_each json_each_text: json → record
json_extract_path: json text... → json
json_extract_path_text: json text... → text
json_object_agg: any any → json
jsonb_agg to_jsonb: anyelement → jsonb
jsonb_array_elements jsonb_strip_nulls: jsonb → jsonb
jsonb_array_elements_text jsonb_object_keys jsonb_pretty jsonb_typeof: jsonb → text
jsonb_array_length: jsonb → int4
jsonb_build_array jsonb_build_object: (), any... → jsonb
jsonb_each jsonb_each_text: jsonb → record
jsonb_extract_path: jsonb text... → jsonb
jsonb_extract_path_text: jsonb text... → text
jsonb_insert jsonb_set: jsonb text[] jsonb bool, jsonb text[] jsonb → jsonb
jsonb_object_agg: any any → jsonb
justify_days justify_hours justify_interval: interval → interval
lag lead: anyelement, anyelement int4 → anyelement; anycompatible int4 anycompatible → anycompatible
left repeat right: text int4 → text
length: bpchar, bytea, text, bytea name → int4
like notlike: bytea bytea, name text, text text → bool
like_escape string_agg: bytea bytea → bytea; text text → text
log: numeric, numeric numeric → numeric; float8 → float8
lpad rpad: text int4, text int4 text → text
make_date: int4 int4 int4 → date
make_interval: int4 int4 int4 int4 int4 int4 float8, int4 int4 int4 int4 int4 int4, int4 int4 int4 int4 int4, int4
    int4 int4 int4, int4 int4 int4, int4 int4, int4, () → interval
make_time: int4 int4 float8 → time
make_timestamp: int4 int4 int4 int4 int4 float8 → timestamp
make_timestamptz: int4 int4 int4 int4 int4 float8, int4 int4 int4 int4 int4 float8 text → timestamptz
max min: bpchar → bpchar; date → date; time → time; timestamp → timestamp; timestamptz → timestamptz; interval →
    interval; timetz → timetz; numeric → numeric; int8 → int8; int2 → int2; anyarray → anyarray; int4 → int4; text →
    text; oid → oid; float4 → float4; float8 → float8
md5: bytea, text → text
min_scale scale: numeric → int4
mod: numeric numeric → numeric; int8 int8 → int8; int2 int2 → int2; int4 int4 → int4
nth_value: anyelement int4 → anyelement
ntile: int4 → int4
num_nonnulls num_nulls: any... → int4
obj_description: oid, oid name → text
octet_length: bpchar, bytea, text → int4
overlay: bytea bytea int4, bytea bytea int4 int4 → bytea; text text int4, text text int4 int4 → text
pg_advisory_lock: int8, int4 int4 → void
pg_advisory_unlock: int8, int4 int4 → bool
pg_advisory_unlock_all: () → void
pg_backend_pid: () → int4
pg_cancel_backend: int4 → bool
pg_encoding_to_char: int4 → name
pg_function_is_visible pg_table_is_visible pg_type_is_visible: oid → bool
pg_get_constraintdef: oid, oid bool → text
pg_get_indexdef: oid, oid int4 bool → text
pg_get_userbyid: oid → name
pg_get_viewdef: text, oid, text bool, oid bool, oid int4 → text
pg_relation_size: regclass, regclass text → int8
pg_size_pretty: numeric, int8 → text
pg_sleep: float8 → void
pg_table_size pg_total_relation_size: regclass → int8
pg_terminate_backend: int4 int8, int4 → bool
pg_typeof: any → regtype
pi random: () → float8
position: bytea bytea, text text → int4
pow power: numeric numeric → numeric; float8 float8 → float8
quote_literal quote_nullable: anyelement, text → text
regexp_count: text text, text text int4, text text int4 text → int4
regexp_instr: text text, text text int4, text text int4 int4, text text int4 int4 int4, text text int4 int4 int4
    text, text text int4 int4 int4 text int4 → int4
regexp_like: text text, text text text → bool
regexp_match regexp_matches regexp_split_to_array string_to_array: text text, text text text → text[]
regexp_replace: text text text, text text text int4, text text text text, text text text int4 int4, text text text
    int4 int4 text → text
regexp_substr: text text, text text int4, text text int4 int4, text text int4 int4 text, text text int4 int4 text
    int4 → text
regr_count: float8 float8 → int8
replace translate: text text text → text
round trunc: numeric, numeric int4 → numeric; float8 → float8
row_number: () → int8
row_to_json: record, record bool → json
set_config: text text bool → text
sha224 sha256 sha384 sha512: bytea → bytea
shobj_description: oid name → text
similar_to_escape: text, text text → text
split_part: text text int4 → text
starts_with: text text → bool
stddev stddev_pop stddev_samp var_pop var_samp variance: numeric, int8, int2, int4 → numeric; float4, float8 →
    float8
strpos: text text → int4
substr: bytea int4, bytea int4 int4 → bytea; text int4, text int4 int4 → text
substring: bytea int4, bytea int4 int4 → bytea; text int4, text text, text int4 int4, text text text → text
sum: interval → interval; numeric, int8 → numeric; int2, int4 → int8; float4 → float4; float8 → float8
timeofday version: () → text
timezone: interval timestamp, text timestamp → timestamptz; interval timestamptz, text timestamptz → timestamp;
    interval timetz, text timetz → timetz
to_char: timestamp text, timestamptz text, interval text, numeric text, int8 text, int4 text, float4 text, float8
    text → text
to_date: text text → date
to_hex: int8, int4 → text
to_number: text text → numeric
to_regclass: text → regclass
to_regtype: text → regtype
to_timestamp: float8, text text → timestamptz
trim_array: anyarray int4 → anyarray
trim_scale: numeric → numeric
unnest: anyarray → anyelement
width_bucket: anycompatible anycompatiblearray, numeric numeric numeric int4, float8 float8 float8 int4 → int4
"""
)
