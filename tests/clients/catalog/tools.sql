-- In the manner of Npgsql, Django, Rails, Metabase, Grafana, DBeaver, Superset, dbt and Tableau: written, not recorded

SELECT ns.nspname, t.oid, t.typname, t.typtype, t.typnotnull, t.elemtypoid
FROM (
    SELECT typ.oid, typ.typnamespace, typ.typname, typ.typtype, typ.typrelid, typ.typnotnull, typ.relkind,
           elemtyp.oid AS elemtypoid, elemtyp.typname AS elemtypname, elemcls.relkind AS elemrelkind,
           CASE WHEN elemproc.proname = 'array_recv' THEN 'a' ELSE elemtyp.typtype END AS elemtyptype
    FROM (
        SELECT typ.oid, typnamespace, typname, typrelid, typnotnull, relkind, typelem AS elemoid,
               CASE WHEN proc.proname = 'array_recv' THEN 'a' ELSE typ.typtype END AS typtype
        FROM pg_type AS typ
        LEFT JOIN pg_class AS cls ON (cls.oid = typ.typrelid)
        LEFT JOIN pg_proc AS proc ON proc.oid = typ.typreceive
        LEFT JOIN pg_range ON (pg_range.rngtypid = typ.oid)
    ) AS typ
    LEFT JOIN pg_type AS elemtyp ON elemtyp.oid = elemoid
    LEFT JOIN pg_class AS elemcls ON (elemcls.oid = elemtyp.typrelid)
    LEFT JOIN pg_proc AS elemproc ON elemproc.oid = elemtyp.typreceive
) AS t
JOIN pg_namespace AS ns ON (ns.oid = typnamespace)
WHERE typtype IN ('b', 'r', 'm', 'e', 'd')
ORDER BY CASE WHEN typtype IN ('b', 'e', 'p') THEN 0 WHEN typtype = 'c' THEN 1 ELSE 2 END, ns.nspname, t.typname
;;
SELECT c.relname, CASE WHEN c.relispartition THEN 'p' WHEN c.relkind IN ('m', 'v') THEN 'v' ELSE 't' END,
       obj_description(c.oid, 'pg_class')
FROM pg_catalog.pg_class c
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('f', 'm', 'p', 'r', 'v')
    AND n.nspname NOT IN ('pg_catalog', 'pg_toast')
    AND pg_catalog.pg_table_is_visible(c.oid)
;;
SELECT a.attname AS column_name, NOT (a.attnotnull OR (t.typtype = 'd' AND t.typnotnull)) AS is_nullable,
       pg_get_expr(ad.adbin, ad.adrelid) AS column_default,
       CASE WHEN collname = 'default' THEN NULL ELSE collname END AS collation,
       a.attidentity != '' AS is_autofield, col_description(a.attrelid, a.attnum) AS column_comment
FROM pg_attribute a
LEFT JOIN pg_attrdef ad ON a.attrelid = ad.adrelid AND a.attnum = ad.adnum
LEFT JOIN pg_collation co ON a.attcollation = co.oid
JOIN pg_type t ON a.atttypid = t.oid
JOIN pg_class c ON a.attrelid = c.oid
JOIN pg_namespace n ON c.relnamespace = n.oid
WHERE c.relkind IN ('f', 'm', 'p', 'r', 'v')
    AND c.relname = 'customer' AND a.attnum > 0
    AND n.nspname NOT IN ('pg_catalog', 'pg_toast')
    AND pg_catalog.pg_table_is_visible(c.oid)
;;
SELECT a.attname, format_type(a.atttypid, a.atttypmod), pg_get_expr(d.adbin, d.adrelid), a.attnotnull,
       a.atttypid, a.atttypmod, c.collname, col_description(a.attrelid, a.attnum) AS comment, attidentity
FROM pg_attribute a
LEFT JOIN pg_attrdef d ON a.attrelid = d.adrelid AND a.attnum = d.adnum
LEFT JOIN pg_type t ON a.atttypid = t.oid
LEFT JOIN pg_collation c ON a.attcollation = c.oid AND a.attcollation <> t.typcollation
WHERE a.attrelid = '"customer"'::regclass AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
;;
SELECT t.oid, t.typname, t.typelem, t.typdelim, t.typinput, r.rngsubtype, t.typtype, t.typbasetype
FROM pg_type AS t
LEFT JOIN pg_range AS r ON oid = rngtypid
WHERE t.typname IN ('int2', 'int4', 'int8', 'oid', 'float4', 'float8', 'numeric', 'bool', 'timestamp', 'timestamptz')
;;
SELECT n.nspname AS schema, c.relname AS name,
       CASE c.relkind WHEN 'r' THEN 'TABLE' WHEN 'p' THEN 'PARTITIONED TABLE' WHEN 'v' THEN 'VIEW'
                      WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE NULL END AS type,
       d.description AS description
FROM pg_catalog.pg_class AS c
INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid
LEFT JOIN pg_catalog.pg_description AS d ON c.oid = d.objoid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass
WHERE c.relnamespace = n.oid AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND c.relkind IN ('r', 'p', 'v', 'f', 'm') AND n.nspname IN ('public')
ORDER BY type ASC, schema ASC, name ASC
;;
SELECT c.column_name AS name, c.udt_name AS "database-type", c.ordinal_position - 1 AS "database-position",
       c.table_schema AS "table-schema", c.table_name AS "table-name", pk.column_name IS NOT NULL AS "pk?",
       col_description(CAST(CAST(format('%I.%I', CAST(c.table_schema AS text), CAST(c.table_name AS text))
                                 AS regclass) AS oid), c.ordinal_position) AS "field-comment",
       (c.column_default IS NULL OR lower(c.column_default) = 'null') AND c.is_nullable = 'NO' AS "database-required"
FROM information_schema.columns AS c
LEFT JOIN (
    SELECT tc.table_schema, tc.table_name, kc.column_name
    FROM information_schema.table_constraints AS tc
    INNER JOIN information_schema.key_column_usage AS kc
        ON tc.constraint_name = kc.constraint_name AND tc.table_schema = kc.table_schema AND tc.table_name = kc.table_name
    WHERE tc.constraint_type = 'PRIMARY KEY'
) AS pk ON c.table_schema = pk.table_schema AND c.table_name = pk.table_name AND c.column_name = pk.column_name
WHERE c.table_schema !~ '^information_schema|catalog_history|pg_' AND c.table_schema IN ('public')
ORDER BY 4, 5, 3
;;
SELECT quote_ident(table_name) AS "table" FROM information_schema.tables
WHERE quote_ident(table_schema) NOT IN ('information_schema', 'pg_catalog', '_timescaledb_cache')
    AND table_type = 'BASE TABLE' AND
    quote_ident(table_schema) IN (
        SELECT CASE WHEN trim(s[i]) = '"$user"' THEN user ELSE trim(s[i]) END
        FROM generate_series(
            array_lower(string_to_array(current_setting('search_path'), ','), 1),
            array_upper(string_to_array(current_setting('search_path'), ','), 1)
        ) AS i, string_to_array(current_setting('search_path'), ',') s
    )
;;
SELECT quote_ident(column_name) AS "column", data_type AS "type" FROM information_schema.columns
WHERE quote_ident(table_name) = 'line' ORDER BY ordinal_position
;;
SELECT db.oid, db.datname, db.encoding, db.datistemplate, db.datallowconn FROM pg_catalog.pg_database db WHERE datname = current_database()
;;
SELECT n.oid, n.*, d.description FROM pg_catalog.pg_namespace n
LEFT OUTER JOIN pg_catalog.pg_description d
    ON d.objoid = n.oid AND d.objsubid = 0 AND d.classoid = 'pg_namespace'::regclass
ORDER BY nspname
;;
SELECT c.oid, c.*, d.description, pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS partition_expr,
       pg_catalog.pg_get_partkeydef(c.oid) AS partition_key
FROM pg_catalog.pg_class c
LEFT OUTER JOIN pg_catalog.pg_description d
    ON d.objoid = c.oid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass
WHERE c.relnamespace = 2200 AND c.relkind NOT IN ('i', 'I', 'c')
;;
SELECT c.relname, a.attname, a.atttypid, a.attnum, a.atttypmod, a.attnotnull, a.atthasdef, a.attcollation, pg_catalog.pg_get_expr(ad.adbin, ad.adrelid, true) AS def_value, dsc.description, dep.objid
FROM pg_catalog.pg_attribute a
INNER JOIN pg_catalog.pg_class c ON (a.attrelid = c.oid)
LEFT OUTER JOIN pg_catalog.pg_attrdef ad ON (a.attrelid = ad.adrelid AND a.attnum = ad.adnum)
LEFT OUTER JOIN pg_catalog.pg_description dsc ON (c.oid = dsc.objoid AND a.attnum = dsc.objsubid)
LEFT OUTER JOIN pg_depend dep
    ON dep.refobjid = a.attrelid AND dep.deptype = 'i' AND dep.refobjsubid = a.attnum AND dep.classid = dep.refclassid
WHERE NOT a.attisdropped AND a.attnum > 0 AND c.relname = 'line'
ORDER BY a.attnum
;;
SELECT c.oid, c.*, t.relname AS tabrelname, rt.relnamespace AS refnamespace, d.description
FROM pg_catalog.pg_constraint c
INNER JOIN pg_catalog.pg_class t ON t.oid = c.conrelid
LEFT OUTER JOIN pg_catalog.pg_class rt ON rt.oid = c.confrelid
LEFT OUTER JOIN pg_catalog.pg_description d
    ON d.objoid = c.oid AND d.objsubid = 0 AND d.classoid = 'pg_constraint'::regclass
WHERE c.conrelid = {oid:line}
ORDER BY c.oid
;;
SELECT i.*, i.indkey AS keys, c.relname, c.relnamespace, c.relam, c.reltablespace, tc.relname AS tabrelname, dsc.description
FROM pg_catalog.pg_index i
INNER JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
INNER JOIN pg_catalog.pg_class tc ON tc.oid = i.indrelid
LEFT OUTER JOIN pg_catalog.pg_description dsc ON i.indexrelid = dsc.objoid
WHERE i.indrelid = {oid:line}
ORDER BY tabrelname, c.relname
;;
SELECT 'postgres' AS database, name AS name, schema AS schema, type AS type
FROM (
    SELECT tablename AS name, schemaname AS schema, 'table' AS type FROM pg_tables WHERE schemaname ILIKE 'public'
    UNION ALL
    SELECT viewname AS name, schemaname AS schema, 'view' AS type FROM pg_views WHERE schemaname ILIKE 'public'
    UNION ALL
    SELECT matviewname AS name, schemaname AS schema, 'materialized_view' AS type FROM pg_matviews
    WHERE schemaname ILIKE 'public'
) AS found
;;
SELECT DISTINCT nspname FROM pg_namespace
;;
SELECT column_name, data_type, character_maximum_length, numeric_precision, numeric_scale
FROM information_schema.columns WHERE table_name = 'line' ORDER BY ordinal_position
;;
SELECT relname, n_live_tup FROM pg_stat_user_tables WHERE relname IN ('customer', 'line') ORDER BY relname
;;
SELECT kcu.table_schema, kcu.table_name, tco.constraint_name, kcu.ordinal_position AS position, kcu.column_name
FROM information_schema.table_constraints tco
JOIN information_schema.key_column_usage kcu
    ON kcu.constraint_name = tco.constraint_name AND kcu.constraint_schema = tco.constraint_schema
WHERE tco.constraint_type = 'PRIMARY KEY' AND kcu.table_schema = 'public'
ORDER BY kcu.table_schema, kcu.table_name, position
;;
SELECT pg_size_pretty(0::bigint), pg_size_pretty(10240::bigint), pg_size_pretty(123456789::bigint),
       pg_size_pretty(99999999999999::bigint), pg_size_pretty(-20480::bigint)
;;
SELECT quote_ident('plain'), quote_ident('With "quotes"'), quote_ident('select'), quote_ident('interval'),
       quote_literal('it''s'), quote_literal(E'back\\slash'), quote_nullable(NULL), parse_ident('Public."My Table"')
;;
SELECT format_type(oid, NULL), format_type(oid, -1), oid::regtype FROM pg_type WHERE oid < 5100 ORDER BY oid
;;
SELECT format_type(1043, 44), format_type(1700, 786438), format_type(1114, 3), format_type(1184, 0), format_type(1042, 8),
       format_type(1231, 786438), format_type(0, 0), format_type(99999, -1), format_type(NULL, 3)
;;
SELECT to_regclass('customer')::text, to_regclass('public.line')::text, to_regclass('nothing')::text,
       to_regtype('integer')::text, to_regtype('varchar(10)')::text, to_regtype('text[]')::text,
       to_regtype('nothing')::text, to_regnamespace('public')::text, to_regnamespace('nothing')::text,
       to_regproc('upper')::text, to_regproc('nothing')::text, 'pg_class'::regclass::oid, 'int4'::regtype::oid
;;
SELECT a.attnum, a.attname, t.typname, a.attlen, a.attnotnull, a.atttypmod FROM pg_attribute a
JOIN pg_type t ON t.oid = a.atttypid WHERE a.attrelid = 'pg_catalog.pg_class'::regclass AND a.attnum > 0
ORDER BY a.attnum
;;
SELECT has_table_privilege('customer', 'SELECT'), has_schema_privilege('public', 'USAGE'),
       has_database_privilege(current_database(), 'CONNECT'), has_table_privilege({oid:line}, 'INSERT'),
       pg_table_is_visible('customer'::regclass), pg_type_is_visible('int4'::regtype), pg_table_is_visible(1)
;;
SELECT obj_description(23, 'pg_type'), obj_description(2200, 'pg_namespace'), col_description({oid:line}, 1),
       shobj_description(1, 'pg_database'), pg_encoding_to_char(6), pg_char_to_encoding('UTF8'), pg_get_userbyid(10)
;;
SELECT pg_get_function_arguments(oid), pg_get_function_identity_arguments(oid), pg_get_function_result(oid)
FROM pg_proc WHERE proname IN ('upper', 'lpad', 'array_to_string', 'pg_get_keywords') ORDER BY oid
;;
SELECT current_schema, current_schema(), current_schemas(true), current_schemas(false), current_user, session_user,
       current_catalog, current_database(), pg_is_in_recovery(), pg_my_temp_schema()
;;
SELECT count(*) FROM pg_type a JOIN pg_type b ON b.oid = a.typarray WHERE b.typelem <> a.oid
;;
SELECT oprname, oprleft::regtype, oprright::regtype, oprresult::regtype, oprcode::oid FROM pg_operator ORDER BY oid
;;
SELECT castsource::regtype, casttarget::regtype, castcontext, castmethod FROM pg_cast ORDER BY oid
